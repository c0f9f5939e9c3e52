"""The geometry of the models' spaces, two by two and each alone, from the vectors of the documents."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from embdiff import exact
from embdiff._progress import progress
from embdiff.comparison.every_row import EveryRow, documents_of, on_disk
from embdiff.comparison.settings import Inputs
from embdiff.comparison.stages import Encoded
from embdiff.kept import call
from embdiff.measures.calibrated import calibrate_pair, over_pairs
from embdiff.measures.calibration import Calibration
from embdiff.measures.cknna import score_cknna
from embdiff.measures.dimension import score_intrinsic_dimension
from embdiff.measures.geometry import score_geometry
from embdiff.measures.hubs import score_hubness, score_orphans
from embdiff.measures.moments import SMALL
from embdiff.measures.rsa import score_rsa
from embdiff.measures.shape_of_one import score_anisotropy, score_first_component, score_norm_spread, score_uniformity
from embdiff.records import Neighbors, Score, Space
from embdiff.settings import SAMPLE_ABOVE, RunConfig

PAIRS = 100_000  # pairs of rows sampled for rsa and uniformity: a standard error of about .003
FROM_SUMS = ("cka", "procrustes", "shape_angle", "svcca", "pwcca")


def spaces_of(inputs: Inputs, encoded: Mapping[str, Encoded], every_row: EveryRow) -> dict[str, Space]:
    """Return the documents' vectors of every model that has any.

    They are of sampled rows when some stay in their file, or when only a sample of more than 20,000 rows was asked.
    """
    documents = documents_of(encoded)
    some = inputs.sampled_from is not None and len(inputs.corpus) > SAMPLE_ABOVE
    rows = every_row.sample if some or on_disk(documents) else None
    ids = inputs.corpus.ids if rows is None else tuple(inputs.corpus.ids[row] for row in rows)
    return {
        name: Space(name, ids, vectors if rows is None else vectors[rows], encoded[name].stamp)
        for name, vectors in documents.items()
    }


def geometry_scores(config: RunConfig, spaces: Mapping[str, Space], every_row: EveryRow) -> list[Score]:
    """Return the measures of every two spaces, then those of each space alone.

    Parameters
    ----------
    config : RunConfig
    spaces : mapping of str to Space
        All of the same rows.
    every_row : EveryRow

    Returns
    -------
    list of Score
        What was sampled, and what is undefined, is said in ``reason``.
    """
    pairs = list(combinations(spaces.values(), 2))
    scores: list[Score] = []
    with _one_thread(every_row.rows), progress("geometry", len(pairs) + len(spaces), "spaces and pairs") as advance:
        for a, b in pairs:
            scores += _pair(a, b, every_row, config.seed)
            advance(1)
        for space in spaces.values():
            scores += _alone(space, every_row, config.seed)
            advance(1)
    drawn = min(len(space.ids) for space in spaces.values())
    if drawn == every_row.rows:
        return scores
    note = f"from {drawn:,} of {every_row.rows:,} rows, sampled"
    return [replace(each, reason=f"{each.reason}; {note}" if each.reason else note) for each in scores]


def calibrations(config: RunConfig, spaces: Mapping[str, Space], every_row: EveryRow) -> tuple[Calibration, ...]:
    """Compare every two models with shuffled rows, as often as asked; p-values adjusted over the pairs."""
    if not config.calibrate:
        return ()
    pairs = list(combinations(spaces.values(), 2))
    found: list[Calibration] = []
    with _one_thread(0), progress("calibration", len(pairs), "pairs") as advance:
        for a, b in pairs:
            neighbors = every_row.of_sample(a.model), every_row.of_sample(b.model)
            vectors = every_row.vectors(a.model), every_row.vectors(b.model)
            found += call(
                calibrate_pair, a, b, neighbors, vectors=vectors, permutations=config.calibrate, seed=config.seed,
                note=every_row.note,
            )  # fmt: skip
            advance(1)
    return over_pairs(found)


def _one_thread(rows: int) -> AbstractContextManager[Any]:
    """Let decompositions of some hundred dimensions run on one core: shared among many they only wait for each other.

    Beyond a few thousand rows the products over rows take most of the time, and those do gain from more cores.
    """
    if rows > SMALL:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def _pair(a: Space, b: Space, every_row: EveryRow, seed: int) -> Iterator[Score]:
    first, *others = call(score_geometry, a, b, seed=seed, measures=FROM_SUMS)
    yield first
    yield _cknna(a, b, every_row, seed)
    yield call(score_rsa, a, b, pairs=PAIRS, seed=seed)
    yield from others


def _cknna(a: Space, b: Space, every_row: EveryRow, seed: int) -> Score:
    models = (a.model, b.model)
    left, right = (_aligned(space, every_row) for space in (a, b))
    if left is None or right is None:
        k, n = every_row.of_sample(a.model).rows.shape[::-1]
        return _undefined(f"cknna@{k}", models, n, "it aligns cosines: vectors searched by l2 must be of length 1")
    return _noted(call(score_cknna, left, right, models, seed=seed), every_row)


def _aligned(space: Space, every_row: EveryRow) -> Neighbors | None:
    """Return the neighbours with an inner product as similarity; those of unit vectors by l2 are those by cosine."""
    found = every_row.of_sample(space.model)
    if found.metric != "l2":
        return found
    if not space.normalized:
        return None
    vectors = every_row.vectors(space.model)
    return Neighbors(found.rows, call(exact.similarity, vectors, vectors, found.rows, "cosine"), "cosine", found.index)


def _alone(space: Space, every_row: EveryRow, seed: int) -> Iterator[Score]:
    found = every_row.of_sample(space.model)
    yield call(score_anisotropy, space, seed=seed)
    yield call(score_first_component, space, seed=seed)
    yield call(score_norm_spread, space, seed=seed)
    yield call(score_uniformity, space, pairs=PAIRS, seed=seed)
    yield _noted(call(score_hubness, found, space.model, seed=seed), every_row)
    yield _noted(call(score_orphans, found, space.model), every_row)
    yield _noted(_dimension(space, found, every_row, seed), every_row)


def _dimension(space: Space, found: Neighbors, every_row: EveryRow, seed: int) -> Score:
    vectors, name = every_row.vectors(space.model), "intrinsic_dimension"
    if found.k < 2:
        return _undefined(name, (space.model,), len(vectors), f"it needs two neighbours of each row, k is {found.k}")
    if found.metric == "ip":
        if not space.normalized:
            return _undefined(name, (space.model,), len(vectors), "an inner product is no distance: vectors differ in "
                              "length")  # fmt: skip
        found = Neighbors(found.rows, found.similarity, "cosine", found.index)
    ids = space.ids
    if every_row.sample is not None and len(ids) == every_row.rows:
        ids = tuple(np.array(ids, dtype=object)[every_row.sample])
    return call(score_intrinsic_dimension, replace(space, ids=ids, vectors=vectors), found, seed=seed)


def _noted(score: Score, every_row: EveryRow) -> Score:
    """Add that rows were sampled."""
    reason = "; ".join(filter(None, (score.reason, every_row.note)))
    return replace(score, reason=reason or None)


def _undefined(measure: str, models: tuple[str, ...], n: int, reason: str) -> Score:
    nan = math.nan
    return Score(measure, models, nan, nan, nan, nan, n, reason=f"undefined: {reason}")
