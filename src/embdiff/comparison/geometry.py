"""The geometry of the models' spaces, two by two and each alone, from the vectors of the documents."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import combinations
from typing import Any

from embdiff._processors import one_blas_thread
from embdiff._progress import progress
from embdiff.comparison.every_row import EveryRow
from embdiff.comparison.scored import by_measure, kept_scores
from embdiff.comparison.work import Work
from embdiff.measures.base import MeasureSpec, measures_for
from embdiff.measures.calibration import Calibration, calibrate_pair, calibrated_measures, over_pairs
from embdiff.measures.inputs import Inputs
from embdiff.measures.moments import SMALL
from embdiff.measures.row_pairs import SAMPLE
from embdiff.measures.spaces import OneSpace, TwoSpaces
from embdiff.records import Score, Space
from embdiff.settings import SAMPLE_ABOVE

PAIRS = 100_000  # pairs of rows sampled for rsa and uniformity: a standard error of about .003


def spaces_of(work: Work, every_row: EveryRow) -> dict[str, Space]:
    """Return the documents' vectors of every model that has any.

    They are of sampled rows when some stay in their file, or when only a sample of more than 20,000 rows was asked.
    """
    inputs, documents = work.inputs, work.documents
    some = inputs.sampled_from is not None and len(inputs.corpus) > SAMPLE_ABOVE
    rows = every_row.sample if some or work.on_disk else None
    ids = inputs.corpus.ids if rows is None else tuple(inputs.corpus.ids[row] for row in rows)
    return {
        name: Space(name, ids, vectors if rows is None else vectors[rows], work.encoded[name].stamp)
        for name, vectors in documents.items()
    }


def geometry_scores(work: Work, spaces: Mapping[str, Space], every_row: EveryRow) -> list[Score]:
    """Return the measures of every two spaces, then those of each space alone.

    Parameters
    ----------
    work : Work
    spaces : mapping of str to Space
        All of the same rows.
    every_row : EveryRow

    Returns
    -------
    list of Score
        What was sampled, and what is undefined, is said in ``reason``.
    """
    bare = {name: OneSpace(space) for name, space in spaces.items()}
    listed = _listed(spaces, every_row)
    pairs = list(combinations(spaces, 2))
    scores: list[Score] = []
    with _one_thread(every_row.rows), progress("geometry", len(pairs) + len(spaces), "spaces and pairs") as advance:
        for a, b in pairs:
            two = TwoSpaces(bare[a], bare[b]), TwoSpaces(listed[a], listed[b])
            scores += _scores(("two spaces", "two neighbors of every row"), *two, work)
            advance(1)
        for name in spaces:
            needs = ("one space", "neighbors of every row", "one space + neighbors")
            scores += _scores(needs, bare[name], listed[name], work)
            advance(1)
    drawn = min(len(space.ids) for space in spaces.values())
    if drawn == every_row.rows:
        return scores
    note = f"from {drawn:,} of {every_row.rows:,} rows, sampled"
    return [replace(each, reason=f"{each.reason}; {note}" if each.reason else note) for each in scores]


def calibrations(work: Work, spaces: Mapping[str, Space], every_row: EveryRow) -> tuple[Calibration, ...]:
    """Compare every two models with shuffled rows, as often as asked; p-values adjusted over the pairs."""
    config = work.config
    if not config.calibrate:
        return ()
    pairs = list(combinations(_listed(spaces, every_row).values(), 2))
    found: list[Calibration] = []
    with _one_thread(0), progress("calibration", len(pairs), "pairs") as advance:
        for a, b in pairs:
            found += by_measure(
                work.kept,
                calibrate_pair,
                calibrated_measures(),
                TwoSpaces(a, b),
                permutations=config.calibrate,
                seed=config.seed,
            )
            advance(1)
    return over_pairs(found)


def _listed(spaces: Mapping[str, Space], every_row: EveryRow) -> dict[str, OneSpace]:
    """Return the spaces with the neighbours of their rows, or of a sample of them."""
    return {
        name: OneSpace(space, every_row.of_sample(name), every_row.vectors(name), every_row.note)
        for name, space in spaces.items()
    }


def _scores(needs: tuple[str, ...], bare: Inputs, listed: Inputs, work: Work) -> list[Score]:
    """Return all measures with these needs; what was kept of those of vectors alone does not hang on neighbours."""
    measures = [each for each in measures_for(*needs) if each.reported]
    found: dict[str, Score] = {}
    for inputs, neighbors in ((bare, False), (listed, True)):
        taken = [each for each in measures if ("neighbors" in each.needs) is neighbors]
        sampled = [{name: PAIRS for name in SAMPLE if name in each.parameters} for each in taken]
        specs = [MeasureSpec(each, None, each.defaults | pairs) for each, pairs in zip(taken, sampled, strict=True)]
        taken_scores = kept_scores(work.kept, specs, inputs, seed=work.config.seed)
        found |= {each.name: one for each, one in zip(taken, taken_scores, strict=True)}
    return [found[each.name] for each in measures]


def _one_thread(rows: int) -> AbstractContextManager[Any]:
    """Let decompositions of some hundred dimensions run on one core: shared among many they only wait for each other.

    Beyond a few thousand rows the products over rows take most of the time, and those do gain from more cores.
    """
    return nullcontext() if rows > SMALL else one_blas_thread()
