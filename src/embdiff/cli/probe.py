"""``embdiff probe``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from embdiff.cli.output import AllOption, JsonOption, put


def probe_command(
    data: Annotated[str, typer.Argument(metavar="DATA", help="txt, csv, tsv, jsonl or parquet file, or 'sample'.")],
    models: Annotated[
        list[str], typer.Option("-m", "--model", help="Model that encodes; repeat. See 'embdiff models'.")
    ],
    sample: Annotated[int, typer.Option(help="How many rows are changed, drawn at random.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the draw, the changes, intervals and tests.")] = 0,
    change: Annotated[
        list[str] | None, typer.Option("--change", help="typo, case, negation, number, order; repeat. Default: all.")
    ] = None,
    *,
    everything: AllOption = False,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Change sentences of DATA a little (typos, capitals, not, numbers, word order) and see which model minds."""
    from embdiff.probing import probe
    from embdiff.views.table import show

    told = {key: value for key, value in given.items() if value is not None}
    found = probe(data, models, sample=sample, seed=seed, changes=change or None, **told)
    put(as_json, found.to_dict, lambda: show(*found.drawn(everything=everything)))
