"""``embdiff report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embdiff.cli.output import RunArgument


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("report")(report_command)


def report_command(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write. Default: report.html in the run folder.")
    ] = None,
) -> None:
    """Write a run as one page that works offline: linked maps, neighbour diffs, every number."""
    from embdiff.comparison import load

    typer.echo(load(run).to_html(out))
