"""Queries typed on the live page, with what every model found: asked about like those of the run."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embdiff.errors import DataError
from embdiff.judging.book import append_line, whole_lines
from embdiff.judging.pool import Pool, pooled_query
from embdiff.lexical import BM25

SUFFIX = ".queries.jsonl"


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
        self.path = path
        self._lock = threading.Lock()

    @classmethod
    def beside(cls, run: str | Path) -> TypedQueries:
        """Return those of a run folder: beside it, as a repeated run replaces the folder."""
        folder = Path(run).resolve()
        return cls(folder.with_name(folder.name + SUFFIX))

    def add(self, text: str, lists: Mapping[str, Sequence[str]]) -> int:
        """Add a query if its text is new, safely on disk, and return how many there are."""
        with self._lock:
            known = self.read()
            if any(query.text == text for query in known):
                return len(known)
            name = f"typed-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
            plain = {"id": name, "text": text, "lists": {model: list(found) for model, found in lists.items()}}
            with self.path.open("ab") as handle:
                whole_lines(self.path, handle)
                append_line(handle, plain)
            return len(known) + 1

    def read(self) -> list[TypedQuery]:
        """Return every query, the first typed first; a line torn by a crash is passed over.

        Raises
        ------
        DataError
            When a whole line is no query.
        """
        if not self.path.is_file():
            return []
        found = []
        for number, line in enumerate(whole_lines(self.path), start=1):
            try:
                raw = json.loads(line)
                lists = {model: tuple(ids) for model, ids in raw["lists"].items()}
                found.append(TypedQuery(raw["id"], raw["text"], lists))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise DataError(
                    f"A line of typed queries must be an object with id, text and lists. Got line {number} of "
                    f"{self.path}: {error!r}. Mend or remove that line."
                ) from None
        return found


def with_typed(pool: Pool, typed: Sequence[TypedQuery], texts: Mapping[str, str], *, seed: int) -> tuple[Pool, int]:
    """Return the pool with the typed queries to ask about, last, and how many had to be left out.

    Left out are those whose lists are not of the pool's models, or name documents that are not among ``texts``. bm25 is
    not asked on the live page: a typed query says nothing of it.
    """
    models = set(pool.queries[0].lists) - {BM25}
    left_out = 0
    for query in typed:
        documents = {name for found in query.lists.values() for name in found[: pool.depth]}
        if set(query.lists) - {BM25} != models or not documents or not documents <= texts.keys():
            left_out += 1
            continue
        lists = {model: found[: pool.depth] for model, found in query.lists.items()}
        pooled = pooled_query(query.id, query.text, lists, seed=seed)
        pool = pool.with_query(pooled, {name: texts[name] for name in documents})
    return pool, left_out
