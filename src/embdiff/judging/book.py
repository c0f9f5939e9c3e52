"""What is kept beside a run: judgements, and queries typed on the live page; each in a log that is only added to.

A log is forced to the disk line by line, so that a killed session loses the line being written and no more. TREC qrels
are written afresh, from the log, after each judgement.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import ConfigDict, Field

from embdiff import _files, _names
from embdiff._names import resolved
from embdiff._plain import reader
from embdiff.corpus.trec import write_qrels
from embdiff.errors import DataError, ParameterError
from embdiff.records import Qrels

_T = TypeVar("_T")
HIGHEST = 9  # a grade is one key
SUFFIX = ".queries.jsonl"


@dataclass(frozen=True)
class Judgement:
    """One answer.

    Parameters
    ----------
    query, document : str
        Ids.
    grade : int or None
        0 is not relevant, more is more so; None was skipped.
    judge, time : str
        Who, and when (UTC, ISO 8601).
    query_text, document_text : str
        Fingerprints of the texts judged: an id may come to stand for another text.
    model : bool
        Whether a judge model says so: its labels never stand for those of a person.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    query: str
    document: str
    grade: Annotated[int | None, Field(ge=0, le=HIGHEST, strict=True)]
    judge: str
    time: str
    query_text: str
    document_text: str
    model: bool = False


