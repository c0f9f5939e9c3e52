"""Writing files so that nothing half-written ever looks whole: all that embdiff writes goes through here.

A file or a folder is made under another name in the same place and moved when it is whole. On any error what was made
is removed; what a killed process left, told by a lock that nobody holds, is removed by the next that writes the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

from embdiff.errors import ParameterError

Worth = Callable[[Path, BaseException], bool]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically: readers see the old file or the new one, never a part."""
    with whole_file(path, sync=False) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN) atomically, indented, UTF-8."""
    from pydantic_core import to_json

    json.dumps(value, allow_nan=False)  # refuses NaN; with an indent it would take ten times as long as both together
    write_text(path, to_json(value, indent=2).decode() + "\n")


def lock_now(handle: IO[Any]) -> bool:
    """Lock an open file against other openings of it, here and in other processes; False when one holds it.

    The lock goes with the handle, and with the process, however that ends.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(1 << 30)  # locked bytes cannot be read there: one far behind the end
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
            handle.seek(0)
        else:
            import fcntl

            fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def append_line(handle: FileIO, line: bytes) -> None:
    """Add a line to a file opened without a buffer, and force it to the disk; on any error nothing of it stays."""
    end, left = os.fstat(handle.fileno()).st_size, memoryview(line)
    try:
        while left:  # a disk that is nearly full takes a part
            left = left[handle.write(left) :]
        os.fsync(handle.fileno())
    except OSError:
        with suppress(OSError):
            handle.truncate(end)
        raise


def reason(error: OSError) -> str:
    """Return why the system refused, without the path; what other libraries raise begins with words of their own."""
    return os.strerror(error.errno) if error.errno else str(error)


@contextmanager
def told(what: str, path: Path, remedy: str) -> Iterator[None]:
    """Turn what the system refuses inside the block into a ParameterError; ``remedy`` follows after "Make room"."""
    try:
        yield
    except OSError as error:
        raise ParameterError(
            f"{what} must be written into a folder that is there and may be written to. Got {path}: {reason(error)}. "
            f"Make room {remedy}."
        ) from None


@contextmanager
def whole_folder(
    target: Path, key: str | None = None, worth_keeping: Worth | None = None, what: str = "run folder"
) -> Iterator[Path]:
    """Build a folder aside and move it into place only when the block ends well.

    Whatever stood at ``target`` stays until then. Parameters and errors are those of `work_folder`.

    Yields
    ------
    Path
        The folder to fill, beside the target.
    """
    with work_folder(target, key, worth_keeping, what) as part:
        yield part
        put_in_place(part, target)


@contextmanager
def work_folder(target: Path, key: str | None, worth_keeping: Worth | None, what: str = "run folder") -> Iterator[Path]:
    """Give a folder to work in beside a target, which the same work finds again should it be interrupted.

    When the block ends well, the folder is removed, and so is what interrupted work for the same target left.

    Parameters
    ----------
    target : Path
        What is to be made or replaced; the block does it itself.
    key : str or None
        What tells this work from other work for the same target; letters and digits. None: it is never found again.
    worth_keeping : callable or None
        Given the folder and the error that ended the work, Ctrl-C included; False removes it, and so does None. Kill
        -9 asks nobody: the folder stays.
    what : str
        What the target is called in messages.

    Yields
    ------
    Path
        The folder; it may hold what was done before. Nobody else has it until the block ends.

    Raises
    ------
    ParameterError
        When the parent cannot be written to, is full, or another process is at the same work.
    """
    target = Path(os.path.realpath(target))
    if os.path.ismount(target) or Path.cwd().is_relative_to(target):
        raise ParameterError(
            f"A {what} must be one that can be replaced as a whole. Got {target}, which is a mount point or holds the "
            f"folder that this command runs in. Name one inside it with --out, for example {target / 'new'}."
        )
    part = work_path(target, key or secrets.token_hex(8))
    name_another = f"name another {what.split()[-1]} with --out"
    goes_on = ", and run the command again: it goes on where it stopped" if worth_keeping else ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(part) as held:
            if not held:
                raise ParameterError(
                    f"A {what} must be written by one command at a time. Got {target}, which another process is making "
                    f"in the same way. Wait until it is done, or {name_another}."
                )
            part.mkdir(exist_ok=True)
            try:
                yield part
            except BaseException as error:
                if worth_keeping is None or not worth_keeping(part, error):
                    _remove(part)
                raise
            _remove(part)
            remove_left_over(target)
    except OSError as error:
        raise ParameterError(
            f"The {what} must be writable. Got {error.filename or target}: {reason(error)}. Make room or "
            f"{name_another}{goes_on}."
        ) from None


def work_path(target: Path, key: str) -> Path:
    """Return the folder that `work_folder` gives."""
    return target.parent / f".{target.name}.partial-{key}"


