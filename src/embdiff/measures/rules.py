"""Rules: what a number must keep to, as one writes it down: ``overlap@10 < 0.6``, ``ndcg@10 drop > 0.02``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from embdiff.errors import ParameterError
from embdiff.measures.base import MeasureSpec, get_measure

_FORM = re.compile(r"\s*(?P<measure>[^<>]*?)(?P<drop>\s+drop)?\s*(?P<sign><=?|>=?)\s*(?P<limit>\S+)\s*")
_WRITE = 'Write for example "overlap@10 < 0.6" or "ndcg@10 drop > 0.02"'


@dataclass(frozen=True)
class Rule:
    """What is not to be.

    Parameters
    ----------
    spec : MeasureSpec
        What is measured; without a k at the k of the run.
    drop : bool
        Whether it is by how much the value falls from one model to another on the same queries, else the value itself.
    above : bool
        Whether the rule is broken above the limit, else below it.
    limit : float
    """

    spec: MeasureSpec
    drop: bool
    above: bool
    limit: float

    def __str__(self) -> str:
        return f"{self.spec}{' drop' if self.drop else ''} {'>' if self.above else '<'} {self.limit:g}"

    @property
    def width(self) -> float:
        """The largest difference that the measure allows."""
        low, high = self.spec.measure.range
        return high - low

    def at(self, k: int) -> Rule:
        """Return the same with the k of the run where it has none of its own."""
        taken = self.spec.measure.cutoff and self.spec.k is None
        return replace(self, spec=replace(self.spec, k=k)) if taken else self

    def broken(self, zone: int | None) -> bool | None:
        """Return whether a number in a zone (0: below the limit, 1: above; None: not known) breaks the rule."""
        return None if zone is None else (zone == 1) == self.above


def read_rule(text: str) -> Rule:
    """Read ``MEASURE < LIMIT``, ``MEASURE > LIMIT`` or ``MEASURE drop > LIMIT``: what makes a check fail.

    On an interval, ``<=`` is ``<`` and ``>=`` is ``>``.

    Raises
    ------
    UnknownNameError
        For a measure that nobody registered.
    ParameterError
        For another form, or a limit that the measure cannot lie on either side of.
    """
    found = _FORM.fullmatch(text)
    limit = _number(found["limit"]) if found else math.nan
    if not found or math.isnan(limit):
        raise ParameterError(
            f"A rule must be a measure, < or >, and a number; after the measure drop may stand. Got {text[:80]!r}. "
            f"{_WRITE}."
        )
    rule = Rule(get_measure(found["measure"]), found["drop"] is not None, found["sign"][0] == ">", limit)
    if rule.drop and not rule.above:
        raise ParameterError(f"A rule must limit a drop from above. Got {text[:80]!r}. {_WRITE}.")
    low, high = (0.0, rule.width) if rule.drop else rule.spec.measure.range
    if not (low < limit < high or (rule.drop and limit == 0.0)):
        what = f"a drop of {rule.spec.measure.name}" if rule.drop else rule.spec.measure.name
        raise ParameterError(
            f"The limit of a rule must lie between {low:g} and {high:g}, so that {what} can be on either side of it. "
            f"Got {text[:80]!r}. {_WRITE}."
        )
    return rule


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
