"""Results on disk, found again by everything that they were made from: a second run computes only what is new."""

from embdiff.kept._digest import CannotTell, digest
from embdiff.kept.entries import Kept, Reused, call, recall, using

__all__ = ["CannotTell", "Kept", "Reused", "call", "digest", "recall", "using"]