@contextmanager
def whole_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Write a file aside and move it into place only when the block ends well.

    Whatever stood at ``path`` stays until then; on any error, Ctrl-C included, what was written aside is removed.

    Parameters
    ----------
    path : Path
    sync : bool
        Whether it is forced to the disk before, so that a power cut leaves the old file or the new one, too.

    Yields
    ------
    Path
        The name to write, in the same folder: an empty file, to be written over and not replaced. Readers of tables
        ignore it, as it begins with a dot.
    """
    _remove_asides(path)
    part, handle = _held_aside(path)
    try:
        yield part
        if sync:
            os.fsync(handle.fileno())
        if sys.platform == "win32":
            handle.close()  # an open file cannot be moved there
        part.replace(path)
        if sync:
            sync_folder(path.parent)
    except BaseException:
        handle.close()
        part.unlink(missing_ok=True)
        raise
    handle.close()


def is_aside(name: str) -> bool:
    """Return whether a name is one that `whole_file` writes under: of a killed process, when nobody writes."""
    return re.fullmatch(r"\..+\.[0-9a-f]{16}", name) is not None


def put_in_place(part: Path, target: Path) -> None:
    """Swap the folder ``part`` in for ``target``; the old folder is deleted only after the new one stands."""
    if not target.exists():
        part.replace(target)
        return
    old = _aside(target, "old-")
    target.replace(old)
    try:
        part.replace(target)
    except OSError:
        old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def alone(work: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of some work inside the block: a file beside it, free again when the process ends, however that is.

    What is yielded says whether it is held; with ``wait`` it is, as soon as no other process holds it.
    """
    lock = work.with_name(f"{work.name}.lock")
    while True:
        handle = lock.open("ab")
        held = lock_now(handle)
        # The file may have been removed, with its lock, between opening and locking it.
        if held and lock.exists() and os.path.samestat(os.fstat(handle.fileno()), lock.stat()):
            break
        if not held and not wait:
            break
        handle.close()
        time.sleep(0.0 if held else 0.05)
    try:
        yield held
    finally:
        if held:
            lock.unlink(missing_ok=True)
        handle.close()


def _aside(path: Path, kind: str = "") -> Path:
    """Return a name beside a path that nothing has; it begins with a dot."""
    return path.with_name(f".{path.name}.{kind}{secrets.token_hex(8)}")


def _held_aside(path: Path) -> tuple[Path, IO[bytes]]:
    """Make a file beside a path, with a lock that says that somebody lives who writes it."""
    for left in (2, 1, 0):  # who clears up may have come in between; where there are no locks, nobody clears up
        part = _aside(path)
        handle = part.open("xb")
        if (lock_now(handle) and part.exists()) or not left:
            break
        handle.close()
        part.unlink(missing_ok=True)
    return part, handle


def _remove_asides(path: Path) -> None:
    """Remove what killed processes left of writing a file: nobody holds its lock any more."""
    with suppress(OSError):
        names = [each.name for each in os.scandir(path.parent) if each.name.startswith(f".{path.name}.")]
        for part in (path.with_name(name) for name in names if is_aside(name)):
            with suppress(OSError), part.open("r+b") as handle:
                if lock_now(handle):
                    part.unlink()


def remove_left_over(target: Path) -> None:
    """Remove what interrupted work for the same target left, now that the target stands."""
    _remove_asides(target)
    for part in _begun(target):
        with alone(part) as held:
            if held:
                _remove(part)
    for old in _beside(target, f".{target.name}.old-"):
        shutil.rmtree(old, ignore_errors=True)


def left_over(target: Path) -> list[Path]:
    """Return what interrupted work for a target left that nobody holds; nothing is removed or made."""
    asides = _beside(target, f".{target.name}.")
    unheld = [each for each in asides if is_aside(each.name) and not is_held(each)]
    begun = [each for each in _begun(target) if not is_held(each.with_name(f"{each.name}.lock"))]
    return sorted([*unheld, *begun, *_beside(target, f".{target.name}.old-")])


def is_held(lock: Path) -> bool:
    """Return whether a process holds the lock of a file; False where there is none."""
    try:
        with lock.open("rb") as handle:
            return not lock_now(handle)
    except OSError:
        return False


def _beside(target: Path, beginning: str) -> list[Path]:
    """Return what stands beside a target under names that begin so."""
    if not target.parent.is_dir():  # nothing was ever begun there
        return []
    return [target.with_name(each.name) for each in os.scandir(target.parent) if each.name.startswith(beginning)]


def _begun(target: Path) -> list[Path]:
    """Return the folders of work for a target that is not ended."""
    names = {each.name.removesuffix(".lock") for each in _beside(target, f".{target.name}.partial-")}
    return [target.with_name(name) for name in names]


def _remove(folder: Path) -> None:
    """Remove a folder in which an interrupted database may still be finishing a write."""
    for wait in (0.0, 0.1, 0.3, 1.0, 2.0):
        time.sleep(wait)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
