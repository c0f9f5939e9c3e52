"""Vectors in bulk: a corpus of any size encoded into files or a store; a collection mapped for another model."""

from embdiff.bulk.adaptation import Adaptation
from embdiff.bulk.adapted import adapt
from embdiff.bulk.asked import plan
from embdiff.bulk.line import encode_corpus
from embdiff.bulk.result import Encoding

__all__ = ["Adaptation", "Encoding", "adapt", "encode_corpus", "plan"]
