"""``embdiff encode`` and ``embdiff copy``: vectors into files and stores, and from store to store."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from embdiff.cli.output import DryRunOption, JsonOption, PriceOption, dry, put


def encode_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Parquet file, or folder of such files, of any size; or txt, csv, tsv, jsonl file."
        ),
    ],
    model: Annotated[str, typer.Option("-m", "--model", help="Model. See 'embdiff models'.")],
    out: Annotated[
        str,
        typer.Option(
            "-o", "--out", help="OUT.parquet, a folder for parts, milvus:FILE, lancedb:DIR or http://HOST:PORT."
        ),
    ],
    *,
    dry_run: DryRunOption = False,
    price: PriceOption = None,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Encode INPUT with one model and keep the vectors: in Parquet, or in a store. Interrupted, it goes on."""
    from embdiff.bulk import encode_corpus, plan, report
    from embdiff.views.listings import show_plan

    given = {key: value for key, value in given.items() if value is not None}
    if dry(dry_run, price):
        found = plan(data, model, out, prices=price or [], **given)
        put(as_json, lambda: found, lambda: show_plan(found))
        return
    done = encode_corpus(data, model, out, **given)
    put(as_json, done.to_dict, lambda: report.show(done))


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
    put(as_json, copies.to_dict, lambda: listings.show_copies(copies))
