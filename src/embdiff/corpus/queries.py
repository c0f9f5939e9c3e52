"""What is searched with, and what should be found: read_queries(), self_rows() and read_expected()."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from embdiff._registry import hint
from embdiff.corpus.columns import KNOWN, ColumnName, Columns, known_column, same_name
from embdiff.corpus.files import EXTENSIONS, FOUND, Form, exists, extension_of, shown
from embdiff.corpus.read import corpus_of, rows_left_out, rows_of
from embdiff.corpus.readers import names_sample, read_table, table_of
from embdiff.corpus.tables import Table, kind_of, listed, of_rows, plain
from embdiff.corpus.trec import BEIR_QRELS, gathered, judged_rows, read_qrels, told_fractions
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus, IntArray, Qrels

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
    form: Form = FOUND,
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
        The columns of a file of queries, where it has them; otherwise they are found as in `read_corpus`, but for
        titles: a query is its text alone.
    form : Form, optional
        How the file is written, where it does not say so itself.

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
        if not len(data):
            raise DataError("There must be at least one query. Got none. Add queries.")
        rows_left_out(plain(data.items, data.source), data.items, "refuse", _EMPTY_WAYS_OUT)
        return data, None
    if isinstance(data, str) and not names_sample(data) and not (data.strip() and exists(Path(data))):
        raise DataError(
            f"Queries must be {_FORMS}. Got {data[:80]!r}, and there is no such file. {hint(data, _EXAMPLES)}"
            "Correct it, or from Python pass a list of texts."
        )
    columns = Columns(text_column, id_column, group_column, must=False, titles=False, form=form)
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


def self_rows(queries: Corpus, query_rows: Sequence[int] | None, corpus: Corpus) -> list[IntArray]:
    """Return, for each query, the corpus rows that are the query itself.

    Those are its own row when it is a row of the corpus; every row with exactly its text; and the row with its id, when
    both have ids of their own, if that row is its text with a title before it. An id alone says nothing: queries and
    documents are often both numbered from 1.

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
    by_id = same_ids(queries, corpus) if query_rows is None else {}
    nothing = _frozen([])
    found: list[IntArray] = []
    for number, text in enumerate(queries.items):
        same = by_text.get(text, nothing)
        own = by_id.get(number) if query_rows is None else query_rows[number]
        titled = query_rows is not None or (own is not None and corpus.items[own].endswith(f" {text}"))
        if own is not None and titled and corpus.items[own] != text:
            same = _frozen([*same.tolist(), own])
        found.append(same)
    return found


def same_ids(queries: Corpus, corpus: Corpus) -> dict[int, int]:
    """Return the numbers of the queries that have the id of a row, and that row; none where ids are row numbers."""
    if not (queries.ids_given and corpus.ids_given):
        return {}
    rows = {name: row for row, name in enumerate(corpus.ids)}
    return {number: rows[name] for number, name in enumerate(queries.ids) if name in rows}


def _frozen(rows: Sequence[int]) -> IntArray:
    array = np.asarray(sorted(rows), dtype=np.int64)
    array.setflags(write=False)
    return array


def read_expected(
    data: str | os.PathLike[str] | Iterable[object] | Qrels, queries: Corpus, corpus: Corpus, *, form: Form = FOUND
) -> Qrels:
    """Read the expected results.

    Parameters
    ----------
    data : path, sequence of tuple, dict, or Qrels
        A table (``.csv``, ``.tsv``, ``.jsonl``, ``.parquet``) with the columns ``query_id``, ``id`` and, if wanted,
        ``grade``; any other file is TREC qrels, four fields between white space. BEIR's judgements, a table with just
        the columns ``query-id``, ``corpus-id`` and ``score``, are ordinary qrels as these are. Or tuples
        ``(query_id, id)`` or ``(query_id, id, grade)``; or a dict from query id to ids, or to ``{id: grade}``.
    queries : Corpus
        The queries of this run.
    corpus : Corpus
        What is searched.
    form : Form, optional
        How the file is written, where it does not say so itself.

    Returns
    -------
    Qrels
        Judgements of the queries of this run. A query_id that is no id but exactly the text of queries means these.
        Rows for corpus ids that do not query in this run are not used. Where rows are chunks, ids are all of chunks, or
        all of the documents that these are cut from (`Qrels.by_page`). Ordinary qrels (TREC's, BEIR's, or a `Qrels`)
        keep judgements of documents that are not in the corpus: they count as not found.

    Raises
    ------
    DataError
        When an id is unknown (a document's only in a table, tuples or a dict), a grade is no number >= 0 (in ordinary
        qrels: no number), some ids are of chunks and some of documents, two grades contradict each other, no row is
        about a query of this run, or none about a document of the corpus. The message names the row.

    Examples
    --------
    >>> from embdiff.records import Corpus
    >>> songs = Corpus(("I love you.", "Goodbye."), ("a", "b"))
    >>> read_expected([("a", "b")], songs, songs).judgements
    {'a': {'b': 1}}
    """
    table, ordinary = _table(data, form)
    asked = set(queries.ids)
    allowed = asked | set(corpus.ids) | set(corpus.dropped) | set(queries.dropped)
    rows = judged_rows(table, ordinary=ordinary)
    by_page = _of_documents(table, rows, corpus)
    documents = set(corpus.parents if by_page and corpus.parents else corpus.ids)
    by_text: dict[str, list[str]] = {}
    for name, text in zip(queries.ids, queries.items, strict=True):
        by_text.setdefault(text, []).append(name)
    meant: list[tuple[str, str, float]] = []
    at: list[int] = []
    named: set[str] = set()
    for row, (query, document, grade) in enumerate(rows):
        if query not in allowed and query not in by_text:
            raise _unknown(table, row, "query_id", query, queries)
        if document not in documents and not ordinary:
            raise _unknown(table, row, "id", document, corpus)
        named |= {query} - allowed
        names = [query] if query in allowed else by_text[query]
        meant += [(name, document, grade) for name in names]
        at += [row] * len(names)
    judged = gathered(table, meant, at)
    if rows and documents.isdisjoint(document for _, document, _ in rows):
        raise DataError(
            f"Judgements must be of documents of the corpus ({corpus.source}). Got none in {table.source}. Name the "
            "qrels of this corpus, or the column of its ids with --id-column."
        )
    used = {query: judged[query] for query in queries.ids if query in judged}
    if not used:
        raise DataError(
            f"At least one expected result must be about a query of this run. Got none in {table.source} for the "
            f"{len(queries):,} queries: {shown(queries.ids, 5)}. Add rows, or ask other queries."
        )
    notes = (
        [f"{len(named):,} queries of {table.source} are named by their texts instead of their ids."] if named else []
    )
    if by_page:
        notes.append(
            f"{table.source} expects documents, not chunks: each counts once, where its first chunk is in a list."
        )
    return Qrels(used, table.source, (*table.notes, *told_fractions(used, table.source), *notes), by_page)


