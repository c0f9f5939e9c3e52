"""Rows out of a damaged SQLite file, page by page, without what leads to them: its header, schema and tree of pages.

Format: https://www.sqlite.org/fileformat2.html, sections 1.5 to 2.1 (pages, cells, overflow, records) and 4 (the log).
What is returned is only what looks like a row: whoever asks must know it by a checksum.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PAGE = 16_384
_LEAF = 13  # the first byte of a page with rows of a table
_WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)  # bytes of a number, by its kind
_LOG_HEAD, _FRAME_HEAD = 32, 24
_MOST, _LEAST = PAGE - 35, (PAGE - 12) * 32 // 255 - 23  # bytes of a row that stay in its page

Pages = dict[int, memoryview]


def rows_in(path: Path) -> Iterator[list[bytes]]:
    """Yield the values of each row that can still be read, of all tables, as bytes; the id of a row is empty."""
    pages = _pages(path)
    for number, page in sorted(pages.items()):
        front = 100 if number == 1 else 0
        if page[front] != _LEAF:
            continue
        (cells,) = struct.unpack_from(">H", page, front + 3)
        for cell in range(min(cells, PAGE // 4)):
            with suppress(IndexError, KeyError, struct.error):  # it leads nowhere
                (place,) = struct.unpack_from(">H", page, front + 8 + 2 * cell)
                yield _values(_row(pages, page, place))


def _pages(path: Path) -> Pages:
    """Return all pages by number, those in the write-ahead log before those in the file."""
    whole = _mapped(path)
    pages = {at // PAGE + 1: whole[at : at + PAGE] for at in range(0, len(whole) - PAGE + 1, PAGE)}
    log = _mapped(path.with_name(f"{path.name}-wal"))
    for at in range(_LOG_HEAD, len(log) - _FRAME_HEAD - PAGE + 1, _FRAME_HEAD + PAGE):
        if log[at + 8 : at + 16] == log[16:24]:  # written since the log was begun anew
            (number,) = struct.unpack_from(">I", log, at)
            pages[number] = log[at + _FRAME_HEAD : at + _FRAME_HEAD + PAGE]
    return pages


def _mapped(path: Path) -> memoryview:
    try:
        with path.open("rb") as handle:
            return memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
    except (FileNotFoundError, ValueError):  # an empty file cannot be mapped
        return memoryview(b"")


def _row(pages: Pages, page: memoryview, place: int) -> bytes:
    """Return the bytes of a row: its beginning in the page, the rest along a chain of others."""
    size, place = _number(page, place)
    _, place = _number(page, place)  # its id
    if size > PAGE * len(pages):
        raise IndexError("no row")
    left = _LEAST + (size - _LEAST) % (PAGE - 4)
    here = size if size <= _MOST else left if left <= _MOST else _LEAST
    parts, missing = [page[place : place + here]], size - here
    if missing:
        (following,) = struct.unpack_from(">I", page, place + here)
        while missing > 0:
            part = pages[following][4 : 4 + missing]
            (following,) = struct.unpack_from(">I", pages[following], 0)
            parts.append(part)
            missing -= len(part)
    return b"".join(parts)


def _values(row: bytes) -> list[bytes]:
    head, place = _number(row, 0)
    values, start = [], head
    while place < head:
        kind, place = _number(row, place)
        width = _WIDTHS[kind] if kind < len(_WIDTHS) else (kind - 12) // 2
        values.append(row[start : start + width])
        start += width
    return values


def _number(data: bytes | memoryview, place: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, seven bits in each, and the place behind it."""
    value = 0
    for byte in data[place : place + 8]:
        place += 1
        value = value << 7 | byte & 127
        if byte < 128:
            return value, place
    return value << 8 | data[place], place + 1
