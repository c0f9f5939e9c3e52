"""A folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/NAME.tsv."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from embdiff._registry import hint
from embdiff.corpus.columns import same_name
from embdiff.corpus.files import shown
from embdiff.corpus.read import rows_left_out
from embdiff.corpus.readers import read_table
from embdiff.corpus.tables import Table, as_name, as_text, is_missing, kind_of
from embdiff.corpus.trec import gathered, judged_rows, read_qrels
from embdiff.errors import DataError
from embdiff.records import Corpus, Qrels

_EMPTY_WAYS_OUT = "Fill them in or delete them (a judged query that is not in the file counts as 0)."
_COLUMNS = ("query_id", "corpus_id", "score")


@dataclass(frozen=True)
class Collection:
    """Documents, queries and judgements.

    Parameters
    ----------
    corpus : Corpus
        document = title + " " + text, the text alone without a title. Empty documents stay.
    queries : Corpus
        All queries of the folder, judged or not.
    qrels : Qrels
        As in the file, judgements of documents that are not in the corpus included.
    """

    corpus: Corpus
    queries: Corpus
    qrels: Qrels

    @property
    def empty_documents(self) -> tuple[str, ...]:
        """Ids of documents without text."""
        rows = zip(self.corpus.ids, self.corpus.items, strict=True)
        return tuple(name for name, item in rows if not item.strip())

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Ids of queries without judgements: no measure speaks of them."""
        return tuple(name for name in self.queries.ids if name not in self.qrels.judgements)

    @property
    def without_text(self) -> tuple[str, ...]:
        """Ids of judged queries that are not among the queries: they count as 0."""
        known = set(self.queries.ids)
        return tuple(name for name in self.qrels.judgements if name not in known)

    @property
    def dangling(self) -> tuple[tuple[str, str], ...]:
        """Judged (query, document) pairs whose document is not in the corpus: they count as not found."""
        known = set(self.corpus.ids)
        judged = self.qrels.judgements
        return tuple((query, name) for query, grades in judged.items() for name in grades if name not in known)


def is_beir(folder: Path) -> bool:
    """Return whether a folder has BEIR's files."""
    return (folder / "corpus.jsonl").is_file() and (folder / "queries.jsonl").is_file()


def read_beir(folder: str | Path, qrels: str = "test") -> Collection:
    """Read a collection.

    Parameters
    ----------
    folder : str or Path
        Holds ``corpus.jsonl`` (``_id``, ``text``, ``title`` if wanted), ``queries.jsonl`` (``_id``, ``text``) and
        ``qrels/NAME.tsv`` (header ``query-id corpus-id score``).
    qrels : str
        NAME, or the path of another such ``.tsv``, or of a TREC qrels file (any other extension).

    Raises
    ------
    DataError
        When a file is missing or malformed; a third column not called ``score`` is refused, as its numbers may mean
        the opposite.
    """
    folder = Path(folder)
    if not is_beir(folder):
        raise DataError(
            f"A retrieval collection must be a folder with corpus.jsonl and queries.jsonl. Got {folder}, which lacks "
            f"{'one of them' if folder.is_dir() else 'both: it is no folder'}. Name another folder, or give --task."
        )
    corpus = _texts(folder / "corpus.jsonl", documents=True)
    queries = _texts(folder / "queries.jsonl", documents=False)
    return Collection(corpus, queries, _judgements(_qrels_path(folder, qrels), queries, corpus))


def _texts(path: Path, *, documents: bool) -> Corpus:
    """Read documents, which may have titles and be empty, or queries, which may not."""
    table = read_table(path)
    if table.plain or "_id" not in table.columns or "text" not in table.columns:
        raise DataError(
            f"Every line of {path.name} must be an object with _id and text. "
            f"Got {shown(table.columns) or 'plain strings'} in {path}. Rename the keys."
        )
    must = "Every line must have an _id: text or a number."
    ids = table.checked(table.columns.index("_id"), as_name, must, "Fill it in.", words=kind_of)
    items = _cells(table, "text", as_text)
    if not documents:
        rows_left_out(table, items, "refuse", _EMPTY_WAYS_OUT)
    elif "title" in table.columns:
        titled = zip(_cells(table, "title", _as_title), items, strict=True)
        items = [f"{title} {text}" if title else text for title, text in titled]
    return Corpus(tuple(items), tuple(ids), None, str(path), True)


def _as_title(value: object) -> str | None:
    return "" if is_missing(value) else as_text(value)


def _cells(table: Table, name: str, read: Callable[[object], str | None]) -> list[str]:
    must, way_out = f"The {name} of every line must be text.", 'Write it as a string; "" stands for an empty document.'
    return table.checked(table.columns.index(name), read, must, way_out, words=kind_of)


def _qrels_path(folder: Path, qrels: str) -> Path:
    path = folder / "qrels" / f"{qrels}.tsv"
    if path.is_file():
        return path
    if Path(qrels).is_file():
        return Path(qrels)
    names = sorted(each.stem for each in (folder / "qrels").glob("*.tsv"))
    raise DataError(
        f"Judgements must be in {folder / 'qrels'}/NAME.tsv, or a file of their own. Got --qrels {qrels}, and neither "
        f"{path} nor a file {qrels} is there. {hint(qrels, names)}There are: {shown(names) or 'none'}."
    )


def _judgements(path: Path, queries: Corpus, corpus: Corpus) -> Qrels:
    qrels = _read_tsv(path) if path.suffix.lower() == ".tsv" else read_qrels(path)
    if not set(queries.ids) & set(qrels.judgements):
        raise DataError(
            f"At least one judged query must be in {queries.source}. Got judgements of "
            f"{shown(qrels.judgements, 5)} in {path}, and queries {shown(queries.ids, 5)}. Check that they belong "
            "together."
        )
    documents = dict.fromkeys(name for grades in qrels.judgements.values() for name in grades)
    if documents.keys().isdisjoint(corpus.ids):
        raise DataError(
            f"At least one judged document must be in {corpus.source}. Got judgements of {shown(documents, 5)} in "
            f"{path}, and documents {shown(corpus.ids, 5)}. Check that they belong together, and that no program has "
            "turned the ids into numbers (001 into 1)."
        )
    return qrels


def _read_tsv(path: Path) -> Qrels:
    table = read_table(path)
    names = tuple(same_name(name) for name in table.columns)
    if names != _COLUMNS:
        third = (
            "A third column of another name may count in another direction (Cranfield's codes: 1 is the highest). "
            if names[:2] == _COLUMNS[:2]
            else ""
        )
        raise DataError(
            "The header of judgements must be query-id, corpus-id, score, tab-separated. "
            f"Got {shown(table.columns)} in {path}. {third}If higher means more relevant, rename it score."
        )
    cells = table.column
    table = replace(table, column=lambda position: [str(cell).strip() for cell in cells(position)])
    return Qrels(gathered(table, judged_rows(table, ordinary=True)), str(path))
