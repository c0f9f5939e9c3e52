"""The headline of a comparison: from judgements, else from groups, else from agreement; own rows left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from embdiff.clusters import Parts
from embdiff.comparison.scored import kept_scores
from embdiff.comparison.scoring import Scored
from embdiff.comparison.work import Work
from embdiff.headline import Headline, Remark, Shared, by_agreement, by_labels, part_words
from embdiff.measures import get_measure
from embdiff.measures.by_group import Gap, gaps, group_means
from embdiff.measures.differences import between_models
from embdiff.measures.inputs import TwoLists, truncated
from embdiff.measures.judged import NEEDS as JUDGED
from embdiff.measures.same_group import NEEDS as GROUPED
from embdiff.own_rows import without_own
from embdiff.records import Answer, Score


def headline_of(work: Work, scored: Scored, floor: Sequence[Score], parts: Parts) -> Headline:
    """Return what a comparison found; ``floor`` holds the scores of the same model again."""
    answers = _asked(work)
    agreement, by_part = _agreement(work, answers, parts)
    lost = (*part_words(agreement, by_part, parts.by), *_index_words(work, scored.scores))
    noise = _noise(floor, agreement)
    for needs, units in ((JUDGED, "judged queries"), (GROUPED, "queries")):
        chosen = _chosen(work, scored.scores, needs, answers)
        if chosen:
            found = work.kept.call(between_models, chosen, seed=work.config.seed)
            where = _where(work, chosen)
            headline = by_labels(
                chosen, found[0] if found else None, units=units, agreement=agreement, noise=noise, where=where,
                besides=lost,
            )  # fmt: skip
            break
    else:
        headline = by_agreement(agreement, noise, besides=lost)
    return replace(headline, by_part=by_part)


def _asked(work: Work) -> list[Answer]:
    """Return one answer of each collection: asked by its own model where it was, else by the first that asked."""
    every = [*work.answers, *work.named]
    by_model: dict[str, Answer] = {}
    for answer in every:
        if answer.model not in by_model or answer.query_model == answer.model:
            by_model[answer.model] = answer
    return list(by_model.values())


def _chosen(work: Work, scores: Iterable[Score], needs: str, answers: Sequence[Answer]) -> list[Score]:
    """Return the scores of the first measure that needs this, one for each answer; none where all are undefined."""
    found = [score for score in scores if get_measure(score.measure).measure.needs == needs]
    first = [score for score in found if score.measure == found[0].measure]
    by_search = {(score.models[0], score.query_model): score for score in first}
    crossed, beside = bool(work.config.query_models), {each.model for each in work.beside}
    wanted = [(each.model, each.query_model if crossed and each.model not in beside else None) for each in answers]
    chosen = [by_search[key] for key in wanted if key in by_search]
    return chosen if any(math.isfinite(score.value) for score in chosen) else []


def _where(work: Work, chosen: Sequence[Score]) -> tuple[Gap, ...]:
    """Return the groups of queries in which the models differ."""
    groups, values = work.inputs.queries.groups, {score.models[0]: score.per_query for score in chosen}
    known = {name: each for name, each in values.items() if each and groups and len(each) == len(groups)}
    if not groups or len(set(groups)) < 2 or len(known) < 2:
        return ()
    low, high = get_measure(chosen[0].measure).measure.range
    found: tuple[Gap, ...] = work.kept.call(gaps, known, groups, seed=work.config.seed, widest=high - low)
    return found


def _agreement(work: Work, answers: Sequence[Answer], parts: Parts) -> tuple[list[Shared], tuple[Shared, ...]]:
    """Return how many neighbours every two answers share, a query's own rows left out of both: in all, and by part."""
    own = replace(work.inputs.own, drop=True)
    most = 0 if work.inputs.own.drop else max(own.most, 0)
    depth = min(work.config.k, answers[0].returned.k) - most
    if depth < 1:
        return [], ()
    candidates = np.asarray(work.inputs.candidates) - (0 if work.inputs.own.drop else [len(each) for each in own.rows])
    cut = [truncated(without_own(each.returned, own, each.returned.k), depth) for each in answers]
    found: list[Shared] = []
    values: list[tuple[float, ...]] = []
    for (a, first), (b, second) in combinations(zip(answers, cut, strict=True), 2):
        lists = TwoLists(first, second, (a.model, b.model), None, candidates)
        score = kept_scores(work.kept, [get_measure(f"overlap@{depth}")], lists, seed=work.config.seed)[0]
        asks = a.query_model if a.query_model == b.query_model else None
        low, high, chance, value = (depth * each for each in (score.low, score.high, score.chance, score.value))
        found.append(Shared((a.model, b.model), depth, value, low, high, chance, score.n, asks))
        values.append(score.per_query or (math.nan,) * len(work.inputs.queries))
    return found, _by_part(work, found, values, parts)


def _by_part(
    work: Work, shared: Sequence[Shared], values: Sequence[tuple[float, ...]], parts: Parts
) -> tuple[Shared, ...]:
    """Return what every two answers share over the queries of each part; nothing where there are no two parts."""
    if len(parts.names) < 2 or not shared:
        return ()
    named = [parts.names[at] if at >= 0 else None for at in parts.of_query.tolist()]
    columns = np.array(values, dtype=np.float64).T
    told = []
    for each in group_means(columns, named, seed=work.config.seed, bounds=(0.0, 1.0)):
        every = shared[each.column]
        value, low, high = (every.of * share for share in (each.mean, each.low, each.high))
        told.append(replace(every, part=each.group, n=len(each.rows), value=value, low=low, high=high))
    return tuple(sorted(told, key=lambda each: each.high))


def _noise(floor: Sequence[Score], agreement: Sequence[Shared]) -> float:
    """Return the lowest number of neighbours that a model shares with itself, encoded again or rounded."""
    if not agreement:
        return math.nan
    again = [
        score.value
        for score in floor
        if get_measure(score.measure).measure.name != "noise_index" and math.isfinite(score.value)
    ]
    return agreement[0].of * min(again, default=math.nan)


def _index_words(work: Work, scores: Iterable[Score]) -> Iterable[Remark]:
    """Say what the index lost, only where it lost something."""
    values = [score.value for score in scores if score.measure.startswith("index_recall") and score.value < 1.0]
    if values:
        found = f"The index ({work.config.index}) returned at least {100 * min(values):.0f} % of the exact neighbours"
        yield Remark("noise", f"{found}: part of every difference is the index and not the model.")
