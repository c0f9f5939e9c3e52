"""``embdiff judge``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embdiff._progress import progress
from embdiff._visible import visible
from embdiff.cli.output import AllOption, Interrupted, JsonOption, RunArgument, put
from embdiff.errors import ParameterError

if TYPE_CHECKING:
    from embdiff.judging import Judging


def judge_command(
    run: RunArgument,
    *,
    judge: Annotated[
        str, typer.Option(help="Who judges; stands in the log. openai:MODEL?base_url=... asks a chat service instead.")
    ] = "judge",
    out: Annotated[
        Path | None, typer.Option(help="TREC qrels to write. Default: beside the run folder, RUN.qrels.")
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Ask nothing; show scores and what would settle it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a judge model would be sent: documents, tokens. Send nothing.")
    ] = False,
    price: Annotated[
        float | None, typer.Option(min=0, help="Price of a million tokens sent to a judge model, to be told the cost.")
    ] = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Judge disputed results blind, score the models by it, and see how many more judgements would settle it.

    Each answer is saved at once; the same command goes on where it stopped. Answers can be piped in, one a line.
    """
    from embdiff.judging import open_judging, report
    from embdiff.judging.asking import is_model

    by_model = is_model(judge)
    if as_json and not status and not by_model:
        raise ParameterError(
            "--json must come with --status: questions need the output. Got --json alone. Add --status."
        )
    if (dry_run or price is not None) and not by_model:
        raise ParameterError(
            f"--dry-run and --price must come with a judge model. Got --judge {judge}. Write --judge openai:MODEL."
        )
    wanted = {key: value for key, value in given.items() if value is not None}
    with open_judging(run, out=out, write=not (status or dry_run), **wanted) as judging:
        if by_model and not status:
            _ask_model(judging, judge, price, dry_run)
            if dry_run:
                return
        elif not status:
            _ask_person(judging, judge)
    put(as_json, judging.to_dict, lambda: report.show(judging, everything=everything))


def offer(run: Path) -> None:
    """Offer whoever sits at a terminal to judge a run now, by one key; elsewhere nothing is asked."""
    from embdiff.judging import open_judging, report

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    _write("j to judge now, any other key to end > ")
    key = typer.getchar()
    _write("\n")
    if key[:1].lower() != "j":
        return
    with open_judging(run, order="random") as judging:
        _ask_person(judging, "judge")
        report.show(judging, everything=False)


def _ask_person(judging: Judging, judge: str) -> None:
    """Ask until all is judged or whoever judges has enough."""
    from embdiff.judging.session import run_session

    try:
        run_session(judging, judge=judge, read=_line, write=_write)
    except KeyboardInterrupt:
        _write(f"\nSaved: {judging.answered:,} answers in {judging.book.path}. The same command goes on.\n")
        raise Interrupted from None
    _write("\n\n")


def _ask_model(judging: Judging, judge: str, price: float | None, dry_run: bool) -> None:
    """Say what it will cost, then ask; what was answered before is not asked again."""
    from embdiff.judging.asking import JudgeModel

    model = JudgeModel(judge)
    questions = judging.unlabelled(model.name)
    cost = model.cost(questions, price)
    money = "" if cost.price is None else f", {cost.price:,.4f} at {price:g} a million"
    typer.echo(
        f"{visible(cost.judge)} at {visible(cost.url)}: {cost.requests:,} documents, one a request, about "
        f"{cost.tokens:,} tokens{money}.",
        err=True,
    )
    if dry_run:
        return
    try:
        with progress("judge", len(questions), "documents") as advance:
            for question in questions:
                judging.label(question, model.grade(question), model=model.name)
                advance(1)
    except KeyboardInterrupt:
        typer.echo("Saved: every answer so far. The same command goes on.", err=True)
        raise Interrupted from None


def _line() -> str | None:
    try:
        return sys.stdin.readline() or None
    except UnicodeDecodeError:
        return "\ufffd"  # no answer: it is asked again


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
