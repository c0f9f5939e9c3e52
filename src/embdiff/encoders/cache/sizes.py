"""Sizes as people write them."""

from __future__ import annotations

import re

from embdiff.errors import ParameterError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_size(text: str) -> int:
    """Return bytes from ``500MB``, ``2GiB`` or a number.

    Raises
    ------
    ParameterError
        For anything else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?)b?\s*", text.lower())
    if match is None or match.group(2) not in _UNITS:
        raise ParameterError(f"A size must be a number with kB, MB, GB, KiB, MiB or GiB. Got {text!r}. Write 2GiB.")
    return int(float(match.group(1)) * _UNITS[match.group(2)])
