"""The table of figures in docs/benchmarks.md, written from the results kept, and what is to be known of their runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import LONG, MODULES, kept
from benchmarks.report import shown

BEGIN, END = "<!-- benchmarks: begin (make bench-readme writes this) -->", "<!-- benchmarks: end -->"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def known_rows() -> dict[str, str]:
    """Return what each named figure compares with what, over all modules of ``make bench-full``."""
    rows: dict[str, str] = {}
    for name in (*MODULES, *LONG):
        rows |= getattr(import_module(f"benchmarks.{name}"), "ROWS", {})
    return rows | kept.ROWS


def write_page(results: Path, page: Path = PAGE) -> None:
    """Put the table of ``results`` between the marks in ``page``.

    Raises
    ------
    SystemExit
        When there are no results yet, when some do not say their run, or when the marks are not there.
    """
    if not results.is_file():
        raise SystemExit(f"There must be results of a run. Got no {results.name}. Run make bench first.")
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{page.name} must hold the lines '{BEGIN}' and '{END}' once each. Put them back.")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    figures = kept.records(results)
    if unknown := [figure["name"] for figure in figures if "run" not in figure]:
        raise SystemExit(
            f"Each figure must say which run measured it. Got none for {', '.join(unknown)}. Measure anew."
        )
    page.write_text(f"{head}{BEGIN}\n\n{table(figures)}\n\n{END}{tail}", encoding="utf-8")


def table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as Markdown, in the order of ``make bench``; below it the runs, and what is missing."""
    words = known_rows()
    places = {name: place for place, name in enumerate(words)}
    ordered = sorted(figures, key=lambda figure: places.get(figure["name"], len(places)))
    lines = ["| figure | what is measured | ratio | bound | times: median of five or more, else each |"]
    lines += ["|---|---|---|---|---|", *(_row(figure, words) for figure in ordered)]
    notes = [_runs(ordered)]
    if missing := [name for name in words if name not in {figure["name"] for figure in figures}]:
        notes.append(f"Not measured: {_names(missing)}.")
    return "\n\n".join(["\n".join(lines), *notes])


def _row(figure: Mapping[str, Any], words: Mapping[str, str]) -> str:
    bound = f"{'at most' if figure['at_most'] else 'at least'} {figure['bound']:g}"
    ratio = "n/a" if figure["ratio"] is None else f"{figure['ratio']:.3g}{'' if figure['holds'] else ' (missed)'}"
    times = ", ".join(f"{way} {shown(values)} {figure['measured_in']}" for way, values in figure["timings"].items())
    about = words.get(figure["name"], figure["unit"]) if figure["ratio"] is not None else ""
    told = _cell("; ".join(part for part in (about, figure["why"]) if part))
    return f"| `{figure['name']}` | {told} | {ratio} | {bound} | {times} |"


def _cell(text: str) -> str:
    """Return the text as one line without the mark that ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _runs(figures: Sequence[Mapping[str, Any]]) -> str:
    """Say when and on what the figures were measured, and which of them together."""
    together: dict[str, list[Mapping[str, Any]]] = {}
    for figure in figures:
        together.setdefault(json.dumps([figure["run"]["began"], figure["hardware"]], sort_keys=True), []).append(figure)
    if len(together) == 1:
        return f"All in one run: {_run(figures[0])}."
    lines = [f"- {_run(some[0])}: {_names([each['name'] for each in some])}." for _, some in sorted(together.items())]
    head = f"These figures come from {len(together)} runs. A ratio is always of one run; times of different runs do not"
    return "\n".join([f"{head} compare:", "", *lines])


def _run(figure: Mapping[str, Any]) -> str:
    run = figure["run"]
    return f"`{run['asked']}` of {run['began']}, {run['seconds'] / 60:.1f} minutes, on {_machine(figure['hardware'])}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _machine(hardware: Mapping[str, Any]) -> str:
    sets = ", ".join(hardware.get("instructions", ())) or "no wide instructions"
    return f"{hardware['cores']} cores of {hardware['processor']} ({sets}), {hardware['memory_gib']} GiB memory"
