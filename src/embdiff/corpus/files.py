"""Finding a file the user named and reading its text, or saying what is wrong with it and what to do."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embdiff._memory import room_for_texts
from embdiff._names import refuse_endless
from embdiff._registry import hint
from embdiff._sizes import written_size
from embdiff.errors import DataError, ParameterError

EXTENSIONS = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}  # how a compressed file begins, whatever it is called
PACKED = {".gz": "gzip", ".zst": "zstd"}
_NO_TEXT = {  # how other files begin: what they are, what to do
    b"PAR1": "a Parquet file. Name it .parquet",
    b"PK\x03\x04": "a zip archive. Unpack it",
    b"BZh91AY&SY": "a file compressed with bzip2. Decompress it",
    b"\xfd7zXZ\x00": "a file compressed with xz. Decompress it",
}
_OTHER_ENCODINGS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True)
class Form:
    """How text files are written, where they do not say so themselves.

    Parameters
    ----------
    quotes : bool or None
        Whether quotes in a .csv or .tsv hold cells together; None: they do, and a cell that may be several rows is
        refused.
    header : bool or None
        Whether line 1 of a .csv or .tsv names the columns; None: found from its cells.
    encoding : str or None
        As Python names it; None is UTF-8.
    """

    quotes: bool | None = None
    header: bool | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is None:
            return
        try:
            "a".encode(self.encoding)
            b"a".decode(self.encoding, "replace").encode()
        except (LookupError, ValueError, TypeError, AttributeError):
            raise ParameterError(
                f"An encoding must be one that Python knows for text. Got {self.encoding!r}. Write, for example, "
                "--encoding cp1252, latin-1, utf-16 or shift_jis."
            ) from None


_BLOCK = 2**24  # bytes unpacked at a time
FOUND = Form()  # nothing is said: it is found from the file


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


def extension_of(path: Path) -> str:
    """Return the extension that says how a file is read, lower case: that of ``x.csv.gz`` is ``.csv``."""
    extension = path.suffix.lower()
    return Path(path.stem).suffix.lower() if extension in PACKED else extension


def is_packed(path: Path) -> bool:
    """Return whether the name of a file says that it is compressed."""
    return path.suffix.lower() in PACKED


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
            files = sorted(each.name for each in path.iterdir() if extension_of(each) in EXTENSIONS)
        found = f" In it: {shown(files, 5)}." if files else ""
        raise DataError(
            "The data must be one file, or a folder of documents, images or Parquet files. Got the folder "
            f"{path}, without any. Name a file in it.{found}"
        )
    extension = extension_of(path)
    if extension not in EXTENSIONS:
        raise DataError(
            f"The extension of a file must say how to read it: {', '.join(EXTENSIONS)}, compressed too, such as "
            f".csv.gz or .jsonl.zst. Got {path.suffix or 'none'} in {path}. Save or rename it as one of these."
        )
    if extension == ".parquet" and is_packed(path):
        raise DataError(f"A .parquet file must be as it was written. Got {path}, compressed as a whole. Decompress it.")
    return extension


def read_text(path: Path, encoding: str | None = None) -> str:
    """Return the text of a file, decompressed where it is compressed, without byte-order mark, line ends as they are.

    Parameters
    ----------
    path : Path
    encoding : str, optional
        By default UTF-8.

    Raises
    ------
    DataError
        When the file cannot be read, or does not have this encoding.
    """
    raw = _unpacked(path)
    kind = next((words for magic, words in _NO_TEXT.items() if raw.startswith(magic)), None)
    if kind is not None and b"\0" in raw:
        raise DataError(f"A file with this extension must hold text. Got {path}, which is {kind}.")
    if encoding is None:
        _refuse_other_encoding(path, raw)
    try:
        return raw.removeprefix(codecs.BOM_UTF8).decode(encoding or "utf-8").removeprefix("\ufeff")
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        raw = raw.removeprefix(codecs.BOM_UTF8)
        line = raw.count(b"\n", 0, start) + 1
        raise DataError(
            f"A text file must be {encoding or 'UTF-8'}. Got the byte 0x{raw[start]:02X} on line {line} of {path}, "
            "which is not. Save the file as UTF-8, or say how it is written (--encoding cp1252)."
        ) from None


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text: they end in \n or \r\n; in \r where there is no \n, as on old Macs."""
    lines = text.replace("\r\n", "\n").split("\n")
    return text.split("\r") if len(lines) == 1 else lines


def _refuse_other_encoding(path: Path, raw: bytes) -> None:
    found = next((name for mark, name in _OTHER_ENCODINGS if raw.startswith(mark)), "")
    if found:
        why = f"{found} in {path} (its byte-order mark says so)"
    elif raw.count(b"\0") > len(raw) // 5:
        found, why = "UTF-16", f"many NUL bytes in {path}, so it is probably UTF-16"
    else:
        return
    raise DataError(f"A text file must be UTF-8. Got {why}. Save it as UTF-8, or add --encoding {found.lower()}.")


def _unpacked(path: Path) -> bytes:
    """Return the bytes of a file, decompressed where they begin as a compressed file does, whatever it is called."""
    refuse_endless(path)
    with reading(path):
        if path.stat().st_size > room_for_texts():
            raise too_large(path, "text")
        raw = path.read_bytes()
    how = next((name for magic, name in _MAGIC.items() if raw.startswith(magic)), None)
    if how is None:
        if is_packed(path):
            wanted = PACKED[path.suffix.lower()]
            raise DataError(
                f"A {path.suffix} file must be compressed with {wanted}. Got {path}, which does not begin so. "
                "Rename it to what it is, or compress it again."
            )
        return raw
    import pyarrow as pa  # takes a while to import

    try:
        with pa.CompressedInputStream(pa.py_buffer(raw), how) as stream:
            return _within(path, stream)
    except OSError as error:
        raise DataError(
            f"A compressed file must be whole. Got {path} ({how}): {str(error)[:100]}. Copy or make it again."
        ) from None


def _within(path: Path, stream: Any) -> bytes:
    """Return all that a stream unpacks, as long as there is room for it."""
    parts, size = list[bytes](), 0
    while part := stream.read(_BLOCK):
        size += len(part)
        if size > room_for_texts():
            raise too_large(path, "text once it is unpacked")
        parts.append(bytes(part))
    return b"".join(parts)


def too_large(path: Path, what: str) -> DataError:
    """Return the error about a file that would take more memory than there is for it."""
    return DataError(
        f"What is read must fit into memory, for which {written_size(room_for_texts())} of text are allowed here. Got "
        f"more {what} in {path}. Take part of it, or a machine with more memory; 'embdiff encode' takes Parquet files "
        "of any size."
    )
