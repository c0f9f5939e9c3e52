"""``embdiff evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.output import AllOption, JsonOption, MarkdownOption, one_form, put


def evaluate_command(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA",
            help="BEIR folder; file of two texts and a number, or several, pooled; file of texts and labels, or folder "
            "with train, test.",
        ),
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder to write: JSON, values, TREC runs and judgements.")] = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
    markdown: MarkdownOption = False,
    **given: Any,
) -> None:
    """Score models on labelled data: judged queries, scored pairs, or classes."""
    from embdiff.evaluation import evaluate
    from embdiff.views.table import show

    one_form(as_json, markdown)
    result = evaluate(data if len(data) > 1 else data[0], out=out, **given)
    put(as_json, result.to_dict, lambda: show(*result.drawn(everything=everything)),
        result.to_markdown if markdown else None)  # fmt: skip
