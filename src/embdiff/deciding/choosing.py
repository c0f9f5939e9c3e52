"""Which models are out and which are left, by rules read off paired intervals: the verdict, and the sentence for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from embdiff.deciding.measured import Measured, ruling
from embdiff.deciding.table import Rules
from embdiff.decision import Ruling, Verdict, more_words, percent, worst
from embdiff.headline import Headline
from embdiff.measures.rules import Rule, read_rule
from embdiff.measures.ruling import Settled, settled
from embdiff.runs import Run


@dataclass(frozen=True)
class Chosen:
    """What the rules say.

    Parameters
    ----------
    verdict : Verdict
    model : str or None
        The one to have.
    basis : str
    out, left : tuple of str
    rulings : tuple of Ruling
    sentence : str
    """

    verdict: Verdict
    model: str | None
    basis: str
    out: tuple[str, ...]
    left: tuple[str, ...]
    rulings: tuple[Ruling, ...]
    sentence: str


def choose(run: Run, table: Rules, current: str | None) -> Chosen:
    """Hold the models of a run to the rules for what it rests on.

    With a model in use each other one is held against it: out where a rule is broken, to be had where all are kept
    (non-inferiority). Without one every two are held against each other, in both directions: a model is out where
    another is above it by more than a limit.
    """
    basis = run.headline.basis
    rules = [rule.at(run.config.k) for rule in table.of(basis)]
    if current is None:
        return _of_all(run, rules, table.error, basis)
    found = Measured(run, current=current, floor=basis == "agreement")
    rulings = found.rulings(rules, error=table.error)
    return _from(run, current, basis, rulings)


def _from(run: Run, current: str, basis: str, rulings: Sequence[Ruling]) -> Chosen:
    """Return the verdict where one model is in use."""
    others = [name for name in run.config.models if name != current]
    became = {name: worst([each for each in rulings if each.models[0] == name]) for name in others}
    kept = _best_first(run.headline, [name for name in others if became[name] == "pass"])
    labelled = basis != "agreement"
    out = tuple(name for name in others if labelled and became[name] == "fail")
    left = (current, *(name for name in others if name not in out))
    found = tuple(rulings)
    if kept:
        verdict: Verdict = "switch" if labelled else "same"
        words = _switch(kept, current, found) if labelled else _same(kept[0], current, found)
        return Chosen(verdict, kept[0], basis, out, left, found, words)
    if labelled and len(out) == len(others):
        nearest = _best_first(run.headline, others)[0]
        return Chosen("stay", current, basis, out, left, found, _stay(nearest, current, found))
    open_ = _best_first(run.headline, left[1:])
    about = list(_of(found, open_[0], current))
    return Chosen("undecided", None, basis, out, left, found, _undecided(about, labelled))


def _of_all(run: Run, rules: Sequence[Rule], error: float, basis: str) -> Chosen:
    """Return the verdict where no model is in use."""
    labelled, names = basis != "agreement", run.config.models
    named = Measured(run, every=True, floor=not labelled).named(rules)
    limits = [(-rule.limit, rule.limit) if labelled else (rule.limit,) for rule, *_ in named]
    told = settled([estimate for *_, estimate in named], limits, error=error)
    rulings = tuple(
        _either_way(rule, models, each) if labelled else ruling(rule, models, asked, each)
        for (rule, models, asked, _), each in zip(named, told, strict=True)
    )
    out = tuple(name for name in names if labelled and any(_loses(name, each) for each in rulings))
    left = tuple(_best_first(run.headline, [name for name in names if name not in out]))
    among = [each for each in rulings if set(each.models) <= set(left)]
    if len(left) == 1:
        return Chosen("take", left[0], basis, out, left, rulings, _take(left[0], rulings))
    if among and all(each.outcome == "pass" for each in among):
        first = next(each for each in among if left[0] in each.models)
        words = _same(left[0], next(name for name in first.models if name != left[0]), among)
        return Chosen("same", left[0], basis, out, left, rulings, words)
    return Chosen("undecided", None, basis, out, left, rulings, _undecided(among, labelled))


def _loses(name: str, each: Ruling) -> bool:
    return each.outcome == "fail" and each.models[0] == name


def _either_way(rule: Rule, models: tuple[str, ...], found: Settled) -> Ruling:
    """Return a ruling between two models of which either may be the lower one: the lower one stands first."""
    if found.value < 0:
        turned = None if found.zone is None else 2 - found.zone
        found = replace(found, zone=turned, value=-found.value, low=-found.high, high=-found.low)
        models = models[::-1]
    zone = None if found.zone is None else int(found.zone == 2)
    return ruling(rule, models, None, replace(found, zone=zone))


def _best_first(headline: Headline, names: Sequence[str]) -> list[str]:
    """Return models by the measure of the headline, the highest first; as they stand where nothing orders them."""
    order = {each.model: at for at, each in enumerate(headline.standings)}
    return sorted(names, key=lambda name: order.get(name, len(order)))


def _of(rulings: Sequence[Ruling], one: str, other: str, outcome: str | None = None) -> Iterator[Ruling]:
    """Yield the rulings on two models."""
    return (each for each in rulings if {one, other} == set(each.models) and outcome in (None, each.outcome))


def _switch(kept: Sequence[str], current: str, rulings: Sequence[Ruling]) -> str:
    first = kept[0]
    told = " and ".join(
        f"{drop_words(each)}: no drop of more than {limit(each)}" for each in _of(rulings, first, current)
    )
    more = f" {' and '.join(kept[1:])} would do as well." if len(kept) > 1 else ""
    return f"Switch to {first}: against {current} {told}.{more}"


def _stay(name: str, current: str, rulings: Sequence[Ruling]) -> str:
    each = next(_of(rulings, name, current, "fail"))
    return f"Stay with {current}: with {name} {drop_words(each)}, more than {limit(each)}."


def _take(name: str, rulings: Sequence[Ruling]) -> str:
    each = next((one for one in rulings if one.outcome == "fail" and one.models[-1] == name), None)
    told = "" if each is None else f", as {each.models[0]} is, where {drop_words(each)}, more than {limit(each)}"
    return f"Take {name}: every other model is out{told}."


def _same(one: str, other: str, rulings: Sequence[Ruling]) -> str:
    told = []
    for each in _of(rulings, one, other):
        if read_rule(each.rule).drop:
            told.append(f"{measure(each)} differs by {interval_words(each)}, not more than {limit(each)}")
        else:
            told.append(f"{measure(each)} is {interval_words(each)}, not below {limit(each)}")
    return f"{one} and {other} are the same for these data: {' and '.join(told)}."


def _undecided(rulings: Sequence[Ruling], labelled: bool) -> str:
    """Say what cannot be told, of the first two models of which something is open."""
    each = min(rulings, key=lambda one: ("inconclusive", "fail", "pass").index(one.outcome))
    first, current = each.models[0], each.models[-1]
    if not labelled:
        known = each.outcome == "fail"
        what = "are not the same for these data" if known else "may or may not be the same for these data"
        return (
            f"Undecided: {current} and {first} {what} ({measure(each)} {interval_words(each)}; {limit(each)} would "
            "be the same), and nothing says which is better."
        )
    return (
        f"Undecided between {current} and {first}: whether {measure(each)} of {each.models[0]} is lower by more than "
        f"{limit(each)} cannot be told ({interval_words(each)}); {more_words(each)}."
    )


def measure(each: Ruling) -> str:
    """Return what a rule measures."""
    return str(read_rule(each.rule).spec)


def limit(each: Ruling) -> str:
    """Return the limit of a rule as it is read."""
    return f"{read_rule(each.rule).limit:.3g}"


def interval_words(each: Ruling) -> str:
    """Return the value with its interval and n."""
    if math.isnan(each.value):
        return each.reason or "undefined"
    return f"{each.value:.3f}, {percent(each.level)} {each.low:.3f} to {each.high:.3f}, n = {each.n:,}"


def drop_words(each: Ruling) -> str:
    """Return by how much a measure falls, or rises, as a clause."""
    if each.value < 0:
        told = interval_words(replace(each, value=-each.value, low=-each.high, high=-each.low))
    else:
        told = interval_words(each)
    value, _, within = told.partition(", ")
    verb = "rises" if each.value < 0 else "drops"
    return f"{measure(each)} {verb} by {value} ({within})" if within else f"the drop of {measure(each)} is undefined"
