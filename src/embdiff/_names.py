"""Names of files and what can be read under them: none without end, none that no file can have, none twice."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from embdiff.errors import DataError, ParameterError

LONGEST_NAME, LONGEST_PATH = 200, 3_500  # bytes; file systems take 255 and 4,096, and work has names beside it
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def by_number(paths: Iterable[Path]) -> list[Path]:
    """Return the parts of one table in their order: part_2 comes before part_10, as whoever numbered them meant it."""

    def key(path: Path) -> tuple[list[tuple[int, str]], str]:
        pieces = re.split(r"([0-9]+)", path.name)  # text and digits in turn, so that like meets like
        return [(int(piece), "") if at % 2 else (0, piece) for at, piece in enumerate(pieces)], path.name

    return sorted(paths, key=key)


def refuse_endless(path: Path) -> None:
    """Refuse to read what is no file on a disk: a pipe nobody writes to, or a device, may never end.

    Raises
    ------
    DataError
        What does not exist, or may not be looked at, is left to whoever opens it.
    """
    found = _special(path)
    if found:
        raise DataError(
            f"What is read must be a file on a disk. Got {found}, {path}. Write what comes out of it to a file, and "
            "name that."
        )


def _special(path: Path) -> str:
    """Return what stands there if that is neither a file nor a folder, else nothing."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "links in a circle" if path.is_symlink() else ""
    kinds = {"a pipe": stat.S_ISFIFO, "a device": stat.S_ISCHR, "a disk": stat.S_ISBLK, "a socket": stat.S_ISSOCK}
    return next((kind for kind, is_one in kinds.items() if is_one(mode)), "")


def refuse_unwritable(what: str, text: str, *, secret: bool = False) -> None:
    """Refuse text that no UTF-8 file can hold, or no file can be called; ``secret``: the message does not show it.

    Raises
    ------
    ParameterError
    """
    found = None if text.isprintable() else _UNWRITABLE.search(text)
    if found:
        character = "a NUL character" if found[0] == "\0" else "bytes that are no UTF-8"
        where = "" if secret else f" in {text[:60]!r}"
        raise ParameterError(
            f"{what} must be text of UTF-8 without NUL. Got {character}{where}. Remove them, or rename the file."
        )


def place_for(path: Path, what: str) -> Path:
    """Return where something is to be written, absolute; refuse a name that no file can have, or no text can hold.

    What is written is whole or not there, since it takes the place of what stands there by its name: a device or a pipe
    would be gone, for everybody on the machine, and is refused.

    Parameters
    ----------
    path : Path
    what : str
        What is to be written, for messages.

    Raises
    ------
    ParameterError
        Names leave room for those of the work beside it.
    """
    text = str(path)
    refuse_unwritable(f"The name of the {what}", text)
    if max(len(part.encode()) for part in path.parts or ("",)) > LONGEST_NAME or len(text) > LONGEST_PATH:
        raise ParameterError(
            f"The {what} must have a name of at most {LONGEST_NAME} bytes in a part and {LONGEST_PATH:,} in all. Got "
            f"{len(text):,} characters, {text[:60]!r}... Choose a shorter one."
        )
    whole = resolved(path)
    refuse_unwritable(f"The folder of the {what}", str(whole))
    found = _special(whole)
    if found:
        raise ParameterError(
            f"The {what} must be a file or a folder on a disk, since it takes the place of what stands there. Got "
            f"{found}, {path}. Choose another name."
        )
    return whole


def resolved(path: str | os.PathLike[str]) -> Path:
    """Return a path made absolute, and its links followed; one of links in a circle as far as they lead.

    ``Path.resolve`` ends in a RuntimeError there, before Python 3.13.
    """
    return Path(os.path.realpath(path))


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each name the stem of a file: ASCII letters, digits, ``.``, ``-`` and ``_``, at most 77 characters.

    No two names get the same, on file systems either that take ``A`` for ``a``: where two would, all get a hash.
    """
    plain = {
        name: "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "_" for c in name)[:60] for name in names
    }
    if len({stem.casefold() for stem in plain.values()}) == len(plain):
        return plain
    return {
        name: f"{stem}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
        for name, stem in plain.items()
    }
