"""What the report says in words: where the numbers come from, what was found, and what that does not mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from embdiff.layouts import Layout
from embdiff.measures.groups import ALPHA
from embdiff.records import Score
from embdiff.views.facts import Facts
from embdiff.views.words import by_p, number, undecided_words

DISAGREEMENT = (
    "Disagreement is 1 minus the rank-biased overlap of the lists, averaged over the pairs of models: 0 when all "
    "return the same rows in the same order, 1 when they share none."
)
_PLACED = {"umap": "UMAP, fed with the exact neighbours", "pca": "the first two principal components"}
ROW_DISAGREEMENT = (
    "Disagreement about a row is how many of the queries return it in one model less how many do in the other, as a "
    "share of the queries, averaged over the pairs of models; n/a: no model returns it. Choose a row to list the "
    "queries that find it."
)


def provenance(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield name and value of every fact about where the numbers come from."""
    told, corpus, queries = facts.manifest, facts.run.corpus, facts.run.queries
    yield "made", told.created
    yield "corpus", f"{corpus.source}, {len(corpus):,} rows"
    yield "queries", f"{queries.source}, {len(queries):,}"
    yield "store", told.store or "none kept"
    yield "seed", str(told.seed)
    for model in told.models:
        stamp = model.stamp
        if stamp is None:
            continue
        about = [f"revision {stamp.revision}", f"{stamp.dim} dimensions", stamp.precision]
        if stamp.max_tokens is not None:
            about.append(f"longer texts cut at {stamp.max_tokens} tokens")
        if stamp.prompt or stamp.query_prompt:
            about.append(f"prompts {stamp.prompt!r} and {stamp.query_prompt!r}")
        yield model.model, f"{stamp.model}: {', '.join(about)}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in told.versions.items())
    yield "machine", ", ".join(f"{key}: {value}" for key, value in told.machine.items())


def verdict(facts: Facts) -> list[str]:
    """Return the findings, a sentence each; agreement never says which model to prefer."""
    return [
        *_agreement_words(facts),
        *_index_words(facts),
        *_group_words(facts),
        "Agreement does not say which model finds the right rows. For that, labels are needed: expected results "
        "(--expected), judged queries (embdiff evaluate), or your own judgement of the disputed ones.",
    ]


def _known(facts: Facts, name: str) -> list[Score]:
    found = (score for score in facts.run.scores if score.measure.partition("@")[0] == name)
    return [score for score in found if math.isfinite(score.value)]


def _agreement_words(facts: Facts) -> Iterator[str]:
    scores, k = _known(facts, "overlap"), facts.run.config.k
    if not scores:
        yield "There is only one collection, so there is nothing to agree or disagree with."
        return
    low, high = (pick(scores, key=lambda score: score.value) for pick in (min, max))
    for score, which in [(low, "least"), (high, "most")][: 2 if len(scores) > 1 else 1]:
        asked = f", asked with {score.query_model}" if score.query_model else ""
        pair = f"{score.models[0]} and {score.models[1]}{asked}"
        lead = f"The two that agree {which}, {pair}," if len(scores) > 1 else pair
        yield (
            f"{lead} share {score.value * k:.1f} of {k} neighbours on average "
            f"(95 % interval {score.low * k:.1f} to {score.high * k:.1f}, "
            f"{score.n:,} quer{'y' if score.n == 1 else 'ies'}); chance alone would give "
            f"{score.chance * k:.2f}. {_against_chance(score)}"
        )


def _against_chance(score: Score) -> str:
    if math.isnan(score.chance):
        return ""
    if score.low <= score.chance:
        return "That cannot be told from chance."
    if score.low == 1.0:
        return "On these queries they return the same rows."
    return "That is more than chance, but not the same lists." if score.high < 1.0 else "That is more than chance."


def _index_words(facts: Facts) -> Iterator[str]:
    values = [score.value for score in _known(facts, "index_recall")]
    if not values:
        return
    if min(values) >= 1.0:
        yield f"The index ({facts.run.config.index}) lost nothing: every exact neighbour was returned."
        return
    yield (
        f"The index ({facts.run.config.index}) returned between {100 * min(values):.0f} and "
        f"{100 * max(values):.0f} % of the exact neighbours: part of every difference "
        "above is the index and not the model. The tables say how much agreement remains among the exact neighbours."
    )


def _group_words(facts: Facts) -> Iterator[str]:
    tests = [(model, test) for model, test in facts.run.tests if math.isfinite(test.p_holm)]
    if not tests:
        return
    found = by_p((model, test) for model, test in tests if test.p_holm < ALPHA)
    open_ = undecided_words(tests)
    if not found and not open_:
        yield (
            "No group turns up too rarely among the results of the others "
            f"(of {len(tests):,} tests, none below p = .05 after Holm)."
        )
    if found:
        named = "; ".join(f"{test.group} in {model} (p = {test.p_holm:.4f})" for model, test in found[:3])
        more = f", and {len(found) - 3} more" if len(found) > 3 else ""
        yield (
            "Less often than the other groups' rows are returned to other groups' queries, beyond chance: "
            f"{named}{more}."
        )
    yield from open_


def maps_words(layouts: Sequence[Layout]) -> str:
    """Return the one sentence above the maps."""
    if not layouts:
        return "This run has no maps (it was made without them); neighbours below come from the full space."
    methods = dict.fromkeys(layout.method for layout in layouts)
    how = " or ".join(_PLACED[method] for method in methods) + (" (said under each)" if len(methods) > 1 else "")
    return (
        f"Each dot is a row of the corpus, placed by {how}; every map is turned to lie like the first (Procrustes), "
        "so a dot that moves between maps is placed differently by the models. They are only maps: most neighbourhoods "
        "are lost in two dimensions, and all neighbours shown come from the full space."
    )


def map_words(layout: Layout) -> str:
    """Return what stands under one map: how many true neighbours it keeps."""
    why = f" (not UMAP: {layout.reason})" if layout.reason else ""
    if not layout.kept_rows:
        return f"{layout.method.upper()}{why}; too few rows to say what it keeps."
    return (
        f"{layout.method.upper()}{why}; of the {layout.k} true neighbours of a row, {number(100 * layout.kept, 0)} % "
        f"are among its {layout.k} nearest dots ({layout.kept_rows:,} rows asked)."
    )
