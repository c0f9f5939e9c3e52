"""Agreement of neighbours: every chosen measure for each pair of lists asked alike, and curves over k."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embdiff.comparison.beside import placed
from embdiff.comparison.choice import AGREEMENT_NEEDS
from embdiff.comparison.scored import kept_scores
from embdiff.comparison.work import Work
from embdiff.exact import norms
from embdiff.lexical import BM25, Bm25
from embdiff.measures import MeasureSpec, get_measure
from embdiff.measures.base import measures_for
from embdiff.measures.inputs import TwoLists, truncated
from embdiff.measures.places import ranks_of
from embdiff.measures.rbo import Tail
from embdiff.measures.ties import in_one_order, mean_ranks
from embdiff.own_rows import certain
from embdiff.records import Answer, FloatArray, IntArray, Score
from embdiff.search import compared_pairs

RANKS, PROFILES = "ranks in the other space", "two spaces + neighbors"
_NO_DIRECTION = "a vector is zero and has no direction"


@dataclass(frozen=True, eq=False)
class Agreement:
    """How much the lists of every two models agree.

    Parameters
    ----------
    scores : tuple of Score
        Every chosen measure, pair by pair.
    curves : tuple of Score
        Every measure of agreement at several depths up to k.
    tails : tuple of Tail
        For each rbo score what the unseen tail leaves open.
    """

    scores: tuple[Score, ...]
    curves: tuple[Score, ...]
    tails: tuple[Tail, ...]


def agreement(work: Work, *, lossy: bool) -> Agreement:
    """Score every pair of answers that were asked alike.

    Parameters
    ----------
    work : Work
    lossy : bool
        Whether an index lost anything: measures of the exact neighbours are added to those of the returned ones then.
    """
    k = work.config.k
    specs = [get_measure(text) for text in work.config.measures]
    specs = [replace(spec, k=spec.k or k) for spec in specs if spec.measure.needs in AGREEMENT_NEEDS]
    exactly = [twin for spec in specs if lossy for twin in _exact_twins(spec, specs)]
    curves = [
        MeasureSpec(measure, depth, measure.defaults)
        for measure in measures_for(*AGREEMENT_NEEDS)
        if measure.reported
        for depth in depths(k)
    ]
    scores: list[list[Score]] = [[], []]
    curved: list[Score] = []
    pairs = compared_pairs(work.answers, work.beside)
    for a, b in pairs:
        found = of_pair(work, a, b, [*specs, *exactly, *curves])
        for part, kept in ((specs, scores[0]), (exactly, scores[1]), (curves, curved)):
            kept += [score for spec in part for score in found[str(spec)]]
    return Agreement(
        (*scores[0], *scores[1]),
        tuple(curved),
        tuple(_tail(work, a, b, spec) for a, b in pairs for spec in specs if spec.measure.tail is not None),
    )


def depths(k: int) -> tuple[int, ...]:
    """Return the depths of a curve: 1, 2, 5, 10, 20, 50, ... and 3, up to k, and k itself."""
    steps = {3, *(digit * 10**power for power in range(len(str(k))) for digit in (1, 2, 5))}
    return tuple(sorted({k, *(step for step in steps if step < k)}))


def _exact_twins(spec: MeasureSpec, chosen: Iterable[MeasureSpec]) -> list[MeasureSpec]:
    """Return the measures that are this one, taken of exact neighbours, unless they were chosen anyway."""
    names = {each.measure.name for each in chosen}
    twins = (each for each in measures_for(spec.measure.needs) if each.exact_of == spec.measure.name)
    return [MeasureSpec(twin, spec.k, spec.parameters) for twin in twins if twin.name not in names]


def of_pair(work: Work, a: Answer, b: Answer, specs: Sequence[MeasureSpec]) -> dict[str, list[Score]]:
    """Return the scores of each measure: one, or of a measure that is not symmetric one from either side."""
    specs = list({str(spec): spec for spec in specs}.values())
    found: dict[str, list[Score]] = {str(spec): [] for spec in specs}
    for exactly in (False, True):
        wanted = [spec for spec in specs if (spec.measure.exact_of is not None) == exactly]
        sided = [spec for spec in wanted if not spec.measure.symmetric]
        for here, there, part in ((a, b, wanted), (b, a, sided)):
            if part:
                lists = _lists(work, here, there, {spec.measure.needs for spec in part}, exactly=exactly)
                for spec, score in zip(part, kept_scores(work.kept, part, lists, seed=work.config.seed), strict=True):
                    found[str(spec)].append(score)
    return found


def _lists(work: Work, a: Answer, b: Answer, needs: set[str], *, exactly: bool) -> TwoLists:
    """Return the lists of two answers, with the ranks and vectors that measures need."""
    left, right = (a.exact, b.exact) if exactly else (a.returned, b.returned)
    inputs, missing = work.inputs, {}
    ranks = own = vectors = None
    if RANKS in needs and (why := _unranked(work, b)):
        missing[RANKS] = why
    elif RANKS in needs:
        listed = in_one_order(left, seed=work.config.seed).rows  # of a tie across the end not those first in the file
        ranks = mean_ranks(_ranks_there(work, listed, b), listed, b.exact)
        own = inputs.twins.within(listed)
    if PROFILES in needs:
        vectors, why = _vectors(work, a, b)
        missing |= {PROFILES: why} if why else {}
    return TwoLists(
        left,
        right,
        (a.model, b.model),
        _asked(work, a, b),
        inputs.candidates,
        fixed=certain(left, right, inputs.twins),
        ranks=ranks,
        own=own,
        vectors=vectors,
        rows=None if inputs.query_rows is None else np.asarray(inputs.query_rows, dtype=np.int64),
        missing=missing,
    )


def _tail(work: Work, a: Answer, b: Answer, spec: MeasureSpec) -> Tail:
    assert spec.k is not None
    assert spec.measure.tail is not None
    left, right = (truncated(answer.returned, spec.k) for answer in (a, b))
    found = work.kept.call(spec.measure.tail, left, right, **spec.parameters)
    known = ~np.isnan(found.value)
    low, high = (float(side[known].mean()) if known.any() else math.nan for side in (found.low, found.high))
    return Tail(str(spec), (a.model, b.model), _asked(work, a, b), low, high)


def _unranked(work: Work, there: Answer) -> str | None:
    """Return why some rows have no rank with a model; None where all have one."""
    if there.model == BM25:
        return Bm25.partial
    return work.ranked[there.model].ranking.partial if there.model in work.ranked else None


def _ranks_there(work: Work, rows: IntArray, there: Answer) -> IntArray:
    """Rank the neighbours of one model in another: exactly, from what the run already knows where it does."""
    ranks = ranks_of(rows, there.exact, there.elsewhere)
    # A row that an index returned although it is not among the exact k: its rank was not needed until now.
    unknown = np.where((rows >= 0) & (ranks < 0), rows, -1)
    if (unknown >= 0).any():
        if there.model in work.ranked:
            found = placed(work.ranked[there.model].ranking, unknown, work.inputs)
        else:
            queries = work.asking(there.query_model, there.model)
            found = work.placed[there.model].searcher.place_of(queries, unknown, work.inputs.own)
        ranks = np.where(unknown >= 0, found.ranks, ranks)
    return ranks


def _vectors(
    work: Work, a: Answer, b: Answer
) -> tuple[tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]] | None, str | None]:
    """Return the queries' vectors in both spaces and the rows', or why there are none to use."""
    for each in (a.model, b.model):
        if each == BM25 or each in work.ranked:
            wanting = Bm25.wanting if each == BM25 else work.ranked[each].ranking.wanting
            return None, f"{each} {wanting}"
    queries = [work.asking(answer.query_model, answer.model) for answer in (a, b)]
    documents = [work.documents[answer.model] for answer in (a, b)]
    if any((norms(vectors) == 0.0).any() for vectors in (*queries, *documents)):
        return None, _NO_DIRECTION
    return ((queries[0], queries[1]), (documents[0], documents[1])), None


def _asked(work: Work, a: Answer, b: Answer) -> str | None:
    """Return the query model that asked; None when each model queried its own. What ranks texts takes none."""
    asking = [each.query_model for each in (a, b) if each.model in work.placed]
    return asking[0] if asking and work.config.query_models else None
