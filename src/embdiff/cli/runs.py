"""Commands on a run folder: ``show``, ``diff``, ``report``, ``serve``, ``export`` and ``thresholds``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embdiff._visible import visible
from embdiff.cli.output import (
    AllOption,
    DamagedOption,
    Interrupted,
    JsonOption,
    MarkdownOption,
    OnlyOption,
    RunArgument,
    TrustOption,
    WhyOption,
    one_form,
    one_part,
    put,
)
from embdiff.errors import UnknownNameError

if TYPE_CHECKING:
    from embdiff.comparison.result import Comparison

EXPORTS = ("parquet", "embedding-atlas", "projector")


@contextmanager
def _opened(run: Path, damaged: bool, trust: bool = False) -> Iterator[Comparison]:
    """Open a run folder, and say on stderr what is not shown of a damaged one."""
    from embdiff.comparison import load

    result = load(run, damaged=damaged, trust=trust)
    for told in result.run.unseen:
        typer.echo(f"embdiff: {told}", err=True)
    with result.run.origin.reading():
        yield result


def show_command(
    run: RunArgument,
    queries: Annotated[int | None, typer.Option(min=0, help="How many queries to show in full.")] = None,
    everything: AllOption = False,
    only: OnlyOption = None,
    why: WhyOption = False,
    damaged: DamagedOption = False,
    as_json: JsonOption = False,
    markdown: MarkdownOption = False,
) -> None:
    """Show a run again: the answer, one part of it (--only), or everything (--all)."""
    from embdiff.views import terminal

    one_form(as_json, markdown)
    only = one_part(only, why)
    shown, whole = terminal.QUERIES_SHOWN if queries is None else queries, everything or queries is not None
    show = partial(terminal.show, everything=whole, only=only)
    with _opened(run, damaged) as result:
        put(as_json, lambda: result.to_dict(queries=queries), lambda: show(result.facts(shown)),
            result.to_markdown if markdown else None)  # fmt: skip


def diff_command(
    run: RunArgument,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Id of a query, or its row from 0.")],
    models: Annotated[
        str | None, typer.Option(metavar="A,B", help="Two models of the run. Default: its first two.")
    ] = None,
    query_model: Annotated[str | None, typer.Option(help="Only what this query model asked.")] = None,
    baseline: Annotated[
        bool | None, typer.Option(help="Whether to compare with bm25, too. Default: where named with -m.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print every pair of collections, in full.")] = False,
    damaged: DamagedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one query's neighbours in two models: what both return, and what each of them alone."""
    from embdiff.views.table import show

    with _opened(run, damaged) as result:
        is_row = query not in result.run.queries.ids and re.fullmatch("-?[0-9]+", query)
        found = result.diff(
            int(query) if is_row else query,
            query_model=query_model,
            models=None if models is None else _two(result, models),
            baseline=baseline,
        )
        put(as_json, found.to_dict, lambda: show(*found.drawn(everything=everything)))


def _two(result: Comparison, text: str) -> Sequence[str]:
    """Return the two models that ``A,B`` names: a name may hold a comma; what names no two is refused by the diff."""
    named = dict.fromkeys(answer.model for answer in (*result.run.answers, *result.run.beside))
    return next((pair for pair in permutations(named, 2) if ",".join(pair) == text), tuple(text.split(",")))


def report_command(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write. Default: report.html in the run folder.")
    ] = None,
    damaged: DamagedOption = False,
) -> None:
    """Write a run as one page that works offline: linked maps, neighbour diffs, every number."""
    with _opened(run, damaged) as result:
        _name(result.to_html(out))


def serve_command(
    run: RunArgument,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on loopback; 0 takes a free one.")] = 0,
    limit: Annotated[
        float, typer.Option(min=1, max=3_600, help="Seconds that a query may take; one that takes longer is ended.")
    ] = 60,
    store: Annotated[
        str | None, typer.Option(help="Where the run's collections are. Default: the database in its folder.")
    ] = None,
    damaged: DamagedOption = False,
    trust: TrustOption = False,
) -> None:
    """Open a live page on this machine: type a query, see every model answer side by side. Ctrl-C ends it."""
    from embdiff.server import serve

    try:
        serve(
            run, port=port, seconds=limit, store=store, damaged=damaged, trust=trust,
            ready=lambda address: typer.echo(f"Open {address}"),
        )  # fmt: skip
    except KeyboardInterrupt:  # that is how it ends: there is nothing to say
        raise Interrupted from None


def export_command(
    run: RunArgument,
    out: Annotated[Path, typer.Option("-o", "--out", help="File, or for the projector a folder, to write.")],
    to: Annotated[str, typer.Option(help=f"{', '.join(EXPORTS)}.")] = "parquet",
    model: Annotated[str | None, typer.Option(help="embedding-atlas: whose map. Default: the first model's.")] = None,
    damaged: DamagedOption = False,
    trust: TrustOption = False,
) -> None:
    """Write a run's maps and neighbours, or its vectors, for another viewer."""
    if to not in EXPORTS:
        raise UnknownNameError(f"An export must be to one of {', '.join(EXPORTS)}. Got {to!r}. Choose one of these.")
    with _opened(run, damaged, trust) as result:
        if to == "embedding-atlas":
            _name(result.to_embedding_atlas(out, model))
        else:
            _name(result.to_parquet(out) if to == "parquet" else result.to_projector(out))


def thresholds_command(
    run: RunArgument,
    from_: Annotated[
        str | None, typer.Option("--from", help="Model whose cut-off is known. Default: the first of two.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Model whose cut-off is wanted. Default: the other of two.")
    ] = None,
    at: Annotated[
        list[float] | None, typer.Option("--at", help="Cut-off, a cosine similarity; repeat. Default: a few.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print the similarities of both models, too.")] = False,
    damaged: DamagedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Carry a cut-off over from one model to another: same pass rate, precision, recall; needs no model."""
    from embdiff.views.table import show

    with _opened(run, damaged) as result:
        found = result.thresholds(from_, to, at or None)
        put(as_json, found.to_dict, lambda: show(*found.drawn(everything=everything)))


def _name(written: Path) -> None:
    """Print what was written."""
    typer.echo(visible(str(written)))


COMMANDS = (show_command, diff_command, report_command, serve_command, export_command, thresholds_command)
