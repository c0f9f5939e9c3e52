"""What was found, in a sentence: one typed record that terminal, page, notebook, JSON and CI show alike.

A ladder says what it rests on, and never claims more: judgements, else groups as weak labels, else agreement alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from embdiff._plain import Number, Record
from embdiff.measures import get_measure
from embdiff.measures.by_group import Gap
from embdiff.measures.differences import ALPHA, Differences
from embdiff.measures.same_group import NEEDS as OWN_GROUP
from embdiff.records import Score

Basis = Literal["judgements", "groups", "agreement"]
Question = Literal["proof", "agreement", "noise", "where", "next"]
_MOST_NAMED = 4
_WEAK = "Groups are weak labels: a neighbour of another group need not be wrong."
_UNKNOWN = (
    "Agreement does not say which one to prefer. For that, judge some queries (embdiff judge RUN), or give expected "
    "results (--expected) or groups (--group-column)."
)
_TESTS = {"randomisation": "paired randomisation test", "student": "paired Student's test"}


@dataclass(frozen=True)
class Standing(Record):
    """One model's value of the measure of the headline, with its 95 % interval and what chance would give."""

    model: str
    value: Number
    low: Number
    high: Number
    chance: Number
    n: int


@dataclass(frozen=True)
class Shared(Record):
    """How many of ``of`` neighbours, a query's own row not counted, two models have in common on average.

    ``value``, ``low``, ``high`` and ``chance`` are numbers of neighbours. Each model asked its own collection where it
    did; else both were asked by ``asked_with``. ``part``: over the queries of that group or suggested cluster alone.
    """

    models: tuple[str, str]
    of: int
    value: Number
    low: Number
    high: Number
    chance: Number
    n: int
    asked_with: str | None = None
    part: str | None = None


@dataclass(frozen=True)
class Remark(Record):
    """A sentence beside the answer, and which question it answers: is it proven, who agrees, and so on."""

    about: Question
    words: str


@dataclass(frozen=True)
class Headline(Record):
    """The answer.

    Parameters
    ----------
    basis : {"judgements", "groups", "agreement"}
        What it rests on.
    sentence : str
        The answer in one sentence.
    remarks : tuple of Remark
        What else must be known to read it rightly, the most important first: is it proven, how much is noise.
    measure : str or None
        What the models are ordered by; None where nothing says which is better.
    standings : tuple of Standing
        The highest value first; empty where nothing says which is better.
    ties : tuple of tuple of str
        Models that cannot be told apart.
    agreement : tuple of Shared
        Every two models, the closest first.
    noise : float
        The lowest number of neighbours that a model shares with itself, encoded or rounded again, of ``agreement``'s
        ``of``; NaN where nothing was encoded again.
    where : tuple of Gap
        Groups in which two models differ, the surest first.
    by_part : tuple of Shared
        ``agreement`` over the queries of each group, or where there are none of each suggested cluster, the surest
        disagreement first: by the upper end of the interval, as the lowest of many numbers is luck.
    """

    basis: Basis
    sentence: str
    remarks: tuple[Remark, ...] = ()
    measure: str | None = None
    standings: tuple[Standing, ...] = ()
    ties: tuple[tuple[str, ...], ...] = ()
    agreement: tuple[Shared, ...] = ()
    noise: Number = math.nan
    where: tuple[Gap, ...] = ()
    by_part: tuple[Shared, ...] = ()

    @property
    def more(self) -> tuple[str, ...]:
        """The sentences of ``remarks``."""
        return tuple(each.words for each in self.remarks)


UNTOLD = Headline("agreement", "Nothing was compared.")


