"""``embdiff adapt``: old vectors for a new model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from embdiff.cli.output import JsonOption, put


def adapt_command(
    store: Annotated[
        str,
        typer.Argument(metavar="STORE", help="Collection whose vectors to map: milvus:FILE#NAME, lancedb:DIR#NAME..."),
    ],
    *,
    from_: Annotated[str, typer.Option("--from", help="Model that made its vectors.")],
    to: Annotated[str, typer.Option("--to", help="Model that is to ask them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fit and measure; write nothing.")] = False,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Map old vectors into the space of a new model, as a new collection or a file, and say if that is good enough."""
    from embdiff.bulk import adapt
    from embdiff.views.table import show

    options = {key: value for key, value in given.items() if value is not None}
    done = adapt(store, from_, to, dry_run=dry_run, **options)
    put(as_json, done.to_dict, lambda: show(*done.drawn()))
