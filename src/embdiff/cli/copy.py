"""``embdiff copy`` and ``embdiff stores``."""

from __future__ import annotations

from typing import Annotated

import typer

from embdiff.cli.output import JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("copy")(copy_command)
    app.command("stores")(stores_command)


def copy_command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Store to copy from, for example milvus:local.db.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Store to copy to, for example http://HOST:PORT.")],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", help="Name of a collection; repeat. Default: all of embdiff's.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace collections of embdiff's in TARGET that differ.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy collections with their stamps from one store to another, and check that every row arrived."""
    from embdiff.stores.copying import copy_collections
    from embdiff.views import listings

    copies = copy_collections(source, target, collections=collection or None, overwrite=overwrite)
    if as_json:
        print_json(copies.to_dict())
    else:
        listings.show_copies(copies)


def stores_command(as_json: JsonOption = False) -> None:
    """List the kinds of stores, and which of them work here."""
    from embdiff.stores import describe_stores
    from embdiff.views import listings

    if as_json:
        print_json(describe_stores())
    else:
        listings.show_stores(describe_stores())
