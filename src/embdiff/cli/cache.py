"""``embdiff cache``: what vectors are kept, whether they are sound, and what may go."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from embdiff.cli.output import CacheOption, JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="What is kept on disk: list, verify, prune.",
    )
    group.command("ls")(ls_command)
    group.command("verify")(verify_command)
    group.command("prune")(prune_command)
    app.add_typer(group, name="cache")


def ls_command(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """List what is kept: vectors by model, role and precision; results by kind; exported models."""
    from embdiff.kept import VectorCache
    from embdiff.kept.housekeeping import list_others, list_spaces
    from embdiff.views import kept

    opened = VectorCache.at(cache)
    spaces = [asdict(space) for space in list_spaces(opened)]
    others = [asdict(shelf) for shelf in list_others(opened)]
    if as_json:
        print_json({"folder": str(opened.folder), "spaces": spaces, "others": others})
    else:
        kept.show_spaces(str(opened.folder), spaces, others)


def verify_command(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Read every byte and compare it with its checksum; exit 2 when something is damaged."""
    from embdiff.kept import VectorCache
    from embdiff.kept.housekeeping import verify
    from embdiff.views import kept

    opened = VectorCache.at(cache)
    checked, damaged = verify(opened)
    found: dict[str, Any] = {"checked": checked, "damaged": [asdict(finding) for finding in damaged]}
    if as_json:
        print_json({"folder": str(opened.folder), **found})
    else:
        kept.show_findings(f"{checked:,} entries checked, {len(damaged):,} damaged", found["damaged"])
    if damaged:
        raise typer.Exit(2)


def prune_command(
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Days: what was of no use for longer goes.", show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model as 'embdiff cache ls' prints it.")] = None,
    max_size: Annotated[
        str | None, typer.Option(help="Such as 2GiB, or 0B: the longest unused goes until it fits.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove. Without it, only say what would go.")] = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what is damaged, what killed processes left, and what the options name. A dry run without --yes."""
    from embdiff._sizes import read_size
    from embdiff.kept import VectorCache
    from embdiff.kept.housekeeping import prune
    from embdiff.views import kept

    most = None if max_size is None else read_size(max_size, least=0)
    opened = VectorCache.at(cache)
    going = prune(opened, unused_days=older_than, model=model, most_bytes=most, really=yes)
    found = [asdict(finding) for finding in going]
    if as_json:
        print_json({"folder": str(opened.folder), "removed": yes, "entries": found})
    else:
        verb = "removed" if yes else "would go; add --yes to remove them"
        size = sum(finding.bytes for finding in going) / 1e6
        kept.show_findings(f"{len(going):,} entries, {size:,.1f} MB, {verb}", found)
