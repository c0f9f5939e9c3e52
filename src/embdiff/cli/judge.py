"""``embdiff judge``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.output import AllOption, Interrupted, JsonOption, RunArgument, put
from embdiff.errors import ParameterError


def judge_command(
    run: RunArgument,
    *,
    judge: Annotated[str, typer.Option(help="Who judges; stands in the log.")] = "judge",
    out: Annotated[
        Path | None, typer.Option(help="TREC qrels to write. Default: beside the run folder, RUN.qrels.")
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Ask nothing; show scores and what would settle it.")
    ] = False,
    everything: AllOption = False,
    as_json: JsonOption = False,
    **given: Any,
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
    wanted = {key: value for key, value in given.items() if value is not None}
    with open_judging(run, out=out, write=not status, **wanted) as judging:
        if not status:
            try:
                run_session(judging, judge=judge, read=_line, write=_write)
            except KeyboardInterrupt:
                _write(f"\nSaved: {judging.answered:,} answers in {judging.book.path}. The same command goes on.\n")
                raise Interrupted from None
            _write("\n\n")
    put(as_json, judging.to_dict, lambda: report.show(judging, everything=everything))


def _line() -> str | None:
    try:
        return sys.stdin.readline() or None
    except UnicodeDecodeError:
        return "\ufffd"  # no answer: it is asked again


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
