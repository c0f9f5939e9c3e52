"""``embdiff evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.output import AllOption, DryRunOption, JsonOption, MarkdownOption, PriceOption, dry, one_form, put


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
    dry_run: DryRunOption = False,
    price: PriceOption = None,
    as_json: JsonOption = False,
    markdown: MarkdownOption = False,
    **given: Any,
) -> None:
    """Score models on labelled data: judged queries, scored pairs, or classes."""
    from embdiff.evaluation import evaluate, plan
    from embdiff.views.listings import show_plan
    from embdiff.views.table import show

    one_form(as_json, markdown)
    named = data if len(data) > 1 else data[0]
    if dry(dry_run, price):
        found = plan(named, prices=price or [], **given)
        put(as_json, lambda: found, lambda: show_plan(found))
        return
    result = evaluate(named, out=out, **given)
    put(as_json, result.to_dict, lambda: show(*result.drawn(everything=everything)),
        result.to_markdown if markdown else None)  # fmt: skip
