"""What commands print: the tables for people, or JSON alone for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that compare wrote.")]


class Interrupted(SystemExit):
    """Ctrl-C in a command that has said itself what was kept."""

    def __init__(self) -> None:
        super().__init__(130)


def put(value: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    """Print a value: as strict JSON on stdout, or as ``show`` shows it."""
    if as_json:
        json.dump(value, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
        sys.stdout.write("\n")
    else:
        show(value)
