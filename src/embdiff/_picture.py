"""A picture as an item of a corpus: text that names it, and the content that it is compared and found again by."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal

Kind = Literal["text", "image"]
THUMBNAIL_BYTES = 4_096  # at most


class Picture(str):
    """An item that is an image. As text it is its name, a path; two are equal when their bytes are, whatever the names.

    Parameters
    ----------
    name : str
        What is shown where no image can be: its relative path.
    digest : str
        SHA-256 of its bytes, hexadecimal.
    thumbnail : bytes
        A small WebP for pages; empty where there is none.
    read : callable, optional
        Returns its bytes; None once they are out of reach, as in a run that was read from its folder.
    """

    __slots__ = ("digest", "read", "thumbnail")

    digest: str
    thumbnail: bytes
    read: Callable[[], bytes] | None

    def __new__(
        cls, name: str, digest: str, thumbnail: bytes = b"", read: Callable[[], bytes] | None = None
    ) -> Picture:
        """Make the item."""
        made = super().__new__(cls, name)
        made.digest, made.thumbnail, made.read = digest, thumbnail, read
        return made

    @classmethod
    def of(cls, name: str, content: bytes, thumbnail: bytes, read: Callable[[], bytes]) -> Picture:
        """Return the item of an image that was read."""
        return cls(name, sha256(content).hexdigest(), thumbnail, read)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and other.digest == self.digest

    def __ne__(self, other: object) -> bool:  # else that of str
        return not self == other

    def __hash__(self) -> int:
        return hash(self.digest)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.digest, self.thumbnail, self.read

    def __str__(self) -> str:
        return "".join(self)


# What items are called together, by their kinds.
WHAT: Mapping[frozenset[Kind], str] = {
    frozenset({"text"}): "texts",
    frozenset({"image"}): "images",
    frozenset({"text", "image"}): "texts and images",
}


def thumbnail_of(item: str) -> bytes:
    """Return the thumbnail of an item, a WebP; empty where it has none."""
    return item.thumbnail if isinstance(item, Picture) else b""


def data_uri(thumbnail: bytes) -> str:
    """Return a thumbnail as an address that holds it."""
    return f"data:image/webp;base64,{b64encode(thumbnail).decode()}"


def kinds_of(items: Iterable[str]) -> frozenset[Kind]:
    """Return which kinds of items there are."""
    types = set(map(type, items))
    found: list[Kind] = ["image"] if Picture in types else []
    return frozenset([*found, "text"] if types - {Picture} else found)
