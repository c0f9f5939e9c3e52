"""Out of scope: does a model tell texts of no known class by how far the nearest training text is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from embdiff.corpus import rows_of
from embdiff.corpus.files import shown
from embdiff.encoded import Texts
from embdiff.errors import DataError, ParameterError
from embdiff.evaluation.class_files import read_classes
from embdiff.evaluation.settings import Settings, chosen
from embdiff.evaluation.task import Walk
from embdiff.measures.pairs import NEEDS
from embdiff.measures.scope import KEPT, CutOff, ScoredTexts, cut_off
from embdiff.measures.score import score as score_of
from embdiff.measures.score import scores as take
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import FloatArray, IntArray, Neighbors, Score
from embdiff.search import nearest_rows
from embdiff.sources import Wanted


class Scope(Walk):
    """Labelled texts, some of them of no known class: each is scored by its similarity to the nearest training text."""

    task = "scope"
    ranked = "training"
    so = "such test texts are left out, such training texts are nobody's nearest."

    def __init__(self, path: Path, settings: Settings) -> None:
        self.measures = chosen(settings, NEEDS, ["auc"], self.task)
        data = read_classes(path, seed=settings.seed, fewest=1, **settings.labelled)
        outside = [label for label, name in enumerate(data.classes) if name in settings.outside]
        missing = sorted(set(settings.outside) - set(data.classes))
        if missing or not settings.outside:
            found = f"{shown(missing)}, which is none of them" if missing else "none"
            raise ParameterError(
                f"--outside must name the label of texts that are of no known class. Got {found}, in {path}. The "
                f"labels are {shown(data.classes, 8)}."
            )
        known = np.flatnonzero(~np.isin(data.train_labels, outside))
        self.kinds = ~np.isin(data.test_labels, outside)
        if not len(known) or self.kinds.all() or not self.kinds.any():
            raise DataError(
                "There must be training texts of known classes, and test texts both of known classes and of others. "
                f"Got {len(known):,}, {self.kinds.sum():,} and {(~self.kinds).sum():,} in {path}. Add texts."
            )
        tested = Wanted.whole(data.test.items, data.test.ids, "test texts")
        train = rows_of(data.train, known.tolist())
        about = (
            f"{self.kinds.sum():,} texts of known classes against {(~self.kinds).sum():,} of others, by the nearest of "
            f"{len(train):,} training texts, of {path}"
        )
        units = tuple(map(str, range(len(data.test))))
        texts = Texts(train, tested, settings.seed, role="document", whole=data.whole)
        super().__init__(settings, str(path), about, units, texts, settings.nearest)
        if settings.nearest > len(train):
            raise ParameterError(f"-k must be at most the number of training texts, {len(train)}. Got {self.depth}.")
        self.divide(data.parts)
        self.cuts: list[CutOff] = []
        self.notes += dict.fromkeys(note for part in (data.whole, data.train, data.test) if part for note in part.notes)
        left_out = len(data.train) - len(train)
        if left_out:
            self.notes.append(
                f"{left_out:,} training texts of no known class are left out: nothing is learned of them."
            )
        nearest = "nearest" if self.depth == 1 else f"{self.depth}th nearest"
        self.protocol = {
            "split": data.split,
            "similarity": f"exact {settings.metric} to the {nearest} training text of a known class; of models that "
            "rank texts their score, 0 where they find nothing",
            "auc": "the chance that a text of a known class is nearer than one of no known class",
            "cut-off": f"the highest that {KEPT:.0%} of the test texts of known classes reach; interval by order "
            "statistics, that of the others by Wilson at this cut-off",
            "intervals": "95 %, of other test texts of both kinds, training texts held fixed; DeLong's on the logit",
        }

    def add(self, model: str, there: FloatArray, asking: FloatArray) -> None:
        """Add what the similarities of a model tell."""
        self._add(model, self._nearest(nearest_rows(asking, there, self.depth, self.settings.metric)))
        self.tell_lost(model, ((there, self.ranked), (asking, "test texts")))

    def add_lists(self, model: str, found: Neighbors) -> None:
        """Add what the scores of a model that ranks texts tell; without anything in common the score is 0."""
        self._add(model, np.nan_to_num(self._nearest(found), nan=0.0))

    def _nearest(self, found: Neighbors) -> Doubles:
        return found.similarity[:, self.depth - 1].astype(np.float64)

    def _add(self, model: str, similarity: Doubles) -> None:
        assert self.kinds is not None
        every = np.arange(len(self.units), dtype=np.int64)
        self.scores += take(self.measures, self._scored(model, similarity, every))
        self.add_parts(lambda which: take(self.measures, self._scored(model, similarity[which], which)))
        cut = cut_off(model, similarity, self.kinds)
        self.cuts += [] if cut is None else [cut]

    def _scored(self, model: str, similarity: Doubles, which: IntArray) -> ScoredTexts:
        assert self.kinds is not None
        return ScoredTexts(similarity, self.kinds[which].astype(np.float64), (model,))

    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the test texts."""
        found = nearest_rows(asking[which], there, self.depth, self.settings.metric)
        return score_of(self.measures[0], self._scored(model, self._nearest(found), which))

    def more(self) -> dict[str, Any]:
        """Return the cut-off of each model."""
        return {"cuts": tuple(self.cuts)}
