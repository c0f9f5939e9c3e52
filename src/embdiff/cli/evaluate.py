"""``embdiff evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embdiff.cli.output import CacheOption, JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="BEIR folder; file of two texts and a number; file of texts and labels, or folder with train, test.",
            show_default=False,
        ),
    ],
    model: Annotated[
        list[str] | None, typer.Option("-m", "--model", help="Model; repeat. See 'embdiff models'.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="retrieval, pairs or classes. Default: found from the data.", show_default=False)
    ] = None,
    qrels: Annotated[str, typer.Option(help="Judgements: NAME of qrels/NAME.tsv, or a file.")] = "test",
    k: Annotated[
        int | None,
        typer.Option("-k", help="Depth of ranked lists (default 1000), or neighbours that vote for a class (5)."),
    ] = None,
    metric: Annotated[str, typer.Option(help="cosine, ip or l2.")] = "cosine",
    run: Annotated[list[Path] | None, typer.Option(help="TREC run to score beside the models; repeat.")] = None,
    baseline: Annotated[bool, typer.Option(help="Whether bm25 stands beside the models.")] = True,
    shots: Annotated[int, typer.Option(help="Training texts per class in a draw of the probe; 0: all, once.")] = 8,
    draws: Annotated[int, typer.Option(help="Draws of the probe.")] = 10,
    text_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the text column.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Name or 0-based position of the label column.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of intervals, tests, split and draws.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to write: JSON, values, TREC runs and judgements.")] = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score models on labelled data: judged queries, scored pairs, or classes."""
    from embdiff.evaluation import evaluate
    from embdiff.views.table import show

    result = evaluate(
        data, model or [], task=task, qrels=qrels, k=k, metric=metric, seed=seed, out=out, baseline=baseline,
        shots=shots, draws=draws, runs=run or (), text_column=text_column, label_column=label_column, cache=cache,
    )  # fmt: skip
    if as_json:
        print_json(result.to_dict())
    else:
        show(*result.drawn())
