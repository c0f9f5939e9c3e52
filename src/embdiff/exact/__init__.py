"""Arrays in, rows and similarities out: the exact answer that everything else is measured against.

One order holds everywhere: similarity (in float64 from the vectors as given, rounded to 12 digits), highest first; rows
with equal similarity by row number, lowest first. `search`, `similarity` and `ranks` agree on it to the last bit, also
where the rows stay in a file (`FileVectors`).
"""

from embdiff.exact._checks import LARGEST_NORM
from embdiff.exact._file import FileVectors, least_memory
from embdiff.exact._index import Index, ranks, search, similarity
from embdiff.exact._knn import first
from embdiff.exact._rows import norms

__all__ = ["LARGEST_NORM", "FileVectors", "Index", "first", "least_memory", "norms", "ranks", "search", "similarity"]
