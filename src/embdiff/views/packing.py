"""A run as one compact block for the page: JSON for words, byte planes for numbers, gzip around both.

The front end (``frontend/src/payload.ts``) reads it. Layout: 4 bytes length of the header (little endian), the header
as UTF-8 JSON, the arrays. An array of m numbers of s bytes stands as s planes of m bytes (all first bytes, then all
second ones...), which compresses far better; ``offset`` counts from the end of the header.
"""

from __future__ import annotations

import gzip
import json
import math
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._picture import thumbnail_of
from embdiff._plain import plain
from embdiff.causes import CAUSES, KNOCK_ON, Why
from embdiff.clusters import Parts
from embdiff.errors import UnknownNameError
from embdiff.kept import Kept
from embdiff.layouts import Layout
from embdiff.measures.base import get_measure
from embdiff.measures.retrieval import lost_by_index
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import Answer, Corpus
from embdiff.runs import Run
from embdiff.views import figures, story, why
from embdiff.views.costs import costs
from embdiff.views.diff import distance_of
from embdiff.views.drawn import Drawn, drawn_rows, shown_answers
from embdiff.views.facts import Facts
from embdiff.views.reaching import far, warnings
from embdiff.views.tables import summary_tables
from embdiff.views.words import DISTANCE_WORDS, facts_line, harmless, notes, title

VERSION = 13
COLOURS = 100  # values of a column that can be told apart on a map
TEXT_LIMIT = 2_000  # characters of a text that travel; its whole length travels with it
_MANTISSA = np.uint32(0xFFFFFE00)  # 14 of 23 bits: distances to five significant digits


class _Arrays:
    """Collects arrays and tells where each will stand."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._size = 0

    def add(self, values: npt.NDArray[Any]) -> dict[str, Any]:
        array = np.ascontiguousarray(values)
        planes = array.reshape(-1).view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes()
        place = {"dtype": str(array.dtype), "shape": list(array.shape), "offset": self._size, "bytes": len(planes)}
        self.parts.append(planes)
        self._size += len(planes)
        return place


def pack(run: Run, kept: Kept | None = None) -> bytes:
    """Return the gzipped block of a run.

    Parameters
    ----------
    run : Run
    kept : Kept, optional
        Where cut-offs carried over before are found again.

    Returns
    -------
    bytes
        About 4 MB for 50,000 rows of ordinary sentences, two models and k = 10. Texts beyond 2,000 characters are cut
        (their length is told), distances have five significant digits; ranks and rows are exact. Of more than 100,000
        rows some are drawn (`drawn_rows`).
    """
    arrays, facts, drawn = _Arrays(), Facts(run, queries=0), drawn_rows(run)
    disputed = facts.disagreement
    of_queries = _values(disputed.query_values if disputed else None, len(run.queries))  # float64, as they are printed
    of_rows = _values(disputed.row_values if disputed else None, drawn.total).astype(np.float32)
    head = {
        "view": VERSION,
        "title": title(run),
        "facts": facts_line(facts),
        "provenance": list(story.provenance(facts)),
        "headline": run.headline,
        "decision": run.decision,
        "expected": _expected(run, drawn),
        "rows": drawn.total,
        "drawn": drawn.words,
        "besides": [*story.group_words(facts), *far(run.reaches), *why.findings(run)],
        "notes": notes(facts),
        "models": list(run.config.models),
        "metric": run.config.metric,
        "k": run.config.k,
        "scores": run.scores,
        "measures": _measures(run),
        "curves": [score for score in run.curves if score.measure.startswith("overlap@")],  # as are drawn
        "tables": summary_tables(facts),
        **costs(facts),
        "cutoffs": figures.cutoffs(run, kept),
        "why": [_why(run, each, arrays, drawn) for each in run.why],
        "causes": [*CAUSES.values(), (KNOCK_ON, why.MOVED)],
        "mixing": figures.mixing(run),
        "parts": _parts(run.parts, arrays, drawn),
        "items": _items(run.corpus, arrays, drawn),
        "queries": _queries(run, arrays, drawn),
        "answers": [_answer(answer, answer in run.beside, arrays, drawn) for answer in shown_answers(run)],
        "maps": [_map(layout, arrays, drawn) for layout in run.layouts],
        "warnings": warnings(run.reaches),
        "maps_words": " ".join(filter(None, (story.maps_words(run.layouts), drawn.words))),
        "disagreement": arrays.add(of_queries),
        "disagreement_words": story.DISAGREEMENT,
        "row_disagreement": arrays.add(drawn.of(of_rows)),
        "row_disagreement_words": story.ROW_DISAGREEMENT,
    }
    header = json.dumps(harmless(plain(head)), ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
    block = b"".join([struct.pack("<I", len(header)), header, *arrays.parts])
    return gzip.compress(block, compresslevel=6, mtime=0)


def _measures(run: Run) -> dict[str, dict[str, str]]:
    """Return of each measure scored between which values it lies and what it says; nothing of one unknown here."""
    found = {}
    for text in dict.fromkeys(score.measure for score in run.scores):
        with suppress(UnknownNameError):
            measure = get_measure(text).measure
            low, high = (format(end, "g") if math.isfinite(end) else "∞" for end in measure.range)
            found[text] = {"unit": f"{low} to {high}", "about": measure.summary}
    return found


def _parts(parts: Parts, arrays: _Arrays, drawn: Drawn) -> dict[str, Any]:
    """Return the groups or suggested clusters, and the place among them of each row and query."""
    return {
        "by": parts.by,
        "names": parts.names,
        "of_row": arrays.add((drawn.of(parts.of_row) if parts.names else parts.of_row).astype(np.int32)),
        "of_query": arrays.add(parts.of_query.astype(np.int32)),
    }


def _why(run: Run, found: Why, arrays: _Arrays, drawn: Drawn) -> dict[str, Any]:
    """Return what is said of one pair, its tables, and the bits of each changed neighbour with likely causes."""
    return {
        "models": found.models,
        "query_model": found.query_model,
        "words": [why.sentence(found), *why.examples(run, found)],
        "tables": list(why.tables(found)),
        "query": arrays.add(found.query.astype(np.int32)),
        "row": arrays.add(drawn.places(found.row).astype(np.int32)),
        "bits": arrays.add(found.bits.astype(np.int32)),
    }


def _expected(run: Run, drawn: Drawn) -> dict[str, list[int]] | None:
    """Return the rows that each query should find, by its number; None without expected results."""
    if run.expected is None:
        return None
    rows = run.expected.relevant_rows(run.queries.ids, run.corpus)
    queries = zip(run.queries.ids, rows, strict=True)
    return {
        str(number): drawn.places(each).tolist()
        for number, (query, each) in enumerate(queries)
        if query in run.expected.judgements
    }


def _items(corpus: Corpus, arrays: _Arrays, drawn: Drawn) -> dict[str, Any]:
    texts = drawn.of(corpus.items)
    long = any(len(text) > TEXT_LIMIT for text in texts)
    return {
        "ids": drawn.of(corpus.ids),
        "texts": list(_shown(texts)),
        "lengths": [len(text) for text in texts] if long else None,
        "groups": None if corpus.groups is None else drawn.of(corpus.groups),
        "columns": [_column(name, drawn.of(values), arrays) for name, values in corpus.columns.items()],
        "thumbnails": _thumbnails(texts, arrays),
        "chunks": corpus.parents is not None,
    }


def _thumbnails(items: Sequence[str], arrays: _Arrays) -> dict[str, Any] | None:
    """Return the thumbnails of images one behind another, and where each ends; None for texts."""
    found = list(map(thumbnail_of, items))
    if not any(found):
        return None
    ends = np.cumsum([len(each) for each in found]).astype(np.int32)
    return {"ends": arrays.add(ends), "bytes": arrays.add(np.frombuffer(b"".join(found), dtype=np.uint8))}


def _column(name: str, values: Sequence[str], arrays: _Arrays) -> dict[str, Any]:
    """Return the values of a column, the commonest first, and the place of each row's; "" stands for those left."""
    counts = Counter(values)
    named = sorted((value for value in counts if value), key=lambda value: (-counts[value], value))
    rest = "" in counts or len(named) > COLOURS
    named = named[: COLOURS - rest]
    number = {value: at for at, value in enumerate(named)}
    codes = np.array([number.get(value, len(named)) for value in values], dtype=np.uint8)
    return {"name": name, "values": [*named, *([""] if rest else [])], "of": arrays.add(codes)}


