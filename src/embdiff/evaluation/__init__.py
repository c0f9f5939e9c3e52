"""Labels: what models find, correlate and separate on data that says what is right."""

from embdiff.evaluation.line import evaluate, plan
from embdiff.evaluation.result import Evaluation

__all__ = ["Evaluation", "evaluate", "plan"]
