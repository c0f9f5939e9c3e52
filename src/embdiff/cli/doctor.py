"""``embdiff doctor``: what is wrong with a store, a run, a cache or a model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from embdiff.cli.output import AllOption, JsonOption, put

FOUND = 3  # exit code where something was found


def doctor_command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="milvus:FILE, lancedb:DIR or http://HOST:PORT; one collection, STORE#NAME?text=FIELD; a run folder; "
            "the folder of a cache (cache: for yours); or a model.",
        ),
    ],
    *,
    everything: AllOption = False,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Say what is wrong with TARGET, where, and how to mend it; nothing is changed. Exit 0: nothing, 3: findings."""
    from embdiff.examination import doctor
    from embdiff.views.table import show

    found = doctor(target, **{key: value for key, value in given.items() if value is not None})
    put(as_json, found.to_dict, lambda: show(*found.drawn(everything=everything)))
    if not found.sound:
        raise typer.Exit(FOUND)
