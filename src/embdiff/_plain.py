"""Records as JSON-able values and back: undefined numbers are ``null`` there, arrays may be put aside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, PlainValidator, TypeAdapter, ValidationInfo


def _array(value: Any, info: ValidationInfo) -> Any:
    """Find the array that `plain` put aside."""
    if isinstance(value, np.ndarray):
        return value
    arrays: Mapping[str, Any] = info.context or {}
    return arrays[value["array"]].reshape(value["shape"])


FloatArray = Annotated[npt.NDArray[np.float32], PlainValidator(_array)]
IntArray = Annotated[npt.NDArray[np.int64], PlainValidator(_array)]
BoolArray = Annotated[npt.NDArray[np.bool_], PlainValidator(_array)]
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float that may be undefined: NaN here, ``null`` in JSON."""


def plain(value: Any, arrays: dict[str, npt.NDArray[Any]] | None = None) -> Any:
    """Return JSON-able values of records, mappings, sequences and arrays: ``null`` where a number is not finite.

    Parameters
    ----------
    value : object
        What the ``repr`` of a record leaves out is left out here, too.
    arrays : dict of str to ndarray, optional
        Takes the arrays, which then stand by name in what is returned; by default they become lists.
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if is_dataclass(value):
        kind: Any = type(value)
        return {name: plain(getattr(value, name), arrays) for name in _written(kind)}
    if isinstance(value, Mapping):
        return {key: plain(each, arrays) for key, each in value.items()}
    if isinstance(value, np.ndarray) and arrays is not None:
        name = str(len(arrays))
        arrays[name] = value
        return {"array": name, "shape": value.shape}
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return [plain(each, arrays) for each in value]


@cache
def _written(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.repr)


def reader(kind: Any) -> TypeAdapter[Any]:
    """Return what reads values of a type from what `plain` made of them; arrays put aside are its ``context``."""
    return _reader(kind)


@cache  # to make one takes tenths of a second
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class Record:
    """A frozen dataclass that JSON can hold."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values: ``null`` where a number is undefined, never ``NaN``."""
        found: dict[str, Any] = plain(self)
        return found
