"""The run folder and the record it holds.

``run.toml`` (settings), ``manifest.json`` (provenance, versions, timings), ``corpus.parquet``, ``queries.parquet``,
``neighbors.parquet``, ``exact.parquet``, ``elsewhere.parquet``, ``scores.json``, ``agreement.json`` (curves over k),
``groups.json``, where bm25 stood beside the models ``baseline.parquet`` and ``baseline_elsewhere.parquet``, with
expected results ``expected.json`` (tests between the models), and the
Milvus Lite file ``milvus.db`` unless another store was named. The manifest is written last: a
folder without it is not a run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from embdiff import _files
from embdiff.errors import DataError, EmbdiffError, ParameterError
from embdiff.measures import GroupTest, Mixing
from embdiff.measures.differences import Differences
from embdiff.records import Qrels, Score
from embdiff.runs import later
from embdiff.runs.columns import (
    agreement_json,
    differences_json,
    elsewhere_columns,
    groups_json,
    layout_columns,
    neighbor_columns,
)
from embdiff.runs.record import Run
from embdiff.runs.tables import (
    LAYOUTS_FILE,
    corpus_facts,
    read_answers,
    read_baseline,
    read_corpus,
    read_layouts,
    write_corpus,
    write_table,
)
from embdiff.settings import RunConfig

FORMAT = 1
STORE_FILE = "milvus.db"
REPORT_FILE = "report.html"
FILES = frozenset(
    {"run.toml", "manifest.json", "corpus.parquet", "queries.parquet", "neighbors.parquet", "exact.parquet",
     "elsewhere.parquet", "scores.json", "groups.json", "agreement.json", "baseline.parquet",
     "baseline_elsewhere.parquet", "expected.json", STORE_FILE, LAYOUTS_FILE, REPORT_FILE, *later.FILES}
)  # fmt: skip


def is_run(folder: Path) -> bool:
    """Return whether ``folder`` is a whole run."""
    return (folder / "manifest.json").is_file() and (folder / "run.toml").is_file()


def free_folder(target: Path) -> Path:
    """Return ``target``, absolute, if a run may be put there: it is new, empty, or holds an earlier run and no more.

    Raises
    ------
    ParameterError
        When it holds anything else, which would be lost.
    """
    folder = target.resolve()
    if not folder.exists():
        return folder
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    foreign = sorted(names - FILES) if is_run(folder) or not names <= FILES else sorted(names)
    if foreign:
        raise ParameterError(
            f"The run folder must be new, empty, or an earlier run and nothing else, since it is replaced. Got "
            f"{target} with {', '.join(foreign[:3])}. Name another folder with --out, or move these away."
        )
    return folder


def write(run: Run, folder: Path) -> None:
    """Write a run into an existing folder, the manifest last."""
    _files.write_text(folder / "run.toml", run.config.to_toml())
    write_corpus(run.corpus, folder / "corpus.parquet")
    write_corpus(run.queries, folder / "queries.parquet")
    write_table(neighbor_columns(run, run.answers, "returned"), folder / "neighbors.parquet")
    write_table(neighbor_columns(run, run.answers, "exact"), folder / "exact.parquet")
    write_table(elsewhere_columns(run, run.answers), folder / "elsewhere.parquet")
    if run.baseline is not None:
        write_table(neighbor_columns(run, run.beside, "returned"), folder / "baseline.parquet")
        write_table(elsewhere_columns(run, run.beside), folder / "baseline_elsewhere.parquet")
    _files.write_json(folder / "agreement.json", agreement_json(run))
    if run.expected is not None:
        _files.write_json(folder / "expected.json", differences_json(run))
    _files.write_json(folder / "scores.json", [score.to_dict() for score in run.scores])
    _files.write_json(folder / "groups.json", groups_json(run))
    if run.similarities:
        later.write_similarities(run.similarities, run.distributions, run.queries.ids, folder)
    later.write_calibrations(run.calibrations, folder)
    if run.layouts:
        write_table(layout_columns(run), folder / LAYOUTS_FILE)
    expected = run.expected and {"source": run.expected.source, "judgements": run.expected.judgements}
    state = {"query_rows": run.query_rows, "corpus": corpus_facts(run.corpus), "queries": corpus_facts(run.queries),
             "layouts": [layout.facts() for layout in run.layouts]}  # fmt: skip
    manifest = {**run.manifest, "format": FORMAT, "state": {**state, "expected": expected}}
    _files.write_json(folder / "manifest.json", manifest)


def read(folder: Path) -> Run:
    """Read a run folder.

    Raises
    ------
    DataError
        When the folder is no whole run, or was written by a newer embdiff.
    """
    if not is_run(folder):
        raise DataError(
            f"A run must be a folder with run.toml and manifest.json. Got {folder}. "
            "Name the folder that 'embdiff compare' printed, or run it again if it was interrupted."
        )
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest.pop("format") > FORMAT:
            raise DataError(f"A run must be of format {FORMAT} or older. Got a newer one in {folder}. Update embdiff.")
        return _assemble(folder, manifest)
    except EmbdiffError:
        raise
    except (KeyError, IndexError, OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"The files of a run must be intact. Got {folder}: {error!r}. Run the comparison again."
        ) from None


def _assemble(folder: Path, manifest: dict[str, Any]) -> Run:
    config = RunConfig.from_toml(folder / "run.toml")
    state = manifest.pop("state")
    corpus = read_corpus(folder / "corpus.parquet", state["corpus"])
    queries = read_corpus(folder / "queries.parquet", state["queries"])
    groups = json.loads((folder / "groups.json").read_text(encoding="utf-8"))
    agreement = _optional_json(folder / "agreement.json", {"curves": [], "tails": []})
    differences = _optional_json(folder / "expected.json", [])
    expected = state["expected"]
    rows = state["query_rows"]
    similarities, distributions = later.read_similarities(folder)
    return Run(
        config=config,
        corpus=corpus,
        queries=queries,
        query_rows=None if rows is None else tuple(rows),
        answers=read_answers(folder, config, corpus, queries, manifest),
        scores=tuple(Score.from_dict(raw) for raw in json.loads((folder / "scores.json").read_text(encoding="utf-8"))),
        mixings={model: Mixing.from_dict(raw) for model, raw in groups["mixing"].items()},
        tests=tuple((raw["model"], GroupTest.from_dict(raw)) for raw in groups["tests"]),
        expected=expected and Qrels(expected["judgements"], expected["source"]),
        manifest=manifest,
        similarities=similarities,
        distributions=distributions,
        calibrations=later.read_calibrations(folder),
        layouts=read_layouts(folder, state.get("layouts", ()), len(corpus)),
        baseline=read_baseline(folder, config, corpus, queries),
        curves=tuple(Score.from_dict(raw) for raw in agreement["curves"]),
        tails=tuple(agreement["tails"]),
        changes=tuple(agreement.get("changes", ())),
        differences=tuple((raw["query_model"], Differences.from_dict(raw)) for raw in differences),
    )


def _optional_json(path: Path, otherwise: Any) -> Any:
    """Read a file that older runs do not have."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else otherwise
