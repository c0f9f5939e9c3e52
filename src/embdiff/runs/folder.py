"""The folder of a run: what stands in it, and whether one may be put there.

``run.toml`` (settings), ``manifest.json`` (provenance, versions, timings), ``corpus.parquet``, ``queries.parquet``,
``arrays.parquet`` (neighbours, places and maps as numbers), ``headline.json`` (what was found, in a sentence),
``scores.json``, ``agreement.json`` (curves over k), ``groups.json``, ``expected.json`` (expected results, and tests
between the models), ``calibration.json`` (shuffled rows), ``similarities.json`` (their distributions), the report,
and the Milvus Lite file ``milvus.db`` unless another store was named. ``neighbors.parquet`` and
``similarities.parquet`` are for people: the same lists and similarities again, with names. The manifest is written
last: a folder without it is not a run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from embdiff import _files
from embdiff.errors import DataError, ParameterError

FORMAT = 2
STORE_FILE, REPORT_FILE = "milvus.db", "report.html"
SETTINGS, MANIFEST = "run.toml", "manifest.json"
CORPUS, QUERIES, ARRAYS = "corpus.parquet", "queries.parquet", "arrays.parquet"
NEIGHBORS, SIMILARITIES = "neighbors.parquet", "similarities.parquet"
SCORES, AGREEMENT, EXPECTED, GROUPS = "scores.json", "agreement.json", "expected.json", "groups.json"
CALIBRATION, DISTRIBUTIONS, HEADLINE = "calibration.json", "similarities.json", "headline.json"
FILES = frozenset(
    {STORE_FILE, REPORT_FILE, SETTINGS, MANIFEST, CORPUS, QUERIES, ARRAYS, NEIGHBORS, SIMILARITIES, SCORES, AGREEMENT,
     EXPECTED, GROUPS, CALIBRATION, DISTRIBUTIONS, HEADLINE}
)  # fmt: skip


def is_run(folder: Path) -> bool:
    """Return whether ``folder`` is a whole run."""
    return (folder / MANIFEST).is_file() and (folder / SETTINGS).is_file()


def free_folder(target: Path) -> Path:
    """Return ``target``, absolute, if a run may be put there: it is new, empty, or holds an earlier run and no more.

    Raises
    ------
    ParameterError
        When it holds anything else, which would be lost.
    """
    folder = _files.place_for(target, "run folder")
    if not folder.exists():
        return folder
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    names = {name for name in names if not _files.is_aside(name)}  # left by a command that was killed in writing one
    foreign = sorted(names - FILES) if is_run(folder) or not names <= FILES else sorted(names)
    if foreign:
        raise ParameterError(
            f"The run folder must be new, empty, or an earlier run and nothing else, since it is replaced. Got "
            f"{target} with {', '.join(foreign[:3])}. Name another folder with --out, or move these away."
        )
    return folder


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run.

    Raises
    ------
    DataError
        When the folder is no whole run, or one of another format.
    """
    if not is_run(folder):
        raise DataError(
            f"A run must be a folder with run.toml and manifest.json. Got {folder}. "
            "Name the folder that 'embdiff compare' printed, or run it again if it was interrupted."
        )
    manifest: dict[str, Any] = read_json(folder / MANIFEST)
    found = manifest.pop("format")
    if found != FORMAT:
        raise DataError(f"A run must be of format {FORMAT}. Got {found!r} in {folder}. Run the comparison again.")
    return manifest


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
