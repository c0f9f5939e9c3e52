"""An evaluation as tables for people at a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from embdiff.views.encoding_table import encoding_table
from embdiff.views.scored import change_table, difference_table, drawn, score_table
from embdiff.views.table import Table
from embdiff.views.words import number, visible

_CONFUSIONS_SHOWN = 5
_UNITS = {"retrieval": "queries", "pairs": "pairs", "classes": "test texts"}


def show(payload: Mapping[str, Any]) -> None:
    """Print an evaluation on stdout."""
    Console(highlight=False).print(_drawn(payload))


def text(payload: Mapping[str, Any], width: int) -> str:
    """Return an evaluation as plain text."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False).print(_drawn(payload))
    return out.getvalue().rstrip()


def tables(payload: Mapping[str, Any]) -> list[Table]:
    """Return what stands in which table, in order."""
    return [
        score_table(payload["scores"], payload["differences"]),
        *(difference_table(each, _UNITS[payload["task"]]) for each in payload["differences"][:1]),
        *change_table(payload.get("noise", ()), _UNITS[payload["task"]]),
        *_together_tables(payload),
        *_draw_table(payload),
        *_confusion_tables(payload),
        *encoding_table(payload["models"]),
    ]


def _drawn(payload: Mapping[str, Any]) -> Group:
    head = f"Task {payload['task']} ({payload['task_found']}): {visible(payload['headline'])}"
    parts: list[RenderableType] = [Text(head, style="bold"), Text()]
    for table in tables(payload):
        parts += [*drawn(table), Text()]
    parts.append(Text("How", style="bold"))
    parts += [Text(f"  {key}: {visible(value)}", style="dim") for key, value in payload["protocol"].items()]
    about = {model["model"]: model["about"] for model in payload["models"] if model["about"]}
    parts += [Text(f"  {model}: {visible(words)}", style="dim") for model, words in about.items()]
    parts += [Text(f"* {visible(note)}") for note in payload["notes"]]
    return Group(*parts)


def _together_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    fused = [gain for gain in payload["together"] if gain["way"] == "fusion"]
    if not fused:
        return
    remarks = (
        "The two lists merged by reciprocal rank fusion, against the higher one alone. not shown: neither a gain nor a "
        f"loss (paired test, Holm, 5 %){_seen([gain['detectable'] for gain in fused])}.",
        "The higher one is chosen by the same queries, which flatters it: gains are rather larger than shown. p of a "
        "gain is of both models, so that this choice makes none.",
    )
    measures = list(dict.fromkeys(gain["measure"] for gain in fused))
    head = ("models", "both [95 %]", "higher one alone", "difference [95 %]", "p (Holm)", "both")
    for measure in measures:
        rows = tuple(_gain_row(gain) for gain in fused if gain["measure"] == measure)
        title = f"Would using both help? {measure} of the merged lists, n = {fused[0]['n']:,}"
        yield Table(title, head, rows, remarks if measure == measures[-1] else ())
    yield _union_table([gain for gain in payload["together"] if gain["way"] == "union"])


def _seen(detectable: Sequence[float | None]) -> str:
    """Say which gain would be seen for any of the pairs."""
    known = [each for each in detectable if each is not None]
    if not known:
        return "; from these queries nothing is known of what would be seen"
    return f"; with so many queries one of {number(max(known))} would mostly be seen for any pair here"


def _union_table(gains: Sequence[Mapping[str, Any]]) -> Table:
    head = ("models", "either [95 %]", "each alone", "documents", "as many of the higher one", "difference [95 %]")
    rows = []
    for gain in gains:
        models, value, higher, difference, *_ = _gain_row(gain)
        alone = " | ".join(number(each) for each in gain["alone"])
        rows.append((models, value, alone, number(gain["documents"], 0), higher, difference))
    remarks = (
        "An upper limit: what a perfect merger of both lists could find (oracle). Either list has more documents than "
        "one, so it is also compared with the higher model alone, read to as many documents for each query.",
    )
    return Table(f"{gains[0]['measure']} of all that is among the first 100 of either list", head, tuple(rows), remarks)


def _gain_row(gain: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = (number(gain[f"difference_{end}"]) for end in ("low", "high"))
    higher = gain["models"].index(gain["higher"])
    return (
        " + ".join(gain["models"]),
        f"{number(gain['value'])} [{number(gain['low'])}, {number(gain['high'])}]",
        f"{number(gain['compared'][higher])} {gain['higher']}",
        f"{number(gain['difference'])} [{low}, {high}]",
        number(gain["p_holm"], 4),
        gain["answer"],
    )


def _draw_table(payload: Mapping[str, Any]) -> Iterator[Table]:
    draws = payload.get("draws")
    if draws:
        rows = tuple((model, " ".join(number(value, 4) for value in values)) for model, values in draws.items())
        yield Table("probe_accuracy, draw by draw", ("model", "accuracy of each draw"), rows)


def _confusion_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    for each in payload.get("confusions", ()):
        rows: Sequence[tuple[str, str, str]] = tuple(
            (visible(pair["class"]), visible(pair["taken_for"] or "(none)"), f"{pair['texts']:,} of {pair['of']:,}")
            for pair in each["pairs"][:_CONFUSIONS_SHOWN]
        )
        if rows:
            title = f"Confused in {each['in']} but not in {each['not_in']}: {each['texts']:,} texts"
            yield Table(title, ("class", "taken for", "texts"), tuple(rows))
