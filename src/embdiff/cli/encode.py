"""``embdiff encode``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embdiff.cli.output import CacheOption, JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("encode")(encode_command)


def encode_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Parquet file, or folder of such files, of any size; or txt, csv, tsv, jsonl file.",
            show_default=False,
        ),
    ],
    model: Annotated[str, typer.Option("-m", "--model", help="Model. See 'embdiff models'.", show_default=False)],
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--out",
            help="OUT.parquet, a folder for parts, milvus:FILE, lancedb:DIR or http://HOST:PORT.",
            show_default=False,
        ),
    ],
    role: Annotated[str, typer.Option(help="document or query: it matters to models with prompts.")] = "document",
    part_rows: Annotated[int, typer.Option(help="Most rows of a part; a part is what is never encoded twice.")] = 5_000,
    engine: Annotated[str, typer.Option(help="local, or ray: workers of a Ray cluster.")] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="ray://HOST:PORT, HOST:PORT or auto. Default: this machine.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="ray: models at a time, a core each. Default: all cores.", show_default=False)
    ] = None,
    worker_gpus: Annotated[float | None, typer.Option(help="ray: GPUs of each worker.", show_default=False)] = None,
    metric: Annotated[str | None, typer.Option(help="Of a collection: cosine (default), ip or l2.")] = None,
    index: Annotated[str | None, typer.Option(help="Of a collection: flat (default), 'hnsw(M=16,ef=64)'...")] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder in which parts wait to be stored. Default: beside the database.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the text column.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the id column.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the group column.")] = None,
    empty: Annotated[str, typer.Option(help="Rows without text: refuse, keep or drop.")] = "refuse",
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encode INPUT with one model and keep the vectors: in Parquet, or in a store. Interrupted, it goes on."""
    from embdiff.bulk import encode_corpus, report

    done = encode_corpus(
        data, model, out, role=role, engine=engine, ray_address=ray_address, workers=workers, worker_gpus=worker_gpus,
        part_rows=part_rows, metric=metric, index=index, work=work,
        text_column=text_column, id_column=id_column, group_column=group_column, empty=empty, cache=cache,
    )  # fmt: skip
    if as_json:
        print_json(done.to_dict())
    else:
        report.show(done)
