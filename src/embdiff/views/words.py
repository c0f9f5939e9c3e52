"""How numbers, facts and texts are worded, once for every view."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from embdiff._sizes import written_size
from embdiff._visible import visible_on_a_page
from embdiff.errors import UnknownNameError
from embdiff.forms import RANKINGS
from embdiff.lexical import BM25
from embdiff.measures import MeasureSpec, get_measure
from embdiff.measures.groups import GroupTest, undecided
from embdiff.measures.score import SPACES
from embdiff.records import Score
from embdiff.runs import Run
from embdiff.views.besides import about_rankings
from embdiff.views.encoding_words import PLACES, encoding_notes
from embdiff.views.facts import Facts, Memory, Model, Sample
from embdiff.views.numbers import estimate, number

DISTANCE_WORDS = {
    "l2": "squared L2", "ip": "inner product", "cosine": "cosine", "bm25": "BM25 score", "sparse": "sparse product",
    "maxsim": "MaxSim", "rerank": "re-ranker's score",
}  # fmt: skip
TEXT_RANKINGS = (BM25, *RANKINGS)  # asked with the text of a query, by whichever model the others are

EXACT_PLACES = (
    "For lost and gained rows the place in the other collection is exact. Where it is within k, the index missed the "
    "row there, and the model did not move it."
)

_NOT_FOUND = {
    "own": "expected results are the query itself, which is left out",
    "absent": "judgements name documents that are not in the corpus",
}

AGAIN = {"index": "returned against exact", "float16": "vectors in float16", "batch": "texts one by one"}

_AGREEMENT = "Agreement says how much the models differ on this data, not which one to prefer: "
_PREFERRED = {
    "judgements": "that is what the expected results say.",
    "groups": "of that groups say a little, expected results more.",
    "agreement": "for that, labels or expected results are needed.",
}
_INDEX = (
    "index_recall is what the index lost against the exact answer; overlap between collections is what the models "
    "changed, seen through the index; exact_overlap is the same without the index."
)
_RESAMPLED = "queries resampled"
_MADE = {
    "bca": _RESAMPLED,
    "bootstrap-t": _RESAMPLED,
    "wilson": "Wilson's (shares, equal values, and fewer than 50 queries, where resampling misses long tails)",
    "student": "Student's (fewer than 30 queries)",
}


def with_chance(score: Score) -> str:
    """Return a score as shown: value, interval and, where there is one, chance."""
    shown = estimate(score.value, score.low, score.high, 2, 2)
    known = math.isfinite(score.value) and math.isfinite(score.chance)
    return f"{shown} {number(score.chance, 2)}" if known else shown


def harmless(value: Any) -> Any:
    """Return JSON-able values in which every text is `visible_on_a_page`."""
    if isinstance(value, str):
        return visible_on_a_page(value)
    if isinstance(value, dict):
        return {key: harmless(each) for key, each in value.items()}
    return list(map(harmless, value)) if isinstance(value, (list, tuple)) else value


def shortened(value: str, limit: int) -> str:
    """Return text cut to ``limit`` characters for display, with its whole length where it is far longer."""
    if len(value) <= limit:
        return value
    return f"{value[: limit - 1].rstrip()}…" + (f" ({len(value):,} characters)" if len(value) > 10 * limit else "")


def facts_line(facts: Facts) -> str:
    """Return one line that says what was compared."""
    config, corpus, count = facts.run.config, facts.run.corpus, len(facts.run.queries)
    models, sample = len(config.models), facts.manifest.sample
    sampled = f" sampled from {sample.of:,} rows (seed {sample.seed})" if sample else ""
    return (
        f"{models} model{'s' * (models != 1)} on {len(corpus):,} rows of {corpus.source}; "
        f"{count:,} quer{'ies' if count != 1 else 'y'}{sampled}, k = {config.k}, "
        f"{DISTANCE_WORDS[config.metric]}, {config.index}"
    )


def title(run: Run) -> str:
    """Return the headline of a page: which models, on what."""
    models = run.config.models
    named = ", ".join(models[:4]) + (f" and {len(models) - 4} more" if len(models) > 4 else "")
    return f"{named} on {run.corpus.source}"


def sample_notes(sample: Sample | None) -> list[str]:
    """Return what a reader must know when a sample of the rows was asked."""
    if not sample:
        return []
    reach = (
        f"the mean {sample.measure} of all rows lies within {sample.half_width:.3f} of the one shown (95 %, the "
        "widest of the pairs; the intervals shown are wider: they speak of further queries of the same kind)"
        if sample.half_width is not None
        else f"a mean over all rows lies within {sample.worst_case:.3f} of the one shown at the very worst (95 %)"
    )
    return [
        f"{sample.asked:,} of {sample.of:,} rows were asked, drawn at random with seed {sample.seed}, each "
        f"among all rows: {reach}. Groups are counted over the same sample. --sample all asks every row."
    ]


def notes(facts: Facts) -> list[str]:
    """Return what a reader must know to take the numbers rightly, a sentence each: of this run, then of any."""
    return [*caveats(facts), *general_notes(facts)]


def general_notes(facts: Facts) -> list[str]:
    """Return what holds of any run, how its intervals were made among it."""
    chance = "Chance is what two unrelated rankings of the same rows would share."
    preferred = _AGREEMENT + _PREFERRED[facts.run.headline.basis]
    return [preferred, " ".join(filter(None, (_interval_words(facts.run.scores), chance))), _INDEX]


def spec_of(score: Score) -> MeasureSpec | None:
    """Return the measure of a score; None where it is of a package that is not installed here."""
    try:
        return get_measure(score.measure)
    except UnknownNameError:
        return None


def _interval_words(scores: Sequence[Score]) -> str:
    """Say how the intervals of measures per query were made: for all alike, or for which measures."""
    made: dict[str, dict[str, None]] = {}
    for score in scores:
        spec = spec_of(score)
        if score.interval in _MADE and not (spec and spec.measure.needs in SPACES):
            made.setdefault(_MADE[score.interval], {})[score.measure] = None
    if len(made) < 2:
        return "".join(f"Intervals are 95 %: {how}, each query's neighbours held fixed." for how in made)
    each = "; ".join(f"{how} for {', '.join(measures)}" for how, measures in made.items())
    return f"Intervals are 95 %, each query's neighbours held fixed: {each}."


def caveats(facts: Facts) -> list[str]:
    """Return what a reader must know of this run: own rows kept, rows dropped, texts cut; one sentence each."""
    run, told = facts.run, facts.manifest
    found = [*run.unseen, *sample_notes(told.sample), *_ties(facts)]
    unmapped = by_reason((each.reason, each.model) for each in run.layouts)
    found += [f"UMAP has no map of {each}. Principal components stand in its place." for each in unmapped]
    if told.on_disk:
        found.append(
            f"The vectors of {', '.join(told.on_disk)} stayed in their files (--memory): "
            "neighbours are exact all the same; geometry is of sampled rows above 10,000; no maps, no cut-offs."
        )
    found += _beyond_memory(told.memory)
    if told.itself["most"] and not told.itself["dropped"]:
        found.append(
            "A query's own row stays in its results, marked self, and counts as shared where two lists hold it; the "
            'chance level allows for that. To leave it out: --self drop (self_matches="drop").'
        )
    found += dict.fromkeys((*run.corpus.notes, *run.queries.notes))
    found += about_rankings(facts)
    for what, words in _NOT_FOUND.items():
        if told.expected and told.expected[what]:
            found.append(f"{told.expected[what]:,} {words}: they count as not found.")
    dropped = run.corpus.dropped
    if dropped:
        found.append(f"{len(dropped):,} rows without text were dropped, as asked (first: {dropped[0]}).")
    cut = {entry["id"] for model in told.models if model.collection for entry in model.collection.cut}
    if cut:
        found.append(
            f"{len(cut):,} texts were longer than a database field and are stored cut; vectors see all of them."
        )
    return [*found, *_order_in_question(facts), *encoding_notes(told.models, told.notes)]


def _ties(facts: Facts) -> list[str]:
    """Say which lists of two models end in a tie; the baseline's often do, which its own table tells."""
    found = by_reason(
        (score.reason, " and ".join(score.models))
        for score in facts.run.scores
        if score.measure.startswith("overlap@") and math.isfinite(score.value) and BM25 not in score.models
    )
    more = f"; {len(found) - 1} more such remarks: --all" if len(found) > 1 else ""
    return [f"{found[0]}{more}."] if found else []


