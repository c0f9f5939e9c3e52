"""``embdiff show`` and ``embdiff diff``."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from embdiff.cli.output import JsonOption, RunArgument, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("show")(show_command)
    app.command("diff")(diff_command)


def show_command(
    run: RunArgument,
    queries: Annotated[int | None, typer.Option(min=0, help="How many queries to show in full.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run again: neighbours side by side, agreement, groups, timings."""
    from embdiff.comparison import load
    from embdiff.views import terminal

    result = load(run)
    if as_json:
        print_json(result.to_dict(queries=queries))
    else:
        terminal.show(result.facts(terminal.QUERIES_SHOWN if queries is None else queries))


def diff_command(
    run: RunArgument,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Id of a query, or its row from 0.")],
    query_model: Annotated[str | None, typer.Option(help="Only what this query model asked.")] = None,
    baseline: Annotated[
        bool | None, typer.Option(help="Whether to compare with bm25, too. Default: where named with -m.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show one query as a diff: neighbours kept, moved, lost and gained between collections."""
    from embdiff.comparison import load
    from embdiff.views import terminal

    result = load(run)
    is_row = query not in result.run.queries.ids and re.fullmatch("-?[0-9]+", query)
    found = result.diff(int(query) if is_row else query, query_model=query_model, baseline=baseline)
    if as_json:
        print_json(found.to_dict())
    else:
        terminal.show_diff(found.query, found.pairs)
