"""read_queries(): the rows or texts that are searched with; self_rows(): which corpus rows a query is itself."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from embdiff.corpus.columns import ColumnName, Columns
from embdiff.corpus.files import exists, hint
from embdiff.corpus.read import corpus_of, rows_of
from embdiff.corpus.readers import names_sample, table_of
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus, IntArray

_FORMS = "all, every, first:N, rows:3,7, rows:0-9 or a file (.txt, .csv, .tsv, .jsonl, .parquet)"
_EXAMPLES = ("all", "every", "first:10", "rows:0,3")
_EMPTY_WAYS_OUT = "An empty query finds nothing: fill them in or delete them."


def read_queries(
    data: str | os.PathLike[str] | Iterable[object] | Corpus,
    corpus: Corpus,
    *,
    text_column: ColumnName = None,
    id_column: ColumnName = None,
    group_column: ColumnName = None,
) -> tuple[Corpus, tuple[int, ...] | None]:
    """Read the value of ``--queries``.

    Parameters
    ----------
    data : str, path, sequence of str, or Corpus
        ``all`` or ``every`` (each row of the corpus), ``first:N``, ``rows:3,7`` or ``rows:0-9`` (both ends
        included), in these forms before any file of that name; else a file as in `read_corpus`; or the queries
        themselves as a list or a Corpus.
    corpus : Corpus
        What is searched.
    text_column, id_column, group_column : str or int, optional
        The columns of a file of queries, where it has them; otherwise they are found as in `read_corpus`.

    Returns
    -------
    queries : Corpus
        Rows of the corpus keep their ids and groups.
    rows : tuple of int or None
        Their row numbers in the corpus; None for queries from elsewhere.

    Raises
    ------
    ParameterError
        When a row is out of range or named twice, or N is.
    DataError
        When there is no such file, it cannot be read as it is, or a query given is empty. (Empty rows of the
        corpus, which ``empty="keep"`` kept on purpose, may query.)

    Examples
    --------
    >>> from embdiff.records import Corpus
    >>> read_queries("first:1", Corpus(("I love you.", "Goodbye."), ("a", "b")))[0].ids
    ('a',)
    """
    rows = range(len(corpus)) if data is corpus else _rows_named(data, len(corpus)) if isinstance(data, str) else None
    if rows is not None:
        return rows_of(corpus, rows), tuple(rows)
    if isinstance(data, Corpus):
        _refuse_empty(data)
        return data, None
    if isinstance(data, str) and not names_sample(data) and not (data.strip() and exists(Path(data))):
        raise DataError(
            f"Queries must be {_FORMS}. Got {data[:80]!r}, and there is no such file. {hint(data, _EXAMPLES)}"
            "Correct it, or from Python pass a list of texts."
        )
    columns = Columns(text_column, id_column, group_column, must=False)
    return corpus_of(table_of(data, columns), columns, "refuse", None, _EMPTY_WAYS_OUT), None


def _rows_named(text: str, size: int) -> Sequence[int] | None:
    """Return the corpus rows that a text form names; None when it is no such form."""
    word, colon, rest = text.strip().partition(":")
    if not colon:
        return range(size) if word.lower() in ("all", "every") else None
    if word.lower() == "first":
        return range(_first(rest.strip(), size))
    return _rows(rest, size) if word.lower() == "rows" else None


def _first(text: str, size: int) -> int:
    count = int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0
    if not 1 <= count <= size:
        raise ParameterError(
            f"N of --queries first:N must be between 1 and {size} (the corpus has {size} rows). "
            f"Got 'first:{text}'. Write first:{min(10, size)}, or all."
        )
    return count


def _rows(text: str, size: int) -> list[int]:
    rows: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,12})\s*(?:-\s*([0-9]{1,12})\s*)?", part)
        if match is None:
            raise ParameterError(
                f"Rows of --queries must be written rows:3,7 or rows:0-9. Got {part.strip()!r} in 'rows:{text}'. "
                "Write row numbers, from 0, with commas between."
            )
        low, high = int(match[1]), int(match[2] or match[1])
        if high >= size or low > high:
            raise ParameterError(
                f"Rows of --queries must be between 0 and {size - 1} (the corpus has {size} rows), "
                f"ranges from low to high. Got {part.strip()!r}. Correct the row numbers."
            )
        rows.extend(range(low, high + 1))
    row, times = Counter(rows).most_common(1)[0]
    if times > 1:
        raise ParameterError(f"A row of --queries must be named once. Got row {row} twice. Name it once.")
    return rows


def _refuse_empty(queries: Corpus) -> None:
    if not len(queries):
        raise DataError("There must be at least one query. Got none. Add queries.")
    for row, item in enumerate(queries.items):
        if not item.strip():
            raise DataError(f"Every query must hold text. Got none at row {row} of {queries.source}. {_EMPTY_WAYS_OUT}")


def self_rows(queries: Corpus, query_rows: Sequence[int] | None, corpus: Corpus) -> list[IntArray]:
    """Return, for each query, the corpus rows that are the query itself.

    Those are its own row when it is a row of the corpus; the row with its id when both have ids of their own; and
    every row with exactly its text.

    Parameters
    ----------
    queries : Corpus
    query_rows : sequence of int or None
        As `read_queries` returned them.
    corpus : Corpus

    Returns
    -------
    list of ndarray of int64
        Ascending, without repeats, read-only; queries of one text share one array.
    """
    asked = set(queries.items)
    rows_with: dict[str, list[int]] = {}
    for row, text in enumerate(corpus.items):
        if text in asked:
            rows_with.setdefault(text, []).append(row)
    by_text = {text: _frozen(rows) for text, rows in rows_with.items()}
    by_id: dict[str, int] = {}
    if query_rows is None and queries.ids_given and corpus.ids_given:
        by_id = {name: row for row, name in enumerate(corpus.ids)}
    nothing = _frozen([])
    found: list[IntArray] = []
    for number, (name, text) in enumerate(zip(queries.ids, queries.items, strict=True)):
        same = by_text.get(text, nothing)
        own = by_id.get(name) if query_rows is None else query_rows[number]
        if own is not None and corpus.items[own] != text:
            same = _frozen([*same.tolist(), own])
        found.append(same)
    return found


def _frozen(rows: Sequence[int]) -> IntArray:
    array = np.asarray(sorted(rows), dtype=np.int64)
    array.setflags(write=False)
    return array
