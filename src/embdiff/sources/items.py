"""Items of two kinds, texts and pictures, in one list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from embdiff.records import IntArray, Picture

_A = TypeVar("_A", bound=npt.NDArray[Any])


def by_kind(items: Sequence[str], of_images: Callable[[list[str]], _A], of_texts: Callable[[list[str]], _A]) -> _A:
    """Return what is made of images and of texts, an array each, every row in its place.

    Parameters
    ----------
    items : sequence of str
        At least one.
    of_images, of_texts : callable
        Each given the items of its kind, where there are some.
    """
    image = np.array([isinstance(item, Picture) for item in items], dtype=np.bool_)
    rows = ((np.flatnonzero(which), make) for which, make in ((image, of_images), (~image, of_texts)))
    parts = [(of, make([items[at] for at in of.tolist()])) for of, make in rows if of.size]
    order = np.argsort(np.concatenate([of for of, _ in parts]))
    joined: _A = np.concatenate([made for _, made in parts])[order]  # type: ignore[assignment]  # of their dtype
    return joined


def each_one(items: Sequence[str]) -> IntArray:
    """Return a length of 1 for each: one image is as much work as another; int64, shape (n,)."""
    return np.ones(len(items), dtype=np.int64)
