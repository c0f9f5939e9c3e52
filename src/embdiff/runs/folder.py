"""The folder of a run: what stands in it, and whether one may be put there.

``run.toml`` (settings), ``manifest.json`` (provenance, versions, timings), ``corpus.parquet``, ``queries.parquet``,
``arrays.parquet`` (neighbours, places and maps as numbers), ``headline.json`` (what was found, in a sentence),
``scores.json``, ``agreement.json`` (curves over k), ``groups.json`` (and clusters), ``expected.json`` (expected
results, and tests between the models), ``why.json`` (causes of changed neighbours), ``calibration.json`` (shuffled
rows), ``similarities.json`` (their distributions), the report, and the Milvus Lite file ``milvus.db`` unless another
store was named.
``neighbors.parquet`` and ``similarities.parquet`` are for people: the same lists and similarities again, with names.
The manifest is written last: a folder without it is not a run.

The manifest has the SHA-256 of every other file but the database, which changes as it is opened, and one over itself.
They tell damage, not forgery: whoever changes a file on purpose can change them, too. A command that writes into a run
later records what it wrote (`write_into`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from embdiff import _files, _names
from embdiff.errors import DataError, ParameterError

FORMAT = 5
STORE_FILE, REPORT_FILE = "milvus.db", "report.html"
SETTINGS, MANIFEST = "run.toml", "manifest.json"
CORPUS, QUERIES, ARRAYS = "corpus.parquet", "queries.parquet", "arrays.parquet"
NEIGHBORS, SIMILARITIES = "neighbors.parquet", "similarities.parquet"
SCORES, AGREEMENT, EXPECTED, GROUPS = "scores.json", "agreement.json", "expected.json", "groups.json"
CALIBRATION, DISTRIBUTIONS, HEADLINE, WHY = "calibration.json", "similarities.json", "headline.json", "why.json"
FILES = frozenset(
    {STORE_FILE, REPORT_FILE, SETTINGS, MANIFEST, CORPUS, QUERIES, ARRAYS, NEIGHBORS, SIMILARITIES, SCORES, AGREEMENT,
     EXPECTED, GROUPS, CALIBRATION, DISTRIBUTIONS, HEADLINE, WHY}
)  # fmt: skip
OWN_STORE = f"milvus:{STORE_FILE}"  # as the manifest names the database of the folder
# What a run can be looked at without, and what is not shown then.
NOT_SHOWN: Mapping[str, str] = {
    STORE_FILE: "the live page searches exactly, and not with the run's index",
    REPORT_FILE: "there is no report; 'embdiff report RUN --damaged' writes it again",
    NEIGHBORS: "nothing: the same lists are in arrays.parquet",
    SIMILARITIES: "nothing: the same similarities are in similarities.json",
    HEADLINE: "what was found in a sentence; the numbers are all there",
    AGREEMENT: "agreement at other depths, and what rbo does not see",
    EXPECTED: "expected results, and the tests between models by them",
    GROUPS: "mixing of groups, their tests, and the groups or clusters in which the models disagree",
    WHY: "why neighbours changed",
    CALIBRATION: "calibrated agreement",
    DISTRIBUTIONS: "distributions of similarities, and cut-offs",
}
_FILES_KEY, _SEAL = "files", "sha256"  # in the manifest
_ABSENT = "absent"  # in the place of a checksum: the file may be missing


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
    folder = _names.place_for(target, "run folder")
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


def write_manifest(folder: Path, manifest: Mapping[str, Any], written: Collection[str]) -> None:
    """Write the manifest of a run, with the checksums of the files ``written`` and one of its own."""
    _write_sealed(folder, manifest, {name: _files.sha256_of(folder / name) for name in sorted(written)})


def write_into(folder: Path, name: str, text: str) -> None:
    """Write a file into a run that is there; whenever this is interrupted, the run is whole, with the old or the new.

    The manifest has the checksums of both before the new file takes the place of the old one, and of the new one alone
    afterwards. Should only that last step fail, for want of room, both stay: nothing is lost.

    Raises
    ------
    DataError
        When the folder is no whole run.
    OSError
        When there is no room: the old file stands.
    """
    manifest = read_manifest(folder)
    sums, path = manifest.pop(_FILES_KEY), folder / name
    new = hashlib.sha256(text.encode()).hexdigest()
    there = _files.sha256_of(path) if path.is_file() else _ABSENT
    _write_sealed(folder, manifest, {**sums, name: [*_sums_of(sums.get(name, there)), new]})
    _files.write_text(path, text)
    with suppress(OSError):
        _write_sealed(folder, manifest, {**sums, name: new})


def _sums_of(told: Any) -> list[Any]:
    """Return the checksums that a file may have: one, or more while it is being replaced."""
    return told if isinstance(told, list) else [told]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run, with ``files``: the checksums of its files by name.

    Raises
    ------
    DataError
        When the folder is no whole run, or one of another format, or the manifest is damaged.
    """
    if not is_run(folder):
        raise DataError(
            f"A run must be a folder with run.toml and manifest.json. Got {folder}. "
            "Name the folder that 'embdiff compare' printed, or run it again if it was interrupted."
        )
    try:
        manifest = read_json(folder / MANIFEST)
        found, seal = manifest.pop("format"), manifest.pop(_SEAL, None)
        if found != FORMAT:
            raise DataError(
                f"A run must be of format {FORMAT}. Got {repr(found)[:20]} in {folder / MANIFEST}. Run the comparison "
                "again."
            )
        whole = seal == _seal({**manifest, "format": found}) and isinstance(manifest[_FILES_KEY], dict)
    except DataError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, OSError, RecursionError):
        raise damaged(folder, {MANIFEST: "cannot be read"}) from None
    if not whole:
        raise damaged(folder, {MANIFEST: "is changed"})
    return dict(manifest)


