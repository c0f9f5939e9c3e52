"""Decisions by rules, each on its interval: which model to have, whether models keep to rules, drift from a run."""

from embdiff.deciding.checking import check
from embdiff.deciding.earlier import Earlier, drift, refuse_drift
from embdiff.deciding.line import Decided, decide
from embdiff.deciding.table import table_text

__all__ = ["Decided", "Earlier", "check", "decide", "drift", "refuse_drift", "table_text"]
