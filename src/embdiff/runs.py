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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff import _files, run_parts
from embdiff.config import RunConfig, check_metric
from embdiff.errors import DataError, EmbdiffError, ParameterError
from embdiff.lexical import BM25
from embdiff.measures import GroupTest, Mixing
from embdiff.measures.calibration import Calibration
from embdiff.measures.differences import Differences
from embdiff.measures.similarities import Distribution, Similarities
from embdiff.records import Answer, Corpus, ElsewhereRows, Layout, Neighbors, Qrels, Score

FORMAT = 1
STORE_FILE = "milvus.db"
LAYOUTS_FILE = "layouts.parquet"
REPORT_FILE = "report.html"
FILES = frozenset(
    {"run.toml", "manifest.json", "corpus.parquet", "queries.parquet", "neighbors.parquet", "exact.parquet",
     "elsewhere.parquet", "scores.json", "groups.json", "agreement.json", "baseline.parquet",
     "baseline_elsewhere.parquet", "expected.json", STORE_FILE, LAYOUTS_FILE, REPORT_FILE, *run_parts.FILES}
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Run:
    """Everything one comparison found; the run folder holds exactly this.

    Parameters
    ----------
    config : RunConfig
    corpus, queries : Corpus
        Queries taken from the corpus keep their corpus id.
    query_rows : tuple of int or None
        Corpus rows of the queries, None when they came from elsewhere.
    answers : tuple of Answer
        One for each query model and collection.
    scores : tuple of Score
    mixings : mapping of str to Mixing
        Group mixing by model; empty without groups.
    tests : tuple of (str, GroupTest)
        Model and its test, for every group and model.
    expected : Qrels or None
    manifest : dict
        Versions, stamps, timings, what was cut or dropped.
    similarities : tuple of Similarities
        What cut-offs need, for each model with vectors; empty in older runs.
    distributions : tuple of Distribution
    calibrations : tuple of Calibration
        Empty unless asked for.
    layouts : tuple of Layout
        Maps of the models' spaces, to look at; empty in older runs.
    baseline : Answer or None
        Of bm25, where it stood beside the models.
    curves : tuple of Score
        Agreement at several depths up to k.
    tails : tuple of dict
        What the unseen tail leaves open of each rbo.
    differences : tuple of (str or None, Differences)
        With expected results: the query model, and how the collections differ in a measure.
    """

    config: RunConfig
    corpus: Corpus
    queries: Corpus
    query_rows: tuple[int, ...] | None
    answers: tuple[Answer, ...]
    scores: tuple[Score, ...]
    mixings: Mapping[str, Mixing] = field(default_factory=dict)
    tests: tuple[tuple[str, GroupTest], ...] = ()
    expected: Qrels | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    similarities: tuple[Similarities, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    layouts: tuple[Layout, ...] = ()
    baseline: Answer | None = None
    curves: tuple[Score, ...] = ()
    tails: tuple[Mapping[str, Any], ...] = ()
    differences: tuple[tuple[str | None, Differences], ...] = ()

    @property
    def beside(self) -> tuple[Answer, ...]:
        """The answer of bm25, if there is one."""
        return () if self.baseline is None else (self.baseline,)

    @property
    def shown(self) -> tuple[Answer, ...]:
        """The answers whose lists are shown: of the models, and of bm25 where it was named among them."""
        return (*self.answers, *(self.beside if self.config.baseline == "named" else ()))

    def parts(self) -> dict[str, Any]:
        """Return all of the run as plain comparable values: two runs are equal when these are, wherever stored."""
        return {
            "config": self.config.model_dump(mode="json"),
            "corpus": self.corpus,
            "queries": self.queries,
            "query_rows": self.query_rows,
            "neighbors": neighbor_columns(self, self.answers, "returned"),
            "exact": neighbor_columns(self, self.answers, "exact"),
            "elsewhere": _elsewhere_columns(self, self.answers),
            "baseline": neighbor_columns(self, self.beside, "returned"),
            "baseline_elsewhere": _elsewhere_columns(self, self.beside),
            "agreement": agreement_json(self),
            "differences": differences_json(self),
            "scores": [score.to_dict() for score in self.scores],
            "groups": groups_json(self),
            "expected": self.expected and self.expected.judgements,
            "layouts": {layout.model: {**layout.facts(), "xy": layout.xy} for layout in self.layouts},
            "manifest": {key: value for key, value in self.manifest.items() if key != "store"},
            "similarities": {each.model: each.parts() for each in self.similarities},
            "distributions": [each.to_dict() for each in self.distributions],
            "calibrations": [each.to_dict() for each in self.calibrations],
        }


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
    _write_corpus(run.corpus, folder / "corpus.parquet")
    _write_corpus(run.queries, folder / "queries.parquet")
    _write_table(neighbor_columns(run, run.answers, "returned"), folder / "neighbors.parquet")
    _write_table(neighbor_columns(run, run.answers, "exact"), folder / "exact.parquet")
    _write_table(_elsewhere_columns(run, run.answers), folder / "elsewhere.parquet")
    if run.baseline is not None:
        _write_table(neighbor_columns(run, run.beside, "returned"), folder / "baseline.parquet")
        _write_table(_elsewhere_columns(run, run.beside), folder / "baseline_elsewhere.parquet")
    _files.write_json(folder / "agreement.json", agreement_json(run))
    if run.expected is not None:
        _files.write_json(folder / "expected.json", differences_json(run))
    _files.write_json(folder / "scores.json", [score.to_dict() for score in run.scores])
    _files.write_json(folder / "groups.json", groups_json(run))
    if run.similarities:
        run_parts.write_similarities(run.similarities, run.distributions, run.queries.ids, folder)
    run_parts.write_calibrations(run.calibrations, folder)
    if run.layouts:
        _write_table(_layout_columns(run), folder / LAYOUTS_FILE)
    expected = run.expected and {"source": run.expected.source, "judgements": run.expected.judgements}
    state = {"query_rows": run.query_rows, "corpus": _corpus_facts(run.corpus), "queries": _corpus_facts(run.queries),
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
    corpus = _read_corpus(folder / "corpus.parquet", state["corpus"])
    queries = _read_corpus(folder / "queries.parquet", state["queries"])
    groups = json.loads((folder / "groups.json").read_text(encoding="utf-8"))
    agreement = _optional_json(folder / "agreement.json", {"curves": [], "tails": []})
    differences = _optional_json(folder / "expected.json", [])
    expected = state["expected"]
    rows = state["query_rows"]
    similarities, distributions = run_parts.read_similarities(folder)
    return Run(
        config=config,
        corpus=corpus,
        queries=queries,
        query_rows=None if rows is None else tuple(rows),
        answers=_read_answers(folder, config, corpus, queries, manifest),
        scores=tuple(Score.from_dict(raw) for raw in json.loads((folder / "scores.json").read_text(encoding="utf-8"))),
        mixings={model: Mixing.from_dict(raw) for model, raw in groups["mixing"].items()},
        tests=tuple((raw["model"], GroupTest.from_dict(raw)) for raw in groups["tests"]),
        expected=expected and Qrels(expected["judgements"], expected["source"]),
        manifest=manifest,
        similarities=similarities,
        distributions=distributions,
        calibrations=run_parts.read_calibrations(folder),
        layouts=_read_layouts(folder, state.get("layouts", ()), len(corpus)),
        baseline=_read_baseline(folder, config, corpus, queries),
        curves=tuple(Score.from_dict(raw) for raw in agreement["curves"]),
        tails=tuple(agreement["tails"]),
        differences=tuple((raw["query_model"], Differences.from_dict(raw)) for raw in differences),
    )


def _layout_columns(run: Run) -> dict[str, Any]:
    """Return the maps, one row for each (model, corpus row)."""
    return _stack(
        [
            {
                "model": np.full(len(run.corpus), layout.model, dtype=object),
                "id": np.array(run.corpus.ids, dtype=object),
                "x": layout.xy[:, 0],
                "y": layout.xy[:, 1],
            }
            for layout in run.layouts
        ]
    )


def _read_layouts(folder: Path, facts: Sequence[Mapping[str, Any]], rows: int) -> tuple[Layout, ...]:
    if not facts:
        return ()
    table = _read_table(folder / LAYOUTS_FILE)
    found = []
    for place, each in enumerate(facts):
        part = slice(place * rows, (place + 1) * rows)
        xy = np.stack([table["x"][part], table["y"][part]], axis=1)
        known = {**each, "kept": np.nan if each["kept"] is None else each["kept"]}
        found.append(Layout(xy=xy, **known))
    return tuple(found)


def _optional_json(path: Path, otherwise: Any) -> Any:
    """Read a file that older runs do not have."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else otherwise


def agreement_json(run: Run) -> dict[str, Any]:
    """Return the curves over k and the tails of rbo as JSON-able values."""
    return {"curves": [score.to_dict() for score in run.curves], "tails": [dict(tail) for tail in run.tails]}


def differences_json(run: Run) -> list[dict[str, Any]]:
    """Return how the collections differ in the measures of expected results, as JSON-able values."""
    return [{"query_model": asks, **each.to_dict()} for asks, each in run.differences]


def _corpus_facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "source": corpus.source,
        "ids_given": corpus.ids_given,
        "dropped": list(corpus.dropped),
        "notes": list(corpus.notes),
    }


def _write_corpus(corpus: Corpus, path: Path) -> None:
    columns: dict[str, Sequence[str]] = {"id": corpus.ids, "text": corpus.items}
    _write_table(columns if corpus.groups is None else {**columns, "group": corpus.groups}, path)


def _read_corpus(path: Path, facts: Mapping[str, Any]) -> Corpus:
    table = _read_table(path)
    return Corpus(
        items=tuple(table["text"]),
        ids=tuple(table["id"]),
        groups=tuple(table["group"]) if "group" in table else None,
        source=facts["source"],
        ids_given=facts["ids_given"],
        dropped=tuple(facts["dropped"]),
        notes=tuple(facts["notes"]),
    )


def _write_table(columns: Mapping[str, Any], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: _arrow(values) for name, values in columns.items()}), path, compression="zstd")


def _arrow(values: Any) -> Any:
    """Return an Arrow column; text is large_string, so that 2 GiB of it is no limit."""
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.dtype != object:
        return pa.array(values)
    return pa.array(values, type=pa.large_string())


def _read_table(path: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def _names(ids: Sequence[str], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    named: npt.NDArray[Any] = np.array(ids, dtype=object)[rows]
    return named


def neighbor_columns(run: Run, answers: Sequence[Answer], which: str) -> dict[str, Any]:
    """Return the ``returned`` or ``exact`` neighbours, one row for each (answer, query, rank), padding left out."""
    blocks: list[dict[str, Any]] = []
    for answer in answers:
        neighbors: Neighbors = getattr(answer, which)
        query, place = np.nonzero(neighbors.rows >= 0)
        rows = neighbors.rows[query, place]
        block = {
            "query_id": _names(run.queries.ids, query),
            "query_model": np.full(len(query), answer.query_model, dtype=object),
            "model": np.full(len(query), answer.model, dtype=object),
            "rank": place.astype(np.int64) + 1,
            "id": _names(run.corpus.ids, rows),
            "distance": neighbors.distance[query, place],
            "similarity": neighbors.similarity[query, place],
        }
        if which == "returned":
            block["self"] = answer.is_self[query, place]
        blocks.append(block)
    return _stack(blocks)


def _elsewhere_columns(run: Run, answers: Sequence[Answer]) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    for answer in answers:
        there = answer.elsewhere
        query, place = np.nonzero(there.rows >= 0)
        blocks.append(
            {
                "query_id": _names(run.queries.ids, query),
                "query_model": np.full(len(query), answer.query_model, dtype=object),
                "model": np.full(len(query), answer.model, dtype=object),
                "id": _names(run.corpus.ids, there.rows[query, place]),
                "rank": there.ranks[query, place],
                "similarity": there.similarity[query, place],
            }
        )
    return _stack(blocks)


def _stack(blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]} if blocks else {}


def groups_json(run: Run) -> dict[str, Any]:
    """Return mixing matrices by model and all group tests as JSON-able values."""
    return {
        "k": min(run.config.k, len(run.corpus) - 1),
        "mixing": {model: mixing.to_dict() for model, mixing in run.mixings.items()},
        "tests": [{"model": model, **test.to_dict()} for model, test in run.tests],
    }


def _read_answers(
    folder: Path, config: RunConfig, corpus: Corpus, queries: Corpus, manifest: Mapping[str, Any]
) -> tuple[Answer, ...]:
    tables = {name: _Lookup(_read_table(folder / f"{name}.parquet"), corpus, queries) for name in _TABLES}
    shape = (len(queries), config.k)
    answers = []
    for search in manifest["searches"]:
        pair = (search["query_model"], search["model"])
        returned = tables["neighbors"].neighbors(pair, shape, config, search["index"])
        answers.append(
            Answer(
                model=search["model"],
                query_model=search["query_model"],
                returned=returned,
                exact=tables["exact"].neighbors(pair, shape, config, "exact"),
                is_self=tables["neighbors"].grid(pair, "self", shape, fill=False),
                elsewhere=tables["elsewhere"].elsewhere(pair, len(queries)),
            )
        )
    return tuple(answers)


def _read_baseline(folder: Path, config: RunConfig, corpus: Corpus, queries: Corpus) -> Answer | None:
    """Read the answer of bm25; it has no index, so that what it returned is exact."""
    if not (folder / "baseline.parquet").is_file():
        return None
    listed, elsewhere = (
        _Lookup(_read_table(folder / f"{name}.parquet"), corpus, queries) for name in ("baseline", "baseline_elsewhere")
    )
    pair, shape = (BM25, BM25), (len(queries), config.k)
    returned = Neighbors(
        rows=listed.grid(pair, "row", shape, fill=-1),
        similarity=listed.grid(pair, "similarity", shape, fill=np.nan),
        metric="ip",
        index=BM25,
    )
    is_self = listed.grid(pair, "self", shape, fill=False)
    return Answer(BM25, BM25, returned, returned, is_self, elsewhere.elsewhere(pair, len(queries)))


_TABLES = ("neighbors", "exact", "elsewhere")


class _Lookup:
    """One of the long tables, cut into arrays of shape (q, k) again."""

    def __init__(self, table: Mapping[str, Any], corpus: Corpus, queries: Corpus) -> None:
        row_of = {name: row for row, name in enumerate(corpus.ids)}
        query_of = {name: row for row, name in enumerate(queries.ids)}
        self._table = dict(table)
        self._table["row"] = np.array([row_of[name] for name in table["id"]], dtype=np.int64)
        self._query = np.array([query_of[name] for name in table["query_id"]], dtype=np.int64)

    def _mask(self, pair: tuple[str, str]) -> npt.NDArray[np.bool_]:
        return np.asarray((self._table["query_model"] == pair[0]) & (self._table["model"] == pair[1]))

    def grid(self, pair: tuple[str, str], column: str, shape: tuple[int, int], fill: Any) -> npt.NDArray[Any]:
        mask = self._mask(pair)
        values = self._table[column][mask]
        table = np.full(shape, fill, dtype=values.dtype)
        table[self._query[mask], self._table["rank"][mask] - 1] = values
        return table

    def neighbors(self, pair: tuple[str, str], shape: tuple[int, int], config: RunConfig, index: str) -> Neighbors:
        return Neighbors(
            rows=self.grid(pair, "row", shape, fill=-1),
            similarity=self.grid(pair, "similarity", shape, fill=np.nan),
            metric=check_metric(config.metric),
            index=index,
        )

    def elsewhere(self, pair: tuple[str, str], queries: int) -> ElsewhereRows:
        mask = self._mask(pair)
        query = self._query[mask]
        counts = np.bincount(query, minlength=queries)
        place = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = (queries, int(counts.max(initial=0)))
        rows, ranks = np.full(shape, -1, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
        similarity = np.full(shape, np.nan, dtype=np.float32)
        rows[query, place] = self._table["row"][mask]
        ranks[query, place] = self._table["rank"][mask]
        similarity[query, place] = self._table["similarity"][mask]
        return ElsewhereRows(rows, ranks, similarity)
