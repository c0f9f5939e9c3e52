"""What the report says in words besides the headline: where the numbers come from, of groups, of maps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from embdiff.layouts import Layout
from embdiff.measures.groups import ALPHA
from embdiff.views.facts import Facts
from embdiff.views.numbers import number
from embdiff.views.words import by_p, undecided_words

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


def group_words(facts: Facts) -> Iterator[str]:
    """Say whether a group turns up too rarely among the results of the others; nothing where that was not tested."""
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
        f"{layout.method.upper()}{why}: {number(100 * layout.kept, 0)} % of a row's {layout.k} neighbours are its "
        f"nearest dots (n = {layout.kept_rows:,})."
    )
