"""Judgements of disputed results: pooled and blind, saved one by one, scored, and how many more would settle it.

Nothing here needs a terminal but `embdiff.judging.session`: `open_judging` gives the questions, takes the grades and
scores them, so that another front end can ask as well.
"""

from embdiff.judging.asking import JudgeModel
from embdiff.judging.book import Book, Judgement
from embdiff.judging.line import Judging, open_judging
from embdiff.judging.pool import Pool, PooledQuery, Question, pool_run, pooled_query
from embdiff.judging.scoring import JudgedScores, score_judgements
from embdiff.judging.second import SecondJudge, second_judge

__all__ = [
    "Book",
    "JudgeModel",
    "JudgedScores",
    "Judgement",
    "Judging",
    "Pool",
    "PooledQuery",
    "Question",
    "SecondJudge",
    "open_judging",
    "pool_run",
    "pooled_query",
    "score_judgements",
    "second_judge",
]
