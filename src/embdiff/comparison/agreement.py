"""Agreement of neighbours: every chosen measure for each pair of lists asked alike, and curves over k."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embdiff.comparison.choice import AGREEMENT_NEEDS
from embdiff.comparison.settings import Inputs
from embdiff.comparison.stages import Encoded, Placed
from embdiff.config import RunConfig
from embdiff.exact import norms
from embdiff.kept import call
from embdiff.lexical import BM25
from embdiff.measures import MeasureSpec, get_measure
from embdiff.measures.mean_score import mean_score
from embdiff.measures.overlap import overlap, score_jaccard, score_overlap
from embdiff.measures.places import ranks_of
from embdiff.measures.rank import truncated
from embdiff.measures.rank_scores import score_curve, score_kendall_tau, score_rank_similarity, score_rbo
from embdiff.measures.rbo import Tail, rbo_with_tail
from embdiff.measures.second_order import score_second_order_curve
from embdiff.measures.spread import score_spread
from embdiff.records import Answer, FloatArray, IntArray, Neighbors, Score
from embdiff.search import OwnRows, compared_pairs

_SCORERS: Mapping[str, Callable[..., Score]] = {
    "overlap": score_overlap,
    "jaccard": score_jaccard,
    "rbo": score_rbo,
    "rank_similarity": score_rank_similarity,
    "kendall_tau": score_kendall_tau,
}
_CURVES = ("overlap", "jaccard", "rbo(p=0.9)", "rank_similarity", "kendall_tau", "spread", "second_order_cosine")
_NO_VECTORS = "bm25 has no vectors"
_NO_RANK = "bm25 ranks only rows that share a word with the query"
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


@dataclass(frozen=True, eq=False)
class Compared:
    """What agreement is measured on: the answers of all models, and the vectors and searchers behind them.

    Parameters
    ----------
    config : RunConfig
    inputs : Inputs
    answers : sequence of Answer
    baseline : Answer or None
        Of bm25.
    encoded : mapping of str to Encoded
    placed : mapping of str to Placed
    """

    config: RunConfig
    inputs: Inputs
    answers: Sequence[Answer]
    baseline: Answer | None
    encoded: Mapping[str, Encoded]
    placed: Mapping[str, Placed]


def agreement(compared: Compared, *, lossy: bool) -> Agreement:
    """Score every pair of answers that were asked alike.

    Parameters
    ----------
    compared : Compared
    lossy : bool
        Whether an index lost anything: overlap and jaccard of the exact neighbours are added then.
    """
    k = compared.config.k
    specs = [get_measure(text) for text in compared.config.measures]
    specs = [
        MeasureSpec(spec.measure, spec.k or k, spec.parameters)
        for spec in specs
        if spec.measure.needs in AGREEMENT_NEEDS
    ]
    names = {spec.measure.name for spec in specs}
    exactly = [
        MeasureSpec(get_measure(f"exact_{spec.measure.name}").measure, spec.k)
        for spec in specs
        if lossy and spec.measure.name in ("overlap", "jaccard") and f"exact_{spec.measure.name}" not in names
    ]
    pairs = compared_pairs(compared.answers, compared.baseline)
    scores = [
        score for part in (specs, exactly) for a, b in pairs for spec in part for score in _scores(compared, a, b, spec)
    ]
    rbos = [spec for spec in specs if spec.measure.name == "rbo"]
    return Agreement(
        tuple(scores),
        tuple(score for a, b in pairs for score in _curves(compared, a, b)),
        tuple(_tail(compared, a, b, spec) for a, b in pairs for spec in rbos),
    )


def depths(k: int) -> tuple[int, ...]:
    """Return the depths of a curve: 1, 2, 5, 10, 20, 50, ... and 3, up to k, and k itself."""
    steps = {3, *(digit * 10**power for power in range(len(str(k))) for digit in (1, 2, 5))}
    return tuple(sorted({k, *(step for step in steps if step < k)}))


def certain(a: Neighbors, b: Neighbors, own: OwnRows) -> IntArray:
    """Return how many of each query's own rows both lists hold: no luck was needed for those."""
    left, right = (replace(n, rows=np.where(own.within(n.rows), n.rows, -1)) for n in (a, b))
    return np.rint(np.nan_to_num(overlap(left, right)) * a.k).astype(np.int64)


def _scores(compared: Compared, a: Answer, b: Answer, spec: MeasureSpec) -> list[Score]:
    name, needs = spec.measure.name, spec.measure.needs
    if needs == "ranks in the other space":
        return _spread(compared, a, b, [spec])
    if name == "second_order_cosine":
        return _second_order(compared, a, b, [spec])
    plain = name.removeprefix("exact_")
    left, right = (a.returned, b.returned) if plain == name else (a.exact, b.exact)
    if plain in _SCORERS:
        score = _at_depths(compared, a, b, (left, right), _SCORERS[plain], (_k(spec),), spec.parameters)[0]
        return [replace(score, measure=str(spec))]
    if needs in ("two neighbors", "two ordered neighbors"):
        lists = (truncated(n, _k(spec)) for n in (left, right))
        values = np.asarray(spec.measure.function(*lists, **spec.parameters), dtype=np.float64)
        about = ((a.model, b.model), _asked(compared, a, b), math.nan, compared.config.seed, "are undefined")
        return [mean_score(spec.measure, values, _k(spec), *about, spec.parameters)]
    return [_undefined(compared, spec, a, b, f"nothing is known of how to take {name} in a comparison")]


