"""The cache of vectors as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from embdiff.views.words import visible

_SHELVES = {"results": "kept results", "graphs": "exported model"}


def show_spaces(folder: str, spaces: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]] = ()) -> None:
    """Print what a cache holds on stdout: spaces of vectors, then results and exported models."""
    size = sum(each["bytes"] for each in (*spaces, *others)) / 1e6
    console = Console(highlight=False)
    console.print(Text(f"{folder}: {len(spaces):,} spaces, {size:,.1f} MB", overflow="fold"))
    if spaces:
        table = _table("model", "role", "vectors", "batches", "MB", "unused")
        for space in spaces:
            model = f"{visible(space['model'])} ({space['dim']} × {space['precision']})"
            days = f"{space['unused_days']:.0f} days"
            counts = (f"{space['vectors']:,}", f"{space['batches']:,}", f"{space['bytes'] / 1e6:,.1f}")
            table.add_row(model, space["role"], *counts, days)
        console.print(table)
    if others:
        table = _table("besides vectors", "kind", "items", "MB", "unused")
        for each in others:
            size, days = f"{each['bytes'] / 1e6:,.1f}", f"{each['unused_days']:.0f} days"
            table.add_row(_SHELVES[each["shelf"]], visible(each["name"]), f"{each['items']:,}", size, days)
        console.print(table)


def show_findings(headline: str, findings: Sequence[Mapping[str, Any]]) -> None:
    """Print a headline and the entries it is about on stdout."""
    console = Console(highlight=False)
    console.print(Text(headline))
    if findings:
        table = _table("entry", "model", "why", "MB")
        for each in findings:
            table.add_row(each["entry"], visible(each["model"]), each["why"], f"{each['bytes'] / 1e6:,.1f}")
        console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
