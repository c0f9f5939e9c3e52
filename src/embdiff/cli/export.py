"""``embdiff export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embdiff.cli.output import RunArgument
from embdiff.errors import UnknownNameError

KINDS = ("parquet", "embedding-atlas", "projector")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("export")(export_command)


def export_command(
    run: RunArgument,
    out: Annotated[Path, typer.Option("-o", "--out", help="File, or for the projector a folder, to write.")],
    to: Annotated[str, typer.Option(help=f"{', '.join(KINDS)}.")] = "parquet",
    model: Annotated[str | None, typer.Option(help="embedding-atlas: whose map. Default: the first model's.")] = None,
) -> None:
    """Write a run's maps and neighbours, or its vectors, for another viewer."""
    from embdiff.comparison import load

    if to not in KINDS:
        raise UnknownNameError(f"An export must be to one of {', '.join(KINDS)}. Got {to!r}. Choose one of these.")
    result = load(run)
    if to == "parquet":
        written = result.to_parquet(out)
    elif to == "embedding-atlas":
        written = result.to_embedding_atlas(out, model)
    else:
        written = result.to_projector(out)
    typer.echo(written)
