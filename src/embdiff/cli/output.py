"""What commands print: the tables for people, or JSON alone for scripts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
CacheOption = Annotated[
    str | None,
    typer.Option(
        "--cache",
        help="Folder of kept vectors, DIR?precision=float16, or off. Default: EMBDIFF_CACHE, else your cache folder.",
        show_default=False,
    ),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that compare wrote.", show_default=False)]


class Interrupted(SystemExit):
    """Ctrl-C in a command that has said itself what was kept."""

    def __init__(self) -> None:
        super().__init__(130)


def print_json(value: Any) -> None:
    """Print strict JSON on stdout."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write("\n")
