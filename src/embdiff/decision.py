"""What is decided of models: by rules, each on its interval; one typed record that every view shows alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embdiff._plain import Number, Record
from embdiff.measures.ruling import Bounded

Outcome = Literal["pass", "fail", "inconclusive"]
OUTCOMES: tuple[Outcome, ...] = ("fail", "inconclusive", "pass")


@dataclass(frozen=True, kw_only=True)
class Ruling(Bounded):
    """One rule, held to one model.

    Parameters
    ----------
    rule : str
        What is not to be, in its text form.
    models : tuple of str
        The model, and the one it is held against, if any.
    outcome : {"pass", "fail", "inconclusive"}
    query_model : str or None
        Who asked; None where each model asked its own collection.
    """

    rule: str
    models: tuple[str, ...]
    outcome: Outcome
    query_model: str | None = None

    @property
    def about(self) -> str:
        """Which models it speaks of."""
        asked = f", asked with {self.query_model}" if self.query_model else ""
        return " against ".join(self.models) + asked

    @property
    def found(self) -> str:
        """The value with its interval."""
        if math.isnan(self.value):
            return "undefined"
        if math.isnan(self.low):
            return f"{self.value:.3f} (no interval)"
        return f"{self.value:.3f} ({percent(self.level)} {self.low:.3f} to {self.high:.3f})"

    @property
    def more(self) -> str:
        """How many more queries would tell; "" where it is told."""
        return "" if self.outcome != "inconclusive" else more_words(self)


def percent(level: float) -> str:
    """Return the level of an interval as it is read: ``95 %``, ``97.5 %``."""
    return f"{100 * level:.3g} %" if level < 0.995 else f"{100 * level:.4g} %"


def more_words(found: Ruling) -> str:
    """Say how many more queries would tell, with the range that the interval leaves open."""
    if math.isnan(found.value):
        return found.reason or "undefined"
    if found.expected is None:
        return "no number of queries would tell: it is about at the limit"
    about = f"about {found.expected - found.n:,} more queries would tell"
    if found.least is None or found.least >= found.expected:
        return about
    least, most = f"{found.least - found.n:,} or more", found.most
    return f"{about} ({least}, {'no upper limit' if most is None else f'up to {most - found.n:,}'})"


def worst(rulings: Sequence[Ruling]) -> Outcome:
    """Return what becomes of several rules together: broken where one is, kept where all are."""
    return min((each.outcome for each in rulings), key=OUTCOMES.index, default="inconclusive")


@dataclass(frozen=True)
class Check(Record):
    """Whether models keep to rules.

    Parameters
    ----------
    verdict : {"pass", "fail", "inconclusive"}
        Fail where a rule is broken; else inconclusive where one is open.
    about : str
        What was checked.
    error : float
        Chance that any of the rulings is wrong.
    rulings : tuple of Ruling
        Rule by rule, in the order given.
    notes : tuple of str
    """

    verdict: Outcome
    about: str
    error: float
    rulings: tuple[Ruling, ...]
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The verdict in a sentence."""
        failed, open_ = (sum(each.outcome == one for each in self.rulings) for one in ("fail", "inconclusive"))
        of = f"{len(self.rulings):,} check{'s' * (len(self.rulings) > 1)}"
        if self.verdict == "pass":
            return f"Pass: {'the check holds' if len(self.rulings) == 1 else f'all {of} hold'}."
        left = f"{open_:,} of {of} cannot be told yet"
        if self.verdict == "inconclusive":
            return f"Inconclusive: {left}."
        return (
            f"Fail: {failed:,} of {of} fail{'s' * (failed == 1)}{f', {open_:,} cannot be told yet' if open_ else ''}."
        )

    @property
    def surety(self) -> str:
        """How sure the verdict is, in a sentence."""
        return (
            f"Each check is read off an interval; the chance that any is wrong is at most {100 * self.error:g} %"
            f"{f', by Holm over {len(self.rulings):,} checks' if len(self.rulings) > 1 else ''}."
        )

    @property
    def ordered(self) -> tuple[Ruling, ...]:
        """The rulings, broken ones first, then those that are open."""
        return tuple(sorted(self.rulings, key=lambda each: OUTCOMES.index(each.outcome)))


@dataclass(frozen=True)
class Moved(Record):
    """A query whose neighbours are others than before, and how many of them are the same."""

    id: str
    text: str
    shared: float