def _order_in_question(facts: Facts) -> list[str]:
    """Ask about the order of vectors that nothing but their place joins, where models agree no more than by chance."""
    overlaps = [score for score in facts.run.scores if score.measure.startswith("overlap@")]
    return order_in_question(facts.manifest.models, overlaps, "agreement")


def order_in_question(models: Iterable[Model], scores: Iterable[Score], what: str) -> list[str]:
    """Ask whether vectors joined by their place are in order, where one of these scores is no better than chance."""
    by_row = {model.model for model in models if model.encoding and model.encoding.joined in PLACES}
    at_chance = {model for score in scores if score.low <= score.chance for model in by_row.intersection(score.models)}
    if not at_chance:
        return []
    return [
        f"{', '.join(sorted(at_chance))}: {what} cannot be told from chance, and the vectors are joined by row. Are "
        "they in the order of the corpus?"
    ]


def _beyond_memory(memory: Memory | None) -> list[str]:
    """Say that an allowance of memory holds for files of ready vectors, and for no others."""
    if not memory or not memory.held:
        return []
    names = ", ".join(f"{name} ({written_size(size)})" for name, size in memory.held.items())
    return [
        f"--memory {memory.given} holds for files of ready vectors only. In memory as a whole were those of "
        f"{names}. To keep to it, encode first ('embdiff encode') and compare with vectors:FILE."
    ]


