"""Folders of files as rows: what lies in them, what is beside the point, and the sub-folders as groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from embdiff._names import refuse_endless, resolved

# Beside data nobody means these: words for people, checksums, and what systems write down for themselves.
_FOR_PEOPLE = (
    ".",
    "readme",
    "license",
    "licence",
    "notice",
    "copying",
    "sha256sum",
    "md5sum",
    "thumbs.db",
    "desktop.ini",
)
_OF_SYSTEMS = ("__macosx",)


@dataclass(frozen=True)
class Entry:
    """A file that was found: what it is called, and what returns its bytes."""

    name: str
    read: Callable[[], bytes]


def names_under(folder: Path, unwanted: Callable[[Path], bool]) -> Iterator[str]:
    """Yield the relative path of every file; links to folders are not followed, unwanted folders not looked into."""
    for here, folders, files in os.walk(folder, onerror=_raised):
        folders[:] = sorted(name for name in folders if not unwanted(Path(here) / name))
        for name in files:
            yield (Path(here) / name).relative_to(folder).as_posix()


def _raised(error: OSError) -> None:
    raise error


def is_beside(name: str) -> bool:
    """Return whether a file or folder is called like what stands beside data and is none."""
    return name.lower().startswith(_FOR_PEOPLE) or name.lower() in _OF_SYSTEMS


def is_for_systems(name: str) -> bool:
    """Return whether a file or folder is hidden, or one that systems write for themselves."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def leads_out(folder: Path, path: Path) -> bool:
    """Return whether a link leads from a folder to what lies elsewhere; refuse what has no end."""
    if not resolved(path).is_relative_to(resolved(folder)):
        return True
    refuse_endless(path)
    return False


def groups_of(names: Sequence[str]) -> list[str] | None:
    """Return the sub-folder of each file below the folder that all share, "" for that one; None where all share one."""
    folders = [PurePosixPath(name).parent for name in names]
    common = PurePosixPath(os.path.commonpath(folders)) if folders else PurePosixPath()
    groups = [str(folder.relative_to(common)) for folder in folders]
    return ["" if group == "." else group for group in groups] if len(set(groups)) > 1 else None
