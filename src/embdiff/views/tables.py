"""What stands in which table, in order: the terminal, the notebook and the page draw the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from embdiff.headline import in_measure
from embdiff.measures import GroupTest
from embdiff.measures.mixing import Mixing, joined
from embdiff.views.agreement_tables import GROUPED, JUDGED, agreement_tables, grid_tables, needing, noise_tables
from embdiff.views.costs import cost_tables
from embdiff.views.disputed import DisputedItem, DisputedQuery, Returned
from embdiff.views.facts import Encoding, Facts, Model, Search
from embdiff.views.labelled_tables import change_table, difference_table, score_table
from embdiff.views.numbers import estimate, number, seconds_text
from embdiff.views.reaching import reach_tables
from embdiff.views.space_tables import calibration_tables, geometry_tables, similarity_tables
from embdiff.views.table import Table, named, pivoted
from embdiff.views.words import by_p, by_reason, shortened, undecided_words

_WIDEST_MATRIX, _MOST_READ = 8, 12  # groups; of more nobody reads a matrix
_CLUSTERED = (
    "Clusters are a proposal: k-means on the vectors of all models side by side, about sqrt(rows / 2) of them. A name "
    "is the words that stand in it more than elsewhere (class-based TF-IDF)."
)
_MOST_TESTS, _DISPUTED, _TEXT, _LISTED = 24, 5, 60, 3
_MEBIBYTE = 2**20


def summary_tables(facts: Facts) -> list[Table]:
    """Return every table below the neighbours themselves, in order."""
    return [table for part in PARTS.values() for table in part(facts)]


def _disputed_tables(facts: Facts) -> Iterator[Table]:
    """Yield the most disputed queries, then the rows that the models return most differently often."""
    found = facts.disagreement
    if found and found.queries:
        chance = f" Unrelated lists: {number(found.chance, 2)} on average." if math.isfinite(found.chance) else ""
        queries = tuple(
            (_named(each), number(each.value, 2), number(each.overlap, 2)) for each in found.queries[:_DISPUTED]
        )
        remark = f"by rbo: {found.queries_by}; by overlap: mean of 1 - overlap. 0: the same lists.{chance}"
        yield Table(f"Most disputed queries of {found.n:,}", ("query", "by rbo", "by overlap"), queries, (remark,))
    items = [each for each in found.items[:_DISPUTED] if each.value > 0] if found else []
    if found and items:
        rows = tuple(
            (_named(each), _returned(each.returned), f"{each.only_one:,}", number(each.place_change, 1))
            for each in items
        )
        remark = (
            f"By {found.items_by}. only one: of two collections, how often just one returned it. moved: mean "
            "difference of its places. All queries and rows in this order: --json (disagreement). The first of many "
            "stand out by luck as well."
        )
        head = ("row", "returned to", "only one", "moved")
        yield Table("Rows that are returned most differently often", head, rows, (remark,))


def _named(entry: DisputedQuery | DisputedItem) -> str:
    return named(entry.id, shortened(entry.text, _TEXT))


def _returned(returned: Sequence[Returned]) -> str:
    """Return to how many queries each collection returns a row; of many, the most and the fewest."""
    counts = sorted(returned, key=lambda each: -each.queries)
    shown = counts if len(counts) <= _LISTED else [counts[0], counts[-1]]
    crossed = len({each.model for each in counts}) < len(counts)
    return ", ".join(
        f"{each.queries:,} {each.model}" + (f" asked with {each.query_model}" if crossed else "") for each in shown
    )


def _labelled_tables(facts: Facts, needs: str, titled: str) -> Iterator[Table]:
    """Yield, for each query model, the scores by labels of one kind and the differences between collections."""
    scores = needing(facts.run.scores, needs)
    measures = {score.measure for score in scores}
    beside = {(each.model,) for each in facts.run.beside}
    for asks in dict.fromkeys(score.query_model for score in scores if score.models not in beside):
        mine = [score for score in scores if score.query_model == asks or score.models in beside]
        differences = [each for by, each in facts.run.differences if by == asks and each.measure in measures]
        asked = f", asked with {asks}" if asks else ""
        yield score_table(mine, differences, f"{titled}{asked}")
        yield from (difference_table(each, "queries") for each in differences[:1])
        changes = [each for by, each in facts.run.changes if by == asks and each.measure in measures]
        yield from change_table(changes, "queries")


def _mutual_table(facts: Facts) -> Iterator[Table]:
    rows = tuple(
        (each.model, each.query_model, *(f"{count:,}" for count in (len(each.both), len(each.one_way), each.neither)))
        for each in facts.mutual
    )
    if rows:
        head = ("collection", "asked with", "find each other", "one way only", "neither")
        yield Table("Pairs of queries that find each other", head, rows)


def _group_tables(facts: Facts) -> Iterator[Table]:
    yield from _labelled_tables(facts, GROUPED, "Groups as weak labels: neighbours of the query's own group")
    yield from _gap_table(facts)
    yield from _mixing_tables(facts)
    yield from _absence_table(facts.run.tests)


def _gap_table(facts: Facts) -> Iterator[Table]:
    """Yield the groups in which two models differ most surely, by the measure of the headline."""
    found, measure = facts.run.headline.where, facts.run.headline.measure
    if not found or measure is None:
        return
    rows = tuple(
        (
            each.group,
            f"{each.n:,}",
            " | ".join(
                f"{model} {in_measure(value, measure)}" for model, value in zip(each.models, each.values, strict=True)
            ),
            estimate(each.difference, each.low, each.high, 2, 2),
            number(each.p_adjusted, 4),
        )
        for each in found[:_MOST_TESTS]
    )
    remarks = (
        *_surest_of(found),
        "Ordered by the end of the interval that is nearer to 0: the largest gap of many is luck. p: paired "
        "randomisation test, false discovery rate (Benjamini and Hochberg) over all groups and pairs.",
    )
    head = ("group", "n", "models", "difference [95 %]", "p")
    yield Table(f"Groups of queries by the gap between two models, {measure}", head, rows, remarks)


def _surest_of(found: Sequence[object]) -> list[str]:
    over = len(found) > _MOST_TESTS
    return [f"The {_MOST_TESTS} surest of {len(found):,}; all of them are in headline.json."] if over else []


def _part_tables(facts: Facts) -> Iterator[Table]:
    """Yield the groups or suggested clusters in which two models share the fewest neighbours."""
    found, parts = facts.run.headline.by_part, facts.run.parts
    if not found:
        return
    size = dict(zip(parts.names, np.bincount(parts.of_row, minlength=len(parts.names)).tolist(), strict=True))
    rows = tuple(
        (
            str(each.part),
            f"{size.get(str(each.part), 0):,}",
            f"{each.n:,}",
            " | ".join(each.models),
            estimate(each.value, each.low, each.high, 1, 1),
        )
        for each in found[:_MOST_TESTS]
    )
    remarks = (
        *_surest_of(found),
        "Ordered by the upper end of the interval: the lowest of many numbers is luck. A query's own row is not "
        "counted.",
        *([] if parts.by == "groups" else [_CLUSTERED]),
    )
    what = "group" if parts.by == "groups" else "suggested cluster"
    title = f"Neighbours in common by {what}, of {found[0].of} (chance {number(found[0].chance, 1)})"
    yield Table(
        title, (what.removeprefix("suggested "), "rows", "queries", "models", "in common [95 %]"), rows, remarks
    )


def _mixing_tables(facts: Facts) -> Iterator[Table]:
    k = min(facts.run.config.k, len(facts.run.corpus) - 1)
    if any(len(every.groups) > _MOST_READ for every in facts.run.mixings.values()):
        yield _own_shares(facts.run.mixings, k)
        return
    for model, every in facts.run.mixings.items():
        mixing = joined(every, _WIDEST_MATRIX)
        rows = tuple(
            (name, *(f"{number(a, 2)} ({number(b, 2)})" for a, b in zip(shares, chances, strict=True)))
            for name, shares, chances in zip(mixing.groups, mixing.share, mixing.chance, strict=True)
        )
        title = f"{model}: groups among the {k} nearest rows of every row (chance)"
        few = f"The {_WIDEST_MATRIX - 1} largest of {len(every.groups):,} groups; all of them are in groups.json."
        yield Table(title, ("group of the query", *mixing.groups), rows, () if mixing is every else (few,))


def _own_shares(mixings: Mapping[str, Mixing], k: int) -> Table:
    """Return of each group the share of its own among its nearest rows, the group that finds itself least first."""
    first = next(iter(mixings.values()))
    names, chance = first.groups, np.diagonal(first.chance)
    shares = np.array([np.diagonal(each.share) for each in mixings.values()], dtype=np.float64)
    order = np.argsort(shares.mean(axis=0), kind="stable")
    rows = tuple(
        (names[at], *(number(share, 2) for share in shares[:, at]), number(chance[at], 2)) for at in order[:_MOST_TESTS]
    )
    few = f"The {len(rows)} that find themselves least, of {len(names):,}; all shares are in groups.json."
    title = f"Share of the {k} nearest rows of a group's rows that are of the same group"
    return Table(title, ("group", *mixings, "chance"), rows, (few,) if len(rows) < len(names) else ())


def _absence_table(tests: Sequence[tuple[str, GroupTest]]) -> Iterator[Table]:
    if not tests:
        return
    shown, hidden = tests, list[str]()
    if len(tests) > _MOST_TESTS:
        shown = by_p(tests)[:_MOST_TESTS]
        hidden.append(f"The {len(shown)} with the smallest p of {len(tests):,}; all of them are in groups.json.")
    rows = tuple(
        (
            model,
            test.group,
            *(number(value, 2) for value in (test.ratio, test.observed, test.expected)),
            *(number(value, 4) for value in (test.p, test.p_holm)),
        )
        for model, test in shown
    )
    few, most = (pick(test.permutations for _, test in tests) for pick in (min, max))
    drawn = f"{few:,} times" if few == most else f"{few:,} times, for rare groups {most:,}"
    remarks = (
        *hidden,
        "ratio: how often rows of the group are returned to queries of other groups, against how often those "
        "groups' rows are (1 = as often). One-sided permutation test: which rows make up the group is shuffled, "
        f"{drawn}; Holm over all groups and models.",
        *undecided_words(tests),
        *by_reason((test.reason, test.group) for _, test in shown),
    )
    head = ("model", "group", "ratio", "share", "expected", "p", "p (Holm)")
    yield Table("Does a group turn up less among the results of the others?", head, rows, remarks)


def _time_tables(facts: Facts) -> Iterator[Table]:
    yield from cost_tables(facts)
    models, searches = facts.manifest.models, facts.manifest.searches
    cells = []
    for model in models:
        named = model.model + (" (reused)" if model.collection and model.collection.reused else "")
        cells += [("", named, step.replace("_", " "), seconds_text(took)) for step, took in model.seconds.items()]
    title = f"Time to load the model, encode {len(facts.run.corpus):,} rows, and put them into the database"
    yield from pivoted(title, "model", cells)
    yield from encoding_table(models)
    rows = tuple(
        (each.query_model, each.model, seconds_text(each.seconds["first"]), seconds_text(each.seconds["warm"]))
        for each in searches
    )
    few = int(searches[0].seconds["warm_queries"] or 0)
    counts = [each.store_queries for each in searches]
    asked = " to ".join(f"{count:,}" for count in dict.fromkeys((min(counts), max(counts))))
    title = f"Time to search: one call with {asked} queries, then (warm) calls with {few:,}"
    yield Table(title, ("asked with", "collection", "first", "warm"), rows, tuple(_search_remarks(searches)))


def _search_remarks(searches: Sequence[Search]) -> Iterator[str]:
    for each in searches:
        if each.asked:
            yield (
                f"{each.model} asked with {each.query_model}: not asked again. Its lists and times are of "
                f"{each.asked}, when the same collection was asked with the same vectors."
            )
    few = [each for each in searches if each.store_queries < each.queries]
    if few:
        yield (
            f"Of an exact index the database was asked {few[0].store_queries:,} of {few[0].queries:,} queries, drawn "
            "at random (--store-queries), and gave the similarities of the exact answer: the lists are that answer."
        )
    for each in searches:
        if each.short_lists:
            yield (
                f"{each.model} asked with {each.query_model}: {each.short_lists:,} of {each.queries:,} lists came back "
                "shorter than k (the index probed too few rows)"
            )


def encoding_table(models: Sequence[Model]) -> Iterator[Table]:
    """Yield what encoding cost: rates, padding, texts cut by the model, memory."""
    told = [(model.model, model.encoding) for model in models if model.encoding]
    if not told:
        return
    rows = tuple(
        (
            name,
            _count(done.texts_per_second),
            _count(done.tokens_per_second),
            "" if done.padded_per_token is None else f"{done.padded_per_token:.3f}",
            "" if done.truncated is None else f"{done.truncated:,} ({100 * (done.truncated_share or 0.0):.1f} %)",
            f"{_count(done.bytes_per_vector)} / {_count(done.bytes_kept)}".removesuffix(" / "),
            "" if done.peak_memory_bytes is None else _count(done.peak_memory_bytes / _MEBIBYTE),
        )
        for name, done in told
    )
    head = ("model", "texts/s", "tokens/s", "padded/token", "truncated", "bytes/vector", "peak MiB")
    yield Table("Encoding", head, rows, tuple(_encoding_remarks(told)))


def _encoding_remarks(told: Sequence[tuple[str, Encoding]]) -> Iterator[str]:
    for name, done in told:
        if done.truncated:
            where = "" if done.truncated_ids is None else "; their ids are in the manifest (--json)"
            yield (
                f"{name}: the model saw only the beginning of {done.truncated:,} texts, which are longer than its "
                f"limit{where}."
            )
    yield (
        "An empty cell: nothing was encoded, or the model does not count tokens. Bytes of a vector: in memory / in the "
        "cache. Peak: of the whole process so far."
    )


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


# What a terminal shows by itself with --only, and in which order everything stands.
PARTS: dict[str, Callable[[Facts], Iterable[Table]]] = {
    "agreement": agreement_tables,
    "reach": lambda facts: reach_tables(facts.run.reaches),
    "noise": lambda facts: noise_tables(facts.run.scores),
    "disputed": _disputed_tables,
    "where": _part_tables,
    "geometry": lambda facts: (*geometry_tables(facts.run.scores), *calibration_tables(facts.run.calibrations)),
    "similarity": lambda facts: similarity_tables(facts.run.distributions),
    "index": grid_tables,
    "expected": lambda facts: _labelled_tables(facts, JUDGED, "Expected results as judgements"),
    "mutual": _mutual_table,
    "groups": _group_tables,
    "costs": _time_tables,
}
