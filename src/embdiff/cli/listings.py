"""``embdiff models``, ``embdiff measures`` and ``embdiff stores``: what can be named."""

from __future__ import annotations

from typing import Annotated

import typer

from embdiff.cli.output import JsonOption, put


def models_command(as_json: JsonOption = False) -> None:
    """List the kinds of models and the presets, and which of them work here."""
    from embdiff.sources import PRESETS, list_encoders
    from embdiff.views import terminal

    kinds = [entry.to_dict() for entry in list_encoders()]
    presets = {name: list(models) for name, models in PRESETS.items()}
    put({"models": kinds, "presets": presets}, as_json, lambda _: terminal.show_models(kinds, PRESETS))


def measures_command(
    name: Annotated[
        str | None, typer.Argument(metavar="MEASURE", help="Tell all about one, for example overlap@10.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the measures, or tell all about one: formula, range, chance level, reference."""
    from embdiff.measures import get_measure, list_measures
    from embdiff.views import terminal

    found = [measure.to_dict() for measure in ([get_measure(name).measure] if name else list_measures())]
    put(found, as_json, lambda found: terminal.show_measure(found[0]) if name else terminal.show_measures(found))


def stores_command(as_json: JsonOption = False) -> None:
    """List the kinds of stores, and which of them work here."""
    from embdiff.stores import describe_stores
    from embdiff.views import terminal

    put(describe_stores(), as_json, terminal.show_stores)


COMMANDS = (models_command, measures_command, stores_command)
