"""What a change of model means for users and for whoever runs it: results, cut-off, encoding, index, length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from embdiff._sizes import written_size
from embdiff.comparison.relisted import labelled_scores, list_scores, relisted
from embdiff.comparison.thresholds import carried_over
from embdiff.decision import Action, Change, Changed, Reason
from embdiff.errors import DataError
from embdiff.measures.base import get_measure
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.measures.thresholds import CarryOver
from embdiff.runs import Run
from embdiff.views.facts import Facts, Model
from embdiff.views.why import likely

_WORST = 5
_FLOAT32 = 4  # bytes


def change(run: Run, current: str, model: str) -> Change:
    """Return which queries get other results from a model than from the one in use."""
    work, k = relisted(run), run.config.k
    first = list_scores(work, get_measure("overlap@1"), current, model)[0]
    whole = list_scores(work, get_measure(f"overlap@{k}"), current, model)[0]
    kept_first, kept = (np.asarray(each.per_query, dtype=np.float64) for each in (first, whole))
    by, before, after = _ordered(run, current, model, kept)
    fall = before - after
    order = [int(at) for at in np.argsort(np.where(np.isnan(fall), math.inf, -fall), kind="stable")[:_WORST]]
    return Change(
        (current, model), len(kept), int(np.count_nonzero(kept_first < 1.0)), 1 - first.high, 1 - first.low,
        int(np.count_nonzero(kept < 1.0)), k, by,
        tuple(
            Changed(run.queries.ids[at], run.queries.items[at], float(before[at]), float(after[at]))
            for at in order
            if fall[at] > 0
        ),
    )  # fmt: skip


def _ordered(run: Run, current: str, model: str, kept: Doubles) -> tuple[str, Doubles, Doubles]:
    """Return by what queries are ordered, and its values before and after, (q,); NaN where there is none."""
    named = run.headline.measure
    if named is None:
        return "neighbours kept", np.full(len(kept), float(run.config.k)), run.config.k * kept
    values = {each.models[0]: np.asarray(each.per_query) for each in labelled_scores(relisted(run), get_measure(named))}
    before, after = values[current], values[model]
    if len(before) == len(kept):
        return named, before, after
    assert run.expected is not None  # of judged queries alone
    places = [at for at, name in enumerate(run.queries.ids) if name in run.expected.judgements]
    whole = np.full((2, len(kept)), np.nan)
    whole[:, places] = before, after
    return named, whole[0], whole[1]


def users(found: Change) -> Reason:
    """Say what users see of it."""
    share = f"95 % {100 * found.first_low:.0f} to {100 * found.first_high:.0f} %"
    return Reason(
        f"Of {found.n:,} queries {found.first:,} get another first result from {found.models[1]} ({share} of such "
        f"queries), and {found.any:,} have others among their first {found.k}.",
        "changed",
    )


def causes(run: Run, one: str, other: str) -> Iterator[Reason]:
    """Say which likely causes the changed neighbours of two models have; nothing where there is none."""
    found = next((each for each in run.why if set(each.models) == {one, other}), None)
    if found is not None and found.counted:
        every = found.lost + found.gained
        yield Reason(f"Of the {every:,} neighbours that only one of {one} and {other} returns {likely(found)}.", "why")


def cutoffs(run: Run, current: str, model: str, at: float) -> tuple[Reason, list[Action]]:
    """Say what a cut-off becomes: with as many pairs that pass, and where results are expected with as many right."""
    try:
        carried = carried_over(run, current, model, at).carried[:2]
    except DataError as why:
        return Reason(f"What a cut-off of {at:g} becomes cannot be said: {why}", "cutoffs"), []
    first, *more = (f"{_carried(each)} {{}}at the same {each.by}" for each in carried)
    told = ", ".join([first.format(f"in {model} "), *(each.format("") for each in more)])
    acts = [f"Set the cut-off to {each.value:.3f}." for each in carried[:1] if not math.isnan(each.value)]
    return Reason(f"Your cut-off of {at:g} becomes {told}.", "cutoffs"), [Action(each) for each in acts]


def _carried(each: CarryOver) -> str:
    if math.isnan(each.value):
        return f"none ({each.reason})"
    return f"{each.value:.3f}{_interval(each.low, each.high)}"


def _interval(low: float, high: float) -> str:
    """Return an interval in brackets, which may be open at an end."""
    if math.isnan(low):
        return "" if math.isnan(high) else f" (95 % up to {high:.3f})"
    return f" (95 % {low:.3f} or more)" if math.isnan(high) else f" (95 % {low:.3f} to {high:.3f})"


@dataclass(frozen=True)
class Costs:
    """What encoding again with one model takes; None where it was not measured."""

    rows: int
    seconds: float | None
    size: int
    tokens: int | None
    money: float | None

    @property
    def words(self) -> str:
        """What it takes, in a clause."""
        unknown = "in a time not measured, as nothing was encoded in this run"
        took = unknown if self.seconds is None else _time(self.seconds)
        paid = ""
        if self.money is not None:
            paid = f", {self.money:{',.2f' if self.money >= 0.01 else '.1g'}} by your price for {self.tokens:,} tokens"
        return f"{self.rows:,} rows {took}, {written_size(self.size)} of vectors{paid}"


def costs(run: Run, model: str, price: float | None) -> Costs:
    """Return what encoding the corpus with a model takes, by the rate at which this run encoded."""
    told = model_of(run, model)
    done, rows = told.encoding, len(run.corpus)
    rate = done.texts_per_second if done else None
    each = done.tokens_each if done else None
    tokens = None if each is None else round(each * rows)
    money = None if price is None or tokens is None else price * tokens / 1e6
    size = rows * (told.stamp.dim if told.stamp else 0) * _FLOAT32
    return Costs(rows, None if not rate else rows / rate, size, tokens, money)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"in {seconds:.2g} s here" if seconds < 10 else f"in {seconds:.0f} s here"
    return f"in {seconds / 60:.0f} min here" if seconds < 5_400 else f"in {seconds / 3_600:.1f} h here"


def price_words(model: str, found: Costs, price: float | None) -> Reason:
    """Say what encoding again takes."""
    unknown = " What it would cost is not known: no tokens were counted." if price and found.money is None else ""
    return Reason(f"Encoding again with {model}: {found.words}.{unknown}", "costs")


def losses(run: Run, current: str | None, models: Sequence[str]) -> Iterator[Reason]:
    """Say what the index loses, and how many texts a model sees only the beginning of."""
    for name in models:
        lost = [
            each.value
            for each in run.scores
            if each.measure.startswith("index_recall@") and each.models == (name,) and each.value < 1.0
        ]
        if lost:
            yield Reason(f"The index loses {100 * (1 - min(lost)):.1f} % of the neighbours of {name}.", "index")
    for name in (*filter(None, [current]), *models):
        done = model_of(run, name).encoding
        if done and done.truncated:
            yield Reason(
                f"{name} sees only the beginning of {done.truncated:,} of {done.texts:,} texts (it takes "
                f"{_most(run, name)} tokens).",
                "truncated",
            )


def _most(run: Run, name: str) -> str:
    stamp = model_of(run, name).stamp
    return "so many" if stamp is None or stamp.max_tokens is None else f"{stamp.max_tokens:,}"


def model_of(run: Run, name: str) -> Model:
    """Return what the manifest tells of a model."""
    return next(each for each in Facts(run, 0).manifest.models if each.model == name)


def pooled(run: Run, queries: int, depth: int) -> int:
    """Return how many results are to be judged of so many queries: what any model has among its first."""
    lists = [each.returned.rows[:, :depth] for each in run.answers]
    whole = np.concatenate(lists, axis=1)
    sizes = [len(set(row.tolist()) - {-1}) for row in whole]
    return round(float(np.mean(sizes)) * min(queries, len(sizes)))
