"""From what was looked for at each neighbour to what counts: changed ones against those that both models return."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from embdiff.causes.records import CAUSES, ODDS, Cause, Example, Name, Slice, Why
from embdiff.causes.units import Units, knocked_on
from embdiff.measures.by_group import group_means
from embdiff.measures.statistics.contrasts import against_the_rest, contrasts
from embdiff.measures.statistics.quantiles import Doubles, false_discovery, holm
from embdiff.records import Answer, BoolArray, IntArray

_EXAMPLES = 3
_SLICES = 200  # the largest that are looked at


@dataclass(frozen=True, eq=False)
class Seen:
    """Which units have a cause.

    Parameters
    ----------
    has : ndarray of bool, shape (m,)
    known : ndarray of bool, shape (m,), or None
        Where that is known; None: everywhere.
    note : str or None
        What was looked at.
    instead : ndarray of int64, shape (m,), or None
        The near copy in the other list, -1 for none.
    """

    has: BoolArray
    known: BoolArray | None = None
    note: str | None = None
    instead: IntArray | None = None


def explained(
    a: Answer, b: Answer, queries: IntArray, units: Units, seen: Mapping[Name, Seen | str],
    by: Mapping[str, Sequence[str]], *, seed: int, query_model: str | None = None,
) -> Why:  # fmt: skip
    """Say why two lists differ.

    Parameters
    ----------
    a, b : Answer
    queries : ndarray of int64, shape (s,)
        Which were looked at, ascending.
    units : Units
        Of these queries.
    seen : mapping of cause to Seen or str
        Where each cause is; or why it was not looked for.
    by : mapping of str to sequence of str, length s
        Properties of the queries to slice by, "" where unknown.
    seed : int
        Of intervals and tests.
    query_model : str, optional
    """
    at = np.searchsorted(queries, units.query)
    causes, bits = _counted(a, b, units, at, len(queries), seen, seed)
    moved = knocked_on(a, b, units, bits > 0)
    bits |= moved.astype(np.int64) << len(CAUSES)
    total = contrasts([_table(Seen(bits > 0), units, at, len(queries))], seed=seed)[0]
    having = np.flatnonzero(bits)
    having = having[np.lexsort((units.side[having], units.query[having]))]
    return Why(
        models=(a.model, b.model),
        query_model=query_model,
        queries=len(queries),
        of=len(a.returned.rows),
        lost=int((units.changed & (units.side == 0)).sum()),
        gained=int((units.changed & (units.side == 1)).sum()),
        kept=int((~units.changed).sum()) // 2,
        causes=tuple(sorted(causes, key=_rank)),
        knock_on=float(moved[units.changed].mean()) if units.changed.any() else math.nan,
        explained=total.share,
        low=total.low,
        high=total.high,
        slices=slices(_changed(units, at, len(queries)), by, seed=seed),
        query=units.query[having],
        row=units.row[having],
        bits=bits[having],
    )


def _counted(
    a: Answer, b: Answer, units: Units, at: IntArray, queries: int, seen: Mapping[Name, Seen | str], seed: int
) -> tuple[list[Cause], IntArray]:
    """Return every cause with its shares, and for each unit (m,) the bits of the likely causes that it has."""
    looked = {name: each for name, each in seen.items() if isinstance(each, Seen)}
    tables = [_table(each, units, at, queries) for each in looked.values()]
    found = dict(zip(looked, contrasts(tables, seed=seed), strict=True))
    adjusted = dict(zip(found, holm([each.p for each in found.values()]), strict=True))
    causes, bits = [], np.zeros(len(units), dtype=np.int64)
    for number, name in enumerate(CAUSES):
        told = seen.get(name)
        if told is None:
            continue
        if isinstance(told, str):
            causes.append(Cause(name, False, None, math.nan, math.nan, math.nan, told))
            continue
        each, p = found[name], float(adjusted[name])
        sides = [_share(told, units.changed & (units.side == side)) for side in (0, 1)]
        cause = Cause(name, False, each, sides[0], sides[1], p, told.note)
        if cause.more:
            likely = each.odds >= ODDS
            bits |= (likely & told.has & units.changed).astype(np.int64) << number
            cause = replace(cause, counts=likely, examples=_examples(a, b, units, told))
        causes.append(cause)
    return causes, bits


def _rank(cause: Cause) -> tuple[bool, bool, bool, float]:
    """Order causes: those that count, by share; those more frequent; those looked for; the others."""
    found = cause.found
    return (
        not cause.counts,
        not cause.more,
        found is None,
        -(found.share if found and math.isfinite(found.share) else -1.0),
    )


def _table(seen: Seen, units: Units, at: IntArray, queries: int) -> Doubles:
    """Return what `contrasts` takes of a cause; a neighbour that both lists hold counts half from either side."""
    known = np.ones(len(units), dtype=bool) if seen.known is None else seen.known
    return np.stack(
        [
            weight * np.bincount(at[which], minlength=queries)
            for kind, weight in ((units.changed, 1.0), (~units.changed, 0.5))
            for which in (kind & known & seen.has, kind & known)
        ]
    )


def _share(seen: Seen, which: BoolArray) -> float:
    which = which if seen.known is None else which & seen.known
    return float(seen.has[which].mean()) if which.any() else math.nan


def _examples(a: Answer, b: Answer, units: Units, seen: Seen) -> tuple[Example, ...]:
    """Return changed neighbours that have the cause: those that stood highest, of different queries."""
    which = np.flatnonzero(units.changed & seen.has & (True if seen.known is None else seen.known))
    rank = np.empty(len(which), dtype=np.int64)
    for side, answer in enumerate((a, b)):
        mine = units.side[which] == side
        unit = which[mine]
        rank[mine] = (answer.returned.rows[units.query[unit]] == units.row[unit, None]).argmax(axis=1)
    found: dict[int, Example] = {}
    for unit in which[np.lexsort((units.query[which], rank))].tolist():
        if len(found) == _EXAMPLES:
            break
        other = -1 if seen.instead is None else int(seen.instead[unit])
        query, model = int(units.query[unit]), (a, b)[units.side[unit]].model
        found.setdefault(query, Example(query, int(units.row[unit]), model, None if other < 0 else other))
    return tuple(found.values())


def _changed(units: Units, at: IntArray, queries: int) -> Doubles:
    """Return the share of each query's neighbours that changed, (s,); NaN where there are none."""
    changed = np.bincount(at[units.changed], minlength=queries)
    every = np.bincount(at, minlength=queries)  # what both hold stands here twice, as one of either list
    with np.errstate(invalid="ignore"):
        return np.asarray(changed / every)


