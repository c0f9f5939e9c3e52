"""How much of a full re-encoding a map gives: the lists of mapped vectors against those of vectors made anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from embdiff import exact
from embdiff._plain import Record
from embdiff.alignment import ASKED, Alignment
from embdiff.bulk.old import scaled
from embdiff.measures.inputs import TwoLists
from embdiff.measures.judged import Judged, JudgedLists, grade
from embdiff.measures.paired import PairedTest, paired_test
from embdiff.measures.places import name_ranks, trec_order
from embdiff.measures.score import score
from embdiff.records import FloatArray, IntArray, Metric, Neighbors, Qrels, Score

MEASURE, DEPTH = "ndcg@10", 10
Verdict = Literal["good enough", "not good enough", "undecided"]


@dataclass(frozen=True)
class Recovery(Record):
    """How well mapped vectors stand in for those that the new model makes.

    Parameters
    ----------
    recovery : Score
        ``overlap@k`` of the lists with mapped vectors and those with vectors made anew.
    staying : Score
        The same of the lists that the old model alone gives: what is there without any map.
    measures : tuple of Score
        With expected results, nDCG@10 of vectors made anew, mapped, and of the old model.
    drop, gain : PairedTest or None
        With expected results, over the same queries: mapped minus made anew, and mapped minus the old model.
    rows : int
        Among which it is measured.
    margin : float
        Of the recovery below 1, or of the drop, that is good enough.
    verdict : {"good enough", "not good enough", "undecided"}
        On the interval: all of it within the margin, none of it, or neither.
    """

    recovery: Score
    staying: Score
    measures: tuple[Score, ...]
    drop: PairedTest | None
    gain: PairedTest | None
    rows: int
    margin: float
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Spaces:
    """The same rows by both models, and what asks them.

    Parameters
    ----------
    old, new : ndarray of float32, shapes (n, d) and (n, e)
        Of the rows, by the old model and by the new.
    aligned : Alignment
        From old into new; where ``of_queries``, from new into old.
    unit : bool
        Whether mapped vectors are brought to length 1.
    of_queries : bool
        Whether queries are mapped, and the collection stays.
    asking : tuple of two ndarray of float32, or None
        Vectors of queries by the old model and by the new, (q, d) and (q, e); None: rows ask, themselves left out.
    ids : tuple of str, length n
    query_ids : tuple of str, length q
    expected : Qrels or None
    """

    old: FloatArray
    new: FloatArray
    aligned: Alignment
    unit: bool
    of_queries: bool
    asking: tuple[FloatArray, FloatArray] | None
    ids: tuple[str, ...]
    query_ids: tuple[str, ...] = ()
    expected: Qrels | None = None


def measure_recovery(
    spaces: Spaces, *, metric: Metric, k: int, margin: float, drop: float, seed: int, models: tuple[str, str]
) -> Recovery:
    """Ask by mapped vectors, by vectors made anew, and by the old model; no map is scored on rows that it saw.

    Parameters
    ----------
    spaces : Spaces
    metric : {"cosine", "ip", "l2"}
    k : int
        Neighbours of a list.
    margin, drop : float
        What is good enough: of recovery below 1; of nDCG@10 below that of vectors made anew.
    seed : int
        Of the rows that ask, and of intervals.
    models : tuple of (str, str)
        Old and new.
    """
    n = len(spaces.old)
    k = max(1, min(k, (n - 1) // 2))
    asked = None if spaces.asking else np.sort(np.random.default_rng(seed).permutation(n)[:ASKED])
    lists = _lists(spaces, asked, metric, max(k, DEPTH if spaces.expected else k))
    candidates = n - 1 if spaces.asking is None else n
    shares = {
        name: score(f"overlap@{k}", TwoLists(lists[name], lists["new"], (models[1],), models[0], candidates), seed=seed)
        for name in ("mapped", "old")
    }
    found, staying = shares["mapped"], shares["old"]
    measures = _judged(spaces, lists, seed)
    if not measures:
        verdict = _verdict(found.low, found.high, 1 - margin)
        return Recovery(found, staying, (), None, None, n, margin, verdict)
    tests = {other.models[0]: _test(measures[1], other, seed) for other in (measures[0], measures[2])}
    verdict = _verdict(tests["new"].low, tests["new"].high, -drop)
    return Recovery(found, staying, measures, tests["new"], tests["old"], n, drop, verdict)


def _lists(spaces: Spaces, asked: IntArray | None, metric: Metric, k: int) -> dict[str, Neighbors]:
    """Return the lists of the old model, of the new one, and those in between, by name."""
    rows = np.arange(len(spaces.old))
    every = spaces.old if not spaces.of_queries else spaces.new
    found = spaces.aligned.map(every, rows)  # each row by the map that did not see it
    between = scaled(found) if spaces.unit else found
    if asked is not None:
        old, new = spaces.old[asked], spaces.new[asked]
        mapped = between[asked]
    else:
        assert spaces.asking is not None
        old, new = spaces.asking
        mapped = spaces.aligned.map(new) if spaces.of_queries else new
    how = {"leave_out": asked} if asked is not None else {}
    there = {"old": exact.Index(spaces.old, metric), "new": exact.Index(spaces.new, metric)}
    middle = there["old"] if spaces.of_queries else exact.Index(between, metric)
    asking = mapped if spaces.of_queries else new
    return {
        "old": there["old"].search(old, k, **how),
        "new": there["new"].search(new, k, **how),
        "mapped": middle.search(asking, k, **how),
    }


def _judged(spaces: Spaces, lists: dict[str, Neighbors], seed: int) -> tuple[Score, ...]:
    """Return nDCG@10 of lists of vectors made anew, mapped, and of the old model; nothing without judgements."""
    if spaces.expected is None:
        return ()
    rank = name_ranks(spaces.ids)
    row_of = {name: row for row, name in enumerate(spaces.ids)}
    units = [at for at, name in enumerate(spaces.query_ids) if name in spaces.expected.judgements]
    judged = Judged.from_qrels(spaces.expected.judgements, [spaces.query_ids[at] for at in units], row_of)
    scores = []
    for name in ("new", "mapped", "old"):
        rows = trec_order(lists[name].rows[units], lists[name].similarity[units], rank)
        scores.append(score(MEASURE, JudgedLists(grade(rows, judged), (name,), len(spaces.ids)), seed=seed))
    return tuple(scores)


def _test(mapped: Score, other: Score, seed: int) -> PairedTest:
    """Return the paired test of mapped against others, query by query."""
    first, second = (np.array(each.per_query, dtype=np.float64) for each in (mapped, other))
    return paired_test(first, second, ("mapped", other.models[0]), measure=MEASURE, seed=seed, widest=1.0)


def _verdict(low: float, high: float, bar: float) -> Verdict:
    if low >= bar:
        return "good enough"
    return "not good enough" if high < bar else "undecided"
