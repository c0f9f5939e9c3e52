"""The same answers where the rows do not fit in memory: block by block, the first k of all blocks merged exactly."""

from __future__ import annotations

import numpy as np

from embdiff._progress import progress, silent
from embdiff.exact._arrays import check_k, check_left_out, check_rows, check_tables
from embdiff.exact._file import FileVectors
from embdiff.exact._index import Index, first_k
from embdiff.exact._pairs import pair_similarity
from embdiff.exact._ranks import precedes
from embdiff.records import FloatArray, IntArray, Metric, Neighbors


class StreamedIndex:
    """What `Index` is, for `FileVectors`: every question reads the file once, equal to the last bit.

    A pair's similarity does not depend on the block it is computed in, and ties are broken by row number, so merging
    the first k of each block gives the first k of all.
    """

    def __init__(self, vectors: FileVectors, metric: Metric) -> None:
        self.vectors = vectors
        self.metric: Metric = metric

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: FloatArray, k: int, *, leave_out: IntArray | None = None) -> Neighbors:
        """Return the k nearest rows of each query; see `embdiff.exact.search`."""
        queries = self._table(queries)
        left_out = check_left_out(leave_out, len(queries), len(self))
        check_k(k, len(self), left_out is not None)
        wanted = k + (left_out is not None)
        rows = np.empty((len(queries), 0), dtype=np.int64)
        found = np.empty((len(queries), 0), dtype=np.float32)
        with progress("exact search", len(self), "rows") as advance:
            for start, block in self.vectors.blocks():
                with silent():
                    more, also = _best(Index(block, self.metric, start), queries, found, wanted)
                rows, found = _merged(rows, found, np.where(more < 0, -1, more + start), also, wanted)
                advance(len(block))
        return first_k(rows, found, left_out, k, self.metric)

    def ranks(self, queries: FloatArray, rows: IntArray, *, leave_out: IntArray | None = None) -> IntArray:
        """Return the rank, from 1, of given rows in each query's full order; see `embdiff.exact.ranks`."""
        queries = self._table(queries)
        rows = check_rows(rows, (len(queries), -1), len(self))
        left_out = check_left_out(leave_out, len(queries), len(self))
        wanted = self._similarity(queries, rows)
        before = np.zeros(rows.shape, dtype=np.int64)
        with progress("exact ranks", len(self), "rows") as advance:
            for start, block in self.vectors.blocks():
                with silent():
                    before += Index(block, self.metric, start).before(queries, rows - start, wanted)
                advance(len(block))
        found = np.where(rows < 0, -1, before + 1)
        if left_out is None:
            return found
        own = left_out[:, None]
        found -= precedes(self._similarity(queries, own), own, wanted, rows) & (rows >= 0)
        found[(own >= 0) & (rows == own)] = -1
        return found

    def similarity(self, queries: FloatArray, rows: IntArray) -> FloatArray:
        """Return the exact similarity of each query to given rows; see `embdiff.exact.similarity`."""
        queries = self._table(queries)
        return self._similarity(queries, check_rows(rows, (len(queries), -1), len(self)))

    def _similarity(self, queries: FloatArray, rows: IntArray) -> FloatArray:
        out = np.full(rows.shape, np.nan, dtype=np.float32)
        step = max(1, self.vectors.block_rows // max(1, rows.shape[1]))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            kinds, inverse = np.unique(np.maximum(rows[part], 0), return_inverse=True)
            places = inverse.reshape(rows[part].shape)
            out[part] = pair_similarity(queries[part], self.vectors[kinds], places, self.metric)
        out[rows < 0] = np.nan
        return out

    def _table(self, queries: FloatArray) -> FloatArray:
        table: FloatArray = check_tables(queries, np.empty((0, self.vectors.shape[1]), dtype=np.float32))[0]
        return table


def _best(index: Index, queries: FloatArray, found: FloatArray, wanted: int) -> tuple[IntArray, FloatArray]:
    """Return the rows of a block that may be among the first ``wanted``, given the similarities found before."""
    if found.shape[1] == wanted:
        reaching = index.reaching(queries, found[:, -1], wanted)
        if reaching is not None:
            return reaching
    here = index.search(queries, min(wanted, len(index)))
    return here.rows, here.similarity


def _merged(
    rows: IntArray, found: FloatArray, more: IntArray, also: FloatArray, wanted: int
) -> tuple[IntArray, FloatArray]:
    rows, found = np.concatenate([rows, more], axis=1), np.concatenate([found, also], axis=1)
    order = np.lexsort((rows, -found), axis=-1)[:, :wanted]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(found, order, axis=1)