def slices(changed: npt.ArrayLike, by: Mapping[str, Sequence[str]], *, seed: int) -> tuple[Slice, ...]:
    """Return the slices of the queries in which more changed than elsewhere, or looked so; the surest first.

    Parameters
    ----------
    changed : array of float, shape (s,)
        Share of the neighbours of each query that changed; NaN is left out.
    by : mapping of str to sequence of str, length s
        Slices of fewer than 5 queries, and of all but 5, are left out; of very many the 200 largest are looked at.
    seed : int

    References
    ----------
    Benjamini and Hochberg, JRSS B 57 (1995) 289, over all slices.
    """
    every = np.asarray(changed, dtype=np.float64)
    there = ~np.isnan(every)
    values, named = every[there], list[tuple[str, str, int, float, float, float]]()
    inside: list[BoolArray] = []
    for name, column in by.items():
        of = np.array(column, dtype=object)[there]
        for each in group_means(values[:, None], list(of), seed=seed, bounds=(0.0, 1.0)):
            if each.group and len(each.rows) <= len(values) - 5:
                named.append((name, each.group, len(each.rows), each.mean, each.low, each.high))
                inside.append(np.asarray(of == each.group))
    largest = sorted(range(len(named)), key=lambda at: -named[at][2])[:_SLICES]
    if not largest:
        return ()
    differences, p = against_the_rest(values, np.stack([inside[at] for at in largest]), seed=seed)
    adjusted = false_discovery(p)
    found = [
        Slice(*named[at], named[at][3] - float(more), float(one), float(other))
        for at, more, one, other in zip(largest, differences, p, adjusted, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (each.p_adjusted, -each.low)))
