"""Numbers about neighbour lists: each with its chance level, its interval, and the reason when it is undefined."""

from embdiff.measures.absence import GroupTest, absence_test, adjust
from embdiff.measures.base import Measure, MeasureSpec, Parameter, get_measure, list_measures, register
from embdiff.measures.groups import Mixing, mixing
from embdiff.measures.inference import holm, interval, wilson
from embdiff.measures.overlap import jaccard, overlap, score_jaccard, score_overlap
from embdiff.measures.retrieval import (
    Hits,
    hits,
    index_recall,
    score_expected_hit,
    score_index_recall,
    score_self_retrieval,
    self_retrieval,
)

__all__ = [
    "GroupTest",
    "Hits",
    "Measure",
    "MeasureSpec",
    "Mixing",
    "Parameter",
    "absence_test",
    "adjust",
    "get_measure",
    "hits",
    "holm",
    "index_recall",
    "interval",
    "jaccard",
    "list_measures",
    "mixing",
    "overlap",
    "register",
    "score_expected_hit",
    "score_index_recall",
    "score_jaccard",
    "score_overlap",
    "score_self_retrieval",
    "self_retrieval",
    "wilson",
]
