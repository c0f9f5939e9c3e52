"""``embdiff compare``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.output import CacheOption, JsonOption, print_json
from embdiff.errors import ParameterError

RUNS_FOLDER = "embdiff-runs"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("compare")(compare_command)


def compare_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="txt, csv, tsv, jsonl or parquet file; 'sample' for the bundled sentences; or a run.toml to repeat.",
            show_default=False,
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Model with a collection of its own; repeat. See 'embdiff models'."),
    ] = None,
    query_model: Annotated[
        list[str] | None,
        typer.Option(help="Model whose vectors query every collection; repeat; 'all' means every -m."),
    ] = None,
    queries: Annotated[
        str | None, typer.Option(help="all (default), every, first:N, rows:3,7, or a file.", show_default=False)
    ] = None,
    k: Annotated[int | None, typer.Option("-k", help="Neighbours per query. Default 10.", show_default=False)] = None,
    metric: Annotated[str | None, typer.Option(help="cosine (default), ip or l2.", show_default=False)] = None,
    index: Annotated[
        str | None, typer.Option(help="flat (default), 'ivf_flat(nlist=4,nprobe=2)', 'hnsw(M=16,ef=64)'...")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="milvus:FILE, lancedb:DIR, http://HOST:PORT or memory:. Default: a file in the run folder."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="tutorial-2023 or tutorial-offline.", show_default=False)] = None,
    expected: Annotated[
        str | None, typer.Option(help="Expected results: table query_id,id[,grade], or TREC qrels.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the text column.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the id column.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the group column.")] = None,
    empty: Annotated[str | None, typer.Option(help="Rows without text: refuse (default), keep or drop.")] = None,
    self_matches: Annotated[
        str | None, typer.Option("--self", help="A query's own row: auto (default), keep or drop.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(help="Rows that query when all are to: N or all. Default: all of up to 20,000, else 5,000."),
    ] = None,
    half_width: Annotated[
        float | None, typer.Option(help="Sample as many rows as an interval of overlap of +- this needs, e.g. 0.01.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="What vectors may take, e.g. 4GiB; larger files of vectors stay on disk.")
    ] = None,
    permutations: Annotated[int | None, typer.Option(help="Permutations of the group test. Default 9999.")] = None,
    calibrate: Annotated[
        int | None, typer.Option(help="Shuffle rows so often for calibrated agreement and geometry; try 200.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="Measure of agreement, such as overlap@3 or 'rbo(p=0.8)@5'; repeat. See 'embdiff measures'."),
    ] = None,
    baseline: Annotated[
        bool | None,
        typer.Option(help="Whether bm25 stands beside the models. Default: where installed.", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of intervals and permutations. Default 0.")] = None,
    cache: CacheOption = None,
    layout: Annotated[str | None, typer.Option(help="Maps of the report: pca (default), umap or none.")] = None,
    out: Annotated[Path | None, typer.Option(help=f"Run folder. Default: {RUNS_FOLDER}/NAME.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Encode DATA with each model, store, search, and show whose neighbours changed."""
    given: dict[str, Any] = {
        "models": model, "query_models": query_model, "queries": queries, "k": k, "metric": metric, "index": index,
        "store": store, "preset": preset, "expected": expected, "text_column": text_column, "id_column": id_column,
        "group_column": group_column, "empty": empty, "self_matches": self_matches, "permutations": permutations,
        "calibrate": calibrate, "measures": measure or None, "baseline": baseline, "memory": memory,
        "sample": sample, "half_width": half_width, "seed": seed, "cache": cache, "layout": layout,
    }  # fmt: skip
    run_and_print(data, given, out, as_json)


def run_and_print(data: str, given: dict[str, Any], out: Path | None, as_json: bool) -> None:
    """Compare, write the run folder, and print the result with the folder's name."""
    from embdiff.comparison import compare
    from embdiff.views import terminal

    if data.endswith(".toml"):
        data, given = _repeat(Path(data), given)
    target = out or _default_folder(data, given)
    result = compare(data, out=target, **given)
    if as_json:
        print_json(result.to_dict())
    else:
        terminal.show(result.facts(terminal.QUERIES_SHOWN))


def _repeat(path: Path, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Take the settings of a run.toml; what is given on the command line wins."""
    from embdiff.config import RunConfig

    settings = RunConfig.from_toml(path).model_dump()
    data = settings.pop("data")
    from_python = [f"the {key}" for key in ("queries", "groups", "expected") if settings[key] == "list"]
    from_python += [name for name in (*settings["models"], *settings["query_models"]) if name.startswith("object:")]
    if data is None or from_python:
        what = "the corpus" if data is None else from_python[0]
        raise ParameterError(
            f"A run can be repeated from its run.toml when everything came from files and named models. Got {what} "
            f"from Python in {path}. Repeat it in Python, or write it to a file."
        )
    del settings["groups"]
    return data, {**settings, **{key: value for key, value in given.items() if value is not None}}


def _default_folder(data: str, given: dict[str, Any]) -> Path:
    """Return a folder name that is the same for the same data file and settings."""
    settings = sorted((key, value) for key, value in given.items() if value is not None)
    text = repr((str(Path(data).resolve()), settings))
    stem = re.sub(r"[?#&=:/\\]+", "-", Path(data).stem if "#" not in data else data.partition("?")[0])
    return Path(RUNS_FOLDER) / f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
