"""A run for other viewers: Parquet, embedding-atlas, the embedding projector, jupyter-scatter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from embdiff import _files, _names
from embdiff._optional import require
from embdiff._picture import data_uri, thumbnail_of
from embdiff._visible import visible_on_a_page
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.layouts import Layout
from embdiff.records import Answer, FloatArray
from embdiff.runs import Run

_METADATA, _VECTORS = "metadata.tsv", ".vectors.tsv"
_FORMULA = ("=", "+", "-", "@")  # what spreadsheets take for a formula at the start of a cell


def points(run: Run) -> dict[str, Any]:
    """Return one row per corpus row, as columns: id, text, group, of images a thumbnail, and x and y of every map.

    Raises
    ------
    ParameterError
        When the run has no maps.
    """
    columns = _shown(run)
    for layout in _layouts(run):
        columns[f"x_{layout.model}"], columns[f"y_{layout.model}"] = layout.xy[:, 0], layout.xy[:, 1]
    return columns


def _texts(run: Run) -> dict[str, Any]:
    columns = {"id": run.corpus.ids, "text": run.corpus.items}
    return columns if run.corpus.groups is None else {**columns, "group": run.corpus.groups}


def _shown(run: Run) -> dict[str, Any]:
    """Return what names a row, and of images the thumbnail as a data URI, which viewers of tables draw."""
    found = [data_uri(small) if (small := thumbnail_of(item)) else None for item in run.corpus.items]
    return {**_texts(run), "image": found} if any(found) else _texts(run)


def write_parquet(run: Run, path: Path) -> None:
    """Write `points`, with the neighbours of every collection where the rows themselves asked."""
    columns = points(run)
    for answer in run.answers:
        if run.query_rows is not None:
            asked = "" if answer.query_model == answer.model else f" asked with {answer.query_model}"
            columns[f"neighbors_{answer.model}{asked}"] = _neighbors(run, answer)
    _write(columns, path)


def write_atlas(run: Run, path: Path, model: str | None = None) -> None:
    """Write one model's map for embedding-atlas: columns id, text, x, y, neighbors (``{ids, distances}``).

    Raises
    ------
    UnknownNameError
        When the run has no map of the model.
    """
    layout = _layout(run, model)
    columns = {**_shown(run), "x": layout.xy[:, 0], "y": layout.xy[:, 1]}
    own = [each for each in run.answers if each.model == each.query_model == layout.model]
    if own and run.query_rows is not None:
        columns["neighbors"] = _neighbors(run, own[0])
    _write(columns, path)


def _neighbors(run: Run, answer: Answer) -> list[dict[str, Any] | None]:
    """Neighbours by corpus row: row numbers and distances, small where rows are close; None for rows that did not ask.

    The distances are squared L2, 1 - cosine, or the inner product negated: one meaning in every export.
    """
    found: list[dict[str, Any] | None] = [None] * len(run.corpus)
    distance = answer.returned.apart
    for query, row in enumerate(run.query_rows or ()):
        kept = answer.returned.rows[query] >= 0
        found[row] = {
            "ids": answer.returned.rows[query][kept].tolist(),
            "distances": distance[query][kept].astype(np.float64).tolist(),
        }
    return found


@contextmanager
def projector_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fill with `write_projector`; it is put in place as a whole.

    Raises
    ------
    ParameterError
        When the one named holds anything but such an export, which would be lost, or cannot be written.
    """
    if folder.exists():
        names = {each.name for each in folder.iterdir()} if folder.is_dir() else {folder.name}
        foreign = sorted(name for name in names if name != _METADATA and not name.endswith(_VECTORS))
        if foreign:
            raise ParameterError(
                f"The folder of an export must be new, empty, or an earlier export, since it is replaced. Got {folder} "
                f"with {', '.join(foreign[:3])}. Name another with --out."
            )
    with _files.whole_folder(folder, what="folder of an export") as part:
        yield part


def write_projector(run: Run, vectors: Mapping[str, FloatArray], folder: Path) -> None:
    """Write what the embedding projector reads: ``MODEL.vectors.tsv`` for each model, and one ``metadata.tsv``.

    The folder is there (see `projector_folder`). Tabs and line breaks become blanks, and a cell that a spreadsheet
    would take for a formula gets an apostrophe.
    """
    columns = _texts(run)
    rows = ["\t".join(columns), *("\t".join(map(cell, cells)) for cells in zip(*columns.values(), strict=True))]
    _files.write_text(folder / _METADATA, "\n".join(rows) + "\n")
    stems = _names.file_names(vectors)
    for model, table in vectors.items():
        lines = ("\t".join(f"{value:.8g}" for value in line) for line in table.tolist())
        _files.write_text(folder / f"{stems[model]}{_VECTORS}", "\n".join(lines) + "\n")


def cell(value: str) -> str:
    """Return text as one cell of a table for other programs: one line, and never a formula."""
    shown = visible_on_a_page(value)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def jupyter_scatter(run: Run) -> Any:
    """Return jupyter-scatter's linked maps, one per model, with selection and hover in step.

    Raises
    ------
    MissingDependencyError
        When jupyter-scatter is not installed.
    """
    import pandas as pd

    jscatter: Any = require("jscatter", "scatter", "Maps by jupyter-scatter")
    frame = pd.DataFrame(points(run))
    maps = []
    for layout in run.layouts:
        plot = jscatter.Scatter(data=frame, x=f"x_{layout.model}", y=f"y_{layout.model}")
        if "group" in frame:
            plot.color(by="group")
        maps.append(plot)
    return jscatter.compose(maps, sync_selection=True, sync_hover=True)


def _layouts(run: Run) -> tuple[Layout, ...]:
    if not run.layouts:
        raise ParameterError(
            "A run must have maps to be shown elsewhere. Got one made with --layout none. Run it again."
        )
    return run.layouts


def _layout(run: Run, model: str | None) -> Layout:
    found = {layout.model: layout for layout in _layouts(run)}
    if model is None:
        return run.layouts[0]
    if model not in found:
        raise UnknownNameError(f"A model must have a map: {', '.join(found)}. Got {model!r}. Choose one of these.")
    return found[model]


def _write(columns: Mapping[str, Any], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _files.told("An export", path, "or name another file with -o"), _files.whole_file(path) as part:
        pq.write_table(pa.table(dict(columns)), part, compression="zstd")