@dataclass(frozen=True)
class Drift(Record):
    """How far a model is from itself in an earlier run, of the same rows and queries.

    Parameters
    ----------
    model, before : str
        The model, and what the one is called that it is held against.
    of : int
        Neighbours of a query.
    shared : float
        How many of them are the same, on average over the queries.
    noise : float
        How many are the same when the model is encoded or rounded again, in the run where they are fewer; NaN where
        that is not known.
    n, changed : int
        Queries, and those with another neighbour.
    moved : tuple of Moved
        The queries that changed most.
    settings : tuple of str
        What is another of the model, its revision among it.
    """

    model: str
    before: str
    of: int
    shared: Number
    noise: Number
    n: int
    changed: int
    moved: tuple[Moved, ...]
    settings: tuple[str, ...]

    @property
    def zero(self) -> bool:
        """Whether the two are as close as the model is to itself."""
        least = self.of if math.isnan(self.noise) else self.noise
        return self.shared >= least - 1e-9

    @property
    def sentence(self) -> str:
        """What there is to say, in a sentence."""
        again = "" if math.isnan(self.noise) else f"; the same model again shares {self.noise:.2f}"
        told = (
            f"shares {self.shared:.2f} of {self.of} neighbours with {self.before}{again}; {self.changed:,} of "
            f"{self.n:,} queries have another neighbour"
        )
        if self.zero:
            return f"No drift: {self.model} {told}."
        why = f" Changed: {'; '.join(self.settings)}." if self.settings else " Its stamp is the same."
        return f"Drift: {self.model} {told}.{why}"


Verdict = Literal["switch", "stay", "take", "same", "undecided"]


@dataclass(frozen=True)
class Reason(Record):
    """A sentence of a decision, and the part of the page that is its evidence."""

    sentence: str
    evidence: str


@dataclass(frozen=True)
class Action(Record):
    """What to do next, and the command that does it, if there is one."""

    sentence: str
    command: str | None = None


@dataclass(frozen=True)
class Changed(Record):
    """A query that changes for users, with the value that it is ordered by before and after."""

    id: str
    text: str
    before: Number
    after: Number


@dataclass(frozen=True)
class Mapped(Record):
    """How well old vectors, mapped into the space of another model, stand in for encoding again.

    Parameters
    ----------
    models : tuple of str
        From, to.
    fitted : int
        Rows that the map was fitted on; each was led over by one that did not see it. 0: there is none, they are asked
        as they are.
    k : int
    shared, low, high : float
        Share of the ``k`` neighbours that vectors made anew and mapped ones have in common, with its 95 % interval.
    rulings : tuple of Ruling
        Mapped against made anew, by the rules of the decision; each at the level 1 - error / m, m of them.
    """

    models: tuple[str, str]
    fitted: int
    k: int
    shared: Number
    low: Number
    high: Number
    rulings: tuple[Ruling, ...]

    @property
    def outcome(self) -> Outcome:
        """What becomes of the rules together."""
        return worst(self.rulings)


@dataclass(frozen=True)
class Change(Record):
    """What users see of a change from one model to another.

    Parameters
    ----------
    models : tuple of str
        From, to.
    n, first, any : int
        Queries; how many have another first result; and another among the ``k``.
    first_low, first_high : float
        95 % interval of the share of queries with another first result.
    k : int
    by : str
        What ``worst`` is ordered by.
    worst : tuple of Changed
        The queries that change for the worst; without labels those with fewest results kept.
    mapped : Mapped or None
        Whether the old vectors can be kept; None where it was not measured.
    """

    models: tuple[str, str]
    n: int
    first: int
    first_low: Number
    first_high: Number
    any: int
    k: int
    by: str
    worst: tuple[Changed, ...]
    mapped: Mapped | None = None


@dataclass(frozen=True)
class Decision(Record):
    """Which model to take, by which rules, why, and what to do.

    Parameters
    ----------
    verdict : {"switch", "stay", "take", "same", "undecided"}
        With a model in use: switch to ``model``, or stay with it. Else take ``model``. ``same``: for these data.
    model : str or None
        The one to have; None where that is open.
    current : str or None
        The one in use.
    basis : str
        What it rests on: judgements, groups, or agreement.
    sentence : str
        The verdict.
    reasons : tuple of Reason
    actions : tuple of Action
    out, left : tuple of str
        Models that are out, and those that are not.
    rulings : tuple of Ruling
        A rule is broken where the first of the two models is out by it; without labels, where two are not the same.
    error : float
        Chance that any of the rulings is wrong.
    changes : tuple of Change
        From the model in use to each other one.
    """

    verdict: Verdict
    model: str | None
    current: str | None
    basis: str
    sentence: str
    reasons: tuple[Reason, ...]
    actions: tuple[Action, ...]
    out: tuple[str, ...]
    left: tuple[str, ...]
    rulings: tuple[Ruling, ...]
    error: float
    changes: tuple[Change, ...] = ()

    @property
    def paragraph(self) -> str:
        """All of it in one paragraph."""
        return " ".join([self.sentence, *(each.sentence for each in self.reasons)])

    @property
    def to_judge(self) -> bool:
        """Whether the cheapest way on is to judge results of the run, as nothing tells yet which model is better."""
        return self.verdict == "undecided" and self.basis != "judgements"
