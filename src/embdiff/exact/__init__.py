"""Arrays in, rows and similarities out: the exact answer that everything else is measured against.

One order holds everywhere: similarity as float32 (computed in float64 from the vectors as given), highest first;
rows with equal similarity by row number, lowest first. `search`, `similarity` and `ranks` agree on it to the last bit.
"""

from embdiff.exact._ask import ranks, search, similarity
from embdiff.exact._index import Index

__all__ = ["Index", "ranks", "search", "similarity"]
