"""Images as rows of a table: folders and archives, whose sub-folders are groups, and cells that name or hold images."""

from __future__ import annotations

import io
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from embdiff._memory import room_for_texts
from embdiff._names import refuse_endless
from embdiff._progress import progress
from embdiff._sizes import written_size
from embdiff.corpus.columns import KNOWN, same_name
from embdiff.corpus.decoding import CHANGES, ENDINGS, MOST_BYTES, NoImage, decode, is_image_name, thumbnail_of
from embdiff.corpus.files import exists, reading, shown, too_large
from embdiff.corpus.folders import Entry, groups_of, is_beside, leads_out, names_under
from embdiff.corpus.tables import Table, is_missing, kind_of
from embdiff.errors import DataError
from embdiff.records import Picture

ARCHIVE = ".zip"
# Rows up to which thumbnails have this many pixels a side: all of them travel in a page.
_SIDES = ((2_000, 64), (20_000, 32))


def image_table(path: Path) -> Table | None:
    """Return a folder, an archive or a file of images as a table: image, id and, where there are sub-folders, group.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Table or None
        None for anything else, such as a folder without images.

    Raises
    ------
    DataError
        When there are other files among the images, or the archive cannot be read.
    """
    if not exists(path):
        return None
    if path.is_dir():
        with reading(path):
            names = sorted(names_under(path, lambda folder: is_beside(folder.name)))
        entries = [Entry(name, partial(_inside, path, path / name)) for name in _images_among(names, path)]
    elif path.suffix.lower() == ARCHIVE and path.is_file():
        entries = _entries_of(path)
        if not entries:
            raise DataError(f"A .zip archive must hold images ({', '.join(ENDINGS)}). Got none in {path}. Unpack it.")
    elif is_image_name(path.name) and path.is_file():
        entries = [Entry(path.name, path.read_bytes)]
    else:
        return None
    return _of_entries(entries, str(path)) if entries else None


def _of_entries(entries: Sequence[Entry], source: str) -> Table:
    groups = groups_of([entry.name for entry in entries])
    columns: list[list[object]] = [list(entries), [entry.name for entry in entries]]
    notes = f"{source} holds {len(entries):,} images; their ids are their paths"
    if groups is not None:
        columns.append(list(groups))
        notes += ", their groups the sub-folders"
    names = ("image", "id", "group")[: len(columns)]
    return Table(source, names, columns.__getitem__, len(entries), notes=(f"{notes}.",), own_columns=True)


def _images_among(names: Sequence[str], source: Path) -> list[str]:
    """Return the images of a folder or an archive; refuse other files among them."""
    images = [name for name in names if is_image_name(name) and not _hidden(name)]
    others = [name for name in names if not is_image_name(name) and not _hidden(name)]
    if images and others:
        files, pictures = ("s" * (len(each) > 1) for each in (others, images))
        raise DataError(
            "A folder of images must hold nothing else but words for people (README, LICENSE). Got "
            f"{len(others):,} other file{files} among {len(images):,} image{pictures} in {source}: "
            f"{shown(others, 3)}. Move them elsewhere; or name one file, of texts, or a table that names the images."
        )
    return images


def _hidden(name: str) -> bool:
    return any(map(is_beside, PurePosixPath(name).parts))


def _inside(folder: Path, path: Path) -> bytes:
    """Return the bytes of a file of a folder, once no link leads out of it."""
    if leads_out(folder, path):
        raise NoImage(
            f"An image must lie inside the folder that names it, {folder}.", f"{path.name!r}, outside",
            "Copy it there; or from Python pass a list of paths.",
        )  # fmt: skip
    if path.stat().st_size > MOST_BYTES:
        raise NoImage(f"An image file must have at most {written_size(MOST_BYTES)}.", "more", "Make it smaller.")
    return path.read_bytes()


def _entries_of(path: Path) -> list[Entry]:
    """Return the images of a zip archive, unpacked in memory."""
    refuse_endless(path)
    with reading(path):
        try:
            with zipfile.ZipFile(path) as archive:
                files = {info.filename: info for info in archive.infolist() if not info.is_dir()}
                names = _images_among(sorted(files), path)
                sizes = [files[name].file_size for name in names]
                if sum(sizes) > room_for_texts() or max(sizes, default=0) > MOST_BYTES:
                    raise too_large(path, "images")
                return [Entry(name, partial(_same, archive.read(name))) for name in names]
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise DataError(
                f"A .zip file must be a whole archive without password. Got {path}: {str(error)[:100]}. Make it again, "
                "or unpack it and name the folder."
            ) from None


def _same(content: bytes) -> bytes:
    return content


