"""The line: read, encode, store, search, measure; and the Comparison that comes out of it."""

from embdiff.comparison.line import compare
from embdiff.comparison.plan import plan
from embdiff.comparison.result import Comparison, load

__all__ = ["Comparison", "compare", "load", "plan"]
