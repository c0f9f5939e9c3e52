"""Cut-offs of a comparison: what is kept of the similarities, and what one model's cut-off is in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embdiff._registry import nearest
from embdiff.comparison.expected import relevant_rows
from embdiff.comparison.settings import Inputs
from embdiff.comparison.work import Work
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.measures.similarities import (
    NO_LINES,
    NUMBERS,
    QUERIES,
    Distribution,
    Similarities,
    describe,
    few_cutoffs,
    gather,
)
from embdiff.measures.thresholds import CarryOver, carry_over
from embdiff.records import FloatArray, IntArray
from embdiff.runs import Run
from embdiff.views.space_tables import cutoff_table, similarity_tables
from embdiff.views.table import Part, plain_text

if TYPE_CHECKING:
    import pandas as pd

FEW_CUTOFFS, _REASONS = 5, 3


@dataclass(frozen=True, eq=False)
class ThresholdTable:
    """Cut-offs of one model and what they are in another. ``print`` it for the tables.

    Parameters
    ----------
    from_model, to_model : str
    carried : tuple of CarryOver
        For each cut-off by pass rate; where results are expected by precision and recall, too.
    distributions : tuple of Distribution
        Similarities of both models, for scale.
    """

    from_model: str
    to_model: str
    carried: tuple[CarryOver, ...]
    distributions: tuple[Distribution, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values (``null`` for what is undefined)."""
        return {
            "from": self.from_model,
            "to": self.to_model,
            "carried": [each.to_dict() for each in self.carried],
            "similarities": [each.to_dict() for each in self.distributions],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each cut-off and rate."""
        import pandas as pd

        return pd.DataFrame([vars(each) for each in self.carried])

    def __repr__(self) -> str:
        return plain_text(self.drawn(), width=100)

    def drawn(self, *, everything: bool = False) -> list[Part]:
        """Return the table of cut-offs, for a terminal; with ``everything`` also what similarities each model gives."""
        if not everything:
            return [cutoff_table(self.from_model, self.to_model, self.carried, _REASONS)]
        return [cutoff_table(self.from_model, self.to_model, self.carried), *similarity_tables(self.distributions)]


_ON_DISK = "vectors that stay in their file are not gone through for this"


def similarities_of(work: Work) -> tuple[tuple[Similarities, ...], tuple[Distribution, ...]]:
    """Return what cut-offs need of every model with vectors, and the distributions of its similarities.

    At most 1,000 queries are drawn, and at most 1,000 of those with an expected document; the same for all models. A
    model that does not ask its own collection is asked with the first query model.
    """
    config, inputs = work.config, work.inputs
    expected = _expected_rows(inputs)
    every = np.arange(len(inputs.queries), dtype=np.int64)
    having = np.flatnonzero([len(rows) > 0 for rows in expected]).astype(np.int64)
    sampled, judged = (_drawn(rows, config.seed) for rows in (every, having))
    queries = np.union1d(sampled, judged).astype(np.int64)
    own, wanted = ([rows[query] for query in queries] for rows in (inputs.own.rows, expected))
    kept = max(config.k, NUMBERS // max(1, len(queries)))
    found: list[Similarities] = []
    distributions: list[Distribution] = []
    for name, documents in work.documents.items():
        asks = name if work.encoded[name].queries is not None else config.query_models[0]
        vectors = work.asking(asks, name)[queries]
        reason = _ON_DISK if name in work.on_disk else _without_direction(vectors, documents)
        place, similarity, count, binned, hits = (
            work.kept.call(gather, vectors, documents, own, wanted, kept=kept) if reason is None else NO_LINES
        )
        flags = np.isin(queries, sampled), np.isin(queries, judged)
        found.append(Similarities(name, asks, queries, *flags, place, similarity, count, binned, hits, reason))
        if reason is None:
            distributions += work.kept.call(describe, found[-1], documents, config.k, seed=config.seed)
    return tuple(found), tuple(distributions)


def _expected_rows(inputs: Inputs) -> list[IntArray]:
    """Return the expected rows of each query, its own left out."""
    wanted = relevant_rows(inputs.expected, inputs)
    return [np.setdiff1d(rows, own) if len(rows) else rows for rows, own in zip(wanted, inputs.own.rows, strict=True)]


def _drawn(rows: IntArray, seed: int) -> IntArray:
    return rows if len(rows) <= QUERIES else np.sort(np.random.default_rng(seed).permutation(rows)[:QUERIES])


def _without_direction(queries: FloatArray, documents: FloatArray) -> str | None:
    zero = [int(np.count_nonzero(~vectors.any(axis=1))) for vectors in (documents, queries)]
    if not any(zero):
        return None
    return f"{zero[0]:,} documents and {zero[1]:,} queries have a zero vector, whose cosine is undefined"


def carried_over(
    run: Run, from_model: str | None, to_model: str | None, at: float | Sequence[float] | None
) -> ThresholdTable:
    """Return the cut-offs of one model of a run in another.

    Raises
    ------
    DataError
        When a model has no similarities.
    UnknownNameError
        When the run has no such model.
    ParameterError
        When models are left out though there are not two, or a cut-off is no cosine similarity.
    """
    known = {each.model: each for each in run.similarities}
    names = _chosen(from_model, to_model, tuple(known))
    a, b = (_usable(known, name, run) for name in names)
    cuts = (
        few_cutoffs(run.distributions, a.model, FEW_CUTOFFS)
        if at is None
        else [_cutoff(each) for each in np.atleast_1d(np.asarray(at, dtype=object)).tolist()]
    )
    carried = [each for cut in cuts for each in carry_over(a, b, cut, seed=run.config.seed)]
    shown = tuple(each for name in dict.fromkeys(names) for each in run.distributions if each.model == name)
    return ThresholdTable(a.model, b.model, tuple(carried), shown)


def _cutoff(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(
            f"A cut-off must be a cosine similarity, a number. Got {value!r}. Write for example 0.8."
        ) from None


def _chosen(from_model: str | None, to_model: str | None, known: tuple[str, ...]) -> tuple[str, str]:
    """Fill in the models where there are two: the first is the old one, unless the other is named."""
    if from_model is not None and to_model is not None:
        return from_model, to_model
    if len(known) != 2:
        raise ParameterError(
            f"Both models must be named unless the run has two. Got a run of {len(known)}: {', '.join(known)}. "
            "Name them with --from and --to (from_, to)."
        )
    if from_model is not None:
        return from_model, known[known.index(from_model) == 0] if from_model in known else known[1]
    if to_model is not None:
        return known[known.index(to_model) == 0] if to_model in known else known[0], to_model
    return known[0], known[1]


def _usable(known: Mapping[str, Similarities], name: str, run: Run) -> Similarities:
    if name not in known:
        there = f"{name} has no vectors, so no cosine" if name in run.config.models else nearest(name, known)
        raise UnknownNameError(f"A model must be one of this run: {', '.join(known)}. Got {name!r}. {there}")
    found = known[name]
    if found.reason is not None:
        raise DataError(
            f"Cut-offs need a cosine for every pair. Got {name}, where {found.reason}. Leave these rows out."
        )
    return found
