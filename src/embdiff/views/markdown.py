"""The headline as Markdown, for the summary of a CI job or a comment: no text of the user's acts in it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import partial

from embdiff._visible import visible_on_a_page
from embdiff.decision import Check, Decision, Drift
from embdiff.headline import Headline, Shared, in_measure

_GROUPS = 5
_ACTING = re.compile(
    r"[\\`*_\[\]<>#|~&@$]|:(?=//)|(?<=www)\.", re.IGNORECASE
)  # marks, entities, links, mentions, formulas


def markdown(found: Headline, about: str) -> str:
    """Return a headline as GitHub's Markdown: the sentence, its numbers as tables, what else is to be known.

    Parameters
    ----------
    found : Headline
    about : str
        What was compared, for the heading.
    """
    parts = [
        f"### {_plain(about)}",
        f"**{_plain(found.sentence)}**",
        _standings(found),
        _shared(found.agreement),
        _where(found),
        _shared(found.by_part[:_GROUPS]),
        "\n".join(f"- {_plain(each)}" for each in found.more),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def check_markdown(found: Check) -> str:
    """Return a check as GitHub's Markdown: the verdict, and a line for each rule and model, broken ones first."""
    rows = ((each.outcome, each.rule, each.about, each.found, f"{each.n:,}", each.more) for each in found.ordered)
    parts = [
        f"### {_plain(found.about)}",
        f"**{_plain(found.sentence)}** {_plain(found.surety)}",
        _table(("outcome", "broken if", "models", "found", "n", "what would tell"), rows),
        "\n".join(f"- {_plain(each)}" for each in found.notes),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def decision_markdown(found: Decision, about: str) -> str:
    """Return a decision as GitHub's Markdown: the paragraph, the rules, what changes, what to do."""
    rows = ((each.outcome, each.rule, each.about, each.found, f"{each.n:,}", each.more) for each in found.rulings)
    parts = [
        f"### {_plain(about)}",
        f"**{_plain(found.sentence)}** {_plain(' '.join(each.sentence for each in found.reasons))}",
        "\n".join(f"- {_plain(each.sentence)} {_plain(each.command or '')}".rstrip() for each in found.actions),
        _table(("outcome", "rule broken if", "models", "found", "n", "what would tell"), rows),
    ]
    for each in found.changes:
        worst = ((one.id, one.text, f"{one.before:.2f}", f"{one.after:.2f}") for one in each.worst)
        head = ("query", "text", f"{each.by}, {each.models[0]}", each.models[1])
        parts.append(_table(head, worst))
    return "\n\n".join(filter(None, parts)) + "\n"


def drift_markdown(found: Sequence[Drift]) -> str:
    """Return how far models are from an earlier run as GitHub's Markdown, with the queries that moved most."""
    parts = []
    for each in found:
        parts.append(f"**{_plain(each.sentence)}**")
        rows = ((one.id, one.text, f"{one.shared:.1f}") for one in each.moved)
        parts.append("" if each.zero else _table(("query", "text", f"neighbours kept, of {each.of}"), rows))
    return "\n\n".join(filter(None, parts)) + "\n"


def _standings(found: Headline) -> str:
    if found.measure is None:
        return ""
    said = partial(in_measure, measure=found.measure)
    rows = (
        (
            each.model,
            said(each.value),
            f"{said(each.low)} to {said(each.high)}",
            said(each.chance) if math.isfinite(each.chance) else "",
            f"{each.n:,}",
        )
        for each in found.standings
    )
    return _table(("model", found.measure, "95 %", "chance", "n"), rows)


def _shared(shared: Sequence[Shared]) -> str:
    """Return what models share: in all, or by group or suggested cluster."""
    if not shared:
        return ""
    rows = (
        (
            *filter(None, (each.part,)),
            ", ".join(each.models),
            f"{each.value:.1f}",
            f"{each.low:.1f} to {each.high:.1f}",
            f"{each.n:,}",
        )
        for each in shared
    )
    common = f"neighbours in common, of {shared[0].of} (chance {shared[0].chance:.1f})"
    return _table((*(["where"] if shared[0].part else []), "models", common, "95 %", "queries"), rows)


def _where(found: Headline) -> str:
    if found.measure is None:
        return ""
    said = partial(in_measure, measure=found.measure)
    rows = (
        (
            each.group,
            f"{each.n:,}",
            *(f"{name} {said(value)}" for name, value in zip(each.models, each.values, strict=True)),
            f"{each.p_adjusted:.3f}",
        )
        for each in found.where[:_GROUPS]
    )
    return _table(("group", "queries", "higher", "lower", "p"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(map(_plain, row))} |" for row in rows]
    return "\n".join((f"| {' | '.join(map(_plain, head))} |", f"|{'---|' * len(head)}", *lines)) if lines else ""


def _plain(text: str) -> str:
    """Return text in one line in which nothing is a mark of Markdown."""
    return _ACTING.sub(r"\\\g<0>", " ".join(visible_on_a_page(text).split()))
