"""The doctor: what is wrong with a store, a run, a cache or a model, where, and how it is mended. It never mends."""

from embdiff.examination.line import doctor
from embdiff.examination.record import Finding, Place
from embdiff.examination.report import Diagnosis

__all__ = ["Diagnosis", "Finding", "Place", "doctor"]
