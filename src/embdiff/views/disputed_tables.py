"""Tables of what the models disagree about most: a few queries and a few rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from embdiff.views.table import Table
from embdiff.views.words import number, shortened, visible

_SHOWN, _TEXT, _LISTED = 5, 60, 3


def disputed_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the most disputed queries, then the rows that the models return most differently often."""
    found = payload["disagreement"]
    if found:
        yield from _queries(found)
        yield from _rows(found)


def _queries(found: Mapping[str, Any]) -> Iterator[Table]:
    queries = found["queries"][:_SHOWN]
    if queries:
        chance = "" if found["chance"] is None else f" Unrelated lists: {number(found['chance'], 2)} on average."
        rows = tuple((_named(query), number(query["value"], 2), number(query["overlap"], 2)) for query in queries)
        remark = f"by rbo: {found['queries_by']}; by overlap: mean of 1 - overlap. 0: the same lists.{chance}"
        yield Table(f"Most disputed queries of {found['n']:,}", ("query", "by rbo", "by overlap"), rows, (remark,))


def _rows(found: Mapping[str, Any]) -> Iterator[Table]:
    items = [entry for entry in found["items"][:_SHOWN] if entry["value"] > 0]
    if items:
        rows = tuple(
            (_named(entry), _returned(entry), f"{entry['only_one']:,}", number(entry["place_change"], 1))
            for entry in items
        )
        remark = (
            f"By {found['items_by']}. only one: of two collections, how often just one returned it. moved: mean "
            "difference of its places. All queries and rows in this order: --json (disagreement). The first of many "
            "stand out by luck as well."
        )
        head = ("row", "returned to", "only one", "moved")
        yield Table("Rows that are returned most differently often", head, rows, (remark,))


def _named(entry: Mapping[str, Any]) -> str:
    return f"{visible(entry['id'])}: {shortened(entry['text'], _TEXT)}"


def _returned(entry: Mapping[str, Any]) -> str:
    """Return to how many queries each collection returns a row; of many, the most and the fewest."""
    counts = sorted(entry["returned"], key=lambda each: -each["queries"])
    shown = counts if len(counts) <= _LISTED else [counts[0], counts[-1]]
    crossed = len({each["model"] for each in counts}) < len(counts)
    return ", ".join(_count(each, crossed) for each in shown)


def _count(each: Mapping[str, Any], crossed: bool) -> str:
    by = f" asked with {visible(each['query_model'])}" if crossed else ""
    return f"{each['queries']:,} {visible(each['model'])}{by}"
