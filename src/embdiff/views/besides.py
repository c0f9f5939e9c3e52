"""What is said of that which ranks texts beside the models: bm25, sparse and late-interaction models, re-rankers."""

from __future__ import annotations

from embdiff.views.facts import Facts


def _about_baseline(facts: Facts) -> list[str]:
    told = facts.manifest.baseline
    if not told or told.left_out:
        return [told.left_out] if told and told.left_out else []
    said = "bm25 ranks by the words of the query, without a model: it shows what of an agreement words alone explain."
    if told.short_lists:
        count = len(facts.run.queries)
        said += (
            f" For {told.short_lists:,} of {count:,} queries fewer than k rows share a word: those lists are shorter."
        )
    return [said]


def about_rankings(facts: Facts) -> list[str]:
    """Say of bm25, and of each model that ranks texts without a dense vector, how it does and what it has not."""
    return _about_baseline(facts) + [
        f"{each.model} ranks texts by {each.about}. It has lists and no space: maps, clusters, geometry, cut-offs and "
        "noise are not applicable (n/a) to it."
        + (f" It has no collection: {each.no_collection}; its lists are exact." if each.no_collection else "")
        + (f" {each.short_lists:,} of its lists are shorter than k: it ranks no more rows." if each.short_lists else "")
        for each in facts.manifest.rankings
    ]
