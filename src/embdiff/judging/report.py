"""The state of the judgements as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group
from rich.text import Text

from embdiff.views.noise_tables import noise_tables
from embdiff.views.scored import difference_table, drawn, score_table
from embdiff.views.table import Table
from embdiff.views.words import number, visible


def show(payload: Mapping[str, Any]) -> None:
    """Print the state on stdout."""
    Console(highlight=False).print(_drawn(payload))


def tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield what stands in which table, in order."""
    if not payload["scores"]:
        return
    yield score_table(payload["scores"], payload["differences"])
    if payload["differences"]:
        yield difference_table(payload["differences"][0], "judged queries")
    yield from noise_tables({"scores": payload["noise"]})
    if payload["more"]:
        rows = tuple(
            (
                " - ".join(plan["models"]),
                f"{number(plan['difference'])} [{number(plan['low'])}, {number(plan['high'])}]",
                plan["words"],
            )
            for plan in payload["more"]
        )
        remarks = (
            "From the difference and its spread so far, 80 % power, 5 %, Holm over the pairs. The range is that of the "
            "interval of the difference; the spread is taken as observed.",
        )
        yield Table(
            f"What would settle it ({payload['more'][0]['measure']})", ("models", "difference [95 %]", "more"), rows,
            remarks,
        )  # fmt: skip


def _drawn(payload: Mapping[str, Any]) -> Group:
    parts = [Text(line, style="bold") for line in _head(payload)]
    notes = payload["notes"]
    return Group(
        *parts,
        Text(),
        *(part for table in tables(payload) for part in (*drawn(table), Text())),
        *(Text(f"* {visible(note)}", style="dim") for note in notes),
        Text(f"Judgements: {visible(payload['qrels'])}", overflow="fold"),
    )


def _head(payload: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{payload['judged']:,} documents judged ({payload['relevant']:,} relevant), {payload['skipped']:,} skipped; "
        f"{payload['done']:,} queries done, {payload['begun']:,} begun; "
        f"{payload['left']:,} documents of {payload['queries']:,} queries left to judge"
    )
    if not payload["scores"]:
        yield "No query is done yet, so that there is nothing to score."
    if payload["set_aside"]:
        yield (
            f"{payload['set_aside']:,} judgements in the log are of queries, documents or texts that this run does not "
            "have: they stay in the log and are not counted."
        )
