"""The user's data as records: rows to compare, queries, expected results; and the bundled sample."""

from embdiff.corpus.queries import read_expected, read_queries, self_rows
from embdiff.corpus.read import read_corpus, rows_of, sample

__all__ = ["read_corpus", "read_expected", "read_queries", "rows_of", "sample", "self_rows"]
