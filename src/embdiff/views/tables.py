"""What stands in which table, as plain text: the terminal and the notebook draw the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embdiff.views.encoding_table import encoding_table
from embdiff.views.geometry_tables import calibration_tables, geometry_tables
from embdiff.views.noise_tables import noise_tables
from embdiff.views.table import Table
from embdiff.views.threshold_tables import similarity_tables
from embdiff.views.words import number, seconds_text, visible

_AGREEMENT = {
    "": ("overlap", "jaccard"),
    "without the index (exact neighbours)": ("exact_overlap", "exact_jaccard"),
}
_GRIDS = {
    "self_retrieval": "Does a query find itself? Share of queries whose own row comes first",
    "index_recall": "What the index lost: share of the exact neighbours that it returned",
    "expected_hit": "Expected results: share of queries with one among their neighbours",
}

_WIDEST_MATRIX, _MOST_TESTS = 8, 24


def summary_tables(payload: Mapping[str, Any]) -> list[Table]:
    """Return every table below the neighbours themselves, in order."""
    return [
        *_agreement_tables(payload),
        *noise_tables(payload),
        *geometry_tables(payload),
        *calibration_tables(payload),
        *similarity_tables(payload["similarities"]),
        *_grid_tables(payload),
        *_mutual_table(payload),
        *_group_tables(payload),
        *_time_tables(payload),
    ]


def score_text(score: Mapping[str, Any]) -> str:
    """Return value, interval and chance in one cell; the reason when there is no value."""
    if score["value"] is None:
        return f"n/a ({score['reason']})"
    return f"{number(score['value'], 2)} [{number(score['low'], 2)}, {number(score['high'], 2)}] {_chance(score)}"


def _chance(score: Mapping[str, Any]) -> str:
    return number(score["chance"], 2)


def _scores(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [score for score in payload["scores"] if score["measure"].partition("@")[0] == name]


def _counted(scores: Sequence[Mapping[str, Any]]) -> str:
    """Return how many queries stand behind the scores."""
    counts = sorted({score["n"] for score in scores})
    return f"n = {counts[0]:,}" if len(counts) == 1 else f"n = {counts[0]:,} to {counts[-1]:,}"


def _reasons(scores: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{score['measure']}: {score['reason']}" for score in scores if score["reason"]))


def _agreement_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    for how, names in _AGREEMENT.items():
        columns = [_scores(payload, name) for name in names]
        if not columns[0]:
            continue
        rows, asked = [], None
        for line in zip(*columns, strict=True):
            by = line[0]["query_model"]
            if by != asked:
                rows.append((f"asked with {by}", *("" for _ in line)))
                asked = by
            rows.append((" | ".join(line[0]["models"]), *map(score_text, line)))
        title = f"Agreement of neighbours between collections{', ' + how if how else ''}; {_counted(columns[0])}"
        head = ("collections", *(f"{column[0]['measure']} [95 %] chance" for column in columns))
        yield Table(title, head, tuple(rows), _reasons([score for column in columns for score in column]))


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
        title = f"{words}; {scores[0]['measure']} [95 %] chance, {_counted(scores)}"
        yield Table(title, ("asked with", *collections), rows, _reasons(scores))


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
        if len(mixing["groups"]) > _WIDEST_MATRIX:
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
    if len({test["group"] for test in tests}) > _WIDEST_MATRIX:
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
    yield Table(title, ("asked with", "collection", "first", "warm"), rows, _short_lists(searches))


def _short_lists(searches: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{row['model']} asked with {row['query_model']}: {row['short_lists']:,} of {row['queries']:,} lists came back "
        "shorter than k (the index probed too few rows)"
        for row in searches
        if row["short_lists"]
    )
