"""Sizes in bytes as people write them: read, and written so that they can be read again."""

from __future__ import annotations

import re

from embdiff.errors import ParameterError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
_MOST = 2**63  # bytes: more is no machine's
_WRITTEN = {unit: _UNITS[unit.upper()] for unit in ("TiB", "GiB", "MiB", "KiB", "B")}


def read_size(text: str, least: int = 1) -> int:
    """Read a size such as ``512MiB``, ``4GiB`` or ``1.5 GB`` and return it in bytes.

    Raises
    ------
    ParameterError
        When it is none, not at least ``least`` bytes, or 8 EiB and more.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]i?B|B)\s*", text, re.IGNORECASE)
    number = float(match[1]) if match else -1.0
    size = int(number * _UNITS[match[2].upper()]) if match and number < _MOST else -1
    if not least <= size < _MOST:
        raise ParameterError(f"A size must be a number with a unit, such as 512MiB or 4GiB. Got {text!r}. Write 4GiB.")
    return size


def written_size(size: int, at_least: bool = False) -> str:
    """Return a size in the unit that fits, in three digits, as `read_size` reads it: ``10B``, ``1.43GiB``.

    Parameters
    ----------
    size : int
        Bytes, 0 or more.
    at_least : bool
        Round up, not to the nearest: what is read again is then enough.
    """
    unit, count = next((item for item in _WRITTEN.items() if size >= item[1]), ("B", 1))
    digits = 0 if count == 1 or size >= 100 * count else 1 if size >= 10 * count else 2
    parts = size * 10**digits  # in whole numbers, so that nothing is lost on the way
    number = (-(-parts // count) if at_least else (2 * parts + count) // (2 * count)) / 10**digits
    text = f"{number:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if digits else text) + unit
