"""The table of figures in README.md, written from the results of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

BEGIN, END = "<!-- benchmarks: begin (make bench-readme writes this) -->", "<!-- benchmarks: end -->"
README = Path(__file__).parent.parent / "README.md"


def known_rows() -> dict[str, str]:
    """Return what each named figure compares with what, over all modules of ``make bench``."""
    from benchmarks.__main__ import MODULES

    rows: dict[str, str] = {}
    for name in MODULES:
        rows |= getattr(import_module(f"benchmarks.{name}"), "ROWS", {})
    return rows


def write_readme(results: Path, readme: Path = README) -> None:
    """Put the table of ``results`` between the marks in ``readme``.

    Raises
    ------
    SystemExit
        When there are no results yet, or the marks are not there.
    """
    if not results.is_file():
        raise SystemExit(f"There must be results of a run. Got no {results.name}. Run make bench first.")
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{readme.name} must hold the lines '{BEGIN}' and '{END}' once each. Put them back.")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    figures = json.loads(results.read_text(encoding="utf-8"))
    readme.write_text(f"{head}{BEGIN}\n\n{table(figures)}\n\n{END}{tail}", encoding="utf-8")


def table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as Markdown, with the hardware below."""
    words = known_rows()
    lines = ["| figure | what is measured | ratio | bound | median times |", "|---|---|---|---|---|"]
    for figure in figures:
        bound = f"{'at most' if figure['at_most'] else 'at least'} {figure['bound']:g}"
        ratio = "n/a" if figure["ratio"] is None else f"{figure['ratio']:.3g}{'' if figure['holds'] else ' (missed)'}"
        times = ", ".join(f"{way} {_value(values)}" for way, values in figure["timings"].items())
        about = words.get(figure["name"], "") if figure["ratio"] is not None else figure["why"]
        lines.append(f"| `{figure['name']}` | {about or figure['unit']} | {ratio} | {bound} | {times} |")
    machines = {json.dumps(figure["hardware"], sort_keys=True): figure["hardware"] for figure in figures}
    return "\n".join([*lines, "", *(f"Measured on {_machine(each)}." for each in machines.values())])


def _value(values: Sequence[float]) -> str:
    middle = median(values)
    return f"{middle:.3g}" if middle < 1_000 else f"{middle:,.0f}"


def _machine(hardware: Mapping[str, Any]) -> str:
    sets = ", ".join(hardware.get("instructions", ())) or "no wide instructions"
    return f"{hardware['cores']} cores of {hardware['processor']} ({sets}), {hardware['memory_gib']} GiB memory"
