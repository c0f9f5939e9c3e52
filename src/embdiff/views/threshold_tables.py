"""Tables of similarities and of cut-offs carried over from one model to another."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from embdiff.views.drawing import drawn
from embdiff.views.table import Table
from embdiff.views.words import number

_SHOWN = ("0.05", "0.5", "0.95", "0.99")
_MOST = 12


def show(payload: Mapping[str, Any]) -> None:
    """Print carried-over cut-offs on stdout."""
    _print(Console(highlight=False), payload)


def text(payload: Mapping[str, Any], width: int) -> str:
    """Return carried-over cut-offs as plain text."""
    out = io.StringIO()
    _print(Console(file=out, width=width, color_system=None, highlight=False), payload)
    return out.getvalue().rstrip()


def _print(console: Console, payload: Mapping[str, Any]) -> None:
    for table in (*carried_tables(payload), *similarity_tables(payload["similarities"])):
        for part in drawn(table):
            console.print(part)


def carried_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the table of cut-offs."""
    rows, before = [], None
    for each in payload["carried"]:
        rates = tuple(number(each[key], 4) if each["by"] != "pass rate" else _rate(each[key]) for key in
                      ("rate_from", "rate_to"))  # fmt: skip
        old = f"{each['at']:g}" if each["at"] != before else ""
        rows.append((old, each["by"], rates[0], _cutoff(each), rates[1]))
        before = each["at"]
    first = payload["carried"][0] if payload["carried"] else {"n": 0, "pairs": 0}
    head = (payload["from"], "keeping the", "it is", f"{payload['to']} [95 %]", "it is")
    remarks = (
        "Cut-offs are cosine similarities and pass what is at least as similar. Pass rate: of all pairs of a query "
        "and a document other than its own.",
        "Intervals: queries resampled, documents held fixed.",
        *dict.fromkeys(f"{each['at']:g}, {each['by']}: {each['reason']}" for each in payload["carried"]
                       if each["reason"]),
    )  # fmt: skip
    title = f"Cut-offs of {payload['from']} in {payload['to']}; {first['n']:,} queries, {first['pairs']:,} pairs"
    yield Table(title, head, tuple(rows), remarks)


def _cutoff(each: Mapping[str, Any]) -> str:
    if each["value"] is None:
        return "n/a"
    return f"{number(each['value'])} [{number(each['low'])}, {number(each['high'])}]"


def _rate(rate: float | None) -> str:
    """Return a share that may be tiny, with three digits that count."""
    return "n/a" if rate is None else f"{rate:.3g}"


def similarity_tables(distributions: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """Yield the table of what similarities each model gives."""
    if not distributions:
        return
    models = list(dict.fromkeys(each["model"] for each in distributions))
    rows, before = [], None
    for each in distributions:
        if each["model"] in models[:_MOST]:
            asked = "" if each["query_model"] == each["model"] else f" (asked with {each['query_model']})"
            named = each["model"] + asked if each["model"] != before else ""
            rows.append((named, each["population"], f"{each['n']:,}", *(number(each["quantiles"][q]) for q in _SHOWN)))
            before = each["model"]
    remarks = ["The cosine that so many of the pairs stay below, whatever metric the run searched with."]
    if len(models) > _MOST:
        remarks.append(f"The first {_MOST} of {len(models):,} models; all of them are in similarities.json.")
    head = ("model", "pairs", "n", *(f"{float(q):.0%}" for q in _SHOWN))
    yield Table("Similarities of each model (cosine)", head, tuple(rows), tuple(remarks))
