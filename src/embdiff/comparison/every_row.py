"""The exact neighbours of every row, itself left out: searched once, whoever asks for them."""

from __future__ import annotations

import numpy as np

from embdiff import exact
from embdiff.comparison.settings import Inputs
from embdiff.comparison.work import Work
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.settings import SAMPLE_ABOVE, SAMPLE_SIZE, RunConfig

MOST = 10_000  # rows searched only to describe a space; beyond, so many are drawn


class EveryRow:
    """Neighbours of rows among rows, by the metric and k of the run.

    Parameters
    ----------
    work : Work
        Its own searches are taken where they are just that.
    """

    def __init__(self, work: Work) -> None:
        config, inputs = work.config, work.inputs
        self._config, self._found, self._documents, self._kept = config, work.found, work.documents, work.kept
        self._itself = inputs.own.drop and not inputs.own.mark  # then each query is a row and leaves itself out
        self._asked = self._itself and inputs.sampled_from is None  # then every row queries
        self.asked_rows = _asked_rows(config, inputs)
        self._searched: dict[tuple[str, bool], Neighbors] = {}
        self.rows = rows = len(inputs.corpus)
        there = self._asked and all((name, name) in work.found for name in work.documents) and not work.on_disk
        self.sample: IntArray | None = None
        if not there and rows > MOST:
            self.sample = np.sort(np.random.default_rng(config.seed).permutation(rows)[:MOST]).astype(np.int64)
        self.note = None if self.sample is None else f"{MOST:,} of {rows:,} rows were sampled, neighbours among these"

    def of_all(self, name: str) -> Neighbors:
        """Return the neighbours of every row, (n, k)."""
        if self._asked and (name, name) in self._found:
            return self._found[name, name].exact
        return self._search(name, None)

    def of_asked(self, name: str) -> Neighbors:
        """Return the neighbours, among all rows, of the rows in ``asked_rows``; of every row where that is None."""
        if self.asked_rows is None:
            return self.of_all(name)
        if self._itself and (name, name) in self._found:
            return self._found[name, name].exact
        vectors, k = self._documents[name], min(self._config.k, self.rows - 1)
        metric = self._config.metric
        return self._kept.call(exact.search, vectors[self.asked_rows], vectors, k, metric, leave_out=self.asked_rows)

    def of_sample(self, name: str) -> Neighbors:
        """Return the neighbours of every row, or of the rows in ``sample`` among themselves; the same for all models.

        Row numbers are places in the sample.
        """
        return self.of_all(name) if self.sample is None else self._search(name, self.sample)

    def vectors(self, name: str) -> FloatArray:
        """Return the vectors that belong to `of_sample`."""
        return self._documents[name] if self.sample is None else self._documents[name][self.sample]

    def _search(self, name: str, sample: IntArray | None) -> Neighbors:
        key = (name, sample is None)
        if key not in self._searched:
            vectors = self._documents[name] if sample is None else self._documents[name][sample]
            k = min(self._config.k, len(vectors) - 1)
            own = np.arange(len(vectors), dtype=np.int64)
            metric = self._config.metric
            self._searched[key] = self._kept.call(exact.search, vectors, vectors, k, metric, leave_out=own)
        return self._searched[key]


def _asked_rows(config: RunConfig, inputs: Inputs) -> IntArray | None:
    """Return the rows whose neighbours stand for those of every row; None when every row is searched."""
    if inputs.sampled_from is not None:
        assert inputs.query_rows is not None
        return np.array(inputs.query_rows, dtype=np.int64)
    rows = len(inputs.corpus)
    if (inputs.own.drop and not inputs.own.mark) or config.sample == "all" or rows <= SAMPLE_ABOVE:
        return None
    return np.sort(np.random.default_rng(config.seed).permutation(rows)[:SAMPLE_SIZE]).astype(np.int64)
