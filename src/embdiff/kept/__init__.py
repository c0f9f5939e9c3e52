"""Vectors and results on disk, found again by everything that they were made from."""

from embdiff.kept._digest import CannotTell, digest
from embdiff.kept._place import Place
from embdiff.kept.results import Kept, Reused
from embdiff.kept.vectors import OFF, VectorCache, VectorSpace, keys_of

__all__ = [
    "OFF", "CannotTell", "Kept", "Place", "Reused", "VectorCache", "VectorSpace", "digest", "keys_of",
]  # fmt: skip