def by_labels(
    scores: Sequence[Score], found: Differences | None, *, units: str, agreement: Sequence[Shared] = (),
    noise: float = math.nan, where: Sequence[Gap] = (), besides: Sequence[Remark] = (),
) -> Headline:  # fmt: skip
    """Return the headline of one labelled measure.

    Parameters
    ----------
    scores : sequence of Score
        Of one measure, one for each model; undefined ones are left out.
    found : Differences or None
        Between these models; None where there is nothing to compare.
    units : str
        What the scores are means over, in the plural: "judged queries".
    agreement, noise, where
        As in `Headline`.
    besides : sequence of Remark
        What stands at the end of ``remarks``.
    """
    known = sorted((each for each in scores if math.isfinite(each.value)), key=lambda each: -each.value)
    standings = tuple(Standing(each.models[0], each.value, each.low, each.high, each.chance, each.n) for each in known)
    measure = scores[0].measure
    grouped = _grouped(measure)
    ties = found.ties if found else ()
    weak = (Remark("proof", _WEAK),) if grouped else ()
    more = (*_proof(standings, found, units), *weak, *_where_words(where, measure), *agreement_words(agreement, noise))
    sentence = _standing_sentence(standings, ties, measure, tested=found is not None)
    if len(known) > 1 and found is None:
        untested = f"No difference could be tested: {known[0].reason or 'there are too few values'}."
        more = (Remark("proof", untested), *more)
    return Headline(
        "groups" if grouped else "judgements", sentence, (*more, *besides), measure, standings, ties,
        _closest_first(agreement), noise, tuple(where),
    )  # fmt: skip


def by_first_measure(scores: Sequence[Score], differences: Sequence[Differences], *, units: str) -> Headline:
    """Return the headline of labelled scores: by the measure that stands first; ``units`` as for `by_labels`."""
    if not scores:
        return Headline("judgements", "No query is done yet, so there is nothing to score.")
    measure = scores[0].measure
    found = next((each for each in differences if each.measure == measure), None)
    return by_labels([score for score in scores if score.measure == measure], found, units=units)


def by_agreement(agreement: Sequence[Shared], noise: float, *, besides: Sequence[Remark] = ()) -> Headline:
    """Return the headline where nothing says which model is better; parameters as for `by_labels`."""
    if not agreement:
        sentence = "There is only one collection, so there is nothing to agree or disagree with."
        return Headline("agreement", sentence, tuple(besides), noise=noise)
    first, *others = agreement_words(agreement, noise)
    more = (*others, Remark("next", _UNKNOWN), *besides)
    return Headline("agreement", first.words, more, agreement=_closest_first(agreement), noise=noise)


def _closest_first(agreement: Iterable[Shared]) -> tuple[Shared, ...]:
    return tuple(sorted(agreement, key=lambda each: -each.value if math.isfinite(each.value) else math.inf))


def in_measure(value: float, measure: str) -> str:
    """Return a value as the headline says it: of groups in percent, else to three digits."""
    return f"{100 * value:.0f} %" if _grouped(measure) else f"{value:.3f}"


def _difference_in_measure(value: float, measure: str) -> str:
    """Return a difference of two values: of groups in points, as 50 % against 26 % is not 24 % more."""
    return f"{100 * value:.0f} points" if _grouped(measure) else in_measure(value, measure)


def _grouped(measure: str) -> bool:
    return get_measure(measure).measure.needs == OWN_GROUP


def _standing_sentence(
    standings: Sequence[Standing], ties: Sequence[Sequence[str]], measure: str, *, tested: bool
) -> str:
    """Say who is first, or who cannot be told apart."""
    if not standings:
        return f"{measure} is undefined for every model."
    named = [f"{each.model} {in_measure(each.value, measure)}" for each in standings[:_MOST_NAMED]]
    rest = f", and {len(standings) - _MOST_NAMED} more" if len(standings) > _MOST_NAMED else ""
    what = "neighbours of the query's own group" if _grouped(measure) else measure
    first = next((tie for tie in ties if standings[0].model in tie), (standings[0].model,))
    if len(standings) > 1 and len(first) == len(standings):
        return f"The models cannot be told apart by {what}: {', '.join(named)}{rest}."
    if len(first) > 1:
        return f"{_listed(first)} lead and cannot be told apart by {what}: {', '.join(named)}{rest}."
    if len(standings) == 1:
        return f"{what}: {named[0]}."
    if not tested:
        return f"Which model leads by {what} cannot be decided: {', '.join(named)}{rest}."
    if _grouped(measure):
        return f"{standings[0].model} returns most {what}: {', '.join(named)}{rest}."
    return f"{standings[0].model} ranks best by {what}: {', '.join(named)}{rest}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _proof(standings: Sequence[Standing], found: Differences | None, units: str) -> tuple[Remark, ...]:
    """Say whether the differences are more than chance, by which test, and what would have been seen."""
    if found is None or not standings:
        return ()
    test = _TESTS[found.tests[0].test]
    how = f"{test} over {standings[0].n:,} {units}, Holm"
    apart = [test for test in found.tests if test.p_holm < ALPHA]
    open_ = [test for test in found.tests if not test.p_holm < ALPHA]
    said = []
    if apart and not open_:
        largest = max(test.p_holm for test in apart)
        said.append(
            f"{'Every difference is' if len(apart) > 1 else 'The difference is'} beyond chance ({how}, "
            f"p {_p(largest)})."
        )
    elif apart:
        pairs = "; ".join(_listed(test.models) for test in open_[:3])
        left = len(open_) - 3
        more = f"; and {left} more pair{'s' * (left > 1)}" if left > 0 else ""
        some = f"{len(apart)} of {len(found.tests)} differences {'are' if len(apart) > 1 else 'is'} beyond chance"
        said.append(f"{some} ({how}); those between these are not: {pairs}{more}.")
    else:
        said.append(f"No difference is beyond chance ({how}, p {_p(min(test.p_holm for test in open_))}).")
    seen = [test.detectable for test in open_ if math.isfinite(test.detectable)]
    if seen:
        reach = _difference_in_measure(max(seen), found.measure)
        said.append(f"With this many {units}, a difference of {reach} would usually be detected.")
    return tuple(Remark("proof", each) for each in said)


