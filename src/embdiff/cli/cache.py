"""``embdiff cache``: what vectors are kept, whether they are sound, and what may go."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from embdiff.cli.options import add
from embdiff.cli.output import JsonOption, put

group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is kept on disk: list, verify, prune.")


def ls_command(*, as_json: JsonOption = False, **given: Any) -> None:
    """List what is kept: vectors by model, role and precision; results by kind; exported models."""
    from embdiff.kept import VectorCache
    from embdiff.kept.housekeeping import list_others, list_spaces
    from embdiff.views import listings

    opened = VectorCache.at(given["cache"])
    found: Any = {"folder": str(opened.folder), "spaces": list_spaces(opened), "others": list_others(opened)}
    put(as_json, lambda: found, lambda: listings.show_spaces(**found))


def verify_command(*, as_json: JsonOption = False, **given: Any) -> None:
    """Read every byte and compare it with its checksum; exit 2 when something is damaged."""
    from embdiff.kept import VectorCache
    from embdiff.kept.housekeeping import verify
    from embdiff.views import listings

    opened = VectorCache.at(given["cache"])
    checked, damaged = verify(opened)
    told = f"{checked:,} entries checked, {len(damaged):,} damaged"
    found = {"folder": str(opened.folder), "checked": checked, "damaged": damaged}
    put(as_json, lambda: found, lambda: listings.show_findings(told, damaged))
    if damaged:
        raise typer.Exit(2)


def prune_command(
    *,
    older_than: Annotated[float | None, typer.Option(min=0, help="Days: what was of no use for longer goes.")] = None,
    model: Annotated[str | None, typer.Option(help="A model as 'embdiff cache ls' prints it.")] = None,
    max_size: Annotated[
        str | None, typer.Option(help="Such as 2GiB, or 0B: the longest unused goes until it fits.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove. Without it, only say what would go.")] = False,
    as_json: JsonOption = False,
    **given: Any,
) -> None:
    """Remove what is damaged, what killed processes left, and what the options name. A dry run without --yes."""
    from embdiff._sizes import read_size
    from embdiff.kept import VectorCache
    from embdiff.kept.housekeeping import prune
    from embdiff.views import listings

    most = None if max_size is None else read_size(max_size, least=0)
    opened = VectorCache.at(given["cache"])
    going = prune(opened, unused_days=older_than, model=model, most_bytes=most, really=yes)
    verb = "removed" if yes else "would go; add --yes to remove them"
    told = f"{len(going):,} entries, {sum(finding.bytes for finding in going) / 1e6:,.1f} MB, {verb}"
    found = {"folder": str(opened.folder), "removed": yes, "entries": going}
    put(as_json, lambda: found, lambda: listings.show_findings(told, going))


for command in (ls_command, verify_command, prune_command):
    add(group, command, "RunConfig", only=("cache",))
