"""A cache: every byte against its checksum, and what killed processes left. It is read as it stands."""

from __future__ import annotations

from pathlib import Path

from embdiff._files import is_held
from embdiff.errors import CacheError
from embdiff.examination.record import Finding, Notes
from embdiff.kept import Place, VectorCache
from embdiff.kept.database import LOCK, NAME
from embdiff.kept.housekeeping import prune, verify

_PRUNE = "embdiff cache prune --yes --cache {}"


def is_cache(folder: Path) -> bool:
    """Return whether a folder holds what is kept."""
    return (folder / NAME).is_file()


def examine_cache(folder: Path, notes: Notes) -> None:
    """Look at the cache in a folder."""
    where, mend = str(folder), _PRUNE.format(folder)
    if is_held(folder / LOCK):
        notes.found(
            [Finding("held", "doubtful", where, "A process is opening or mending it now.", "Look again later.")]
        )
        return
    try:
        cache = VectorCache(Place(folder), read_only=True)
        checked, _ = verify(cache)
    except CacheError as error:
        notes.found([Finding("damaged", "wrong", where, str(error), "Remove it: what it kept is made again.")])
        return
    for told in cache.notes:
        again = "Use it once (embdiff cache verify): it is mended, and what is sound in it stays."
        notes.found([Finding("damaged", "wrong", where, told, again)])
    if not cache.notes:
        notes.looked.append(f"{where}: {checked:,} entries, every byte against its checksum.")
    for each in prune(cache):
        left = not each.model
        told = f"{each.entry}: {each.why} ({each.bytes / 1e6:,.1f} MB)."
        notes.found([Finding("left over" if left else "damaged", "untidy" if left else "wrong", where, told, mend)])
