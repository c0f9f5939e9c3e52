"""Write the parts of the documentation that come from code; with ``--check``, fail when they are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
MADE = "<!-- Written by 'make docs' from the code; edit the code, not this page. -->\n\n"


def command_line() -> str:
    """Return docs/cli.md: the help of every command."""
    import typer.main
    from typer.testing import CliRunner

    from embdiff.cli import app

    runner, group = CliRunner(), typer.main.get_command(app)
    parts = [
        MADE + "# Command line\n\nExit codes: 0 done; 2 something you can mend; 3 `check` saw a rule broken, or the "
        "doctor found something; 4 too few queries for `check` to tell; 130 interrupted; 1 anything else, of which "
        "`EMBDIFF_TRACEBACK=1` prints all. Results go "
        "to stdout, messages and progress to stderr; with `--json` stdout holds JSON alone.\n"
    ]
    for name in _names(group):
        done = runner.invoke(
            app, [*name.split(), "--help"], env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"}, prog_name="embdiff"
        )
        text = "\n".join(line.rstrip() for line in done.output.strip().splitlines())
        parts.append(f"## embdiff {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _names(group: Any, before: str = "") -> list[str]:
    """Return all commands, those of groups included, in order."""
    names = []
    for name, command in sorted(group.commands.items()):
        names.append(before + name)
        if hasattr(command, "commands"):
            names += _names(command, f"{before}{name} ")
    return names


def models() -> str:
    """Return docs/models.md: the kinds of models and the presets."""
    from embdiff.sources import COLLECTIONS, PRESETS, list_encoders
    from embdiff.sources.catalogue import REGISTRY

    entries = REGISTRY.entries()
    lines = [MADE + "# Models\n", "| write | what it is | pip line |", "|---|---|---|"]
    for kind in (*list_encoders(), *COLLECTIONS):
        pip_line = (
            f"`{entries[kind.name].pip_line}`" if kind.name in entries and entries[kind.name].needs else "nothing more"
        )
        lines.append(f"| `{kind.form}` | {kind.summary} | {pip_line} |")
    lines += [
        "\nVectors have three sources: models that encode, files in which they are ready (`vectors:`), and collections "
        "that exist,\nnamed by their address (`milvus:FILE#COLLECTION`, see [stores.md](stores.md)). In Python a model "
        "may also be your own:\nan object with `encode(texts)`, or a function of a list of texts."
    ]
    lines += ["\nPresets (`--preset NAME`) bring models and the settings of the tutorial:\n"]
    lines += [f"- `{name}`: {', '.join(f'`{model}`' for model in names)}" for name, names in PRESETS.items()]
    return "\n".join(lines) + "\n"


def measures() -> str:
    """Return docs/measures.md: the table of measures."""
    from embdiff.measures import list_measures

    parts = [MADE + "# Measures\n\nEvery score comes with n, a 95 % interval and its chance level. "
             "Measures without labels say how models differ, not which one to prefer. "
             "How often the intervals hold, measure by measure: [calibration.md](calibration.md).\n"]  # fmt: skip
    for measure in list_measures():
        symmetric, summary = "yes" if measure.symmetric else "no", measure.summary
        parts.append(
            f"## {measure.name}{'@k' if measure.cutoff else ''}\n\n{summary[:1].upper()}{summary[1:]}.\n\n"
            f"- formula: `{measure.formula}`\n- needs: {measure.needs}\n"
            f"- range: {measure.range[0]:g} to {measure.range[1]:g}; symmetric: {symmetric}\n"
            f"- higher means: {measure.direction or 'neither way means anything'}\n"
            f"- unchanged by: {'; '.join(measure.invariances)}\n- undefined when: {measure.undefined_when}\n"
            f"- chance: {measure.chance}\n- reference: {measure.reference}\n"
        )
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {"cli.md": command_line, "models.md": models, "measures.md": measures}


def main() -> None:
    """Write or check every generated page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, write in PAGES.items():
        path, text = DOCS / name, write()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"These pages are stale: {', '.join(stale)}. Run 'make docs'.")


if __name__ == "__main__":
    main()
