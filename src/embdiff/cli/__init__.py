"""The command line: thin commands, each one public call.

Exit codes: 0 done; 2 something the user can mend; 130 interrupted with Ctrl-C; 1 anything else. Progress and
messages go to stderr, results to stdout; with ``--json`` stdout holds JSON alone.
"""

from __future__ import annotations

import sys

import typer

from embdiff.cli import cache, listings, runs
from embdiff.cli.compare import compare_command, demo_command
from embdiff.cli.encode import copy_command, encode_command
from embdiff.cli.evaluate import evaluate_command
from embdiff.cli.judge import judge_command
from embdiff.cli.options import add
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
add(app, compare_command, "RunConfig")
add(app, demo_command)
add(app, evaluate_command, "EvaluationConfig")
columns = ("text_column", "id_column", "group_column", "group_empty")
read = (*columns, "quotes", "header", "encoding", "empty", "cache")
add(app, encode_command, "embdiff.bulk:encode_corpus", "RunConfig", only=read)
for command in (*runs.COMMANDS, *listings.COMMANDS, copy_command):
    add(app, command)
add(app, judge_command, "JudgingConfig")
app.add_typer(cache.group, name="cache")

_INTERRUPTED = "embdiff: interrupted; nothing is left half-written. The same command goes on where this one stopped"


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
