"""Vectors on disk, found again by what made them and by what they were made of."""

from embdiff.encoders.cache._place import Place
from embdiff.encoders.cache.vectors import Keep, VectorCache
from embdiff.encoders.tally import Tally

__all__ = ["Keep", "Place", "Tally", "VectorCache"]
