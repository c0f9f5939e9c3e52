"""Tables for people at a terminal: readable at 80 columns, without colour, and when piped."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from embdiff.runs import REPORT_FILE
from embdiff.views import tables
from embdiff.views.drawing import drawn, empty
from embdiff.views.encoding_table import encoding_table
from embdiff.views.words import (
    EXACT_PLACES,
    asked_words,
    caveats,
    distance_word,
    facts_line,
    hit_words,
    number,
    rank_text,
    shortened,
    side_by_side,
    variant_words,
    visible,
)

QUERIES_SHOWN = 2
_STATUS_STYLE = {"kept": "dim", "moved": "yellow", "lost": "red", "gained": "green"}
_STATUS_SIGN = {"kept": "=", "moved": "~", "lost": "-", "gained": "+"}
_QUERY_TEXT, _NEIGHBOUR_TEXT, _DIFF_TEXT = 240, 60, 90


def show(payload: Mapping[str, Any]) -> None:
    """Print a comparison on stdout."""
    Console(highlight=False).print(_comparison(payload))


def show_diff(diff: Mapping[str, Any]) -> None:
    """Print one query's diff on stdout."""
    Console(highlight=False).print(_diff(diff))


def show_models(kinds: Sequence[Mapping[str, Any]], presets: Mapping[str, Sequence[str]]) -> None:
    """Print the kinds of models and the presets on stdout."""
    table = empty("Models", ("write", "what it is", "works here"))
    for kind in kinds:
        table.add_row(kind["form"], kind["summary"], "yes" if kind["installed"] else kind["pip_line"])
    lines = [Text(f"  {name}: {' '.join(models)}") for name, models in presets.items()]
    Console(highlight=False).print(Group(table, Text("Presets (--preset):"), *lines))


def show_stores(kinds: Sequence[Mapping[str, str]]) -> None:
    """Print the kinds of stores on stdout."""
    table = empty("Stores", ("kind", "what it is", "works here"))
    for kind in kinds:
        table.add_row(kind["name"], kind["summary"], kind["pip_line"] or "yes")
    Console(highlight=False).print(table)


def show_copies(copies: Mapping[str, Any]) -> None:
    """Print what was copied on stdout, and what was left out and why."""
    table = empty(f"{copies['source']} → {copies['target']}", ("collection", "rows", "written now", "cut", "SHA-256"))
    for one in copies["collections"]:
        numbers = (f"{one[key]:,}" for key in ("rows", "copied", "cut"))
        table.add_row(one["name"], *numbers, one["digest"][:12])
    lines = [Text(f"{name} {why}: not copied") for name, why in copies["left_out"].items()]
    Console(highlight=False).print(Group(table, *lines))


def show_encoded(done: Mapping[str, Any]) -> None:
    """Print what encoding a corpus came to on stdout, and how its vectors are used."""
    table = empty(f"{done['model']} → {done['out']}", ("", ""))
    told = done["encoding"]
    table.add_row("rows, dimension", f"{done['rows']:,}, {done['dim']}")
    table.add_row("stamp", f"{done['fingerprint']}, {done['role']}")
    if done["collection"]:
        table.add_row("collection", done["collection"])
    if done["reused"]:
        table.add_row("reused", "it was there already, whole: nothing was done")
    else:
        table.add_row("parts", f"{done['parts']:,}, of which {done['parts_found']:,} were there before")
    table.add_row("texts", f"{told['encoded']:,} encoded, {told['cached']:,} cached, {told['duplicates']:,} repeated")
    if done["cut"]:
        table.add_row("cut", f"{done['cut']:,} cut to fit the store")
    if done["dropped"]:
        table.add_row("dropped", f"{done['dropped']:,} without text: {', '.join(done['dropped_ids'])}"[:200])
    table.add_row("time", f"{done['seconds']:,.1f} s here, {done['engine']} engine, {done['workers']:,} at work")
    cost = [part for each in encoding_table([done] if told["texts"] else []) for part in drawn(each)]
    if done["workers"] > 1:
        cost.append(Text("  Rates are of one worker, the peak is that of the largest.", style="dim"))
    notes = [*([variant_words(done["model"], done["variant"])] if done.get("variant") else []), *done["notes"]]
    use = [Text(f"Use it as a model: -m '{done['as_model']}'")] if done["as_model"] else []
    Console(highlight=False).print(Group(table, *cost, *map(Text, map(visible, notes)), *use), soft_wrap=True)


