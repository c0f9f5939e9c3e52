"""What can be named, and what was copied, as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from embdiff.measures import Measure
from embdiff.sources.catalogue import EncoderInfo
from embdiff.stores.copying import Copies
from embdiff.views.table import empty, show


def show_models(kinds: Sequence[EncoderInfo], presets: Mapping[str, Sequence[str]]) -> None:
    """Print the kinds of models and the presets on stdout."""
    table = empty("Models", ("write", "what it is", "works here"))
    for kind in kinds:
        table.add_row(kind.form, kind.summary, "yes" if kind.installed else kind.pip_line)
    lines = [Text(f"  {name}: {' '.join(models)}") for name, models in presets.items()]
    show(table, Text("Presets (--preset):"), *lines)


def show_stores(kinds: Sequence[Mapping[str, str]]) -> None:
    """Print the kinds of stores on stdout."""
    table = empty("Stores", ("kind", "what it is", "works here"))
    for kind in kinds:
        table.add_row(kind["name"], kind["summary"], kind["pip_line"] or "yes")
    show(table)


def show_copies(copies: Copies) -> None:
    """Print what was copied on stdout, and what was left out and why."""
    table = empty(f"{copies.source} → {copies.target}", ("collection", "rows", "written now", "cut", "SHA-256"))
    for one in copies.collections:
        table.add_row(one.name, f"{one.rows:,}", f"{one.copied:,}", f"{one.cut:,}", one.digest[:12])
    show(table, *(Text(f"{name} {why}: not copied") for name, why in copies.left_out.items()))


def show_measures(measures: Sequence[Measure]) -> None:
    """Print the measures on stdout."""
    table = empty("Measures ('embdiff measures NAME' tells all about one)", ("measure", "what it is", "needs"))
    for measure in measures:
        table.add_row(f"{measure.name}{'@k' if measure.cutoff else ''}", measure.summary, measure.needs)
    show(table)


def show_measure(measure: Measure) -> None:
    """Print everything about one measure on stdout."""
    table = empty(measure.name, ("", ""))
    for key, value in measure.to_dict().items():
        if key != "name":
            words = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(key.replace("_", " "), Text(words))
    show(table)
