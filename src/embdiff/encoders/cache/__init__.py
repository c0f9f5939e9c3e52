"""Vectors on disk, found again by what made them and by what they were made of."""

from embdiff.encoders.cache._place import Place
from embdiff.encoders.cache.vectors import Keep, Tally, VectorCache

__all__ = ["Keep", "Place", "Tally", "VectorCache"]