def show_measures(measures: Sequence[Mapping[str, Any]]) -> None:
    """Print the measures on stdout."""
    table = empty("Measures ('embdiff measures NAME' tells all about one)", ("measure", "what it is", "needs"))
    for measure in measures:
        table.add_row(f"{measure['name']}{'@k' if measure['cutoff'] else ''}", measure["summary"], measure["needs"])
    Console(highlight=False).print(table)


def show_measure(measure: Mapping[str, Any]) -> None:
    """Print everything about one measure on stdout."""
    table = empty(measure["name"], ("", ""))
    for key, value in measure.items():
        if key != "name":
            words = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(key.replace("_", " "), Text(words))
    Console(highlight=False).print(table)


def text(payload: Mapping[str, Any], width: int) -> str:
    """Return a comparison as plain text."""
    return _plain(_comparison(payload), width)


def diff_text(diff: Mapping[str, Any], width: int) -> str:
    """Return one query's diff as plain text."""
    return _plain(_diff(diff), width)


def _plain(what: RenderableType, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False).print(what)
    return out.getvalue().rstrip()


def _comparison(payload: Mapping[str, Any]) -> Group:
    parts: list[RenderableType] = [Text(facts_line(payload), style="bold"), Text()]
    parts += [part for result in payload["results"] for part in _query(payload, result)]
    hidden = payload["queries"]["count"] - payload["queries"]["shown"]
    if hidden > 0:
        parts.append(
            Text(f"... and {hidden:,} more queries ('embdiff diff RUN QUERY' shows any of them)\n", style="dim")
        )
    parts += [part for table in tables.summary_tables(payload) for part in drawn(table)]
    parts += [Text(f"* {note}", style="dim") for note in (*caveats(payload), *payload["notes"])]
    if payload["path"]:
        parts += [Text(), Text(f"Run folder: {payload['path']}", style="bold", overflow="fold")]
        if (Path(payload["path"]) / REPORT_FILE).is_file():
            parts.append(Text(f"Report: {Path(payload['path']) / REPORT_FILE}", style="bold", overflow="fold"))
    return Group(*parts)


def _query(payload: Mapping[str, Any], result: Mapping[str, Any]) -> list[RenderableType]:
    group = f" [{visible(result['group'])}]" if result["group"] else ""
    head = f"Query {visible(result['id'])}{group}: {shortened(result['text'], _QUERY_TEXT)}"
    parts: list[RenderableType] = [Text(head, style="bold", overflow="fold")]
    for title, answers in side_by_side(payload, result["answers"]).items():
        table = empty(title, ("#", *(answer["model"] for answer in answers)))
        table.columns[0].justify = "right"
        for place in range(payload["settings"]["k"]):
            table.add_row(str(place + 1), *(_cell(answer["neighbors"], place) for answer in answers))
        if result["expected"]:
            table.add_section()
            table.add_row("", *(hit_words(answer) for answer in answers))
        parts.append(table)
    return parts


def _cell(neighbors: Sequence[Mapping[str, Any]], place: int) -> Text:
    if place >= len(neighbors):
        return Text("(none)", style="dim")
    entry = neighbors[place]
    marks = (" self" if entry["self"] else "") + (" expected" if entry["expected"] else "")
    head = f"{number(entry['distance'])} {visible(entry['id'])}{marks}\n"
    return Text.assemble((head, "cyan"), shortened(entry["text"], _NEIGHBOUR_TEXT))


def _diff(diff: Mapping[str, Any]) -> Group:
    query = diff["query"]
    head = f"Query {visible(query['id'])}: {shortened(query['text'], _QUERY_TEXT)}"
    parts: list[RenderableType] = [Text(head, style="bold", overflow="fold")]
    for pair in diff["pairs"]:
        first, second = pair["models"]
        places = (
            f"{name}\nrank  {distance_word(metric)}"
            for name, metric in zip((first, second), pair["metrics"], strict=True)
        )
        table = empty(f"{first} → {second}, {asked_words(pair)}", ("", "neighbour", *places))
        for entry in pair["entries"]:
            style = _STATUS_STYLE[entry["status"]]
            cells = [
                f"{rank_text(rank)}  {number(d)}" for rank, d in zip(entry["ranks"], entry["distances"], strict=True)
            ]
            name = f"{visible(entry['id'])}{' self' if entry['self'] else ''}\n"
            label = Text.assemble((name, style), shortened(entry["text"], _DIFF_TEXT))
            table.add_row(Text(f"{_STATUS_SIGN[entry['status']]} {entry['status']}", style=style), label, *cells)
        parts.append(table)
    parts.append(Text(EXACT_PLACES, style="dim"))
    return Group(*parts)
