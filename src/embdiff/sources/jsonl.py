"""Ready vectors in JSON Lines: an object a line, as scripts write them, or the output of OpenAI's batch endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from embdiff.corpus.columns import KNOWN, same_name
from embdiff.corpus.files import lines_of, read_text
from embdiff.corpus.tables import as_name, kind_of, of_keys
from embdiff.errors import DataError
from embdiff.sources.held import TELLING, Held

_Kind = TypeVar("_Kind")


def json_lines(path: Path) -> Held:
    """Read a .jsonl file with an object a line that holds a vector: lists of numbers, and what is one value as text.

    Raises
    ------
    DataError
        When a line is no such object, or a request of a batch has failed.
    """
    lines, objects = [], []
    for number, line in enumerate(lines_of(read_text(path)), start=1):
        if line.strip():
            found = _objects(line, f"line {number} of {path}")
            lines += [number] * len(found)
            objects += found
    columns = {}
    for key in dict.fromkeys(key for each in objects for key in each):
        cells = [each.get(key) for each in objects]
        kinds = {type(cell) for cell in cells} - {type(None)}
        if list in kinds and (len(kinds) == 1 or same_name(key) in KNOWN["vector"]):
            columns[key] = _vectors(key, cells, lines, path)
        elif not kinds or kinds - {list, dict} or same_name(key) in TELLING:  # what is nested tells nothing elsewhere
            columns[key] = pa.array([cell if isinstance(cell, str) else as_name(cell) for cell in cells], pa.string())
    if not lines:
        raise DataError(f"A file of vectors must hold at least one. Got none in {path}. Make it again.")
    return Held(columns, lambda row: f"line {lines[row]}")


def _objects(line: str, where: str) -> list[dict[str, Any]]:
    """Return what stands on a line: one object, or of a request of a batch one for each of its texts."""
    try:
        value = json.loads(line, object_pairs_hook=of_keys)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"Every line of a file of vectors must be a JSON object. Got {str(error)[:80]} at {where}. Mend the line."
        ) from None
    if not isinstance(value, dict):
        raise DataError(
            f"Every line of a file of vectors must be a JSON object. Got {kind_of(value)} at {where}. Mend the line."
        )
    return _of_batch(value, where) if "custom_id" in value and "response" in value else [value]


def _of_batch(value: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """Return ids and vectors of one request of a batch: of several texts, text i of request r is called ``r/i``."""
    answer, name = _part(value, "response", dict), value["custom_id"]
    data = _part(_part(answer, "body", dict), "data", list)
    found = [each if isinstance(each, dict) else {} for each in data]
    places = [each.get("index", place) for place, each in enumerate(found)]
    if value.get("error") or sorted(places, key=str) != sorted(range(len(found)), key=str) or not found:
        got = "an error" if value.get("error") else f"{len(found)} vectors, with the indexes {places[:5]}"
        raise DataError(
            f"Every request of a batch must have a vector for each of its texts, indexed from 0. Got {got} (status "
            f"{answer.get('status_code')}) at {where}, custom_id {name!r}. Send it again."
        )
    one = len(found) == 1
    return [
        {"custom_id": name if one else f"{name}/{place}", "embedding": each.get("embedding")}
        for place, each in zip(places, found, strict=True)
    ]


def _part(value: dict[str, Any], key: str, kind: type[_Kind]) -> _Kind:
    """Return what stands under a key; nothing of its kind where something else does."""
    part = value.get(key)
    return part if isinstance(part, kind) else kind()


def _vectors(key: str, cells: list[Any], lines: list[int], path: Path) -> Any:
    """Return lists of numbers as Arrow holds them; nulls where lists hold something else."""
    for line, cell in zip(lines, cells, strict=True):
        numbers = cell is None or (
            isinstance(cell, list)
            and all(each is None or (isinstance(each, (int, float)) and not isinstance(each, bool)) for each in cell)
        )
        if not numbers:
            if same_name(key) in KNOWN["vector"]:
                raise DataError(
                    f"Every vector must be a list of numbers. Got {kind_of(cell)} as {key!r} at line {line} of {path}. "
                    "Mend the line."
                )
            return pa.nulls(len(cells))
    return pa.array(cells, pa.list_(pa.float64()))