def holds_images(table: Table, position: int) -> bool:
    """Return whether a column is of images: bytes, ``{bytes, path}``, paths in Python, or text that is called so.

    What is called text is none.

    Plain lines are images when every one ends as the name of an image does. In a column that is called so one is
    enough: the others are refused when they are read.
    """
    called = "" if table.plain else same_name(table.columns[position])
    cells = (cell for cell in table.column(position) if not _is_blank(cell))
    first = next(cells, None)
    if not isinstance(first, str):
        kinds = (Entry, bytes, bytearray, os.PathLike)
        return called not in KNOWN["text"] and (isinstance(first, kinds) or _is_struct(first) or _is_pil(first))
    named = (isinstance(cell, str) and is_image_name(cell) for cell in chain([first], cells))
    return all(named) if table.plain else called in KNOWN["image"] and any(named)


def _is_blank(cell: object) -> bool:
    return is_missing(cell) or (isinstance(cell, str) and not cell.strip())


def pictures_of(table: Table, position: int) -> tuple[list[str], list[str]]:
    """Return the items of a column of images, "" for an empty cell, and what was changed in reading, in sentences.

    Every image is decoded once here, so that nothing stumbles over one after the first model has encoded.

    Raises
    ------
    DataError
        For what is no image to work with; the message names the row.
    """
    side = next((side for most, side in _SIDES if table.size <= most), 0)
    changes: dict[str, list[str]] = {}
    items: list[str] = []
    with progress(f"read {table.source}", table.size, "images") as advance:
        for row, cell in enumerate(table.column(position)):
            advance(1)
            if _is_blank(cell):
                items.append("")
                continue
            picture, changed = _picture(table, row, cell, side)
            items.append(picture)
            for change in changed:
                changes.setdefault(change, []).append(str(picture))
    notes = [_told(table.source, change, names) for change, names in changes.items()]
    if side != _SIDES[0][1]:
        least = f"thumbnails of {side} pixels" if side else "no thumbnails"
        notes.append(f"{table.source} has over {_SIDES[0][0]:,} images: pages show {least}.")
    return items, notes


def _told(source: str, change: str, names: Sequence[str]) -> str:
    return f"{CHANGES[change]}: {len(names):,} of the images of {source} ({shown(names, 2)})."


def _picture(table: Table, row: int, cell: Any, side: int) -> tuple[Picture, tuple[str, ...]]:
    try:
        entry = _entry_of(cell, table.number(row), table.home)
        content = entry.read()
        decoded = decode(content)
    except NoImage as error:
        named = f" ({cell.name})" if isinstance(cell, Entry) and table.id_at is None else ""
        raise table.refusal(row, error.must, f"{error.found}{named}", error.mend) from None
    except OSError as error:
        must = "An image must be a file that can be read."
        found = f"{str(error.filename or '')[-200:]!r} ({error.strerror or error})"
        raise table.refusal(row, must, found, "Correct the path, counted from the folder of the file.") from None
    small = thumbnail_of(decoded.image, side) if side else b""
    return Picture.of(entry.name, content, small, entry.read), decoded.changes


def _entry_of(cell: Any, row: int, home: Path | None) -> Entry:
    """Return the image that a cell names or holds."""
    nameless = f"image {row}"
    if isinstance(cell, Entry):
        return cell
    if isinstance(cell, (bytes, bytearray)):
        return Entry(nameless, partial(_same, bytes(cell)))
    if _is_struct(cell):
        held, named = cell.get("bytes"), cell.get("path")
        if isinstance(held, (bytes, bytearray)):
            return Entry(str(named) if named else nameless, partial(_same, bytes(held)))
        cell = named
    if _is_pil(cell):
        written = io.BytesIO()
        cell.save(written, "PNG")
        return Entry(nameless, partial(_same, written.getvalue()))
    if not isinstance(cell, (str, os.PathLike)) or "\0" in str(cell) or "://" in str(cell):
        raise NoImage(
            f"An image must be the path of a file ({', '.join(ENDINGS)}), or its bytes.", kind_of(cell)[:100],
            "Write a path, or fetch what has an address first.",
        )  # fmt: skip
    path = Path(cell) if home is None else home / cell
    if home is None:
        return Entry(str(cell), path.read_bytes)
    return Entry(str(cell), partial(_inside, home, path))


def _is_struct(cell: object) -> bool:
    """Return whether a cell is an image as Hugging Face's data sets write it."""
    return isinstance(cell, Mapping) and set(cell) <= {"bytes", "path"} and bool(cell)


def _is_pil(cell: object) -> bool:
    return any(kind.__module__ == "PIL.Image" for kind in type(cell).__mro__)


def named_apart(items: Iterable[str]) -> bool:
    """Return whether images can be told apart by their names: all have one, and each another."""
    counts = Counter(map(str, items))
    return bool(counts) and max(counts.values()) == 1 and not any(name.startswith("image ") for name in counts)
