"""Which texts a model sees only the beginning of: counted once, so that no tokenizer is needed again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embdiff.encoders.cache._shard import keys_of
from embdiff.kept import Kept
from embdiff.records import BoolArray, IntArray, Role, Stamp

WHAT = "cut_texts"


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
        Different ones. Kept is the answer for all of them together: where some are new the model was loaded for those,
        and counting the others is quick.
    known, flags : ndarray of bool, shape (n,)
        Which texts were counted just now, and what came of it.
    count : callable
        Counts the texts at given positions, int64 (m,), and returns whether each is cut, bool (m,).
    """
    inputs = (stamp, role, keys_of(texts))
    there: BoolArray | None = kept.get(WHAT, inputs)
    if there is not None:
        return there
    found, missing = flags.copy(), np.flatnonzero(~known)
    if missing.size:
        found[missing] = count(missing)
    kept.put(WHAT, inputs, found)
    return found