def _p(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    return "< .001" if value < 0.001 else f"= {value:.3f}".replace("0.", ".", 1)


def _where_words(where: Sequence[Gap], measure: str) -> tuple[Remark, ...]:
    """Name the group in which two models surely differ most."""
    sure = [each for each in where if each.p_adjusted < ALPHA and each.low > 0]
    if not sure:
        return (Remark("where", "In no group by itself is a difference beyond chance."),) if where else ()
    first = sure[0]
    values = [in_measure(each, measure) for each in first.values]
    named = ", ".join(f"{model} {value}" for model, value in zip(first.models, values, strict=True))
    return (Remark("where", f"They differ most on {first.group!r} ({first.n:,} queries): {named}."),)


def agreement_words(agreement: Sequence[Shared], noise: float) -> list[Remark]:
    """Say how many neighbours the models share, and how many a model shares with itself."""
    known = [each for each in _closest_first(agreement) if math.isfinite(each.value)]
    if not known:
        return [Remark("agreement", "How many neighbours the models share is undefined.")] if agreement else []
    high, low = known[0], known[-1]
    said = [Remark("agreement", _shared_words(known))]
    if low.low <= low.chance:
        said.append(Remark("agreement", f"What {_listed(low.models)} share cannot be told from chance."))
    if math.isfinite(noise):
        same = "all of them" if noise > high.of - 0.005 else f"at least {noise:.2f} of {high.of}"
        beyond = "what is missing beyond that is a difference between the models."
        said.append(Remark("noise", f"The same model again shares {same}: {beyond}"))
    return said


def _shared_words(known: Sequence[Shared]) -> str:
    """Say which models agree most and least, and of several only where their intervals part."""
    high, low = known[0], known[-1]
    if len(known) == 1:
        return f"{_listed(high.models)} share {_shared(high)}."
    least = f"{low.value:.1f} ({low.low:.1f} to {low.high:.1f})"
    if low.high < high.low:
        return f"{_listed(high.models)} agree most, {_shared(high)} in common; {_listed(low.models)} least, {least}."
    return (
        f"No two models surely agree more than others: {_listed(high.models)} have {_shared(high)} in common, "
        f"{_listed(low.models)} {least}."
    )


def part_words(agreement: Sequence[Shared], by_part: Sequence[Shared], by: str) -> tuple[Remark, ...]:
    """Name the group or cluster on which two models surely agree less than on average; nothing where there is none."""
    average = {each.models: each.value for each in agreement}
    sure = [each for each in by_part if each.high < average[each.models]]
    if not sure:
        return ()
    first, what = sure[0], "a suggested cluster, " if by == "clusters" else ""
    share = f"{first.value:.1f} of {first.of} ({first.low:.1f} to {first.high:.1f})"
    words = f"{_listed(first.models)} share fewest on {first.part!r} ({what}{first.n:,} queries): {share}."
    return (Remark("where", words),)


def _shared(each: Shared) -> str:
    asked = f", asked with {each.asked_with}," if each.asked_with else ""
    within = f"95 % {each.low:.1f} to {each.high:.1f}, chance {each.chance:.1f}"
    return f"{each.value:.1f} of {each.of} neighbours{asked} ({within})"