def fingerprint(text: str) -> str:
    """Return 16 hex digits of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _append(handle: FileIO, record: Judgement | TypedQuery, log: Path) -> None:
    """Add a record to a log, as a line of JSON, and force it to the disk: all of it or nothing."""
    # ASCII: an id with half a surrogate pair must not stop the saving.
    with _saving("The log", log):
        _files.append_line(handle, json.dumps(asdict(record)).encode("ascii") + b"\n")


def _saving(what: str, path: Path) -> AbstractContextManager[None]:
    return _files.told(what, path, "and go on: all that was answered before is in the log")


def read_log(log: Path, kind: type[_T], must: str, handle: FileIO | None = None) -> list[_T]:
    """Return the records in a log, first to last; none where there is no file.

    Parameters
    ----------
    log : Path
    kind : type
        Of the records.
    must : str
        What a line must be, for the message.
    handle : file, optional
        Where the log is written to: what a crash has torn off at its end is cut off. It was never finished.

    Raises
    ------
    DataError
        When a line that a line break ends is no such record.
    """
    raw = log.read_bytes() if log.is_file() else b""
    whole = raw[: raw.rfind(b"\n") + 1]
    if handle is not None:
        handle.truncate(len(whole))
    records, found = reader(kind), []
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            found.append(records.validate_python(json.loads(line)))
        except ValueError:
            raise DataError(f"{must} Got {line[:80]!r} on line {number} of {log}. Mend or delete that line.") from None
    return found


def qrels_beside(run: Path) -> Path:
    """Return where the judgements of a run folder are: beside it, as a repeated run replaces the folder."""
    return run.with_name(run.name + ".qrels")


class Book:
    """The judgements in one file, read, and added to.

    Parameters
    ----------
    path : Path
        The qrels file; the log stands beside it under the same name with ``.jsonl`` added.
    write : bool
        Whether judgements will be added: then nobody else may meanwhile.

    Raises
    ------
    ParameterError
        When the file exists and has no log (it is somebody else's), cannot be written, or another session has it.
    DataError
        When a line of the log is damaged. A torn last line, which a crash leaves, is dropped: it was never finished.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path, self.log = path, path.with_name(path.name + ".jsonl")
        for each in (self.path, self.log):
            _names.place_for(each, "file of judgements")
        if path.exists() and not self.log.is_file():
            raise ParameterError(
                f"The file of judgements must be new, or one that embdiff wrote with {self.log.name} beside it. "
                f"Got {path}, which would be overwritten. Name another with --out."
            )
        self._handle = self._opened() if write else None
        must = "Every line of a log of judgements must be one judgement."
        self.entries = read_log(self.log, Judgement, must, self._handle)

    @property
    def writing(self) -> bool:
        """Whether judgements can be added."""
        return self._handle is not None

    def _opened(self) -> FileIO:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            handle = self.log.open("ab", buffering=0)
        except OSError as error:
            raise ParameterError(
                f"The judgements must be writable. Got {self.log}: {error.strerror or error}. Name another file with "
                "--out."
            ) from None
        if not _files.lock_now(handle):
            handle.close()
            raise ParameterError(
                f"Judgements must be open in one session at a time. Got {self.path}, which another session is adding "
                "to. Close that one, or name another file with --out."
            )
        return handle

    def add(
        self, query: tuple[str, str], document: tuple[str, str], grade: int | None, judge: str, *, model: bool = False
    ) -> Judgement:
        """Add one judgement and force it to the disk.

        Parameters
        ----------
        query, document : tuple of str
            Id and text.
        grade : int or None
            0 to 9; None for skipped.
        judge : str
        model : bool
            Whether it is a judge model.

        Raises
        ------
        ParameterError
            For another grade, a book that was opened to read, or a disk that is full: nothing of it is kept then.
        """
        if grade is not None and (isinstance(grade, bool) or not isinstance(grade, int) or not 0 <= grade <= HIGHEST):
            raise ParameterError(f"A grade must be an integer from 0 to {HIGHEST}. Got {grade!r}. Type one digit.")
        if self._handle is None:
            raise ParameterError(f"Judgements must be opened for writing. Got {self.path}, opened to read. Open again.")
        made = Judgement(
            query[0], document[0], grade, judge, datetime.now(UTC).isoformat(timespec="milliseconds"),
            fingerprint(query[1]), fingerprint(document[1]), model,
        )  # fmt: skip
        _append(self._handle, made, self.log)
        self.entries.append(made)
        return made

    def latest(
        self, queries: Mapping[str, str], documents: Mapping[str, str], *, model: str | None = None
    ) -> dict[tuple[str, str], Judgement]:
        """Return the last judgement of each (query, document) whose texts are still those that were judged.

        Parameters
        ----------
        queries, documents : mapping of str to str
            Id to text, as they are now.
        model : str, optional
            A judge model whose labels they are; by default those of people.
        """
        asked, found = ({name: fingerprint(text) for name, text in texts.items()} for texts in (queries, documents))
        out: dict[tuple[str, str], Judgement] = {}
        for entry in self.entries:
            if (entry.judge if entry.model else None) != model:
                continue
            if asked.get(entry.query) == entry.query_text and found.get(entry.document) == entry.document_text:
                out.pop((entry.query, entry.document), None)  # the newest stands last
                out[entry.query, entry.document] = entry
        return out

    @property
    def models(self) -> tuple[str, ...]:
        """The judge models that the log has labels of."""
        return tuple(dict.fromkeys(entry.judge for entry in self.entries if entry.model))

    def write_qrels(self, judgements: Iterable[Judgement]) -> str | None:
        """Write TREC qrels; return why not, where an id holds white space, which that format cannot.

        Raises
        ------
        ParameterError
            When the file cannot be written; the log holds everything.
        """
        grades: dict[str, dict[str, int]] = {}
        for each in judgements:
            if each.grade is not None:
                grades.setdefault(each.query, {})[each.document] = each.grade
        try:
            with _saving("The TREC file", self.path):
                write_qrels(Qrels(grades, str(self.path)), self.path)
        except DataError as error:
            return f"The TREC file was not written, the log {self.log.name} holds everything: {error}"
        return None

    def close(self) -> None:
        """Let others add."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


@dataclass(frozen=True)
class TypedQuery:
    """A query and the documents that each model returned.

    Parameters
    ----------
    id, text : str
    lists : mapping of str to tuple of str
        Model to document ids, the closest first.
    """

    id: str
    text: str
    lists: Mapping[str, tuple[str, ...]]


class TypedQueries:
    """A growing jsonl file beside a run, one object ``{"id", "text", "lists"}`` a line; each text once.

    Parameters
    ----------
    path : Path
        Made when the first query is added.
    """

    def __init__(self, path: Path) -> None:
        self.path = _names.place_for(path, "file of typed queries")
        self._lock = threading.Lock()

    @classmethod
    def beside(cls, run: str | Path) -> TypedQueries:
        """Return those of a run folder: beside it, as a repeated run replaces the folder."""
        folder = resolved(run)
        return cls(folder.with_name(folder.name + SUFFIX))

    def add(self, text: str, lists: Mapping[str, Sequence[str]]) -> int:
        """Add a query if its text is new, safely on disk, and return how many there are."""
        with self._lock, _saving("Queries", self.path), self.path.open("ab", buffering=0) as handle:
            known = self.read(handle)
            if any(query.text == text for query in known):
                return len(known)
            name = f"typed-{fingerprint(text)[:8]}"
            query = TypedQuery(name, text, {model: tuple(found) for model, found in lists.items()})
            _append(handle, query, self.path)
            return len(known) + 1

    def read(self, handle: FileIO | None = None) -> list[TypedQuery]:
        """Return every query, the first typed first; a line torn by a crash is passed over.

        Raises
        ------
        DataError
            When a whole line is no query.
        """
        must = "A line of typed queries must be an object with id, text and lists."
        return read_log(self.path, TypedQuery, must, handle)
