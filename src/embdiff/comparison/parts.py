"""Where the models disagree: groups where there are some, else suggested clusters, with the disagreement in each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from embdiff.clusters import FEWEST, Part, Parts, named_by_words, suggested
from embdiff.comparison.work import Work
from embdiff.measures.by_group import FEWEST as FEWEST_QUERIES
from embdiff.measures.disagreement import query_disagreement
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.measures.statistics.resampling import interval
from embdiff.records import FloatArray, IntArray
from embdiff.search import disputing_pairs

_LOOKED_AT = 200  # parts, the largest first, that get an interval: more are not looked through


def parts_of(work: Work) -> Parts:
    """Return the groups or clusters of the corpus, the surest disagreement first."""
    groups, asked = work.inputs.corpus.groups, work.inputs.queries.groups
    if groups is not None:
        names = list(dict.fromkeys(groups))
        number = {name: at for at, name in enumerate(names)}
        of_row = np.array([number[group] for group in groups], dtype=np.int64)
        return _ordered(work, "groups", names, of_row, np.array([number.get(each, -1) for each in asked or ()]))
    reason = _without_clusters(work)
    if reason:
        nothing = np.zeros(0, dtype=np.int64)
        return Parts("none", (), nothing, nothing, reason)
    seed = work.config.seed
    of_row, of_query = suggested(work.documents, _asked(work), seed=seed)
    return _ordered(work, "clusters", named_by_words(work.inputs.corpus.items, of_row, seed=seed), of_row, of_query)


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


def _ordered(work: Work, by: str, names: Sequence[str], of_row: IntArray, of_query: IntArray) -> Parts:
    """Return the parts with the disagreement in each, in order."""
    queries = work.inputs.query_rows
    if queries is not None:
        of_query = of_row[np.array(queries, dtype=np.int64)]
    elif len(of_query) != len(work.inputs.queries):
        of_query = np.full(len(work.inputs.queries), -1, dtype=np.int64)
    pairs = disputing_pairs(work.answers, work.named, work.beside)
    values = (
        query_disagreement([(a.returned, b.returned) for a, b in pairs]) if pairs else np.full(len(of_query), np.nan)
    )
    rows = np.bincount(of_row, minlength=len(names))
    looked_at = set(np.argsort(-rows, kind="stable")[:_LOOKED_AT].tolist())
    found = [
        _part(work, name, int(rows[at]), of_query == at, values if at in looked_at else None)
        for at, name in enumerate(names)
    ]
    order = sorted(range(len(found)), key=lambda at: (-_known(found[at].low), -found[at].rows, at))
    place = np.argsort(order).astype(np.int64)
    asked = np.where(of_query >= 0, place[of_query], -1)
    return Parts(by, tuple(found[at] for at in order), place[of_row], asked, _unordered(found, pairs))  # type: ignore[arg-type]


def _part(work: Work, name: str, rows: int, here: np.ndarray, values: Doubles | None) -> Part:
    mine = np.zeros(0) if values is None else values[here]
    known = mine[~np.isnan(mine)]
    value, low, high = math.nan, math.nan, math.nan
    if len(known):
        value = float(known.mean())
    if len(known) >= FEWEST_QUERIES:
        low, high, _ = interval(known, seed=work.config.seed)
    return Part(name, rows, int(here.sum()), value, low, high)


def _known(value: float) -> float:
    return -1.0 if math.isnan(value) else value


def _unordered(found: Sequence[Part], pairs: Sequence[object]) -> str | None:
    """Say why no part has a disagreement that is sure enough to order by."""
    if any(math.isfinite(part.low) for part in found):
        return None
    return f"no part has {FEWEST_QUERIES} queries to order it by" if pairs else "there are no two lists to compare"
