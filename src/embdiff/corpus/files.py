"""Finding a file the user named and reading its text, or saying what is wrong with it and what to do."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embdiff._registry import hint
from embdiff.errors import DataError

EXTENSIONS = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_OTHER_ENCODINGS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def shown(names: Iterable[object], limit: int = 12) -> str:
    """Return names quoted and joined for a message, shortened when there are many or long ones."""
    listed = [str(name) for name in names]
    quoted = [repr(name if len(name) <= 40 else name[:39] + "…") for name in listed[:limit]]
    more = len(listed) - limit
    return ", ".join(quoted) + (f" and {more:,} more" if more > 0 else "")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of the operating system inside the block into messages about ``path``."""
    try:
        yield
    except PermissionError:
        raise _denied(path) from None
    except OSError as error:
        raise DataError(
            f"The file must be readable. Got {path}: {error.strerror or error}. Check the file and its disk."
        ) from None


def _denied(path: Path) -> DataError:
    return DataError(
        f"The file must be readable by you. Got {path}: permission denied. Change its permissions or copy it."
    )


def exists(path: Path) -> bool:
    """Return whether a path exists; what cannot be a path (too long a name) does not.

    Raises
    ------
    DataError
        When a folder on the way may not be searched.
    """
    try:
        return path.exists()
    except PermissionError:
        raise _denied(path) from None
    except OSError:
        return False


def refuse_missing(path: Path, what: str) -> None:
    """Refuse a path that does not exist, with a hint to names beside it; ``what`` is it called in the message."""
    if exists(path):
        return
    try:
        beside = hint(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:
        beside = ""
    raise DataError(f"The {what} must exist. Got {path}, which does not. {beside}Check the path (here: {Path.cwd()}).")


def check_file(path: Path) -> str:
    """Return the extension of a file that can be read, lower case.

    Raises
    ------
    DataError
        When the path does not exist, is a folder, or has an extension we do not read.
    """
    refuse_missing(path, "file")
    if path.is_dir():
        with reading(path):
            files = sorted(each.name for each in path.iterdir() if each.suffix.lower() in EXTENSIONS)
        found = f" In it: {shown(files, 5)}." if files else ""
        raise DataError(f"The data must be one file. Got the folder {path}. Name a file in it.{found}")
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise DataError(
            f"The extension of a file must say how to read it: {', '.join(EXTENSIONS)}. "
            f"Got {path.suffix or 'none'} in {path}. Save or rename it as one of these."
        )
    return extension


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without byte-order mark, line ends as they are.

    Raises
    ------
    DataError
        When the file cannot be read or is not UTF-8.
    """
    with reading(path):
        raw = path.read_bytes()
    for mark, encoding in _OTHER_ENCODINGS:
        if raw.startswith(mark):
            raise DataError(
                f"A text file must be UTF-8. Got {encoding} in {path} (its byte-order mark says so). Save it as UTF-8."
            )
    if raw.count(b"\0") > len(raw) // 5:
        raise DataError(
            f"A text file must be UTF-8. Got many NUL bytes in {path}, so it is probably UTF-16. Save it as UTF-8."
        )
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"A text file must be UTF-8. Got the byte 0x{raw[error.start]:02X} on line {line} of {path}, "
            "which is not. Save the file as UTF-8."
        ) from None
