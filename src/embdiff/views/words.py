"""How numbers, facts and texts are worded, once for every view."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

_DISTANCE_WORDS = {"l2": "squared L2", "ip": "inner product", "cosine": "cosine"}
_TITLES = {
    "overlap": "Agreement of neighbours between collections",
    "exact_overlap": "Agreement of neighbours between collections",
    "jaccard": "Agreement of neighbours between collections",
    "self_retrieval": "Does a query find itself?",
    "index_recall": "What the index lost against the exact answer",
    "expected_hit": "Expected results",
}


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as shown; an undefined one as ``n/a``."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def range_text(score: Mapping[str, Any]) -> str:
    """Return the interval of a score as shown."""
    return "n/a" if score["low"] is None else f"[{number(score['low'])}, {number(score['high'])}]"


def visible(value: str) -> str:
    """Return text on one line in which control and direction characters cannot act on a terminal."""
    return "".join(" " if c in "\t\r\n\v\f\x85\u2028\u2029" else _tamed(c) for c in value)


def _tamed(character: str) -> str:
    # Cf holds zero-width joiners, which emoji need; only the bidirectional overrides among them can deceive.
    if unicodedata.category(character) == "Cc" or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        return "\ufffd"
    return character


def distance_word(metric: str) -> str:
    """Return what the distance column holds."""
    return _DISTANCE_WORDS[metric]


def facts_line(payload: Mapping[str, Any]) -> str:
    """Return one line that says what was compared."""
    settings, corpus = payload["settings"], payload["corpus"]
    models, count = len(settings["models"]), payload["queries"]["count"]
    return (
        f"{models} model{'s' * (models != 1)} on {corpus['rows']:,} rows of {visible(corpus['source'])}; "
        f"{count:,} quer{'ies' if count != 1 else 'y'}, k = {settings['k']}, "
        f"{distance_word(settings['metric'])}, {settings['index']}"
    )


def asked_title(payload: Mapping[str, Any], query_model: str) -> str:
    """Return the title under which answers stand side by side."""
    crossed = bool(payload["settings"]["query_models"])
    return f"asked with {query_model}" if crossed else "each collection asked by its own model"


def agreement_rows(payload: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the scores under the titles they are shown with, in order."""
    titled: dict[str, list[Mapping[str, Any]]] = {}
    for score in payload["scores"]:
        name = score["measure"].partition("@")[0].partition("(")[0]
        titled.setdefault(_TITLES.get(name, "Scores"), []).append(score)
    return titled


def timing_rows(payload: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield step, model, time and what it was spent on."""
    rows = payload["corpus"]["rows"]
    for model in payload["models"]:
        reused = bool(model["collection"] and model["collection"]["reused"])
        for step, seconds in model["seconds"].items():
            what = (
                "model" if step == "load" else f"{rows:,} rows" + (" (reused)" if reused and step != "encode" else "")
            )
            yield step.replace("_", " "), model["model"], _time(seconds), what
    for search in payload["searches"]:
        name = search["model"]
        if search["query_model"] != name:
            name = f"{search['query_model']} in {name}"
        seconds = search["seconds"]
        yield "first search", name, _time(seconds["first"]), f"{search['queries']:,} queries, one call"
        yield "warm search", name, _time(seconds["warm"]), f"{int(seconds['warm_queries']):,} queries, one call"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
