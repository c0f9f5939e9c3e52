"""A model that remembers what it was asked, and what of its vectors lies in a cache."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

import embdiff as ed
from embdiff.kept import VectorCache
from embdiff.kept.database import NAME
from embdiff.sources import get_encoder
from embdiff.sources.tally import Tally

TEXTS = [f"sentence number {row}" for row in range(700)]


class Counting:
    """A model that remembers what it was asked to encode, with values that only bit-exact keeping preserves."""

    def __init__(self, seed: int = 0, fail_at: str | None = None) -> None:
        self.seen: list[str] = []
        self.seed, self.fail_at = seed, fail_at

    def encode(self, texts: list[str]) -> np.ndarray:
        if self.fail_at in texts:
            raise RuntimeError("the model fell over")
        self.seen += texts
        rows = [np.random.default_rng([self.seed, *text.encode()]).normal(size=12) for text in texts]
        return np.stack(rows).astype(np.float32)


def encoder_of(model: Counting, revision: str = "1") -> ed.sources.Source:
    encoder = get_encoder(model, spec="counting", revision=revision)
    assert encoder.stamp.dim == 12  # asks for one vector, to learn the dimension
    model.seen.clear()
    return encoder


def encoded(
    texts: list[str], cache: VectorCache, model: Counting | None = None, **more: str
) -> tuple[np.ndarray, Tally]:
    tally = Tally()
    role = more.pop("role", "document")
    vectors = encoder_of(model or Counting(), **more).encode(texts, role=role, cache=cache, tally=tally)
    return vectors, tally


def batches(folder: Path) -> list[tuple]:
    """Every batch in a cache: its number, space, keys, vectors and checksum."""
    with closing(sqlite3.connect(folder / NAME)) as opened:
        return opened.execute("SELECT * FROM batches ORDER BY id").fetchall()


def change(folder: Path, statement: str, *values: object) -> None:
    """Change a cache behind its back."""
    with closing(sqlite3.connect(folder / NAME)) as opened, opened:
        assert opened.execute(statement, values).rowcount


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)
