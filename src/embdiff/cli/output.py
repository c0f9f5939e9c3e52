"""What commands print: the tables for people, or JSON alone for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.streams import is_utf8
from embdiff.errors import ParameterError

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
MarkdownOption = Annotated[
    bool, typer.Option("--markdown", help="Print the answer as Markdown, for the summary of a CI job.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Print every table, not the answer alone.")]
OnlyOption = Annotated[
    str | None, typer.Option(help="Print one part: queries, agreement, disputed, groups, index, costs, notes...")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what services would be sent: texts, tokens, requests. Send nothing.")
]
PriceOption = Annotated[
    list[str] | None, typer.Option(help="With --dry-run: price of a million tokens, or MODEL=PRICE; repeat.")
]
WhyOption = Annotated[bool, typer.Option("--why", help="Print why neighbours changed: short for --only why.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that compare wrote.")]

DamagedOption = Annotated[
    bool, typer.Option("--damaged", help="Open without parts that are missing or changed; say what is not shown.")
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load and open whatever the file names: code of models, other hosts, places outside its folder.",
    ),
]


class Interrupted(SystemExit):
    """Ctrl-C in a command that has said itself what was kept."""

    def __init__(self) -> None:
        super().__init__(130)


def one_form(as_json: bool, markdown: bool) -> None:
    """Refuse two forms of one output.

    Raises
    ------
    ParameterError
        When both are asked for.
    """
    if as_json and markdown:
        raise ParameterError("Output has one form. Got --json and --markdown. Choose one of them.")


def one_part(only: str | None, why: bool) -> str | None:
    """Return the part to print.

    Raises
    ------
    ParameterError
        When two are asked for.
    """
    if why and only not in (None, "why"):
        raise ParameterError(f"One part is printed at a time. Got --why and --only {only}. Choose one of them.")
    return "why" if why else only


def dry(dry_run: bool, price: list[str] | None) -> bool:
    """Return whether only a plan is asked for.

    Raises
    ------
    ParameterError
        When there is a price of what is not counted.
    """
    if price and not dry_run:
        raise ParameterError("A price must come with --dry-run, which counts tokens. Got --price alone. Add --dry-run.")
    return dry_run


def put(
    as_json: bool, value: Callable[[], Any], show: Callable[[], None], markdown: Callable[[], str] | None = None
) -> None:
    """Print strict JSON or Markdown on stdout, or show it to people; what is not asked for is not made."""
    if markdown is not None:
        sys.stdout.write(markdown())
    elif as_json:
        from embdiff._plain import plain

        json.dump(value(), sys.stdout, ensure_ascii=not is_utf8(sys.stdout), indent=2, allow_nan=False, default=plain)
        sys.stdout.write("\n")
    else:
        show()
