"""``embdiff thresholds``."""

from __future__ import annotations

from typing import Annotated

import typer

from embdiff.cli.output import JsonOption, RunArgument, print_json


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("thresholds")(thresholds_command)


def thresholds_command(
    run: RunArgument,
    from_: Annotated[
        str | None, typer.Option("--from", help="Model whose cut-off is known. Default: the first of two.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Model whose cut-off is wanted. Default: the other of two.")
    ] = None,
    at: Annotated[
        list[float] | None,
        typer.Option("--at", help="Cut-off, a cosine similarity; repeat. Default: a few.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Carry a cut-off over from one model to another: same pass rate, precision, recall; needs no model."""
    from embdiff.comparison import load
    from embdiff.views.table import show

    found = load(run).thresholds(from_, to, at or None)
    if as_json:
        print_json(found.to_dict())
    else:
        show(*found.drawn())