def by_p(tests: Iterable[tuple[str, GroupTest]]) -> list[tuple[str, GroupTest]]:
    """Return tests of groups with the lowest p first, among equal ones the lowest ratio; undefined ones last."""
    return sorted(tests, key=lambda each: tuple(map(_last_if_unknown, (each[1].p, each[1].ratio))))


def _last_if_unknown(value: float) -> float:
    return math.inf if math.isnan(value) else value


def undecided_words(tests: Iterable[tuple[str, GroupTest]]) -> list[str]:
    """Say that some groups look rare, but could not have been found among so many tests, if that is so."""
    every = [test for _, test in tests]
    open_ = undecided(every)
    if not open_:
        return []
    count, least = sum(math.isfinite(test.p) for test in every), min(test.p_least for test in open_)
    some = f"{len(open_):,} group{'s' * (len(open_) != 1)}"
    return [
        f"Whether {some} with p up to .05 turn up too rarely cannot be decided with so many tests: p could not have "
        f"been below {least:.2g}, {min(1.0, least * count):.2g} after Holm over {count:,}. Fewer models or larger "
        "groups can decide it; where groups have enough rows, more --permutations can, too."
    ]


def counted(counts: Sequence[int]) -> str:
    """Return how many units stand behind several numbers."""
    low, high = min(counts), max(counts)
    return f"n = {low:,}" if low == high else f"n = {low:,} to {high:,}"


def by_reason(told: Iterable[tuple[str | None, str]]) -> list[str]:
    """Return each reason once, after everything that it speaks of; what has none is left out."""
    found: dict[str, dict[str, None]] = {}
    for reason, what in told:
        if reason:
            found.setdefault(reason, {})[what] = None
    return [f"{', '.join(what)}: {reason}" for reason, what in found.items()]
