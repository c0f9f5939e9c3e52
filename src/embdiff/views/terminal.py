"""Tables for people at a terminal: readable at 80 columns, without colour, and when piped."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from embdiff.views.words import (
    agreement_rows,
    asked_title,
    distance_word,
    facts_line,
    number,
    range_text,
    timing_rows,
    visible,
)

QUERIES_SHOWN = 2
_STATUS_STYLE = {"kept": "dim", "moved": "yellow", "lost": "red", "gained": "green"}
_STATUS_SIGN = {"kept": "=", "moved": "~", "lost": "-", "gained": "+"}
_TEXT_LIMIT = 240


def show(payload: Mapping[str, Any]) -> None:
    """Print a comparison on stdout."""
    Console(highlight=False).print(_comparison(payload))


def show_diff(diff: Mapping[str, Any]) -> None:
    """Print one query's diff on stdout."""
    Console(highlight=False).print(_diff(diff))


def show_models(kinds: Sequence[Mapping[str, Any]], presets: Mapping[str, Sequence[str]]) -> None:
    """Print the kinds of models and the presets on stdout."""
    table = _table("model", "what it is", "works here")
    for kind in kinds:
        table.add_row(kind["form"], kind["summary"], "yes" if kind["installed"] else kind["pip_line"])
    lines = [Text(f"  {name}: {' '.join(models)}") for name, models in presets.items()]
    Console(highlight=False).print(Group(table, Text("Presets (--preset):"), *lines))


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
    parts += _agreement(payload)
    parts += _mutual(payload)
    parts += _groups(payload)
    parts += _timings(payload)
    parts += [Padding(Text(note, style="dim"), (0, 0, 0, 2)) for note in payload["notes"]]
    if payload["path"]:
        parts += [Text(), Text(f"Run folder: {payload['path']}", style="bold", overflow="fold")]
    return Group(*parts)


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _query(payload: Mapping[str, Any], result: Mapping[str, Any]) -> list[RenderableType]:
    group = f" [{visible(result['group'])}]" if result["group"] else ""
    parts: list[RenderableType] = [
        Text(f"Query {visible(result['id'])}{group}: {_short(result['text'])}", style="bold", overflow="fold")
    ]
    titled: dict[str, list[Mapping[str, Any]]] = {}
    for answer in result["answers"]:
        titled.setdefault(asked_title(payload, answer["query_model"]), []).append(answer)
    for asked, answers in titled.items():
        table = _table("#", *(answer["model"] for answer in answers), title=asked)
        table.columns[0].justify = "right"
        for place in range(payload["settings"]["k"]):
            table.add_row(str(place + 1), *(_cell(payload, answer["neighbors"], place) for answer in answers))
        parts.append(table)
    return parts


def _cell(payload: Mapping[str, Any], neighbors: Sequence[Mapping[str, Any]], place: int) -> Text:
    if place >= len(neighbors):
        return Text("(none)", style="dim")
    entry = neighbors[place]
    marks = ("  self" if entry["self"] else "") + ("  expected" if entry["expected"] else "")
    head = f"{number(entry['distance'])}  {visible(entry['id'])}{marks}\n"
    return Text.assemble((head, "cyan"), _short(entry["text"], 90))


def _agreement(payload: Mapping[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for title, rows in agreement_rows(payload).items():
        table = _table("measure", "collections", "asked by", "value", "95 % interval", "chance", "n", title=title)
        for score in rows:
            table.add_row(
                score["measure"],
                " | ".join(score["models"]),
                score["query_model"] or "itself",
                number(score["value"]),
                range_text(score),
                number(score["chance"]),
                str(score["n"]),
            )
        parts.append(table)
        parts += [Text(f"  {score['measure']}: {score['reason']}", style="dim") for score in rows if score["reason"]]
    return parts


def _mutual(payload: Mapping[str, Any]) -> list[RenderableType]:
    if not payload["mutual"]:
        return []
    table = _table("collection", "asked by", "each other", "one way", "neither", title="Queries that find each other")
    for row in payload["mutual"]:
        counts = (len(row["both"]), len(row["one_way"]), row["neither"])
        table.add_row(row["model"], row["query_model"], *(f"{count:,}" for count in counts))
    return [table]


def _groups(payload: Mapping[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for model, mixing in payload["groups"]["mixing"].items():
        title = f"{model}: where the {payload['groups']['k']} nearest rows of each group come from (chance in brackets)"
        table = _table("group of the query", *map(visible, mixing["groups"]), title=title)
        for name, shares, chances in zip(mixing["groups"], mixing["share"], mixing["chance"], strict=True):
            cells = (f"{number(share, 2)} ({number(chance, 2)})" for share, chance in zip(shares, chances, strict=True))
            table.add_row(visible(name), *cells)
        parts.append(table)
    if payload["groups"]["tests"]:
        title = "Does a group turn up less among the results of the others? (ratio 1 = as often as the others do)"
        table = _table("model", "group", "ratio", "share", "expected", "p", "p (Holm)", title=title)
        for test in payload["groups"]["tests"]:
            table.add_row(
                test["model"],
                visible(test["group"]),
                *(number(test[key]) for key in ("ratio", "observed", "expected")),
                *(number(test[key], 4) for key in ("p", "p_holm")),
            )
        parts.append(table)
    return parts


def _timings(payload: Mapping[str, Any]) -> list[RenderableType]:
    table = _table("step", "model", "time", "of", title="Time")
    for row in timing_rows(payload):
        table.add_row(*row)
    return [table]


def _diff(diff: Mapping[str, Any]) -> Group:
    query = diff["query"]
    parts: list[RenderableType] = [
        Text(f"Query {visible(query['id'])}: {_short(query['text'])}", style="bold", overflow="fold")
    ]
    for pair in diff["pairs"]:
        first, second = pair["models"]
        same = pair["query_models"][0] == pair["query_models"][1]
        asked = f"asked with {pair['query_models'][0]}" if same else "each asked by its own model"
        places = (f"{name}\nrank  {distance_word(pair['metric'])}" for name in (first, second))
        table = _table("", "neighbour", *places, title=f"{first} → {second}, {asked}")
        for entry in pair["entries"]:
            style = _STATUS_STYLE[entry["status"]]
            cells = [f"{rank}  {number(d)}" for rank, d in zip(entry["ranks"], entry["distances"], strict=True)]
            name = f"{visible(entry['id'])}{'  self' if entry['self'] else ''}"
            label = Text.assemble((f"{name}\n", style), _short(entry["text"], 90))
            table.add_row(Text(f"{_STATUS_SIGN[entry['status']]} {entry['status']}", style=style), label, *cells)
        parts.append(table)
    parts.append(Text("For lost and gained rows the place in the other collection is exact.", style="dim"))
    return Group(*parts)


def _short(value: str, limit: int = _TEXT_LIMIT) -> str:
    shown = visible(value)
    return shown if len(shown) <= limit else f"{shown[:limit]}… ({len(value):,} characters)"
