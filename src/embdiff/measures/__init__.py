"""Numbers about neighbour lists: each with its chance level, its interval, and the reason when it is undefined.

The measures themselves are in their modules: `embdiff.measures.overlap`, `embdiff.measures.retrieval`.
"""

from embdiff.measures.base import Measure, MeasureSpec, Parameter, get_measure, list_measures, register
from embdiff.measures.groups import STATISTIC, UNIT, GroupTest, absence_test, adjust
from embdiff.measures.mixing import Mixing, mixing
from embdiff.measures.statistics.quantiles import holm, wilson
from embdiff.measures.statistics.resampling import interval

__all__ = [
    "STATISTIC",
    "UNIT",
    "GroupTest",
    "Measure",
    "MeasureSpec",
    "Mixing",
    "Parameter",
    "absence_test",
    "adjust",
    "get_measure",
    "holm",
    "interval",
    "list_measures",
    "mixing",
    "register",
    "wilson",
]
