"""The neighbours of two lists as units: which changed, which both return, and what those lists say of each."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from embdiff.measures.hubs import occurrences
from embdiff.own_rows import contains
from embdiff.records import Answer, BoolArray, IntArray, Neighbors
from embdiff.ties import entries

PERCENTILE, TIMES, TWICE, SURE = 99, 6.0, 2.0, 3.3  # of a hub: see `hubs`


@dataclass(frozen=True, eq=False)
class Units:
    """Neighbours of some queries in two lists; all arrays (m,).

    A neighbour that both lists hold stands here twice, once as seen from either list, so that whatever is asked of a
    changed neighbour, seen from the list that holds it, can be asked of it, too.

    Parameters
    ----------
    query : ndarray of int64
        Number of the query in the run, ascending within each of the four kinds.
    row : ndarray of int64
    side : ndarray of int64
        Whose list it is seen from: 0 or 1.
    changed : ndarray of bool
    """

    query: IntArray
    row: IntArray
    side: IntArray
    changed: BoolArray

    def __len__(self) -> int:
        return len(self.query)


def units_of(a: Answer, b: Answer, queries: IntArray) -> Units:
    """Return the units of some of the queries, ascending; rows marked as the query itself are left out."""
    parts = []
    for side, (here, there) in enumerate(((a, b), (b, a))):
        rows = np.where(here.is_self[queries], -1, here.returned.rows[queries])
        both = contains(there.returned.rows[queries], rows)
        for which, changed in (((rows >= 0) & ~both, True), (both, False)):
            place = np.nonzero(which)
            count = len(place[0])
            parts.append(Units(queries[place[0]], rows[place], np.full(count, side), np.full(count, changed)))
    return Units(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Units)))


def listed_in(lists: IntArray, units: Units) -> BoolArray:
    """Return whether each unit's row is in the list (q, k) of its query."""
    found: BoolArray = (lists[units.query] == units.row[:, None]).any(axis=1)
    return found


def hubs(a: Answer, b: Answer, rows: int, units: Units) -> BoolArray:
    """Return which rows are hubs of the list that they are seen from, and none of the other.

    A hub is returned to as many queries as the top percentile of the rows, and at least six times as often as a row
    is on average; to twice as many as by the other model, and to more of them than luck explains (3.3 standard
    deviations of a sign test over the queries).

    References
    ----------
    Radovanović, Nanopoulos and Ivanović, JMLR 11 (2010) 2487.
    """
    counts = [occurrences(each.returned.rows, rows) for each in (a, b)]
    found = []
    for here, there in (counts, counts[::-1]):
        often = (here >= np.percentile(here, PERCENTILE, method="higher")) & (here >= TIMES * here.mean())
        found.append(often & (here >= TWICE * there) & (here - there >= SURE * np.sqrt(here + there)))
    every: BoolArray = np.stack(found)[units.side, units.row]
    return every


def tied(a: Neighbors, b: Neighbors, units: Units) -> BoolArray:
    """Return which rows are in a tie that the end of either list cuts: in another order of equals all could change."""
    found = np.zeros(len(units), dtype=bool)
    for lists in (a, b):
        if lists.ties is None or not len(lists.ties.query):
            continue
        every = entries(lists)
        cut = np.zeros(len(lists.rows), dtype=bool)
        cut[lists.ties.query] = True
        last = cut[every.query] & (every.before == lists.ties.before[every.query, -1])
        stride = 1 + int(max(every.row.max(initial=0), units.row.max(initial=0)))
        codes = every.query[last] * stride + every.row[last]
        found |= np.isin(units.query * stride + units.row, codes)
    return found


def decided_otherwise(here: IntArray, otherwise: IntArray, units: Units) -> BoolArray:
    """Return whether one of two lists (q, k) of the same queries holds the row and the other does not."""
    found: BoolArray = listed_in(here, units) != listed_in(otherwise, units)
    return found


def knocked_on(a: Answer, b: Answer, units: Units, caused: BoolArray) -> BoolArray:
    """Return which changed units stand in one list only because rows with a cause of their own came or went.

    A row that a list lost would still be there without the rows that came into it for a cause: its exact rank there,
    less their number, is within k. A row that a list gained would have been in the other one as well, had that not
    been filled by rows that left it for a cause.
    """
    sides, found = (a, b), np.zeros(len(units), dtype=bool)
    for side in (0, 1):
        there = sides[1 - side]
        mine = np.flatnonzero(units.changed & (units.side == side) & ~caused)
        if not mine.size:  # where the lists are the same, no row has a place elsewhere
            continue
        theirs = units.changed & (units.side == 1 - side) & caused
        came = np.bincount(units.query[theirs], minlength=len(there.returned.rows))
        place = (there.elsewhere.rows[units.query[mine]] == units.row[mine, None]).argmax(axis=1)
        ranks = there.elsewhere.ranks[units.query[mine], place]
        k = there.returned.k
        found[mine] = (ranks > k) & (ranks - came[units.query[mine]] <= k)
    return found