def broken(folder: Path, sums: Mapping[str, Any], needed: Collection[str], store: Any) -> dict[str, str]:
    """Return the parts of a run that are not as they were written, and what is wrong with each.

    Parameters
    ----------
    folder : Path
    sums : mapping of str to str
        Checksums by file, from the manifest.
    needed : collection of str
        Files that must have a checksum.
    store : object
        Where the manifest says that the collections are.
    """
    names = dict.fromkeys((*needed, *sums))
    found = {name: _wrong(folder, name, sums.get(name)) for name in names}
    if store == OWN_STORE and ((folder / STORE_FILE).is_symlink() or not (folder / STORE_FILE).is_dir()):
        found[STORE_FILE] = "is missing"
    return {name: wrong for name, wrong in found.items() if wrong}


def _wrong(folder: Path, name: str, wanted: Any) -> str:
    """Return what is wrong with a file, "" for nothing. Links and pipes are never opened."""
    path = folder / name
    if name not in FILES - {MANIFEST, STORE_FILE}:
        return "is no file of a run"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return "is no plain file"
    if not path.exists():
        return "" if _ABSENT in _sums_of(wanted) else "is missing"
    try:
        return "" if _files.sha256_of(path) in _sums_of(wanted) else "is changed"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


def damaged(folder: Path, parts: Mapping[str, str]) -> DataError:
    """Return what to raise where parts of a run are not as they were written."""
    told = "; ".join(f"{name[:60]!r} {wrong}" for name, wrong in list(parts.items())[:4])
    remedy = "Run the comparison again, or take another copy"
    if parts.keys() <= NOT_SHOWN.keys():
        remedy += "; --damaged (damaged=True) opens the run without these"
    return DataError(f"The files of a run must be intact. Got {folder}, in which {told}. {remedy}.")


def _write_sealed(folder: Path, manifest: Mapping[str, Any], sums: Mapping[str, str | list[str]]) -> None:
    told = {**manifest, "format": FORMAT, _FILES_KEY: sums}
    _files.write_json(folder / MANIFEST, {**told, _SEAL: _seal(told)})


def _seal(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest as JSON gives it back."""
    text = json.dumps(manifest, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
