"""A variant in lower precision is written down with how far it is from float32, measured on rows of the corpus."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from embdiff import _files
from embdiff.bulk.part import Job
from embdiff.bulk.plan import Plan
from embdiff.kept import VectorCache
from embdiff.records import FloatArray, IntArray
from embdiff.sources import Encoder
from embdiff.sources.parquet import rows_of, vectors_of
from embdiff.variants import ROWS, measure_variant

_FILE, _SEED = "variant.json", 0


def measured(encoder: Encoder, job: Job, plan: Plan, cache: VectorCache) -> dict[str, Any] | None:
    """Return what `measure_variant` finds on rows drawn from all parts; None for a model in float32.

    It is measured once and kept in the folder of the job, so that a command that goes on finds the same.

    Parameters
    ----------
    encoder : Encoder
    job : Job
        All of its parts are encoded.
    plan : Plan
    cache : VectorCache
    """
    lower = encoder.float32_twin(encoder.spec)
    if lower is None:
        return None
    path = job.folder / _FILE
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    count = min(ROWS, plan.rows)
    rows = np.sort(np.random.default_rng(_SEED).choice(plan.rows, count, replace=False)).astype(np.int64)
    items, vectors = _read(job, plan, rows)
    found = measure_variant(*lower, items, vectors, cache, _SEED, role=job.role, of_rows=plan.rows)
    _files.write_json(path, found)
    return found


def _read(job: Job, plan: Plan, rows: IntArray) -> tuple[list[str], FloatArray]:
    """Return texts and vectors of rows, ascending; only the parts that hold one are read."""
    items: list[str] = []
    tables: list[FloatArray] = []
    for number, (start, size) in enumerate(zip(plan.starts, plan.sizes, strict=True)):
        here = rows[(rows >= start) & (rows < start + size)] - start
        if here.size:
            path = job.vectors_of(number)
            texts = rows_of(path).items
            items += [texts[row] for row in here]
            tables.append(vectors_of(path)[here])
    return items, np.concatenate(tables)
