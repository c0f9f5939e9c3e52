"""Which model is held against which, and what rules no data can be held to: refused before anything is encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from embdiff._registry import nearest
from embdiff.comparison.choice import AGREEMENT_NEEDS
from embdiff.comparison.relisted import LABELS, LISTS, earlier
from embdiff.comparison.settings import Inputs
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.measures.judged import NEEDS as JUDGED
from embdiff.measures.rules import Rule
from embdiff.measures.same_group import NEEDS as GROUPED

TWO = (*AGREEMENT_NEEDS, "two spaces", "two neighbors of every row")
_EVALUATED = ("pairs + scores", "class labels", "parallel texts", "neighbors + groups")


def pairs(
    models: Sequence[str], before: Sequence[str] | None, label: str, current: str | None
) -> list[tuple[str, str | None]]:
    """Return each model that is held to rules, and the one that it is held against; None where there is no other.

    Raises
    ------
    UnknownNameError
        When no model has the name ``current``, or a model has none of its name in the earlier run.
    """
    known = models if before is None else before
    if current is not None and current not in known:
        where = "the run" if before is None else label
        raise UnknownNameError(f"The current model must be one of {where}. Got {current!r}. {nearest(current, known)}")
    if before is None:
        one = current or models[0]
        return [(name, one) for name in models if name != one] or [(one, None)]
    found: list[tuple[str, str | None]] = []
    for name in models:
        one = current or (name if name in before or len(before) > 1 else before[0])
        if one not in before:
            raise UnknownNameError(
                f"A model must have one of its name in the earlier run, {label}, or --current names one there. Got "
                f"{name!r}. It has {', '.join(before)[:200]}."
            )
        found.append((name, earlier(one, label)))
    return found


def refuse_settings(options: Mapping[str, Any], run: object) -> None:
    """Refuse settings of a comparison beside a run folder, which has its own.

    Raises
    ------
    ParameterError
    """
    said = [name for name, value in options.items() if value is not None]
    if said:
        raise ParameterError(
            f"A run folder has its models and settings. Got {', '.join(said)} beside {run}. Leave them out, or name "
            "the data."
        )


def refuse_unfit(rules: Sequence[Rule], inputs: Inputs, k: int, *, others: bool, then: bool) -> None:
    """Refuse rules that these data cannot be held to, before anything is encoded.

    Parameters
    ----------
    rules : sequence of Rule
    inputs : Inputs
    k : int
        Of the run, or of the shorter lists of two.
    others : bool
        Whether there is a model to be held against.
    then : bool
        Whether that is of an earlier run.

    Raises
    ------
    ParameterError
    """
    groups = inputs.corpus.groups is not None and inputs.queries.groups is not None
    for rule in rules:
        why = _unfit(rule, inputs, groups, others, then)
        if why is None and rule.spec.k is not None and rule.spec.k > k:
            why = f"lists are {k} long", "Raise the k of the run (-k), or lower that of the rule"
        if why:
            raise ParameterError(f"A rule must be one that these data can be held to. Got {rule}: {why[0]}. {why[1]}.")


def _unfit(rule: Rule, inputs: Inputs, groups: bool, others: bool, then: bool) -> tuple[str, str] | None:
    """Say why a rule cannot be held to, and what to do."""
    measure = rule.spec.measure
    if measure.needs in _EVALUATED:
        return f"{measure.name} belongs to labelled data", "Use 'embdiff evaluate'"
    if measure.needs == JUDGED and inputs.expected is None:
        return "there are no expected results", "Give them with --expected"
    if measure.needs == GROUPED and not groups:
        return "there are no groups", "Name their column with --group-column"
    if rule.drop and measure.needs not in LABELS:
        return "a drop is of what labels say of each query", "Take ndcg, map, recall, hit or same_group"
    if (rule.drop or measure.needs in TWO) and not others:
        return "it takes two models", "Name another with -m, or an earlier run with --against"
    if then and not rule.drop and measure.needs in TWO and measure.needs not in LISTS:
        return "an earlier run has lists and no vectors", "Take overlap, jaccard, rbo or rank_similarity"
    return None