def _shown(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        cut = len(text) > TEXT_LIMIT
        yield text[:TEXT_LIMIT] + (f"… ({len(text):,} characters)" if cut else "")


def _queries(run: Run, arrays: _Arrays, drawn: Drawn) -> dict[str, Any]:
    rows = None if run.query_rows is None else arrays.add(drawn.places(run.query_rows).astype(np.int32))
    own = run.query_rows is not None and all(
        run.corpus.ids[row] == name for row, name in zip(run.query_rows, run.queries.ids, strict=True)
    )
    return {
        "rows": rows,
        "own": own,
        "ids": [] if own else run.queries.ids,
        "texts": [] if own else list(_shown(run.queries.items)),
        "thumbnails": None if own else _thumbnails(run.queries.items, arrays),
    }


def _answer(answer: Answer, beside: bool, arrays: _Arrays, drawn: Drawn) -> dict[str, Any]:
    there = answer.elsewhere
    distance = np.float32(0.0) - there.similarity if answer.returned.metric == "l2" else there.similarity
    return {
        "model": answer.model,
        "query_model": answer.query_model,
        "beside": beside,
        "distance_word": DISTANCE_WORDS[distance_of(answer, answer.returned.metric)],
        "rows": arrays.add(drawn.places(answer.returned.rows).astype(np.int32)),
        "distance": arrays.add(_rounded(answer.returned.distance)),
        "is_self": arrays.add(answer.is_self.astype(np.uint8)),
        "elsewhere": {
            "rows": arrays.add(drawn.places(there.rows).astype(np.int32)),
            "ranks": arrays.add(there.ranks.astype(np.int32)),
            "distance": arrays.add(_rounded(distance)),
        },
        "lost": arrays.add(drawn.places(lost_by_index(answer.returned, answer.exact)).astype(np.int32)),
    }


def _rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half = np.where(np.isfinite(values), np.uint32(0x100), np.uint32(0))  # NaN stays NaN
    rounded: npt.NDArray[np.float32] = ((bits + half) & _MANTISSA).view(np.float32)
    return rounded


def _map(layout: Layout, arrays: _Arrays, drawn: Drawn) -> dict[str, Any]:
    xy = drawn.of(layout.xy)
    extent = float(np.abs(xy).max()) or 1.0
    steps = np.rint((xy.astype(np.float64) / extent * 0.95 + 1.0) * 32767.5).astype(np.uint16)
    return {
        "model": layout.model,
        "method": layout.method,
        "about": " ".join(filter(None, (drawn.brief, story.map_words(layout)))),
        "x": arrays.add(steps[:, 0]),
        "y": arrays.add(steps[:, 1]),
    }


def _values(known: Doubles | None, count: int) -> Doubles:
    """Return the disagreement about each query or row; NaN for all where there is but one collection."""
    return np.full(count, np.nan) if known is None else known
