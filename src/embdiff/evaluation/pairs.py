"""Pairs: two texts and a number; does their similarity follow the number that people gave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.encoded import Texts
from embdiff.errors import ParameterError
from embdiff.evaluation.outcome import ModelFacts
from embdiff.evaluation.pair_files import read_pairs
from embdiff.evaluation.settings import Settings, chosen
from embdiff.evaluation.task import TextPairs, Walk
from embdiff.lexical import BM25
from embdiff.measures.base import measures_for
from embdiff.measures.pairs import NEEDS, ScoredPairs
from embdiff.measures.row_pairs import pair_similarity
from embdiff.measures.score import in_order
from embdiff.measures.score import score as score_of
from embdiff.measures.score import scores as take
from embdiff.records import Corpus, FloatArray, IntArray, Score
from embdiff.sources import Source

_NO_VECTORS = "bm25 ranks documents for a query; it has no similarity that can be compared between pairs"
_ALL_PAIRS = "95 %, on Fisher's z, from the influence of each pair or from leaving it out (jackknife)"
_BY_KIND = (
    f"{_ALL_PAIRS}; a variance for each kind of pairs and Satterthwaite's degrees of freedom; for auc, and for "
    "spearman, which is a multiple of it here, DeLong's on the logit"
)


class PairsWalk(Walk):
    """Pairs of texts, whose similarity is held against their numbers."""

    task = "pairs"

    def __init__(self, paths: Sequence[Path], settings: Settings) -> None:
        self.pairs = pairs = read_pairs(paths, settings.form, settings.pair_columns, settings.by, settings.positive)
        path = ", ".join(map(str, paths))
        both = TextPairs.of(pairs.left, pairs.right, seed=settings.seed)
        self.left, self.right, self.few = both.left, both.right, both.few
        corpus = Corpus(both.texts, tuple(map(str, range(len(both.texts)))), source=str(path))
        about, units = f"{len(pairs):,} pairs of texts of {path}", tuple(map(str, range(len(pairs))))
        super().__init__(settings, str(path), about, units, Texts(corpus, None, settings.seed, again=both.again))
        self.notes += pairs.notes
        self.divide(pairs.parts)
        if pairs.labels is not None:
            self._label(pairs.labels)
        self.by_file: dict[str, list[Score]] = {}
        # auc compares two kinds of pairs; the first measure is that of the same model again.
        wanted, self.kinds = sorted(measures_for(NEEDS), key=lambda each: each.symmetric), pairs.kinds
        binary = self.kinds is not None
        usual = [each.name for each in wanted if binary or each.symmetric]
        self.measures = chosen(settings, NEEDS, usual, self.task)
        kinds_only = [str(each) for each in self.measures if not each.measure.symmetric]
        if kinds_only and not binary:
            raise ParameterError(
                f"{', '.join(kinds_only)} must be of two kinds of pairs. Got {len(np.unique(pairs.score)):,} different "
                f"scores in {path}. Choose spearman or pearson."
            )
        low, high = float(pairs.score.min()), float(pairs.score.max())
        kinds = f"two kinds of pairs, {low:g} and {high:g} (the positive ones)" if binary else f"{low:g} to {high:g}"
        self.protocol = {
            "columns": pairs.how,
            **({"files": "the first numbers are over the pairs of all files together"} if len(paths) > 1 else {}),
            "scores": kinds,
            "similarity": f"{settings.metric} of the two vectors, both encoded as documents",
            "intervals": _BY_KIND if binary else _ALL_PAIRS,
            "differences": "tests on the pseudo-values of the pairs (value + influence), whose mean is the number"
            + ("; Student's, the variance the sum of those of both kinds" if binary else ""),
        }

    def _label(self, labels: Sequence[str]) -> None:
        """Say how many pairs have which label; hold each of several others against the positive ones."""
        positive, found = self.pairs.score == 1.0, Counter(labels)
        told = (f"{name} {count:,}{' (positive)' * (name in self.settings.positive)}" for name, count in found.items())
        self.notes.append(f"Labels of the pairs: {', '.join(told)}.")
        others = sorted(set(found) - set(self.settings.positive))
        if len(others) > 1 and not self.parts:
            every = np.array(labels, dtype=object)
            self.parts = {f"against {name}": np.flatnonzero(positive | (every == name)) for name in others}

    def add_words(self) -> None:
        """Add that bm25 has no such numbers."""
        self.scores += [Score.undefined(measure, (BM25,), _NO_VECTORS) for measure in self.measures]
        self.facts.append(ModelFacts(BM25, None))

    def refuse_ranking(self, names: Sequence[str]) -> None:
        """Refuse models that rank texts: pairs are scored by the similarity of two vectors."""
        if names:
            raise ParameterError(
                f"A model of the task pairs must make one dense vector of a text, whose similarity is compared. Got "
                f"{names[0]}, which ranks texts. Evaluate it on judged queries, classes or parallel texts."
            )

    def more(self) -> dict[str, Any]:
        """Return the scores in each file, where there are several."""
        return {"by_file": {name: in_order(found) for name, found in self.by_file.items()}}

    def check(self, name: str, source: Source) -> None:
        """Refuse ready vectors that are not found by text: the texts stand in no file as they are encoded here."""
        if source.by_row and not source.by_text:
            raise ParameterError(
                "Ready vectors of pairs must be found by their texts: Parquet with a column text. Got "
                f"'{name}', without. Encode the texts of the pairs with 'embdiff encode', or name a model."
            )

    def add(self, model: str, there: FloatArray, asking: FloatArray) -> None:
        """Add what the similarities of a model are worth, over all files and in each."""
        self.scores += take(self.measures, self._scored(model, asking, np.arange(len(self.pairs))))
        self.add_parts(lambda which: take(self.measures, self._scored(model, asking, which)))
        if len(self.pairs.files) > 1:
            stop = np.cumsum([count for _, count in self.pairs.files])
            for (name, count), end in zip(self.pairs.files, stop.tolist(), strict=True):
                found = take(self.measures, self._scored(model, asking, np.arange(end - count, end)))
                self.by_file.setdefault(name, []).extend(found)

    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the pairs."""
        return score_of(self.measures[0], self._scored(model, asking, which))

    def _scored(self, model: str, vectors: FloatArray, which: IntArray) -> ScoredPairs:
        left, right = (vectors[side[which]] for side in (self.left, self.right))
        return ScoredPairs(pair_similarity(left, right, self.settings.metric), self.pairs.score[which], (model,))
