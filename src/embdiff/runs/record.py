"""The record of one comparison: everything that its run folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embdiff.measures import GroupTest, Mixing
from embdiff.measures.calibration import Calibration
from embdiff.measures.differences import Differences
from embdiff.measures.similarities import Distribution, Similarities
from embdiff.records import Answer, Corpus, Layout, Qrels, Score
from embdiff.runs.columns import (
    agreement_json,
    differences_json,
    elsewhere_columns,
    groups_json,
    neighbor_columns,
)
from embdiff.search import compared_pairs
from embdiff.settings import RunConfig


@dataclass(frozen=True, eq=False)
class Run:
    """Everything one comparison found; the run folder holds exactly this.

    Parameters
    ----------
    config : RunConfig
    corpus, queries : Corpus
        Queries taken from the corpus keep their corpus id.
    query_rows : tuple of int or None
        Corpus rows of the queries, None when they came from elsewhere.
    answers : tuple of Answer
        One for each query model and collection.
    scores : tuple of Score
    mixings : mapping of str to Mixing
        Group mixing by model; empty without groups.
    tests : tuple of (str, GroupTest)
        Model and its test, for every group and model.
    expected : Qrels or None
    manifest : dict
        Versions, stamps, timings, what was cut or dropped.
    similarities : tuple of Similarities
        What cut-offs need, for each model with vectors; empty in older runs.
    distributions : tuple of Distribution
    calibrations : tuple of Calibration
        Empty unless asked for.
    layouts : tuple of Layout
        Maps of the models' spaces, to look at; empty in older runs.
    baseline : Answer or None
        Of bm25, where it stood beside the models.
    curves : tuple of Score
        Agreement at several depths up to k.
    tails : tuple of dict
        What the unseen tail leaves open of each rbo.
    differences : tuple of (str or None, Differences)
        With expected results: the query model, and how the collections differ in a measure.
    changes : tuple of dict
        With expected results: what the same model again changes of their first measure.
    """

    config: RunConfig
    corpus: Corpus
    queries: Corpus
    query_rows: tuple[int, ...] | None
    answers: tuple[Answer, ...]
    scores: tuple[Score, ...]
    mixings: Mapping[str, Mixing] = field(default_factory=dict)
    tests: tuple[tuple[str, GroupTest], ...] = ()
    expected: Qrels | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    similarities: tuple[Similarities, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    layouts: tuple[Layout, ...] = ()
    baseline: Answer | None = None
    curves: tuple[Score, ...] = ()
    tails: tuple[Mapping[str, Any], ...] = ()
    differences: tuple[tuple[str | None, Differences], ...] = ()
    changes: tuple[Mapping[str, Any], ...] = ()

    @property
    def beside(self) -> tuple[Answer, ...]:
        """The answer of bm25, if there is one."""
        return () if self.baseline is None else (self.baseline,)

    @property
    def shown(self) -> tuple[Answer, ...]:
        """The answers whose lists are shown: of the models, and of bm25 where it was named among them."""
        return (*self.answers, *self._named)

    @property
    def disputing(self) -> list[tuple[Answer, Answer]]:
        """The pairs by which queries and rows count as disputed: of the models, and of bm25 where it was named.

        Where there is but one model, it is compared with bm25 that stood beside it.
        """
        return compared_pairs(self.answers, *self._named) or compared_pairs(self.answers, *self.beside)

    @property
    def _named(self) -> tuple[Answer, ...]:
        return self.beside if self.config.baseline == "named" else ()

    def parts(self) -> dict[str, Any]:
        """Return all of the run as plain comparable values: two runs are equal when these are, wherever stored."""
        return {
            "config": self.config.model_dump(mode="json"),
            "corpus": self.corpus,
            "queries": self.queries,
            "query_rows": self.query_rows,
            "neighbors": neighbor_columns(self, self.answers, "returned"),
            "exact": neighbor_columns(self, self.answers, "exact"),
            "elsewhere": elsewhere_columns(self, self.answers),
            "baseline": neighbor_columns(self, self.beside, "returned"),
            "baseline_elsewhere": elsewhere_columns(self, self.beside),
            "agreement": agreement_json(self),
            "differences": differences_json(self),
            "scores": [score.to_dict() for score in self.scores],
            "groups": groups_json(self),
            "expected": self.expected and self.expected.judgements,
            "layouts": {layout.model: {**layout.facts(), "xy": layout.xy} for layout in self.layouts},
            "manifest": {key: value for key, value in self.manifest.items() if key != "store"},
            "similarities": {each.model: each.parts() for each in self.similarities},
            "distributions": [each.to_dict() for each in self.distributions],
            "calibrations": [each.to_dict() for each in self.calibrations],
        }
