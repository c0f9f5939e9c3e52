"""How far query models reach in the collections of others: a warning before the lists, and the numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from embdiff.alignment import Reach
from embdiff.views.numbers import estimate, number
from embdiff.views.table import Line, Part, Table

_SHOWN, _WARNED = 4, 3
_AS_THEY_ARE = "as they are"
ABOUT = (
    "Rows of the corpus ask the collection with the query model's vectors, and with those of its own model. Counted is "
    "how many of the own neighbours are found again, the row itself left out, and whether it finds itself first. By "
    "luck: the same where each row is given the list of another, as rows that everybody finds are found by luck, too."
)
FITTED = (
    "Maps are fitted on rows that both models encoded, equal ones counted once, both spaces centred{unit}. A row that "
    "is counted, or that asks, is mapped by one of five maps that did not see it; other queries by a map of all rows."
)


def reaching(reaches: Sequence[Reach]) -> Iterator[Part]:
    """Yield warnings, then one small table; nothing where no model asks another's collection."""
    found = warnings(reaches)
    yield from (Line(each, "bold") for each in found[:_WARNED])
    if len(found) > _WARNED:
        yield Line(f"{len(found) - _WARNED} more such warnings: --only reach", "bold")
    if not reaches:
        return
    shown = sorted(reaches, key=lambda each: each.recovery.value)[:_SHOWN]
    rows = tuple((f"{each.query_model} → {each.model}", each.method or _AS_THEY_ARE, *_counts(each)) for each in shown)
    hidden = len(reaches) - len(rows)
    more = (f"The lowest of {len(reaches)}; all of them: --only reach",) if hidden else ()
    if found:
        yield Line("")
    yield Table(f"Own neighbours found by another model's queries, of {shown[0].k}", (), rows, more)


def _counts(each: Reach) -> tuple[str, ...]:
    value, low, high = (each.k * end for end in (each.recovery.value, each.recovery.low, each.recovery.high))
    return f"{value:.1f}", f"[{low:.1f}, {high:.1f}]", f"chance {each.k * each.bar:.1f}", f"n = {each.recovery.n:,}"


def warnings(reaches: Sequence[Reach]) -> list[str]:
    """Return what must be known before lists are read, the worst first; nothing where most neighbours are found."""
    wrong = sorted((each for each in reaches if each.verdict != "most"), key=lambda each: each.recovery.value)
    return [_warning(each) for each in wrong]


def _warning(each: Reach) -> str:
    way = "asked as they are" if each.method is None else f"mapped by {each.method}, fitted on {each.rows:,} rows"
    about = _in_words(each, " neighbours are found again")
    if each.verdict == "few":
        return f"Take the lists of {each.model} asked with {each.query_model} with care: {way}, {about}."
    remedy = "A map may lead there: --align procrustes." if each.method is None else "More rows to fit on may help."
    return (
        f"The lists of {each.model} asked with {each.query_model} mean nothing: {way}, {about}, no more than by "
        f"chance. {remedy}"
    )


def _in_words(each: Reach, what: str = "") -> str:
    """Return how many neighbours are found again, with interval, chance and n."""
    found, low, high = (each.k * end for end in (each.recovery.value, each.recovery.low, each.recovery.high))
    return (
        f"{found:.1f} of {each.k}{what} (95 % {low:.1f} to {high:.1f}, chance {each.k * each.bar:.1f}, "
        f"n = {each.recovery.n:,})"
    )


def far(reaches: Sequence[Reach]) -> Iterator[str]:
    """Yield how far those reach that are worth no warning; nothing where there are none."""
    fine = [each for each in reaches if each.verdict == "most"]
    named = "; ".join(
        f"{each.query_model} in {each.model} {_in_words(each)}, {each.method or _AS_THEY_ARE}" for each in fine
    )
    if fine:
        yield f"Own neighbours that another model's queries find again: {named}."


def reach_tables(reaches: Sequence[Reach]) -> Iterator[Table]:
    """Yield every number of how far query models reach, and of the maps."""
    if not reaches:
        return
    rows = tuple(
        (
            each.query_model,
            each.model,
            each.method or _AS_THEY_ARE,
            *(
                f"{estimate(score.value, score.low, score.high, 2, 2)} {number(chance, 3)}"
                for score, chance in (
                    (each.recovery, each.recovery.chance),
                    (each.self_retrieval, each.self_retrieval.chance),
                )
            ),
            number(each.by_luck),
            f"{each.recovery.n:,}",
        )
        for each in reaches
    )
    head = (
        "asked with",
        "collection",
        "map",
        f"{reaches[0].recovery.measure} [95 %] chance",
        "finds itself [95 %] chance",
        "by luck",
        "n",
    )
    yield Table("How far query models reach in the collections of others", head, rows, (*warnings(reaches), ABOUT))
    fitted = tuple(
        (
            each.query_model,
            each.model,
            f"{each.method}: {each.dims[0]} to {each.dims[1]}",
            *(f"{number:,}" for number in (each.rows, each.rank)),
            "" if math.isnan(each.scale) else f"{each.scale:.4g}",
            "" if math.isnan(each.penalty) else f"{each.penalty:.4g}",
        )
        for each in reaches
        if each.method
    )
    if fitted:
        unit = ", vectors brought to length 1 first" if reaches[0].unit else ""
        head = ("asked with", "collection", "map and dimensions", "rows", "rank", "scale", "penalty")
        yield Table("The maps", head, fitted, (FITTED.format(unit=unit),))
