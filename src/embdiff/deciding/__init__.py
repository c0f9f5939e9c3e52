"""Decisions by rules, each on its interval: whether models keep to them, and drift from an earlier run."""

from embdiff.deciding.checking import check
from embdiff.deciding.earlier import Earlier, drift, refuse_drift

__all__ = ["Earlier", "check", "drift", "refuse_drift"]
