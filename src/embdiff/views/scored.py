"""Scores of models on labels, and their differences, as tables: what every labelled result shows alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from embdiff.views.table import Table
from embdiff.views.words import number

_AGAIN = {
    "index": "returned against exact",
    "float16": "vectors in float16",
    "batch": "texts one by one",
}


def drawn(table: Table) -> list[RenderableType]:
    """Return a table and its remarks, drawn for a terminal; no text in it is taken for markup."""
    out = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, title=table.title, title_justify="left", title_style="bold")
    for column in table.head:
        out.add_column(column, overflow="fold")
    for row in table.rows:
        out.add_row(*map(Text, row))
    return [out, *(Text(f"  {remark}", style="dim") for remark in table.remarks)]


def score_table(scores: Sequence[Mapping[str, Any]], differences: Sequence[Mapping[str, Any]]) -> Table:
    """Return every score with interval, chance, n and the letters of its tie groups, and the reasons below."""
    letters = {each["measure"]: each["letters"] for each in differences}
    rows, before = [], None
    for score in scores:
        model, measure = score["models"][0], score["measure"]
        known = score["value"] is not None
        rows.append(
            (
                measure if measure != before else "",
                model,
                _value(score) if known else "n/a",
                number(score["chance"]) if known else "",
                f"{score['n']:,}" if known else "",
                letters.get(measure, {}).get(model, ""),
            )
        )
        before = measure
    reasons: dict[str, list[str]] = {}
    for score in scores:
        if score["reason"]:
            who = f"{score['models'][0]} {score['measure']}" if score["value"] is None else score["models"][0]
            reasons.setdefault(score["reason"], []).append(who)
    remarks = [f"{', '.join(dict.fromkeys(who))}: {reason}" for reason, who in reasons.items()]
    if letters:
        remarks.insert(0, "same: models that share a letter cannot be told apart (paired test, Holm, 5 %)")
    head = ("measure", "model", "value [95 %]", "chance", "n", "same")
    return Table("Scores", head, tuple(rows), tuple(remarks))


def _value(score: Mapping[str, Any]) -> str:
    return f"{number(score['value'], 4)} [{number(score['low'])}, {number(score['high'])}]"


def difference_table(difference: Mapping[str, Any], unit: str) -> Table:
    """Return the paired tests of one measure; ``unit`` names what is paired, in the plural."""
    rows = tuple(
        (
            " - ".join(test["models"]),
            f"{number(test['difference'])} [{number(test['low'])}, {number(test['high'])}]",
            number(test["p_holm"], 4),
            number(test["effect"], 2),
            number(test["detectable"]),
        )
        for test in difference["tests"]
    )
    remarks = (
        f"detectable: the smallest difference that so many {unit} show with 80 % power; effect: mean over standard "
        "deviation of the differences. The other measures: --json.",
        *_test_reasons(difference["tests"]),
    )
    head = ("models", "difference [95 %]", "p (Holm)", "effect", "detectable")
    return Table(f"Differences in {difference['measure']}, paired over {unit}", head, rows, remarks)


def _test_reasons(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    found: dict[str, list[str]] = {}
    for test in tests:
        if test["reason"]:
            found.setdefault(test["reason"], []).append(" - ".join(test["models"]))
    return [f"{', '.join(pairs)}: {reason}" for reason, pairs in found.items()]


def change_table(changes: Sequence[Mapping[str, Any]], unit: str) -> Iterator[Table]:
    """Yield what the same model again changes of a measure, where that is known; ``unit``: what it is a mean over."""
    if not changes:
        return
    rows = tuple(
        (
            each["model"],
            _AGAIN[each["how"]],
            "n/a"
            if each["difference"] is None
            else f"{number(each['difference'], 4)} [{number(each['low'], 4)}, {number(each['high'], 4)}]",
            f"{each['changed']:,} of {each['n']:,}",
        )
        for each in changes
    )
    remarks = (
        f"A difference between models no larger than this is not theirs. changed: {unit} with another value.",
        *dict.fromkeys(f"{each['how']}: {each['reason']}" for each in changes if each["reason"]),
    )
    head = ("model", "again", "change [95 %]", "changed")
    yield Table(f"The same model again: change of {changes[0]['measure']}", head, rows, remarks)
