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
from embdiff.views.facts import Facts, Memory, Model, Sample, Service, Variant

_PLACES = ("row", "number")  # how vectors are joined where no id of the corpus and no text tells whose they are
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


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as shown; an undefined one as ``n/a``."""
    return "n/a" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def estimate(value: float, low: float, high: float, digits: int = 3, around: int = 3) -> str:
    """Return a number with its interval as shown."""
    return f"{number(value, digits)} [{number(low, around)}, {number(high, around)}]" if math.isfinite(value) else "n/a"


def with_chance(score: Score) -> str:
    """Return a score as shown: value, interval and, where there is one, chance."""
    shown = estimate(score.value, score.low, score.high, 2, 2)
    known = math.isfinite(score.value) and math.isfinite(score.chance)
    return f"{shown} {number(score.chance, 2)}" if known else shown


def seconds_text(seconds: float | None) -> str:
    """Return a duration as shown."""
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


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
    by_row = {model.model for model in models if model.encoding and model.encoding.joined in _PLACES}
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


def encoding_notes(models: Iterable[Model], notes: Iterable[str]) -> list[str]:
    """Return what became of the texts given to each model, and what is to be told of the cache; a sentence each."""
    models, found = list(models), []
    found += _by_row(models)
    for model in models:
        found += _lower_precision(model)
        done = model.encoding
        if done and done.form:
            found.append(f"{model.model} is {done.form}.")
        found += [f"{model.model}: {told}." for told in (done.assumed if done else ())]
        found += _of_service(model.model, done.service) if done and done.service else []
        if done and done.texts:  # given vectors are not made of texts
            what = {0: "texts", done.texts: "images"}.get(done.images, "texts and images")
            same = f", {done.duplicates:,} were equal to another" if done.duplicates else ""
            why = _NOT_KEPT.get(done.cache)
            kept = f"; the vectors are not kept ({why})" if why else ""
            found.append(
                f"{model.model}: of {done.texts:,} {what} {done.encoded:,} were encoded now and "
                f"{done.cached:,} came from the cache{same}{kept}."
            )
    return [*found, *notes]


def _of_service(name: str, service: Service) -> list[str]:
    """Say where a model ran, and what is not known of its vectors."""
    called = f" as {service.model}" if service.model and service.model not in name else ""
    again = f", {service.again:,} of them once more" if service.again else ""
    found = [
        f"{name} ran at {service.address}{called}: {service.requests:,} requests{again}. No text is sent to a service "
        "a second time: what batching changes was not measured."
    ]
    if service.truncation == "unknown":
        found.append(
            f"{name}: whether the service cuts texts that are too long is unknown: its interface has no switch for it."
        )
    return found


def _by_row(models: Sequence[Model]) -> list[str]:
    """Say which vectors their place alone joins with the corpus, and which numbers may be bits."""
    ready = [(model.model, model.encoding) for model in models if model.encoding]
    named = [f"{name} ({done.order})" if done.order else name for name, done in ready if done.joined == "row"]
    numbers = [name for name, done in ready if done.joined == "number"]
    named += [f"the queries of {name}" for name, done in ready if (done.queries or {}).get("joined") == "row"]
    bits = [name for name, done in ready if done.numbers == "uint8"]
    found = []
    if named:
        found.append(
            f"Joined by row, as nothing there says whose the vectors are: {', '.join(named)}. Vector i counts as that "
            "of row i."
        )
    if numbers:
        found.append(
            f"The corpus has no ids of its own: those of {', '.join(numbers)} are taken for the numbers of its rows, "
            "from 0."
        )
    if bits:
        found.append(f"{', '.join(bits)}: uint8 is taken as numbers from 0 to 255, not as packed bits.")
    return found


def _lower_precision(model: Model) -> list[str]:
    """Say of a model that is not in float32 how far from it it is, or that nobody knows."""
    if model.encoding and model.encoding.variant:
        return [variant_words(model.model, model.encoding.variant)]
    precision = model.stamp.precision if model.stamp else FLOAT32
    if precision.startswith(FLOAT32):  # also when kept as float16
        return []
    return [
        f"{model.model} is in lower precision ({precision}); how far it is from float32 was not measured. Encode it "
        "again ('embdiff encode'), or name the model itself."
    ]


def variant_words(name: str, variant: Variant) -> str:
    """Return how far a variant in lower precision is from its model in float32."""
    shared = variant.overlap
    close = (
        "too few different texts to compare neighbours"
        if shared is None
        else f"{shared.measure} {estimate(shared.value, shared.low, shared.high)}, "
        f"chance {number(shared.chance)}, n = {shared.n:,}"
    )
    what = "queries" if variant.role == "query" else "rows"
    where = (
        f"among all {variant.among:,} different texts"
        if variant.whole
        else "of these among themselves, which is higher than in the whole corpus, where neighbours lie closer together"
    )
    if variant.elsewhere:
        return (
            f"{name} is {variant.of}, by its name, run elsewhere: on {variant.rows:,} of {variant.corpus_rows:,} "
            f"{what}, 1 - cosine to it is at most {_tiny(variant.cosine_lowest)}; {close}"
            f"{f', {where}' if shared else ''}."
        )
    return (
        f"{name} is a variant of {variant.of} in lower precision: on {variant.rows:,} of "
        f"{variant.corpus_rows:,} {what}, cosine to it {number(variant.cosine_mean, 5)} "
        f"(lowest {number(variant.cosine_lowest, 5)}); {close}{f', {where}' if shared else ''}."
    )


def _tiny(cosine: float) -> str:
    """Return 1 - cosine in a form that shows the rounding of float32."""
    return "undefined" if math.isnan(cosine) else f"{max(0.0, 1 - cosine):.1g}"


FLOAT32 = "float32"
_NOT_KEPT = {"off": "the cache is off", "unpinned: not kept": "nothing pins the model down: give it a revision"}


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
