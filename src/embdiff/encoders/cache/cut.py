"""Which texts a model sees only the beginning of: counted once, kept by text, so that no tokenizer is needed again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embdiff.encoders.cache._shard import Keys, keys_of
from embdiff.kept import Kept
from embdiff.records import BoolArray, IntArray, Role, Stamp

WHAT = "cut_texts"
_PAIR = np.dtype([("a", "<u8"), ("b", "<u8")])


def cut_texts(
    kept: Kept,
    stamp: Stamp,
    role: Role,
    texts: list[str],
    known: BoolArray,
    flags: BoolArray,
    count: Callable[[IntArray], BoolArray],
) -> BoolArray:
    """Return whether the model sees only the beginning of each text, from what is kept where it is there.

    Parameters
    ----------
    kept : Kept
    stamp : Stamp
        Of the model: the same tokens for the same text.
    role : {"document", "query"}
    texts : list of str, length n
        Different ones.
    known, flags : ndarray of bool, shape (n,)
        Which texts were counted just now, and what came of it.
    count : callable
        Counts the texts at given positions, int64 (m,), and returns whether each is cut, bool (m,).

    Notes
    -----
    Two processes that add at once may each write without the other's texts; those are counted again.
    """
    there: tuple[Keys, BoolArray] | None = kept.get(WHAT, (stamp, role))
    old_keys, old_flags = there or (np.zeros((0, 2), dtype=np.uint64), np.zeros(0, dtype=np.bool_))
    keys, found = keys_of(texts), np.where(known, flags, False)
    place = _places(old_keys, keys)
    kept_there = ~known & (place >= 0)
    found[kept_there] = old_flags[place[kept_there]]
    missing = np.flatnonzero(~known & (place < 0))
    if missing.size:
        found[missing] = count(missing)
    new = place < 0
    if new.any():
        kept.put(WHAT, (stamp, role), (np.concatenate([old_keys, keys[new]]), np.concatenate([old_flags, found[new]])))
    return found


def _places(others: Keys, keys: Keys) -> IntArray:
    """Return where each key stands among others, whatever their order; -1 where it does not."""
    if not len(others):
        return np.full(len(keys), -1, dtype=np.int64)
    whole, asked = (np.ascontiguousarray(each, dtype="<u8").view(_PAIR)[:, 0] for each in (others, keys))
    order = np.argsort(whole, order=("a", "b"))
    at = np.minimum(np.searchsorted(whole[order], asked), len(order) - 1)
    return np.where(whole[order[at]] == asked, order[at], -1).astype(np.int64)
