"""``embdiff models``, ``embdiff measures`` and ``embdiff stores``: what can be named."""

from __future__ import annotations

from typing import Annotated

import typer

from embdiff.cli.output import AllOption, JsonOption, put


def models_command(everything: AllOption = False, as_json: JsonOption = False) -> None:
    """List what can be named as a model, and the presets, and which of them work here."""
    from embdiff.sources import COLLECTIONS, PRESETS, list_encoders
    from embdiff.views import listings

    kinds = (*list_encoders(), *COLLECTIONS)
    put(
        as_json, lambda: {"models": kinds, "presets": PRESETS}, lambda: listings.show_models(kinds, PRESETS, everything)
    )


def measures_command(
    name: Annotated[
        str | None, typer.Argument(metavar="MEASURE", help="Tell all about one, for example overlap@10.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Say what each measure is, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the measures, or tell all about one: formula, range, chance level, reference."""
    from embdiff.measures import get_measure, list_measures
    from embdiff.views import listings

    found = [get_measure(name).measure] if name else list_measures()
    put(
        as_json,
        lambda: [measure.to_dict() for measure in found],
        lambda: listings.show_measure(found[0]) if name else listings.show_measures(found, everything),
    )


def stores_command(as_json: JsonOption = False) -> None:
    """List the kinds of stores, and which of them work here."""
    from embdiff.stores import describe_stores
    from embdiff.views import listings

    put(as_json, describe_stores, lambda: listings.show_stores(describe_stores()))


COMMANDS = (models_command, measures_command, stores_command)
