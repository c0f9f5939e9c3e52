"""Models exported as one graph, kept beside the vectors: a folder each, with the checksum of every part.

A folder is written aside and moved into place whole; its name follows from everything that decides what is in it.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from embdiff._files import put_in_place, sha256_of, write_json
from embdiff.errors import CacheError
from embdiff.kept._place import Place

SUMS = "checksums.json"
GRAPHS, _FORMAT = "graphs", 1


def kept_folder(about: Mapping[str, str], make: Callable[[Path], None]) -> Path:
    """Return the folder of a model exported with these settings; it is made now where it is missing or damaged.

    Parameters
    ----------
    about : mapping of str to str
        What decides the files: the model, and the versions of what makes them.
    make : callable
        Writes the files into a folder.

    Raises
    ------
    CacheError
        When the cache cannot be written.
    """
    root = Place.of(None).folder
    if root is None:  # nothing is to be kept: it lives as long as this process
        folder = Path(tempfile.mkdtemp(prefix="embdiff-graph-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        make(folder)
        return folder
    whole = {"format": _FORMAT, **about}
    target = root / GRAPHS / hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]
    if is_whole(target):
        with suppress(OSError):
            os.utime(target / SUMS)  # when it was of use last, for `prune`
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
        try:
            make(part)
            sums = {path.name: sha256_of(path) for path in sorted(part.iterdir())}
            write_json(part / SUMS, {"about": whole, "sha256": sums})
            _move(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise CacheError(
            f"An exported model must be kept in the cache. Got {error.strerror or error} in {target.parent}. Make "
            "room, name another folder with EMBDIFF_CACHE, or set it to off."
        ) from error
    return target


def _move(part: Path, target: Path) -> None:
    """Put a whole folder into place; where another process was first, its copy stays."""
    if is_whole(target):
        return
    try:
        put_in_place(part, target)
    except OSError:
        if not is_whole(target):
            raise


def is_whole(folder: Path) -> bool:
    """Return whether every part of an exported model matches its checksum."""
    try:
        sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))["sha256"]
        return bool(sums) and all(sha256_of(folder / name) == wanted for name, wanted in sums.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
