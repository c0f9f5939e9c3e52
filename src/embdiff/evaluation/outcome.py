"""What a task hands back: scores, how they were made, and what is to be known about the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from embdiff._plain import Record
from embdiff.evaluation.together import Gain
from embdiff.measures.noise import Change
from embdiff.measures.scope import CutOff
from embdiff.records import Qrels, Score, Stamp

UNITS = {"retrieval": "queries", "pairs": "pairs", "classes": "test texts", "bitext": "pairs", "scope": "test texts"}
Confused = TypedDict("Confused", {"class": str, "taken_for": str | None, "texts": int, "of": int})
Confusion = TypedDict("Confusion", {"in": str, "not_in": str, "texts": int, "pairs": list[Confused]})


@dataclass(frozen=True, eq=False)
class ModelFacts(Record):
    """A model of an evaluation: where its vectors came from and how long they took.

    Parameters
    ----------
    model : str
    stamp : Stamp or None
        None for what has no vectors (bm25, a run file).
    seconds : dict of str to float
    about : str
        For what has no stamp: what it is.
    encoding : dict
        Texts, duplicates, cached, encoded, and whether vectors are kept; empty for what has none.
    """

    model: str
    stamp: Stamp | None
    seconds: dict[str, float] = field(default_factory=dict)
    about: str = ""
    encoding: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Outcome(Record):
    """Result of one task; JSON holds what is said of the whole, not of one unit.

    Parameters
    ----------
    task : str
    source : str
        The data as named.
    about : str
        One line: what was evaluated on what.
    scores : tuple of Score
        Measures in order, models within.
    units : tuple of str
        What one value of ``Score.per_query`` belongs to: query ids, or row numbers.
    models : tuple of ModelFacts
    protocol : dict of str to str
        How the numbers were made.
    notes : tuple of str
        What is to be known about this data.
    noise : tuple of Change
        What the same model again changes of the first measure.
    draws : dict of str to list of float
        Accuracy of each draw of the probe, by model (classes).
    confusions : tuple of Confusion
        What one model confuses and another does not (classes).
    together : tuple of Gain
        What every two models reach together (retrieval).
    by_file : dict of str to tuple of Score
        Scores in each file, where several are pooled (pairs).
    by_group : dict of str to tuple of Score
        Scores of the units that have each value of a column (``by``), where one was named.
    cuts : tuple of CutOff
        The cut-off of each model that lets texts of known classes through (scope).
    runs : dict of str to mapping
        Ranked lists by model (retrieval).
    qrels : Qrels or None
        The judgements (retrieval).
    """

    task: str
    source: str
    about: str
    scores: tuple[Score, ...]
    units: tuple[str, ...] = field(repr=False)
    models: tuple[ModelFacts, ...]
    protocol: dict[str, str]
    notes: tuple[str, ...] = ()
    noise: tuple[Change, ...] = ()
    draws: dict[str, list[float]] = field(default_factory=dict)
    confusions: tuple[Confusion, ...] = ()
    together: tuple[Gain, ...] = ()
    by_file: dict[str, tuple[Score, ...]] = field(default_factory=dict)
    by_group: dict[str, tuple[Score, ...]] = field(default_factory=dict)
    cuts: tuple[CutOff, ...] = ()
    runs: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict, repr=False)
    qrels: Qrels | None = field(default=None, repr=False)
