"""What stands in which table, as plain text: the terminal and the notebook draw the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from embdiff.lexical import BM25
from embdiff.views.agreement_tables import LABELLED, agreement_tables, counted, reasons, score_text
from embdiff.views.disputed_tables import disputed_tables
from embdiff.views.encoding_table import encoding_table
from embdiff.views.figures import WIDEST_MATRIX
from embdiff.views.geometry_tables import base_name, calibration_tables, geometry_tables
from embdiff.views.noise_tables import noise_tables
from embdiff.views.scored import change_table, difference_table, score_table
from embdiff.views.table import Table
from embdiff.views.threshold_tables import similarity_tables
from embdiff.views.words import number, seconds_text, visible

_GRIDS = {
    "self_retrieval": "Does a query find itself? Share of queries whose own row comes first",
    "index_recall": "What the index lost: share of the exact neighbours that it returned",
    "expected_hit": "Expected results: share of queries with one among their neighbours",
}

_MOST_TESTS = 24


def summary_tables(payload: Mapping[str, Any]) -> list[Table]:
    """Return every table below the neighbours themselves, in order."""
    return [
        *agreement_tables(payload),
        *noise_tables(payload),
        *disputed_tables(payload),
        *geometry_tables(payload),
        *calibration_tables(payload),
        *similarity_tables(payload["similarities"]),
        *_grid_tables(payload),
        *_expected_tables(payload),
        *_mutual_table(payload),
        *_group_tables(payload),
        *_time_tables(payload),
    ]


def _scores(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [score for score in payload["scores"] if score["measure"].partition("@")[0] == name]


def _grid_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Query models down, collections across."""
    for name, words in _GRIDS.items():
        scores = _scores(payload, name)
        if not scores:
            continue
        collections = list(dict.fromkeys(score["models"][0] for score in scores))
        crossed = bool(payload["settings"]["query_models"])
        lines: dict[str, dict[str, str]] = {}
        for score in scores:
            by = score["query_model"] if crossed else "its own model"
            lines.setdefault(by, {})[score["models"][0]] = score_text(score)
        rows = tuple((by, *(cells.get(model, "") for model in collections)) for by, cells in lines.items())
        title = f"{words}; {scores[0]['measure']} [95 %] chance, {counted(scores)}"
        yield Table(title, ("asked with", *collections), rows, reasons(scores))


def _expected_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield, for each query model, the scores by the expected results and the differences between collections."""
    scores = [score for score in payload["scores"] if base_name(score["measure"]) in LABELLED]
    asked = [score["query_model"] for score in scores if score["models"] != [BM25]]
    for asks in dict.fromkeys(asked):
        mine = [score for score in scores if score["query_model"] == asks or score["models"] == [BM25]]
        differences = [each for each in payload["differences"] if each["query_model"] == asks]
        by = f", asked with {asks}" if asks else ""
        yield replace(score_table(mine, differences), title=f"Expected results as judgements{by}")
        yield from (difference_table(each, "queries") for each in differences[:1])
        yield from change_table([each for each in payload["changes"] if each["query_model"] == asks], "queries")


def _mutual_table(payload: Mapping[str, Any]) -> Iterator[Table]:
    if payload["mutual"]:
        head = ("collection", "asked with", "find each other", "one way only", "neither")
        rows = tuple(
            (row["model"], row["query_model"], *(f"{count:,}" for count in (len(row["both"]), len(row["one_way"]))),
             f"{row['neither']:,}")
            for row in payload["mutual"]
        )  # fmt: skip
        yield Table("Pairs of queries that find each other", head, rows)


def _group_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    yield from _mixing_tables(payload)
    yield from _absence_table(payload["groups"]["tests"])


def _mixing_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    k = payload["groups"]["k"]
    for model, mixing in payload["groups"]["mixing"].items():
        if len(mixing["groups"]) > WIDEST_MATRIX:
            continue
        names = tuple(map(visible, mixing["groups"]))
        rows = tuple(
            (name, *(f"{number(a, 2)} ({number(b, 2)})" for a, b in zip(shares, chances, strict=True)))
            for name, shares, chances in zip(names, mixing["share"], mixing["chance"], strict=True)
        )
        title = f"{model}: groups among the {k} nearest rows of every row (chance)"
        yield Table(title, ("group of the query", *names), rows)


def _absence_table(tests: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    if not tests:
        return
    shown = tests
    hidden: tuple[str, ...] = ()
    if len(tests) > _MOST_TESTS:
        shown = sorted(tests, key=lambda test: 2.0 if test["p"] is None else test["p"])[:_MOST_TESTS]
        hidden = (f"The {len(shown)} with the smallest p of {len(tests):,}; all of them are in groups.json.",)
    if len({test["group"] for test in tests}) > WIDEST_MATRIX:
        hidden = (*hidden, "With so many groups the matrix of groups is not shown here; it is in groups.json.")
    rows = tuple(
        (
            test["model"],
            visible(test["group"]),
            *(number(test[key], 2) for key in ("ratio", "observed", "expected")),
            *(number(test[key], 4) for key in ("p", "p_holm")),
        )
        for test in shown
    )
    remarks = (
        *hidden,
        "ratio: how often rows of the group are returned to queries of other groups, against how often those "
        "groups' rows are (1 = as often). One-sided permutation test: which rows make up the group is shuffled, "
        f"{tests[0]['permutations']:,} times; Holm over all groups and models.",
        *dict.fromkeys(f"{test['group']}: {test['reason']}" for test in shown if test["reason"]),
    )
    head = ("model", "group", "ratio", "share", "expected", "p", "p (Holm)")
    yield Table("Does a group turn up less among the results of the others?", head, rows, remarks)


def _time_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    steps = list(dict.fromkeys(step for model in payload["models"] for step in model["seconds"]))
    rows = tuple(
        (
            model["model"] + (" (reused)" if model["collection"] and model["collection"]["reused"] else ""),
            *(seconds_text(model["seconds"].get(step)) for step in steps),
        )
        for model in payload["models"]
    )
    title = f"Time to load the model, encode {payload['corpus']['rows']:,} rows, and put them into the database"
    yield Table(title, ("model", *(step.replace("_", " ") for step in steps)), rows)
    yield from encoding_table(payload["models"])
    searches = payload["searches"]
    rows = tuple(
        (row["query_model"], row["model"], seconds_text(row["seconds"]["first"]), seconds_text(row["seconds"]["warm"]))
        for row in searches
    )
    few = int(searches[0]["seconds"]["warm_queries"])
    title = f"Time to search: one call with {searches[0]['queries']:,} queries, then (warm) calls with {few:,}"
    yield Table(
        title, ("asked with", "collection", "first", "warm"), rows, (*_earlier(searches), *_short_lists(searches))
    )


def _earlier(searches: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{row['model']} asked with {row['query_model']}: not asked again. Its lists and times are of "
        f"{row['asked']}, when the same collection was asked with the same vectors."
        for row in searches
        if row.get("asked")
    )


def _short_lists(searches: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{row['model']} asked with {row['query_model']}: {row['short_lists']:,} of {row['queries']:,} lists came back "
        "shorter than k (the index probed too few rows)"
        for row in searches
        if row["short_lists"]
    )
