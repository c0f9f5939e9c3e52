"""What the report says in words: what was compared, what was found, and what that does not mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embdiff.records import Layout
from embdiff.views.words import caveats, number, visible

DISAGREEMENT = (
    "Disagreement is 1 minus the rank-biased overlap of the lists, averaged over the pairs of models: 0 when all "
    "return the same rows in the same order, 1 when they share none."
)
ROW_DISAGREEMENT = (
    "Disagreement about a row is how many of the queries return it in one model less how many do in the other, as a "
    "share of the queries, averaged over the pairs of models; n/a: no model returns it. Choose a row to list the "
    "queries that find it."
)
_VECTOR_NUMBER = 4  # bytes of a float32


def title(payload: Mapping[str, Any]) -> str:
    """Return the headline: which models, on what."""
    models = payload["settings"]["models"]
    named = ", ".join(map(visible, models[:4])) + (f" and {len(models) - 4} more" if len(models) > 4 else "")
    return f"{named} on {visible(payload['corpus']['source'])}"


def provenance(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of every fact about where the numbers come from."""
    manifest, corpus = payload["manifest"], payload["corpus"]
    yield "made", manifest["created"]
    yield "corpus", f"{corpus['source']}, {corpus['rows']:,} rows"
    yield "queries", f"{payload['queries']['source']}, {payload['queries']['count']:,}"
    yield "store", manifest["store"] or "none kept"
    yield "seed", str(manifest["seed"])
    for model in payload["models"]:
        stamp = model["stamp"]
        if stamp is None:
            continue
        facts = [f"revision {stamp['revision']}", f"{stamp['dim']} dimensions", stamp["precision"]]
        if stamp["max_tokens"] is not None:
            facts.append(f"longer texts cut at {stamp['max_tokens']} tokens")
        if stamp["prompt"] or stamp["query_prompt"]:
            facts.append(f"prompts {stamp['prompt']!r} and {stamp['query_prompt']!r}")
        yield model["model"], f"{stamp['model']}: {', '.join(facts)}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    yield "machine", ", ".join(f"{key}: {value}" for key, value in manifest["machine"].items())


def verdict(payload: Mapping[str, Any]) -> list[str]:
    """Return the findings, a sentence each; agreement never says which model to prefer."""
    return [
        *_agreement_words(payload),
        *_index_words(payload),
        *_group_words(payload),
        "Agreement does not say which model finds the right rows. For that, labels are needed: expected results "
        "(--expected), judged queries (embdiff evaluate), or your own judgement of the disputed ones.",
    ]


def _of(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [
        score
        for score in payload["scores"]
        if score["measure"].partition("@")[0] == name and score["value"] is not None
    ]


def _agreement_words(payload: Mapping[str, Any]) -> Iterator[str]:
    scores = _of(payload, "overlap")
    if not scores:
        yield "There is only one collection, so there is nothing to agree or disagree with."
        return
    k = payload["settings"]["k"]
    low, high = (pick(scores, key=lambda score: score["value"]) for pick in (min, max))
    for score, which in [(low, "least"), (high, "most")][: 2 if len(scores) > 1 else 1]:
        asked = f", asked with {visible(score['query_model'])}" if score["query_model"] else ""
        pair = f"{visible(score['models'][0])} and {visible(score['models'][1])}{asked}"
        lead = f"The two that agree {which}, {pair}," if len(scores) > 1 else pair
        yield (
            f"{lead} share {score['value'] * k:.1f} of {k} neighbours on average "
            f"(95 % interval {score['low'] * k:.1f} to {score['high'] * k:.1f}, "
            f"{score['n']:,} quer{'y' if score['n'] == 1 else 'ies'}); chance alone would give "
            f"{score['chance'] * k:.2f}. {_against_chance(score)}"
        )


def _against_chance(score: Mapping[str, Any]) -> str:
    if score["chance"] is None:
        return ""
    if score["low"] <= score["chance"]:
        return "That cannot be told from chance."
    if score["low"] == 1.0:
        return "On these queries they return the same rows."
    return "That is more than chance, but not the same lists." if score["high"] < 1.0 else "That is more than chance."


def _index_words(payload: Mapping[str, Any]) -> Iterator[str]:
    scores = _of(payload, "index_recall")
    if not scores:
        return
    lowest = min(scores, key=lambda score: score["value"])
    if lowest["value"] >= 1.0:
        yield f"The index ({payload['settings']['index']}) lost nothing: every exact neighbour was returned."
        return
    yield (
        f"The index ({payload['settings']['index']}) returned between {100 * lowest['value']:.0f} and "
        f"{100 * max(score['value'] for score in scores):.0f} % of the exact neighbours: part of every difference "
        "above is the index and not the model. The tables say how much agreement remains among the exact neighbours."
    )


def _group_words(payload: Mapping[str, Any]) -> Iterator[str]:
    tests = [test for test in payload["groups"]["tests"] if test["p_holm"] is not None]
    if not tests:
        return
    found = [test for test in tests if test["p_holm"] < 0.05]
    if not found:
        yield (
            "No group turns up too rarely among the results of the others "
            f"(of {len(tests):,} tests, none below p = .05 after Holm)."
        )
        return
    named = "; ".join(
        f"{visible(test['group'])} in {visible(test['model'])} (p = {test['p_holm']:.4f})" for test in found[:3]
    )
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    yield f"Less often than the other groups' rows are returned to other groups' queries, beyond chance: {named}{more}."


def notes(payload: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know to take the numbers rightly."""
    return [*caveats(payload), *payload["notes"]]


def costs(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return seconds a text, bytes a vector and (with labels) quality, for each model that was encoded."""
    rows = payload["corpus"]["rows"]
    quality = next(
        (score["measure"] for score in payload["scores"] if score["measure"].startswith("expected_hit")), None
    )
    found = []
    for model in payload["models"]:
        if model["stamp"] is None or model["collection"] is None:
            continue
        value = next(
            (
                score["value"]
                for score in payload["scores"]
                if score["measure"] == quality
                and score["models"] == [model["model"]]
                and score["query_model"] == model["model"]
            ),
            None,
        )
        found.append(
            {
                "model": visible(model["model"]),
                "seconds": model["seconds"]["encode"] / rows,
                "bytes": model["stamp"]["dim"] * _VECTOR_NUMBER,
                "quality": value,
            }
        )
    return {"costs": found, "quality": quality}


def maps_words(layouts: Sequence[Layout]) -> str:
    """Return the one sentence above the maps."""
    if not layouts:
        return "This run has no maps (it was made without them); neighbours below come from the full space."
    how = "UMAP, fed with the exact neighbours" if layouts[0].method == "umap" else "the first two principal components"
    return (
        f"Each dot is a row of the corpus, placed by {how}; every map is turned to lie like the first (Procrustes), "
        "so a dot that moves between maps is placed differently by the models. They are only maps: most neighbourhoods "
        "are lost in two dimensions, and all neighbours shown come from the full space."
    )


def map_words(layout: Layout) -> str:
    """Return what stands under one map: how many true neighbours it keeps."""
    if not layout.kept_rows:
        return f"{layout.method.upper()}; too few rows to say what it keeps."
    return (
        f"{layout.method.upper()}; of the {layout.k} true neighbours of a row, {number(100 * layout.kept, 0)} % are "
        f"among its {layout.k} nearest dots ({layout.kept_rows:,} rows asked)."
    )
