"""How Milvus is asked: for all that was acknowledged before, within its limits of length and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff._progress import progress
from embdiff.errors import ParameterError
from embdiff.records import FloatArray, Metric
from embdiff.stores._calls import Calls
from embdiff.stores._lists import Lists, to_arrays

CALL, SEARCH, WORK = 60.0, 600.0, 3_600.0  # seconds: for a word, for a search or an insert, for a whole collection
MOST = 16_384  # Milvus returns no longer lists


def strongly(seconds: float) -> dict[str, Any]:
    """Return what makes a server answer with all that was acknowledged before."""
    return {"consistency_level": "Strong", "timeout": seconds}


def check_k(k: int) -> None:
    """Refuse lists that Milvus does not return.

    Raises
    ------
    ParameterError
        When k is not between 1 and 16,384.
    """
    if not 1 <= k <= MOST:
        raise ParameterError(f"k must be between 1 and {MOST:,} in Milvus. Got {k}. Lower k.")


@dataclass(frozen=True)
class Search:
    """A collection, and how it is searched.

    Parameters
    ----------
    call : Calls
        The connection.
    name : str
        Of the collection.
    field : str
        Of the vectors.
    metric : {"cosine", "ip", "l2"}
    params : mapping
        Search parameters of the index.
    """

    call: Calls
    name: str
    field: str
    metric: Metric
    params: Mapping[str, Any]

    def lists(
        self, queries: FloatArray, width: int, step: int, known: Callable[[Any], Any] = lambda hits: hits
    ) -> Lists:
        """Return the nearest keys of each query, in the order of the database.

        Parameters
        ----------
        queries : ndarray of float32, shape (q, d)
        width : int
            Length of the lists.
        step : int
            Most queries in one call.
        known : callable, optional
            Makes rows of the keys that the database found, one query's ``ids`` and ``distances`` at a time.

        Returns
        -------
        rows : ndarray of int64, shape (q, width)
            Padded with -1.
        similarity : ndarray of float32, shape (q, width)
            Padded with NaN.
        """
        lists: list[Lists] = []
        with progress(f"search {self.name}", len(queries), "queries") as advance:
            for start in range(0, max(len(queries), 1), step):
                part = queries[start : start + step]
                hits = [known(found) for found in self._hits(part, width)] if len(part) else []
                lists.append(to_arrays(hits, width, self.metric))
                advance(len(part))
        rows, similarity = zip(*lists, strict=True)
        return np.concatenate(rows), np.concatenate(similarity)

    def _hits(self, queries: FloatArray, width: int) -> Any:
        """Search once."""
        return self.call(
            f"search {self.name}",
            lambda client: client.search(
                self.name,
                data=list(queries),
                anns_field=self.field,
                limit=width,
                output_fields=[],
                search_params={"metric_type": self.metric.upper(), "params": self.params},
                **strongly(SEARCH),
            ),
        )