def _at_depths(
    compared: Compared,
    a: Answer,
    b: Answer,
    lists: tuple[Neighbors, Neighbors],
    score_of: Callable[..., Score],
    at: Sequence[int],
    parameters: Mapping[str, float],
) -> tuple[Score, ...]:
    left, right = lists
    return call(
        score_curve,
        score_of,
        left,
        right,
        (a.model, b.model),
        depths=at,
        query_model=_asked(compared, a, b),
        candidates=compared.inputs.candidates,
        fixed=certain(left, right, compared.inputs.twins),
        seed=compared.config.seed,
        **parameters,
    )


def _curves(compared: Compared, a: Answer, b: Answer) -> list[Score]:
    curves: list[Score] = []
    for text in _CURVES:
        spec = get_measure(text)
        at = [replace(spec, k=depth) for depth in depths(compared.config.k)]
        if spec.measure.name in _SCORERS:
            lists, scorer = (a.returned, b.returned), _SCORERS[spec.measure.name]
            curves += _at_depths(compared, a, b, lists, scorer, depths(compared.config.k), spec.parameters)
        else:
            curves += (_spread if spec.measure.name == "spread" else _second_order)(compared, a, b, at)
    return curves


def _tail(compared: Compared, a: Answer, b: Answer, spec: MeasureSpec) -> Tail:
    left, right = (truncated(answer.returned, _k(spec)) for answer in (a, b))
    found = call(rbo_with_tail, left, right, **spec.parameters)
    known = ~np.isnan(found.value)
    low, high = (float(side[known].mean()) if known.any() else math.nan for side in (found.low, found.high))
    return Tail(str(spec), (a.model, b.model), _asked(compared, a, b), low, high)


def _spread(compared: Compared, a: Answer, b: Answer, specs: Sequence[MeasureSpec]) -> list[Score]:
    """Return the spread of A's neighbours in B and of B's in A, at each depth asked."""
    scores: list[Score] = []
    for here, there in ((a, b), (b, a)):
        if there.model == BM25:
            scores += [_undefined(compared, spec, here, there, _NO_RANK) for spec in specs]
            continue
        rows = here.returned.rows[:, : max(map(_k, specs))]
        ranks, own = _ranks_there(compared, rows, there), compared.inputs.twins.within(rows)
        scores += [
            call(
                score_spread,
                ranks[:, : _k(spec)],
                (here.model, there.model),
                query_model=_asked(compared, here, there),
                candidates=compared.inputs.candidates,
                fixed=np.count_nonzero(own[:, : _k(spec)], axis=1),
                seed=compared.config.seed,
            )
            for spec in specs
        ]
    return scores


def _ranks_there(compared: Compared, rows: IntArray, there: Answer) -> IntArray:
    """Rank the neighbours of one model in another: exactly, from what the run already knows where it does."""
    ranks = ranks_of(rows, there.exact, there.elsewhere)
    # A row that an index returned although it is not among the exact k: its rank was not needed until now.
    unknown = np.where((rows >= 0) & (ranks < 0), rows, -1)
    if (unknown >= 0).any():
        queries = compared.encoded[there.query_model].queries
        assert queries is not None
        found = compared.placed[there.model].searcher.place_of(queries, unknown, compared.inputs.own)
        ranks = np.where(unknown >= 0, found.ranks, ranks)
    return ranks


def _second_order(compared: Compared, a: Answer, b: Answer, specs: Sequence[MeasureSpec]) -> list[Score]:
    if BM25 in (a.model, b.model):
        return [_undefined(compared, spec, a, b, _NO_VECTORS) for spec in specs]
    (ask_a, rows_a), (ask_b, rows_b) = (_vectors(compared, answer) for answer in (a, b))
    if any((norms(vectors) == 0.0).any() for vectors in (ask_a, rows_a, ask_b, rows_b)):
        return [_undefined(compared, spec, a, b, _NO_DIRECTION) for spec in specs]
    of_query = compared.inputs.query_rows
    rows = None if of_query is None else np.asarray(of_query, dtype=np.int64)
    scores: tuple[Score, ...] = call(
        score_second_order_curve,
        a.returned,
        b.returned,
        (ask_a, ask_b),
        (rows_a, rows_b),
        (a.model, b.model),
        depths=[_k(spec) for spec in specs],
        query_model=_asked(compared, a, b),
        rows=rows,
        seed=compared.config.seed,
    )
    return list(scores)


def _vectors(compared: Compared, answer: Answer) -> tuple[FloatArray, FloatArray]:
    queries, documents = compared.encoded[answer.query_model].queries, compared.encoded[answer.model].documents
    assert queries is not None
    assert documents is not None
    return queries, documents


def _undefined(compared: Compared, spec: MeasureSpec, a: Answer, b: Answer, reason: str) -> Score:
    return Score(
        str(spec), (a.model, b.model), math.nan, math.nan, math.nan, math.nan, 0, _asked(compared, a, b), reason=reason
    )


def _asked(compared: Compared, a: Answer, b: Answer) -> str | None:
    """Return the query model that asked both; None when each model queried its own. bm25 takes no query model."""
    if not compared.config.query_models:
        return None
    return a.query_model if b.model == BM25 else b.query_model


def _k(spec: MeasureSpec) -> int:
    assert spec.k is not None
    return spec.k