def _of_documents(table: Table, rows: Sequence[tuple[str, str, float]], corpus: Corpus) -> bool:
    """Return whether judgements are of the documents that rows are chunks of; refuse some of these, some of those."""
    if corpus.parents is None:
        return False
    chunks, documents = set(corpus.ids), set(corpus.parents)
    of_chunk = next((at for at, (_, name, _) in enumerate(rows) if name in chunks), None)
    of_document = next((at for at, (_, name, _) in enumerate(rows) if name in documents), None)
    if of_chunk is not None and of_document is not None:
        raise table.refusal(
            max(of_chunk, of_document),
            "Expected results must be all of documents, or all of chunks.",
            f"{rows[of_document][1]!r}, a document, beside {rows[of_chunk][1]!r}, a chunk,",
            "Name the documents throughout.",
        )
    return of_document is not None


def _table(data: object, form: Form) -> tuple[Table, bool]:
    """Return a table of query id, document id and grade, and whether it is ordinary qrels."""
    if isinstance(data, (str, os.PathLike)):
        if extension_of(Path(data)) in {*EXTENSIONS} - {".txt"}:
            table = read_table(Path(data), _is_header, form)
            return _of_columns(table), tuple(map(same_name, table.columns)) == BEIR_QRELS
        data = read_qrels(Path(data), form.encoding)
    if isinstance(data, Qrels):
        return replace(_of_dict(data.judgements, data.source), notes=data.notes), True
    return _of_dict(data, "dict") if isinstance(data, Mapping) else _of_tuples(listed(data)), False


def _is_header(cells: Sequence[str], _surely: bool) -> bool:
    return not {same_name(cell) for cell in cells}.isdisjoint((*KNOWN["query"], *KNOWN["document"]))


def _of_columns(table: Table) -> Table:
    query, document, grade = (known_column(table, role) for role in ("query", "document", "grade"))
    if query is None or document is None:
        raise DataError(
            "A file of expected results must have a header with the columns query_id and id, and grade if wanted. "
            f"Got {shown(table.columns) or 'no columns'} in {table.source}. Name the columns so."
        )
    grades = [1] * table.size if grade is None else table.column(grade)
    rows = list(zip(table.column(query), table.column(document), grades, strict=True))
    return replace(of_rows(rows, table.source, table.lines), notes=table.notes)


def _of_dict(judgements: Mapping[object, object] | Mapping[str, Mapping[str, float]], source: str) -> Table:
    rows: list[tuple[object, object, object]] = []
    for query, expected in judgements.items():
        if isinstance(expected, Mapping):
            rows += [(query, name, grade) for name, grade in expected.items()]
        elif isinstance(expected, (set, frozenset)):
            rows += [(query, name, 1) for name in sorted(expected, key=str)]
        else:
            rows += [(query, name, 1) for name in ([expected] if isinstance(expected, str) else listed(expected))]
    return replace(of_rows(rows, source), keys=[row[0] for row in rows])


def _of_tuples(rows: Sequence[object]) -> Table:
    whole = []
    for number, row in enumerate(rows):
        if not isinstance(row, (tuple, list)) or len(row) not in (2, 3):
            raise DataError(
                "Every expected result must be a tuple (query_id, id) or (query_id, id, grade). "
                f"Got {kind_of(row)} at row {number}. Write it so."
            )
        whole.append((*row, 1)[:3])
    return of_rows(whole, "list")


def _unknown(table: Table, row: int, column: str, name: str, known: Corpus) -> DataError:
    if name in known.dropped:
        way_out = "That row was left out because it is empty: delete this line, or choose --empty keep."
    else:
        names = known.ids if known.parents is None else tuple(dict.fromkeys((*known.parents, *known.ids)))
        way_out = hint(name, names) or f"They are {shown(names, 5)}. "
        way_out += "Correct the id, or delete the row."
    what = "an id of the queries or the corpus" if column == "query_id" else "an id of the corpus"
    return table.refusal(row, f"Every {column} must be {what} ({known.source}).", repr(name), way_out)
