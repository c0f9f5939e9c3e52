"""``embdiff serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from embdiff.cli.output import RunArgument


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("serve")(serve_command)


def serve_command(
    run: RunArgument,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on loopback; 0 takes a free one.")] = 0,
) -> None:
    """Open a live page on this machine: type a query, see every model answer side by side. Ctrl-C ends it."""
    from embdiff.server import serve

    serve(run, port=port, ready=lambda address: typer.echo(f"Open {address}"))
