"""The noise floor of a comparison: each model against itself, with another index, precision and batch size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embdiff import exact
from embdiff.comparison.scored import kept_scores
from embdiff.comparison.work import Work
from embdiff.measures.base import Measure, MeasureSpec
from embdiff.measures.inputs import TwoLists
from embdiff.measures.noise import (
    FLOAT16,
    NOISE_BATCH,
    NOISE_FLOAT16,
    NOISE_INDEX,
    drawn,
    half_precision,
    sampled,
)
from embdiff.own_rows import OwnRows, certain
from embdiff.records import FloatArray, IntArray, Metric, Neighbors, Score
from embdiff.search import exact_lists
from embdiff.ties import of_queries

_HOW = {"noise_index": "index", "noise_float16": "float16", "noise_batch": "batch"}


@dataclass(frozen=True, eq=False)
class Repeated:
    """Neighbours of one search found again in another way, and the exact ones.

    Parameters
    ----------
    how : {"index", "float16", "batch"}
    pair : tuple of str
        Query model and model.
    again, own : Neighbors, shape (m, k)
    rows : ndarray of int64, shape (m,)
        Which of the queries of the run.
    note : str or None
        What was sampled.
    """

    how: str
    pair: tuple[str, str]
    again: Neighbors
    own: Neighbors
    rows: IntArray
    note: str | None


class Floor:
    """Scores of one run, and the lists behind them, filled search by search."""

    def __init__(self, work: Work) -> None:
        self.config, self.inputs, self._kept = work.config, work.inputs, work.kept
        self.scores: list[Score] = []
        self.repeated: list[Repeated] = []

    def add(
        self,
        measure: Measure,
        pair: tuple[str, str],
        again: Neighbors,
        own: Neighbors,
        rows: IntArray,
        note: str | None,
    ) -> None:
        """Score neighbours found again for some of the queries."""
        self.repeated.append(Repeated(_HOW[measure.name], pair, again, own, rows, note))
        twins = OwnRows([self.inputs.twins.rows[row] for row in rows], drop=False)
        lists = TwoLists(
            again, own, pair[1:], pair[0], self.inputs.candidates[rows], fixed=certain(again, own, twins)
        )  # fmt: skip
        score = kept_scores(self._kept, [MeasureSpec(measure, self.config.k)], lists, seed=self.config.seed)[0]
        self.scores.append(replace(score, reason="; ".join(filter(None, (score.reason, note))) or None))

    def undefined(self, measure: Measure, pair: tuple[str, str], reason: str) -> None:
        """Add a score that there is not."""
        spec = MeasureSpec(measure, self.config.k)
        self.scores.append(Score.undefined(spec, pair[1:], reason, query_model=pair[0]))

    def own(self, rows: IntArray) -> OwnRows:
        """Return the own rows of some of the queries."""
        every = self.inputs.own
        return OwnRows([every.rows[row] for row in rows], every.drop, every.mark)


def noise_floor(work: Work) -> Floor:
    """Return, for each search of the run, what index, half precision and batch size change.

    Half precision is tried on at most 1,000 queries, another batch size on at most 128, drawn with the run's seed.
    """
    floor, encoded = Floor(work), work.encoded
    every = np.arange(len(work.inputs.queries), dtype=np.int64)
    for pair, here in work.found.items():
        floor.add(NOISE_INDEX, pair, here.returned, here.exact, every, None)
    _float16(floor, work)
    for pair, here in work.found.items():
        again = encoded[pair[0]].again
        if again is None:
            read = encoded[pair[0]].read
            assert read is not None
            floor.undefined(NOISE_BATCH, pair, f"undefined: the vectors were read from {read.read_from}, not encoded")
            continue
        if again.vectors is None:
            floor.undefined(NOISE_BATCH, pair, f"undefined: {again.reason}")
            continue
        kept = again.rows < len(every)  # a pilot may have shown that fewer queries are enough
        rows, note = again.rows[kept], sampled(again.rows[kept], len(every))
        asking = work.mapped(*pair, again.vectors[kept], rows)
        lists = work.placed[pair[1]].searcher.nearest(asking, work.config.k, floor.own(rows))
        floor.add(NOISE_BATCH, pair, lists, of_queries(here.exact, rows), rows, note)
    return floor


def _float16(floor: Floor, work: Work) -> None:
    """Search again with queries and documents rounded; one model's documents at a time."""
    count = len(floor.inputs.queries)
    rows = drawn(count, FLOAT16, seed=floor.config.seed)
    note, found = sampled(rows, count), work.found
    for name in dict.fromkeys(name for _, name in found):
        if name in work.on_disk:
            for pair in (pair for pair in found if pair[1] == name):
                floor.undefined(NOISE_FLOAT16, pair, "undefined: vectors that stay in their file are not rounded")
            continue
        for pair, here in ((pair, here) for pair, here in found.items() if pair[1] == name):
            asking, config = work.asking(*pair)[rows], work.config
            again, why = work.kept.call(
                _halved, work.documents[name], asking, config.metric, config.k, floor.own(rows)
            )  # fmt: skip
            if again is None:
                floor.undefined(NOISE_FLOAT16, pair, f"undefined: {why}")
                continue
            floor.add(NOISE_FLOAT16, pair, again, of_queries(here.exact, rows), rows, note)


def _halved(
    documents: FloatArray, queries: FloatArray, metric: Metric, k: int, own: OwnRows
) -> tuple[Neighbors | None, str | None]:
    """Return the exact neighbours after rounding, or why there are none."""
    (documents, reason), (queries, why) = half_precision(documents), half_precision(queries)
    if reason is not None or why is not None:
        return None, reason or why
    return exact_lists(exact.Index(documents, metric), queries, k, own), None
