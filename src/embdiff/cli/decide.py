"""``embdiff decide``: which model to take, or whether to change the one in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.compare import default_folder, repeated
from embdiff.cli.judge import offer
from embdiff.cli.output import AllOption, JsonOption, MarkdownOption, TrustOption, one_form, put
from embdiff.errors import ParameterError


def decide_command(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="What compare takes, which is compared first; a run.toml; or a run folder."
        ),
    ] = None,
    *,
    current: Annotated[str | None, typer.Option(help="Model in use: say whether to change it.")] = None,
    at: Annotated[
        float | None, typer.Option(help="Cut-off of the model in use, a cosine similarity: say what it becomes.")
    ] = None,
    price: Annotated[list[str] | None, typer.Option(help="Of a million tokens, or MODEL=PRICE; repeat.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Print the table of rules, and do nothing else.")] = False,
    rules_from: Annotated[Path | None, typer.Option(metavar="FILE", help="Table of rules in the place of it.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: as for compare.")] = None,
    everything: AllOption = False,
    trust: TrustOption = False,
    as_json: JsonOption = False,
    markdown: MarkdownOption = False,
    **given: Any,
) -> None:
    """Compare, then say which model to take, or with --current whether to change it, by rules and with reasons."""
    from embdiff.deciding import decide, table_text
    from embdiff.runs import REPORT_FILE, is_run
    from embdiff.views.table import Line, show

    if rules:
        typer.echo(table_text(rules_from), nl=False)
        return
    one_form(as_json, markdown)
    if data is None:
        raise ParameterError("A decision needs data. Got none. Name a corpus, a run.toml or a run folder.")
    if data.endswith(".toml"):
        data, given = repeated(Path(data), given, trust)
    options = {key: value for key, value in given.items() if value is not None}
    made = out if out is not None or is_run(Path(data)) else default_folder(data, given)
    options |= {"current": current, "at": at, "prices": price or [], "rules": rules_from, "out": made}
    found = decide(data, options.pop("models", None), **options)
    page = made and made / REPORT_FILE
    parts = [*found.drawn(everything=everything), *([Line(f"Report: {page}", "bold")] if page else [])]
    put(as_json, found.to_dict, lambda: show(*parts), found.to_markdown if markdown else None)
    place = made or (Path(data) if is_run(Path(data)) else None)
    if place and found.decision.to_judge and not (as_json or markdown):
        offer(place)
