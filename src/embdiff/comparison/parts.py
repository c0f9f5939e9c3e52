"""The parts of a corpus by which models are compared: its groups where there are some, else suggested clusters."""

from __future__ import annotations

import numpy as np

from embdiff.clusters import FEWEST, Parts, named_by_words, suggested
from embdiff.comparison.work import Work
from embdiff.records import FloatArray


def parts_of(work: Work) -> Parts:
    """Return the groups or clusters of the corpus, and where each row and query belongs."""
    rows, queries = work.inputs.corpus, work.inputs.queries
    if rows.groups is not None:
        names = tuple(dict.fromkeys((*rows.groups, *(queries.groups or ()))))
        number = {name: at for at, name in enumerate(names)}
        of_row, of_query = (
            np.array([number[name] for name in each.groups or ()], dtype=np.int64) for each in (rows, queries)
        )
        return Parts("groups", names, of_row, of_query if len(of_query) else _nowhere(len(queries)))
    reason = _without_clusters(work)
    if reason:
        return Parts("none", (), _nowhere(0), _nowhere(0), reason)
    seed, asking = work.config.seed, work.inputs.query_rows
    of_row, of_query = suggested(work.documents, _asked(work), seed=seed)
    if asking is not None:
        of_query = of_row[np.array(asking, dtype=np.int64)]
    elif not len(of_query):
        of_query = _nowhere(len(queries))
    return Parts("clusters", tuple(named_by_words(rows.items, of_row, seed=seed)), of_row, of_query)


def _nowhere(count: int) -> np.ndarray:
    return np.full(count, -1, dtype=np.int64)


def _without_clusters(work: Work) -> str | None:
    rows = len(work.inputs.corpus)
    if rows < FEWEST:
        return f"no clusters of fewer than {FEWEST} rows"
    if work.on_disk:
        return f"the vectors of {', '.join(work.on_disk)} stay on disk"
    return None


def _asked(work: Work) -> dict[str, FloatArray]:
    """Return the vectors of queries that are no rows, where every model has some."""
    if work.inputs.query_rows is not None:
        return {}
    found = {name: work.encoded[name].queries for name in work.documents}
    known = {name: each for name, each in found.items() if each is not None}
    return known if len(known) == len(found) else {}
