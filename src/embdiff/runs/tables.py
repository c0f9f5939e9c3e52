"""The tables of a run folder: Parquet files of corpora, neighbours and maps, and the records made of them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.lexical import BM25
from embdiff.records import Answer, Corpus, ElsewhereRows, Layout, Neighbors
from embdiff.settings import RunConfig
from embdiff.specs import check_metric

LAYOUTS_FILE = "layouts.parquet"
_TABLES = ("neighbors", "exact", "elsewhere")


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: _arrow(values) for name, values in columns.items()}), path, compression="zstd")


def _arrow(values: Any) -> Any:
    """Return an Arrow column; text is large_string, so that 2 GiB of it is no limit."""
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.dtype != object:
        return pa.array(values)
    return pa.array(values, type=pa.large_string())


def read_table(path: Path) -> dict[str, Any]:
    """Read Parquet as columns."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def corpus_facts(corpus: Corpus) -> dict[str, Any]:
    """Return what a table of a corpus cannot hold, as JSON-able values."""
    return {
        "source": corpus.source,
        "ids_given": corpus.ids_given,
        "dropped": list(corpus.dropped),
        "notes": list(corpus.notes),
    }


def write_corpus(corpus: Corpus, path: Path) -> None:
    """Write ids, texts and groups."""
    columns: dict[str, Sequence[str]] = {"id": corpus.ids, "text": corpus.items}
    write_table(columns if corpus.groups is None else {**columns, "group": corpus.groups}, path)


def read_corpus(path: Path, facts: Mapping[str, Any]) -> Corpus:
    """Read what `write_corpus` wrote, with its `corpus_facts`."""
    table = read_table(path)
    return Corpus(
        items=tuple(table["text"]),
        ids=tuple(table["id"]),
        groups=tuple(table["group"]) if "group" in table else None,
        source=facts["source"],
        ids_given=facts["ids_given"],
        dropped=tuple(facts["dropped"]),
        notes=tuple(facts["notes"]),
    )


def read_layouts(folder: Path, facts: Sequence[Mapping[str, Any]], rows: int) -> tuple[Layout, ...]:
    """Read the maps; none where the run has none."""
    if not facts:
        return ()
    table = read_table(folder / LAYOUTS_FILE)
    found = []
    for place, each in enumerate(facts):
        part = slice(place * rows, (place + 1) * rows)
        xy = np.stack([table["x"][part], table["y"][part]], axis=1)
        known = {**each, "kept": np.nan if each["kept"] is None else each["kept"]}
        found.append(Layout(xy=xy, **known))
    return tuple(found)


def read_answers(
    folder: Path, config: RunConfig, corpus: Corpus, queries: Corpus, manifest: Mapping[str, Any]
) -> tuple[Answer, ...]:
    """Read the answers of all collections, in the order in which they were asked."""
    tables = {name: _Lookup(read_table(folder / f"{name}.parquet"), corpus, queries) for name in _TABLES}
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


def read_baseline(folder: Path, config: RunConfig, corpus: Corpus, queries: Corpus) -> Answer | None:
    """Read the answer of bm25; it has no index, so that what it returned is exact."""
    if not (folder / "baseline.parquet").is_file():
        return None
    listed, elsewhere = (
        _Lookup(read_table(folder / f"{name}.parquet"), corpus, queries) for name in ("baseline", "baseline_elsewhere")
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
