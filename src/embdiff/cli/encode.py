"""``embdiff encode`` and ``embdiff copy``: vectors into files and stores, and from store to store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.output import JsonOption, put


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
    role: Annotated[str, typer.Option(help="document or query: it matters to models with prompts.")] = "document",
    part_rows: Annotated[int, typer.Option(help="Most rows of a part; a part is what is never encoded twice.")] = 5_000,
    engine: Annotated[str, typer.Option(help="local, or ray: workers of a Ray cluster.")] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="ray://HOST:PORT, HOST:PORT or auto. Default: this machine."),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="ray: models at a time, a core each. Default: all cores.")] = None,
    worker_gpus: Annotated[float | None, typer.Option(help="ray: GPUs of each worker.")] = None,
    metric: Annotated[str | None, typer.Option(help="Of a collection: cosine (default), ip or l2.")] = None,
    index: Annotated[str | None, typer.Option(help="Of a collection: flat (default), 'hnsw(M=16,ef=64)'...")] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder in which parts wait to be stored. Default: beside the database.")
    ] = None,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Encode INPUT with one model and keep the vectors: in Parquet, or in a store. Interrupted, it goes on."""
    from embdiff.bulk import encode_corpus, report

    done = encode_corpus(
        data, model, out, role=role, engine=engine, ray_address=ray_address, workers=workers, worker_gpus=worker_gpus,
        part_rows=part_rows, metric=metric, index=index, work=work,
        **{key: value for key, value in given.items() if value is not None},
    )  # fmt: skip
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
