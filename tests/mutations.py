"""Mutated inputs, seeded: each must be read as an independent reader reads it, or refused with its place named."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from embdiff.errors import EmbdiffError

T = TypeVar("T")
ONE_IN = 10  # cells that make test-all runs: 200 of the 2,000 of all kinds


def battery(cells: int) -> Callable[[T], T]:
    """Mark a test as so many cells, each with a seed of its own."""

    def marked(test: T) -> T:
        return pytest.mark.battery(one_in=ONE_IN)(pytest.mark.parametrize("seed", range(cells))(test))

    return marked


def read_or_refused(read: Callable[[], T], named: Path) -> tuple[T | None, str]:
    """Return what is read, or what the refusal says; any other exception is the test's failure."""
    try:
        return read(), ""
    except EmbdiffError as error:
        said = str(error)
        assert len(said) < 600
        assert "\n" not in said
        assert named.name in said, "a refusal names the file"
        return None, said


def damaged(rng: random.Random, raw: bytes) -> bytes:
    """Return bytes with a few changed, lost, put in, moved or repeated, or without their end."""
    at, to = sorted((rng.randrange(len(raw)), rng.randrange(len(raw))))
    how = rng.choice(("changed", "changed", "bit", "cut", "lost", "put in", "moved", "repeated"))
    if how in ("changed", "bit"):
        several = bytearray(raw)
        for place in rng.choices(range(len(raw)), k=rng.randrange(1, 6)):
            several[place] = rng.randrange(256) if how == "changed" else several[place] ^ (1 << rng.randrange(8))
        return bytes(several)
    some = raw[at : min(to, at + 40)]
    after = raw[at + len(some) :]
    return {
        "cut": raw[: max(1, to)],
        "lost": raw[:at] + after,
        "put in": raw[:at] + rng.randbytes(rng.randrange(1, 4)) + raw[at:],
        "moved": after + raw[:at] + some,
        "repeated": raw[:at] + some + raw[at:],
    }[how]
