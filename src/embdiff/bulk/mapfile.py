"""A map in a file: arrays and numbers in a .npz, nothing that could run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from embdiff import _files
from embdiff.alignment import METHODS, Map
from embdiff.errors import DataError

FORMAT = 1


def write_map(path: Path, by: Map, unit: bool, about: Mapping[str, Any]) -> None:
    """Write a map whole or not at all.

    Parameters
    ----------
    path : Path
    by : Map
    unit : bool
        Whether what it leads to is brought to length 1.
    about : mapping
        Which models, on what it was fitted, how good it is; JSON-able.
    """
    told = {**about, "format": FORMAT, "method": by.method, "rank": by.rank}
    with _files.whole_file(path) as part, part.open("r+b") as handle:
        np.savez(
            handle, matrix=by.matrix, source_centre=by.source_centre, target_centre=by.target_centre,
            unit=by.unit, unit_after=unit, about=json.dumps(told, allow_nan=False),
        )  # fmt: skip


def read_map(path: Path) -> tuple[Map, bool, dict[str, Any]]:
    """Return a map, whether what it leads to is brought to length 1, and what is told of it.

    Raises
    ------
    DataError
        When it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            about = dict(json.loads(str(found["about"])))
            arrays = [
                np.asarray(found[name], dtype=np.float64) for name in ("matrix", "source_centre", "target_centre")
            ]
            unit, after = bool(found["unit"]), bool(found["unit_after"])
        matrix, source, target = arrays
        if about.get("format") != FORMAT or about.get("method") not in METHODS:
            raise ValueError("another format")
        if matrix.ndim != 2 or matrix.shape != (*source.shape, *target.shape) or not all(map(_finite, arrays)):
            raise ValueError("arrays that do not fit together")
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, RecursionError) as error:
        raise DataError(
            f"A map must be a file that 'embdiff adapt --export' wrote. Got {path}: {str(error)[:80]}. Write it again."
        ) from None
    return Map(about["method"], matrix, source, target, unit, rank=int(about.get("rank", 0))), after, about


def _finite(array: Any) -> bool:
    return bool(np.isfinite(array).all())
