"""The command line: thin commands, each one public call.

Exit codes: 0 done; 2 something the user can mend; 3 ``check`` saw a rule broken, or the doctor found something; 4 too
few queries for ``check`` to tell; 130 interrupted with Ctrl-C; 1 anything else. Progress and messages go to stderr,
results to stdout; with ``--json`` stdout holds JSON alone. What nobody foresaw is told in a sentence, too;
``EMBDIFF_TRACEBACK=1`` lets Python print all of it.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import typer

from embdiff._visible import message
from embdiff.cli import cache, listings, runs, streams
from embdiff.cli.adapt import adapt_command
from embdiff.cli.check import check_command
from embdiff.cli.compare import compare_command, demo_command
from embdiff.cli.decide import decide_command
from embdiff.cli.doctor import doctor_command
from embdiff.cli.encode import copy_command, encode_command
from embdiff.cli.evaluate import evaluate_command
from embdiff.cli.judge import judge_command
from embdiff.cli.options import add
from embdiff.cli.output import Interrupted
from embdiff.cli.probe import probe_command
from embdiff.errors import EmbdiffError, in_one_line, without_quoted_secrets

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
add(app, decide_command, "RunConfig")
add(app, check_command, "RunConfig")
add(app, evaluate_command, "EvaluationConfig")
columns = ("text_column", "id_column", "group_column", "group_empty")
read = (*columns, "quotes", "header", "encoding", "chunk", "empty", "cache")
add(app, encode_command, "embdiff.bulk:encode_corpus", "RunConfig", only=read)
add(app, adapt_command, "embdiff.bulk:adapt", "RunConfig", only=("id_column", "text_column"))
add(app, doctor_command, "embdiff.examination:doctor", "RunConfig", only=("id_column", "text_column"))
add(app, probe_command, "RunConfig", only=read)
for command in (*runs.COMMANDS, *listings.COMMANDS, copy_command):
    add(app, command)
add(app, judge_command, "JudgingConfig")
app.add_typer(cache.group, name="cache")

_INTERRUPTED = "interrupted; nothing is left half-written. The same command goes on where this one stopped"
_NO_MEMORY = (
    "The machine must have room for what is asked. Got less memory than was needed. Take less data, fewer models at a "
    "time or a lower --memory, or a larger machine."
)
_Usage: Any = typer.BadParameter.__base__  # what was typed cannot be taken; typer may bring a click of its own


def main() -> None:
    """Run the command line and end the process with its exit code."""
    streams.prepare()
    code = _ended()
    streams.give_up()
    sys.exit(code)


def _ended() -> int:
    """Run the command line and return its exit code; what the user or the machine caused is told in a sentence."""
    try:
        streams.refuse_undecodable(sys.argv)
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except EmbdiffError as error:
        streams.tell(str(error))
        return 2
    except _Usage as error:
        error.message = "\n".join(map(message, error.message.splitlines()))  # the help is one, too
        error.show()
        return 2
    except Interrupted:
        return 130
    except MemoryError:
        streams.tell(_NO_MEMORY)
        return 2
    except BrokenPipeError:  # whoever read has enough
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename is not None else ""
        streams.tell(
            f"What is read, written and printed must be within reach. Got {error.strerror or error}{where}. Make room "
            "or mend what is named, and run again; what is in files already stays."
        )
        return 1
    except Exception as error:  # of ours, or of a package: a store of others may raise anything
        if os.environ.get("EMBDIFF_TRACEBACK"):
            raise
        streams.tell(_unforeseen(error))
        return 1
    if code == 130:  # Ctrl-C, which typer has caught already
        streams.tell(_INTERRUPTED)
    return int(code)


def _unforeseen(error: Exception) -> str:
    """Say what went wrong and where, in a sentence; it may quote an address, whose secrets are left out."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return without_quoted_secrets(
        f"A command must end with its result, or say what is to be mended. Got {in_one_line(error)} (line {at.lineno} "
        f"of {Path(at.filename).name}): a fault of embdiff, or of a package that it uses, and not of what was typed. "
        "The same command goes on where this one stopped. Run it with EMBDIFF_TRACEBACK=1 and report what is printed."
    )
