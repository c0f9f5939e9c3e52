"""Encoding a corpus of any size, part by part, to files or into a store; on one machine or on many."""

from embdiff.bulk.line import encode_corpus
from embdiff.bulk.result import Encoding

__all__ = ["Encoding", "encode_corpus"]
