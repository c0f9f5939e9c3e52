"""The numbers that rules name, of a run, or of a run and an earlier one, and what becomes of the rules."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import combinations

import numpy as np

from embdiff.comparison.relisted import LABELS, LISTS, earlier, labelled_scores, list_scores, relisted
from embdiff.deciding.pairing import TWO, pairs
from embdiff.decision import Outcome, Ruling
from embdiff.errors import DataError
from embdiff.measures.rules import Rule
from embdiff.measures.ruling import Bounded, Estimate, Settled, of_differences, of_score, settled
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import Score
from embdiff.runs import Run

_AGAIN = ("noise_float16", "noise_batch")
Found = tuple[tuple[str, ...], str | None, Estimate]
SAME = Estimate(
    0.0, 0, 0.0, lambda _: (0.0, 0.0), "the same model, revision and settings, and the same list for every query"
)


class Measured:
    """A run whose numbers are held to rules.

    Parameters
    ----------
    run : Run
    then : Run, optional
        An earlier one, whose models those of ``run`` are held against.
    label : str
        What the earlier one is called.
    current : str, optional
        The model that the others are held against: of ``run`` (its first, unless named), or of ``then`` (the one of the
        same name, unless named).

    every : bool
        Whether every two models of the run are held against each other instead.
    floor : bool
        Whether limits are shares of the noise floor: of what the steadier of two models shares with itself.

    Raises
    ------
    UnknownNameError
        When there is no such model.
    DataError, ParameterError
        When the earlier run cannot be held against this one.
    """

    def __init__(
        self, run: Run, then: Run | None = None, label: str = "", current: str | None = None, *,
        every: bool = False, floor: bool = False,
    ) -> None:  # fmt: skip
        self.floor = floor
        self.run, self.then, self.label, self.work = run, then, label, relisted(run, then, label)
        names, before = run.config.models, then.config.models if then else None
        self.pairs: list[tuple[str, str | None]] = pairs(names, before, label, current)
        if every:
            self.pairs = list(combinations(names[::-1], 2))

    def rulings(self, rules: Sequence[Rule], *, error: float) -> tuple[Ruling, ...]:
        """Return what becomes of each rule for each model; the chance that any is wrong is at most ``error``."""
        named = self.named(rules)
        told = settled([estimate for *_, estimate in named], [(rule.limit,) for rule, *_ in named], error=error)
        return tuple(
            ruling(rule, models, asked, each) for (rule, models, asked, _), each in zip(named, told, strict=True)
        )

    def named(self, rules: Sequence[Rule]) -> list[tuple[Rule, tuple[str, ...], str | None, Estimate]]:
        """Return each rule with the numbers that it is about."""
        return [
            (self._within_floor(rule, models), models, asked, estimate)
            for rule in rules
            for models, asked, estimate in self.estimates(rule)
        ]

    def _within_floor(self, rule: Rule, models: tuple[str, ...]) -> Rule:
        """Return a rule whose limit is a share of what the steadier model shares with itself, where that is asked."""
        if not self.floor:
            return rule
        known = [share for name in models if math.isfinite(share := own_share(self.run, name))]
        return replace(rule, limit=rule.limit * max(known, default=1.0))

    def estimates(self, rule: Rule) -> list[Found]:
        """Return the number that a rule names, for each model held to it, with who it is held against and who asked."""
        found = [each for pair in self.pairs for each in self._of(rule, *pair)]
        if not found:
            known = ", ".join(dict.fromkeys(score.measure for score in self.run.scores))
            raise DataError(
                f"A rule must be of a measure that the run has. Got {rule.spec}. It has {known[:300]}. Name one of "
                "these, or compare again with --measure."
            )
        return found

    def _of(self, rule: Rule, model: str, against: str | None) -> Iterator[Found]:
        if rule.drop:
            scores = {(each.models[0], each.query_model): each for each in labelled_scores(self.work, rule.spec)}
            for (name, asked), here in scores.items():
                there = scores.get((against or "", asked))
                if name == model and there is not None:
                    change = of_differences(fall(there, here), rule.width, seed=self.run.config.seed)
                    same = self._same(model, against or "")
                    yield (model, against or ""), asked, replace(SAME, n=change.n) if same else change
        elif rule.spec.measure.needs in TWO:
            for score in self._between(rule, against or "", model):
                yield (model, against or ""), score.query_model, of_score(score)
        else:
            scores_of_one = self._kept(rule, (model,))
            if not scores_of_one and rule.spec.measure.needs in LABELS:
                scores_of_one = [each for each in labelled_scores(self.work, rule.spec) if each.models == (model,)]
            for score in scores_of_one:
                yield (model,), score.query_model if self.run.config.query_models else None, of_score(score)

    def _same(self, model: str, against: str) -> bool:
        """Return whether a model of an earlier run is this very one, and every list the same: then no query differs."""
        if self.then is None:
            return False
        now, before = (_fingerprints(run) for run in (self.run, self.then))
        here, there = (next(each for each in self.work.answers if each.model == name) for name in (model, against))
        named = next(name for name in before if against == earlier(name, self.label))
        return now[model] == before[named] and np.array_equal(here.returned.rows, there.returned.rows)

    def _between(self, rule: Rule, first: str, second: str) -> list[Score]:
        """Return a measure of two models: as the run has it, else of their lists, taken again."""
        kept = [] if self.then else self._kept(rule, (first, second))
        if kept or rule.spec.measure.needs not in LISTS:
            return kept
        return list_scores(self.work, rule.spec, first, second)

    def _kept(self, rule: Rule, models: tuple[str, ...]) -> list[Score]:
        either = {models, models[::-1]} if rule.spec.measure.symmetric else {models}
        named = (each for each in (*self.run.scores, *self.run.curves) if each.measure == str(rule.spec))
        return list({each.query_model: each for each in named if each.models in either}.values())


def own_share(run: Run, model: str) -> float:
    """Return the share of neighbours that a model has in common with itself, encoded or rounded again; NaN: unknown."""
    again = [
        each.value
        for each in run.scores
        if each.measure.partition("@")[0] in _AGAIN and each.models == (model,) and math.isfinite(each.value)
    ]
    return min(again, default=math.nan)


def fall(before: Score, now: Score) -> Doubles:
    """Return by how much the values per query fall, (q,)."""
    one, two = (np.asarray(each.per_query or (), dtype=np.float64) for each in (before, now))
    return one - two


def _fingerprints(run: Run) -> dict[str, str]:
    """Return what pins each model of a run down."""
    return {each["model"]: each["fingerprint"] for each in run.manifest["models"]}


def ruling(rule: Rule, models: tuple[str, ...], asked: str | None, found: Settled) -> Ruling:
    """Return what became of one rule."""
    outcomes: dict[bool | None, Outcome] = {True: "fail", False: "pass", None: "inconclusive"}
    told = {each.name: getattr(found, each.name) for each in fields(Bounded)}
    return Ruling(rule=str(rule), models=models, outcome=outcomes[rule.broken(found.zone)], query_model=asked, **told)
