"""Expected results as judgements: retrieval measures by trec_eval's rules, and paired tests between the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from embdiff.comparison.noise import Repeated
from embdiff.comparison.scored import kept_scores, labelled_scores
from embdiff.comparison.settings import Inputs
from embdiff.comparison.work import Work
from embdiff.measures import MeasureSpec, get_measure
from embdiff.measures.base import measures_for
from embdiff.measures.differences import Differences
from embdiff.measures.judged import NEEDS, Judged, JudgedLists, grade
from embdiff.measures.noise import Change, change
from embdiff.measures.pages import Pages
from embdiff.measures.places import across_the_end, name_ranks, ties_by_id, trec_order
from embdiff.records import Answer, IntArray, Neighbors, Qrels, Score
from embdiff.ties import of_queries


@dataclass(frozen=True, eq=False)
class Expected:
    """What the lists are worth by the expected results.

    Parameters
    ----------
    scores : tuple of Score
        Of every collection and bm25, measure by measure; ``query_model`` as in `Score`.
    differences : tuple of (str or None, Differences)
        For each query model (None: each model queried its own): every two collections, on the same queries.
    own : int
        Judgements of a query's own row, where that is left out of the results: never found.
    absent : int
        Judgements of documents that are not in the corpus: not found.
    """

    scores: tuple[Score, ...]
    differences: tuple[tuple[str | None, Differences], ...]
    own: int
    absent: int


def relevant_rows(expected: Qrels | None, inputs: Inputs) -> list[IntArray]:
    """Return the rows that are relevant to each query, of a relevant document all its chunks; none of absent ones."""
    if expected is None:
        return [np.zeros(0, dtype=np.int64)] * len(inputs.queries)
    found = expected.relevant_rows(inputs.queries.ids, inputs.corpus)
    return [np.array(rows, dtype=np.int64) for rows in found]


def judged_scores(work: Work, expected: Qrels, only: MeasureSpec | None = None) -> Expected:
    """Score every list against the expected results; by one measure ``only`` without tests between the models.

    Every judged query counts; equal similarities are ordered by id as trec_eval does; lists are as deep as the k of
    the run. Chance is a random order of the rows that a query could return. Where documents are expected and rows are
    chunks, a list is that of the documents of its k chunks, each where its first chunk is; chance is the mean of random
    lists of k chunks.
    """
    inputs = work.inputs
    names = tuple(name for name in inputs.queries.ids if name in expected.judgements)
    place = {name: number for number, name in enumerate(inputs.queries.ids)}
    asked = np.array([place[name] for name in names], dtype=np.int64)
    pages = _pages(work, expected)
    row_of = {name: row for row, name in enumerate(inputs.corpus.ids if pages is None else pages.names)}
    judged, own = _never_found(work, Judged.from_qrels(expected.judgements, names, row_of), asked, pages)
    by_id, candidates = name_ranks(inputs.corpus.ids), inputs.candidates[asked]
    drawn = None if pages is None else pages.by_chance(judged, work.config.k, work.config.seed)

    def lists(answer: Answer, asks: str | None) -> JudgedLists:
        found = _judged_lists(answer.returned, asked, judged, (answer.model,), candidates, asks, by_id, pages)
        return replace(found, drawn=drawn)

    return Expected(
        *labelled_scores(work, [only] if only else _specs(work), lists, tested=only is None),
        own,
        sum(name not in row_of for query in names for name in expected.judgements[query]),
    )


def judged_changes(work: Work, repeated: Sequence[Repeated]) -> tuple[tuple[str | None, Change], ...]:
    """Return what the same model again changes of the first measure of expected results, over the judged queries.

    Returns
    -------
    tuple of (str or None, Change)
        The query model, and what is changed; empty without expected results.
    """
    expected, inputs = work.inputs.expected, work.inputs
    if expected is None:
        return ()
    pages = _pages(work, expected)
    row_of = {name: row for row, name in enumerate(inputs.corpus.ids if pages is None else pages.names)}
    by_id, spec, found = name_ranks(inputs.corpus.ids), _specs(work)[0], []
    for each in repeated:
        which = np.flatnonzero([inputs.queries.ids[row] in expected.judgements for row in each.rows])
        if not which.size:
            continue
        asked = each.rows[which]
        names = [inputs.queries.ids[row] for row in asked]
        judged, _ = _never_found(work, Judged.from_qrels(expected.judgements, names, row_of), asked, pages)
        asks = each.pair[0] if work.config.query_models else None
        own, again = (
            kept_scores(
                work.kept, [spec],
                _judged_lists(lists, which, judged, each.pair[1:], inputs.candidates[asked], asks, by_id, pages),
                seed=work.config.seed,
            )[0]
            for lists in (each.own, each.again)
        )  # fmt: skip
        changed = change(own, again, each.how, seed=work.config.seed, note=each.note)
        found.append((asks, changed))
    return tuple(found)


def _specs(work: Work) -> list[MeasureSpec]:
    """Return the usual measures at the k of the run, and what else was chosen."""
    k = work.config.k
    usual = [MeasureSpec(each, None, each.defaults) for each in measures_for(NEEDS) if each.reported]
    chosen = [get_measure(text) for text in work.config.measures]
    wanted = [*usual, *(spec for spec in chosen if spec.measure.needs == NEEDS)]
    full = [replace(spec, k=spec.k or (k if spec.measure.cutoff else None)) for spec in wanted]
    return list({str(spec): spec for spec in full}.values())


def _judged_lists(
    lists: Neighbors, which: IntArray, judged: Judged, models: tuple[str, ...], candidates: IntArray,
    asks: str | None, by_id: IntArray, pages: Pages | None,
) -> JudgedLists:  # fmt: skip
    """Return the lists of some queries in trec_eval's order, graded."""
    settled = ties_by_id(of_queries(lists, which), by_id)
    rows = trec_order(settled.rows, settled.similarity, by_id)
    graded = grade(rows if pages is None else pages.lists(rows), judged)
    return JudgedLists(graded, models, candidates, asks, tied=across_the_end(settled))


def _pages(work: Work, expected: Qrels) -> Pages | None:
    """Return the documents of which rows are chunks, where these are what is expected."""
    parents = work.inputs.corpus.parents
    return Pages.of(parents) if expected.by_page and parents is not None else None


def _never_found(work: Work, judged: Judged, asked: IntArray, pages: Pages | None) -> tuple[Judged, int]:
    """Say of a query's own rows, where they are left out, that they are not there; and how many judgements that are.

    A document of which a chunk is left out is still there with the others.
    """
    own = work.inputs.own
    if not own.drop or pages is not None:
        return judged, 0
    gone = replace(own, rows=[own.rows[row] for row in asked]).hold(judged.query, judged.document)
    return judged.lost(gone), int(gone.sum())
