"""Parts of a run folder that came later, each in a file of its own: an older run without it is read all the same.

``similarities.parquet`` and ``similarities.json`` (what cut-offs need), ``calibration.json`` (shuffled rows).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff import _files
from embdiff.measures.calibration import Calibration
from embdiff.measures.similarities import Distribution, Similarities

SIMILARITIES, DISTRIBUTIONS, CALIBRATION = "similarities.parquet", "similarities.json", "calibration.json"
FILES = frozenset({SIMILARITIES, DISTRIBUTIONS, CALIBRATION})

_LINES = ("similarity", "count", "binned", "expected")
_QUERIES: Mapping[str, Any] = {"queries": np.int64, "sampled": np.bool_, "judged": np.bool_}


def write_similarities(
    found: Sequence[Similarities], distributions: Sequence[Distribution], ids: Sequence[str], folder: Path
) -> None:
    """Write similarities and their distributions; ``ids`` are those of the run's queries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    models = np.repeat(np.arange(len(found)), [len(each.place) for each in found])
    columns = {
        "model": _named([each.model for each in found], models),
        "query_id": _named(ids, _joined([each.queries[each.place] for each in found])),
        **{name: pa.array(_joined([getattr(each, name) for each in found])) for name in _LINES},
    }
    pq.write_table(pa.table(columns), folder / SIMILARITIES, compression="zstd")
    _files.write_json(
        folder / DISTRIBUTIONS,
        {"models": list(map(_about, found)), "distributions": [each.to_dict() for each in distributions]},
    )


def _about(found: Similarities) -> dict[str, Any]:
    """Return what the table does not hold: lines are sorted by query, so their numbers say whose each one is."""
    return {
        "model": found.model,
        "query_model": found.query_model,
        "reason": found.reason,
        **{name: getattr(found, name).tolist() for name in _QUERIES},
        "lines": np.bincount(found.place, minlength=len(found.queries)).tolist(),
    }


def _named(names: Sequence[str], codes: npt.NDArray[np.int64]) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(codes, type=pa.int32()), pa.array(list(names), type=pa.string()))


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    joined: npt.NDArray[Any] = np.concatenate(parts)
    return joined


def read_similarities(folder: Path) -> tuple[tuple[Similarities, ...], tuple[Distribution, ...]]:
    """Read them back; nothing where the run has none."""
    import pyarrow.parquet as pq

    if not (folder / DISTRIBUTIONS).is_file():
        return (), ()
    about = json.loads((folder / DISTRIBUTIONS).read_text(encoding="utf-8"))
    table = pq.read_table(folder / SIMILARITIES, columns=list(_LINES))
    columns = {name: table.column(name).to_numpy(zero_copy_only=False) for name in _LINES}
    found, start = [], 0
    for each in about["models"]:
        lines = np.array(each.pop("lines"), dtype=np.int64)
        part = slice(start, start + int(lines.sum()))
        start = part.stop
        each |= {name: np.array(each[name], dtype=kind) for name, kind in _QUERIES.items()}
        each |= {name: column[part] for name, column in columns.items()}
        found.append(Similarities(**each, place=np.repeat(np.arange(len(lines)), lines)))
    if start != table.num_rows:
        raise ValueError(f"{SIMILARITIES} must have {start} rows, it has {table.num_rows}")
    return tuple(found), tuple(Distribution.from_dict(raw) for raw in about["distributions"])


def write_calibrations(found: Sequence[Calibration], folder: Path) -> None:
    """Write the calibrations, where there are any."""
    if found:
        _files.write_json(folder / CALIBRATION, [each.to_dict() for each in found])


def read_calibrations(folder: Path) -> tuple[Calibration, ...]:
    """Read them back; nothing where the run has none."""
    if not (folder / CALIBRATION).is_file():
        return ()
    return tuple(map(Calibration.from_dict, json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))))
