"""``embdiff models`` and ``embdiff measures``: what can be named."""

from __future__ import annotations

from typing import Annotated

import typer

from embdiff.cli.output import JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("models")(models_command)
    app.command("measures")(measures_command)


def models_command(as_json: JsonOption = False) -> None:
    """List the kinds of models and the presets, and which of them work here."""
    from embdiff.encoders import PRESETS, list_encoders
    from embdiff.views import listings

    kinds = list_encoders()
    if as_json:
        print_json(
            {
                "models": [kind.to_dict() for kind in kinds],
                "presets": {name: list(models) for name, models in PRESETS.items()},
            }
        )
    else:
        listings.show_models(kinds, PRESETS)


def measures_command(
    name: Annotated[
        str | None, typer.Argument(metavar="MEASURE", help="Tell all about one, for example overlap@10.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the measures, or tell all about one: formula, range, chance level, reference."""
    from embdiff.measures import get_measure, list_measures
    from embdiff.views import listings

    found = [get_measure(name).measure] if name else list_measures()
    if as_json:
        print_json([measure.to_dict() for measure in found])
    elif name:
        listings.show_measure(found[0])
    else:
        listings.show_measures(found)
