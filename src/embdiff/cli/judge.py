"""``embdiff judge``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from embdiff.cli.output import Interrupted, JsonOption, RunArgument, put
from embdiff.errors import ParameterError


def judge_command(
    run: RunArgument,
    queries: Annotated[int, typer.Option(help="How many queries to judge.")] = 20,
    depth: Annotated[int | None, typer.Option(help="Results of each model that are pooled. Default 5.")] = None,
    order: Annotated[str, typer.Option(help="disputed (most disputed queries first) or random.")] = "disputed",
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Whether bm25's results, if there are any, are judged too.")
    ] = True,
    judge: Annotated[str, typer.Option(help="Who judges; stands in the log.")] = "judge",
    out: Annotated[
        Path | None, typer.Option(help="TREC qrels to write. Default: beside the run folder, RUN.qrels.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the blind order, intervals and tests.")] = 0,
    status: Annotated[
        bool, typer.Option("--status", help="Ask nothing; show scores and what would settle it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge disputed results blind, score the models by it, and see how many more judgements would settle it.

    Each answer is saved at once; the same command goes on where it stopped. Answers can be piped in, one a line.
    """
    from embdiff.judging import open_judging, report
    from embdiff.judging.session import run_session

    if as_json and not status:
        raise ParameterError(
            "--json must come with --status: questions need the output. Got --json alone. Add --status."
        )
    with open_judging(
        run, out=out, queries=queries, depth=depth, order=order, seed=seed, baseline=baseline, write=not status
    ) as judging:
        if not status:
            try:
                run_session(judging, judge=judge, read=_line, write=_write)
            except KeyboardInterrupt:
                _write(f"\nSaved: {judging.answered:,} answers in {judging.book.path}. The same command goes on.\n")
                raise Interrupted from None
            _write("\n\n")
    put(as_json, judging.to_dict, lambda: report.show(judging))


def _line() -> str | None:
    try:
        return sys.stdin.readline() or None
    except UnicodeDecodeError:
        return "\ufffd"  # no answer: it is asked again


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
