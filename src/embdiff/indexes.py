"""Indexes and metrics in text form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from embdiff._registry import nearest
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.records import Metric
from embdiff.specs import Parameter, read_parameters, split_named, write_named

METRICS: tuple[Metric, ...] = get_args(Metric)


def _whole(default: int, low: int, high: int) -> Parameter:
    return Parameter(default, low, high, whole=True)


# name → its parameters; the bounds are those Milvus documents for each index.
_CELLS = {"nlist": _whole(128, 1, 65_536), "nprobe": _whole(8, 1, 65_536)}
INDEXES: Mapping[str, Mapping[str, Parameter]] = {
    "flat": {},
    "ivf_flat": _CELLS,
    "ivf_sq8": _CELLS,
    "hnsw": {"M": _whole(16, 2, 2_048), "efConstruction": _whole(200, 8, 4_096), "ef": _whole(64, 1, 32_768)},
    "autoindex": {},
}
_SEARCH_PARAMETERS = ("nprobe", "ef")


@dataclass(frozen=True)
class IndexSpec:
    """An index in text form: ``flat``, ``ivf_flat(nlist=4,nprobe=2)``, ``hnsw(M=16,ef=64)``.

    Parameters
    ----------
    name : str
        A key of `INDEXES`.
    params : mapping of str to int
        Every parameter of the index, defaults filled in.
    """

    name: str
    params: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> IndexSpec:
        """Read the text form, fill in defaults, and check every bound.

        Raises
        ------
        UnknownNameError
            For an unknown index or parameter.
        ParameterError
            For a parameter that is no integer, or out of range.
        """
        name, inside, k = split_named(text)
        if name not in INDEXES or k is not None:
            raise UnknownNameError(
                f"An index must be one of {', '.join(INDEXES)}. Got {text!r}. {nearest(name, INDEXES)}"
            )
        params = {key: int(value) for key, value in read_parameters(name, inside, INDEXES[name], text).items()}
        if "nprobe" in params and not re.search(r"\bnprobe\s*=", inside):  # what nobody chose fits what was chosen
            params["nprobe"] = min(params["nprobe"], params["nlist"])
        if "nprobe" in params and params["nprobe"] > params["nlist"]:
            raise ParameterError(
                f"nprobe of {name} must be at most nlist. Got nprobe={params['nprobe']} and nlist={params['nlist']}. "
                "Lower nprobe or raise nlist."
            )
        return cls(name, params)

    def check_rows(self, rows: int, k: int) -> None:
        """Refuse parameters that do not fit a corpus of ``rows`` rows searched for ``k`` neighbours."""
        if self.params.get("nlist", 0) > rows:
            raise ParameterError(
                f"nlist of {self.name} must be at most the number of rows. Got nlist={self.params['nlist']} for "
                f"{rows} rows. Lower nlist or use the index flat."
            )
        if self.params.get("ef", k) < k:
            raise ParameterError(
                f"ef of {self.name} must be at least the number of neighbours searched. "
                f"Got ef={self.params['ef']} for {k} neighbours. Raise ef or lower k."
            )

    @property
    def build_params(self) -> dict[str, int]:
        """The parameters that shape the index when it is built."""
        return {key: value for key, value in self.params.items() if key not in _SEARCH_PARAMETERS}

    @property
    def search_params(self) -> dict[str, int]:
        """The parameters given with each search."""
        return {key: value for key, value in self.params.items() if key in _SEARCH_PARAMETERS}

    def __str__(self) -> str:
        return write_named(self.name, self.params)


def check_metric(name: str) -> Metric:
    """Return the metric called ``name`` ("dot" means ip), or raise `UnknownNameError`."""
    wanted = {"dot": "ip"}.get(name.lower(), name.lower())
    for metric in METRICS:
        if metric == wanted:
            return metric
    raise UnknownNameError(f"A metric must be one of {', '.join(METRICS)}. Got {name!r}. {nearest(name, METRICS)}")
