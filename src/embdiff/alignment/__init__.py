"""Maps from one model's space into another's, and how far the vectors of one reach in the collection of the other.

A query of one model means nothing in the collection of another, even where the two share a dimension. A linear map may
lead there. How well it does is how many of a row's own neighbours in the collection it finds again (`Reach`).
"""

from embdiff.alignment.fitted import ASKED, LEAST_ROWS, MOST_ROWS, Alignment, align, refuse_few
from embdiff.alignment.maps import METHODS, Map, fit
from embdiff.alignment.reach import Reach, reach

__all__ = [
    "ASKED", "LEAST_ROWS", "METHODS", "MOST_ROWS", "Alignment", "Map", "Reach", "align", "fit", "reach",
    "refuse_few",
]  # fmt: skip
