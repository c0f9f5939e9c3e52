"""``embdiff models`` and ``embdiff measures``: what can be named."""

from __future__ import annotations

import typer

from embdiff.cli.output import JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("models")(models_command)


def models_command(as_json: JsonOption = False) -> None:
    """List the kinds of models and the presets, and which of them work here."""
    from embdiff.encoders import PRESETS, list_encoders
    from embdiff.views import terminal

    kinds = [entry.to_dict() for entry in list_encoders()]
    if as_json:
        print_json({"models": kinds, "presets": {name: list(models) for name, models in PRESETS.items()}})
    else:
        terminal.show_models(kinds, PRESETS)
