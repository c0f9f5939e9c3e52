"""What is said of how vectors were made: what was encoded, by whom, in which precision, and how files were joined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from embdiff.views.facts import Model, Service, Variant
from embdiff.views.numbers import estimate, number

PLACES = ("row", "number")  # how vectors are joined where no id of the corpus and no text tells whose they are


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
