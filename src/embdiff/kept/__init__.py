"""Vectors and results on disk, found again by everything that they were made from."""

from embdiff.kept._place import Place
from embdiff.kept.results import Kept
from embdiff.kept.vectors import OFF, VectorCache, VectorSpace, keys_of

__all__ = ["OFF", "Kept", "Place", "VectorCache", "VectorSpace", "keys_of"]
