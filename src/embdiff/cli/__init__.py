"""The command line: thin commands, each one public call.

Exit codes: 0 done; 2 something the user can mend; 130 interrupted with Ctrl-C; 1 anything else. Progress and
messages go to stderr, results to stdout; with ``--json`` stdout holds JSON alone.
"""

from __future__ import annotations

import sys

import typer

from embdiff.cli import (
    cache,
    compare,
    copy,
    demo,
    encode,
    evaluate,
    export,
    judge,
    listings,
    report,
    serve,
    show,
    thresholds,
)
from embdiff.cli.output import Interrupted
from embdiff.errors import EmbdiffError

app = typer.Typer(
    name="embdiff",
    help="Show how, where and why embedding models differ on your own data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (compare, demo, evaluate, encode, show, report, serve, export, thresholds, listings, cache, copy, judge):
    module.register(app)


_INTERRUPTED = "embdiff: interrupted; no run was written. The same command goes on where this one stopped"


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        app()
    except EmbdiffError as error:
        print(f"embdiff: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == 130 and not isinstance(ended, Interrupted):  # Ctrl-C, which typer has caught already
            print(_INTERRUPTED, file=sys.stderr)  # noqa: T201
        raise
