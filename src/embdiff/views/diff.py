"""One query as a diff: which neighbours two collections share, and how far off the others are."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from embdiff.errors import ParameterError, UnknownNameError
from embdiff.lexical import BM25
from embdiff.records import Answer
from embdiff.runs import Run
from embdiff.search import compared_pairs
from embdiff.views import document, html
from embdiff.views.lists import Entry, PairDiff, Place, Query, Status, places
from embdiff.views.table import Part, plain_text
from embdiff.views.why import why_of
from embdiff.views.words import TEXT_RANKINGS

_TEXT = 90  # characters of a neighbour


@dataclass(frozen=True)
class QueryDiff:
    """One query, and for each pair of collections what the second kept, moved, lost and gained against the first.

    Parameters
    ----------
    query : dict
        ``row``, ``id``, ``text``, ``group``.
    pairs : tuple of dict
        ``models``, ``query_models`` (two each) and ``entries``: dicts with ``status``, ``id``, ``text``, ``group``,
        ``self``, ``expected`` (None where nothing is), ``causes`` (likely ones, in short, where it changed), ``ranks``
        and ``distances`` in the first and second collection. For a lost or gained row, the place
        in the collection that did not return it is its *exact* rank and distance there (None where bm25 does not rank
        it: no word in common). ``metrics`` says what the distances of each are: the metric, or what ranks texts
        (``bm25``, ``sparse``, ``maxsim``, ``rerank``).
    """

    query: Query
    pairs: tuple[PairDiff, ...]

    def ids(self, status: Status, pair: int = 0) -> tuple[str, ...]:
        """Return the ids with one status, by rank, in one pair of collections."""
        return tuple(entry["id"] for entry in self.pairs[pair]["entries"] if entry["status"] == status)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {"query": self.query, "pairs": list(self.pairs)}

    def drawn(self, *, everything: bool = False) -> Iterable[Part]:
        """Return the lines and tables, for a terminal: the first pair in three blocks, or every pair in full."""
        return document.diff(self.query, self.pairs, _TEXT) if everything else document.blocks(self.query, self.pairs)

    def _repr_html_(self) -> str:
        return html.fragment(document.diff(self.query, self.pairs, html.TEXT_LIMIT))

    def __repr__(self) -> str:
        return plain_text(self.drawn(), width=100)


def place_of(run: Run, query: int | str) -> int:
    """Return the row of a query given by its row, also from the end, or by its id.

    Raises
    ------
    ParameterError
        When the row is out of range.
    UnknownNameError
        When no query has the id.
    """
    ids = run.queries.ids
    if isinstance(query, str):
        if query not in ids:
            raise UnknownNameError(
                f"A query must be one of the {len(ids)} of this run. Got the id {query!r}. "
                f"Take an id such as {ids[0]!r}, or a row number from 0."
            )
        return ids.index(query)
    if isinstance(query, bool) or not isinstance(query, SupportsIndex):
        raise ParameterError(f"A query must be a row number or an id. Got {query!r}. Give an int or a str.")
    query = operator.index(query)
    if not -len(ids) <= query < len(ids):
        raise ParameterError(
            f"The row of a query must be between 0 and {len(ids) - 1}. Got {query}. Choose a row in that range."
        )
    return query % len(ids)


def query_diffs(
    run: Run,
    row: int,
    query_model: str | None = None,
    models: Sequence[str] | None = None,
    *,
    baseline: bool | None = None,
) -> QueryDiff:
    """Return the diff of one query, for each pair of collections that were asked alike, and with bm25 where wanted.

    Raises
    ------
    UnknownNameError
        When nothing was asked with ``query_model``, or ``models`` are not two of the run.
    """
    asked_for = BM25 in (models or ()) or bool(baseline)
    beside = run.named if baseline is None and not asked_for else run.beside
    if baseline is False:
        beside = tuple(each for each in beside if each.model != BM25)
    if asked_for and run.baseline is None:
        raise ParameterError(
            "A diff with bm25 needs a run in which it stood beside the models. Got one without it. Run the comparison "
            "again with bm25 installed, or name it: -m bm25."
        )
    asked = {answer.query_model for answer in run.answers}
    if query_model is not None and query_model not in asked:
        raise UnknownNameError(
            f"A query model must be one of those that asked: {', '.join(sorted(asked))}. Got {query_model!r}. "
            "Choose one of these."
        )
    compared = list(compared_pairs(run.answers, beside))
    if models is not None:
        compared = _between(models, compared)
    pairs = tuple(
        PairDiff(
            models=[a.model, b.model],
            query_models=[a.query_model, b.query_model],
            metric=run.config.metric,
            metrics=[distance_of(a, run.config.metric), distance_of(b, run.config.metric)],
            entries=_entries(run, a, b, row),
        )
        for a, b in compared
        if query_model in (None, a.query_model, b.query_model)
    )
    return QueryDiff({"row": row, **run.queries.row(row)}, pairs)


def _between(models: Sequence[str], compared: Sequence[tuple[Answer, Answer]]) -> list[tuple[Answer, Answer]]:
    """Return the pairs of two models, the first named first."""
    known = dict.fromkeys(answer.model for pair in compared for answer in pair)
    if isinstance(models, str) or len(set(models)) != 2 or not set(models) <= known.keys():
        raise UnknownNameError(
            f"A diff must be of two models of this run: {', '.join(known)}. Got {models!r}. Name two of these, on the "
            "command line as --models A,B."
        )
    fitting = (pair for pair in compared if {answer.model for answer in pair} == set(models))
    return [(a, b) if a.model == models[0] else (b, a) for a, b in fitting]


def _entries(run: Run, a: Answer, b: Answer, row: int) -> list[Entry]:
    """List the first collection's rows by rank there, then what the second gained by rank there."""
    in_a, in_b = places(a, row), places(b, row)
    why = why_of(run, a, b)
    causes, entries = {} if why is None else why.of_query(row), []
    judged = run.expected.judgements.get(run.queries.ids[row]) if run.expected else None
    names = run.expected.names(run.corpus) if run.expected else ()
    for found in [*in_a, *(gained for gained in in_b if gained not in in_a)]:
        if found in in_a and found in in_b:
            status: Status = "kept" if in_a[found].rank == in_b[found].rank else "moved"
        else:
            status = "lost" if found in in_a else "gained"
        first = in_a.get(found) or _exact_place(a, row, found)
        second = in_b.get(found) or _exact_place(b, row, found)
        entries.append(
            Entry(
                status=status,
                **run.corpus.row(found),
                self=first.self or second.self,
                expected=None if judged is None else judged.get(names[found], 0) > 0,
                ranks=[first.rank, second.rank],
                distances=[first.distance, second.distance],
                causes=list(causes.get(found, ())),
            )
        )
    return entries


def _exact_place(answer: Answer, row: int, found: int) -> Place:
    there = answer.elsewhere
    place = list(there.rows[row]).index(found)
    if there.ranks[row, place] < 0:  # bm25 ranks nothing that shares no word with the query
        return Place(None, None)
    similarity = float(there.similarity[row, place])
    return Place(int(there.ranks[row, place]), 0.0 - similarity if answer.returned.metric == "l2" else similarity)


def distance_of(answer: Answer, metric: str) -> str:
    """Return what the distances of an answer are: the metric of the run, or what ranked the texts without one."""
    kind = answer.returned.index
    return kind if kind in TEXT_RANKINGS else metric
