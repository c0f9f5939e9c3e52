"""Items as models are given them: texts and pictures, checked and told apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError
from embdiff.records import IntArray, Kind, Picture, Role

ROLES: tuple[Role, ...] = ("document", "query")
_READERS = {
    "image": "efficientnet, hog, hf-image:NAME, conse or a CLIP-type model (st:NAME)",
    "text": "minilm, wordllama:256 or st:NAME",
}
_FIRST_WORDS = 60
_A = TypeVar("_A", bound=npt.NDArray[Any])


def first_words(text: str) -> str:
    """Return the beginning of a text on one line, for messages."""
    line = " ".join(text[: 4 * _FIRST_WORDS].split())
    return line if len(line) <= _FIRST_WORDS else line[:_FIRST_WORDS].rsplit(" ", 1)[0] + "…"


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


def refuse_unread(spec: str, reads: Collection[Kind], kinds: Collection[Kind], what: str = "the items") -> None:
    """Refuse items of a kind that a model does not read.

    Raises
    ------
    ParameterError
        Naming the model, what it reads, and models that read the others.
    """
    for kind in sorted(set(kinds) - set(reads)):
        raise ParameterError(
            f"A model must read what it is given. Got {kind}s in {what}, and {spec} reads "
            f"{' and '.join(sorted(reads))}s only. Name a model that reads {kind}s, such as {_READERS[kind]}."
        )


def checked_items(items: Sequence[str], role: str = "document") -> list[str]:
    """Return the texts as a list, once they and their role are what they must be.

    Raises
    ------
    ParameterError
        For an empty list, anything but text in it, or an unknown role.
    """
    if isinstance(items, str):
        raise ParameterError(f"Texts must come as a list. Got the text {first_words(items)!r}. Put it into a list.")
    if not isinstance(items, Iterable):
        raise ParameterError(f"Texts must come as a list. Got {type(items).__name__}. Give a list of texts.")
    texts = list(items)
    if not texts:
        raise ParameterError("At least one text must be given to encode. Got an empty list. Add texts.")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ParameterError(
                f"Every item to encode must be text. Got {type(text).__name__} in row {row}. Turn it into str."
            )
    checked_role(role)
    return texts


def checked_role(role: str) -> Role:
    """Return a role; refuse another word with a ParameterError."""
    for known in ROLES:
        if known == role:
            return known
    raise ParameterError(f"A role must be one of {', '.join(ROLES)}. Got {role!r}. Choose one of these.")
