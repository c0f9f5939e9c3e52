"""How far a variant in lower precision, or a service, is from the model itself, measured on the user's own texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from embdiff import exact
from embdiff.kept import VectorCache
from embdiff.measures.inputs import TwoLists
from embdiff.measures.score import score as take
from embdiff.records import FloatArray, Role, Stamp
from embdiff.sources import get_encoder
from embdiff.specs import SERVICES, ModelSpec

ROWS, K = 500, 10


class Made(Protocol):
    """A model whose vectors are there."""

    @property
    def stamp(self) -> Stamp:
        """Provenance of the vectors."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is told of it; ``form`` where it goes under an alias."""


def run_elsewhere(form: str, dim: int, others: Mapping[str, Made]) -> tuple[str, str] | None:
    """Return a service as typed, and the model of its name and dimension among others; None where there is none.

    ``openai:minilm`` and ``minilm``, ``openai:bge-m3`` and ``st:BAAI/bge-m3``: one model, by their names, that two
    programs run.
    """
    if form.partition(":")[0] not in SERVICES:
        return None
    wanted = ModelSpec.parse(form).name.rpartition("/")[2].casefold()
    for name, other in others.items():
        kind, _, after = other.facts.get("form", name).partition("?")[0].partition(":")
        called = {name.casefold(), (after or kind).rpartition("/")[2].casefold()}
        if wanted in called and other.stamp.dim == dim:
            return form, name
    return None


def measure_variant(
    name: str,
    twin: str,
    items: Sequence[str],
    vectors: FloatArray,
    cache: VectorCache,
    seed: int,
    *,
    role: Role = "document",
    float32: FloatArray | None = None,
    of_rows: int | None = None,
) -> dict[str, Any]:
    """Compare a variant with its model in float32 on rows drawn from the corpus.

    The neighbours of up to 500 different texts are searched among all different texts where at most 500 of these have
    no float32 vector yet. Else the texts drawn are searched among themselves, which shares more neighbours than the
    whole corpus would: ``whole`` says which.

    Parameters
    ----------
    name : str
        The model as typed.
    twin : str
        The same model in float32, as `float32_of` returns it.
    items : sequence of str, length n
    vectors : ndarray of float32, shape (n, d)
        The variant's, of these texts.
    cache : VectorCache
        Where float32 vectors are looked for, and kept.
    seed : int
        Of the draw and of the interval.
    role : {"document", "query"}
        As what the texts were encoded.
    float32 : ndarray of float32, shape (n, d), optional
        The float32 model's, where a run has them.
    of_rows : int, optional
        Rows of the corpus, where the texts were drawn from it.

    Returns
    -------
    dict
        JSON-able: ``of`` (the twin), ``elsewhere`` (whether a service runs it), ``role``, ``rows`` drawn,
        ``corpus_rows``, ``among`` (different texts searched), ``whole`` (whether these are all), ``cosine_mean`` and
        ``cosine_lowest``, and ``overlap``, a score, None where there are too few different texts.
    """
    different = np.sort(np.unique(np.asarray(items, dtype=object), return_index=True)[1])
    rows = np.sort(np.random.default_rng(seed).permutation(different)[:ROWS])
    among, there = different, None if float32 is None else float32[different]
    if there is None:
        encoder = get_encoder(twin, cache=cache)
        if encoder.missing([items[row] for row in different], role=role, cache=cache) > ROWS:
            among = rows
        there = encoder.encode([items[row] for row in among], role=role, cache=cache)
    here = vectors[among]
    own = np.searchsorted(among, rows).astype(np.int64)
    a, b = here[own].astype(np.float64), there[own].astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.sum(a * b, axis=1)[lengths > 0] / lengths[lengths > 0]
    corpus_rows = len(items) if of_rows is None else of_rows
    facts: dict[str, Any] = {
        "of": twin,
        "elsewhere": name.partition(":")[0] in SERVICES,
        "role": role,
        "rows": len(rows),
        "corpus_rows": corpus_rows,
        "among": len(among),
        "whole": len(among) == len(different) and len(items) == corpus_rows,
        "cosine_mean": float(cosines.mean()) if len(cosines) else None,
        "cosine_lowest": float(cosines.min()) if len(cosines) else None,
        "overlap": None,
    }
    k = min(K, len(among) - 2)  # with all but one as neighbours there would be nothing to choose
    if k > 0 and all(np.any(each != 0, axis=1).all() for each in (here, there)):
        lists = [exact.search(each[own], each, k, "cosine", leave_out=own) for each in (here, there)]
        score = take("overlap", TwoLists(lists[0], lists[1], (name, twin), None, len(among) - 1), seed=seed)
        facts["overlap"] = score.to_dict()
    return facts
