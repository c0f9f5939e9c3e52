"""A folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/NAME.tsv; or in other formats under these names.

As MTEB's data sets are downloaded these are folders of Parquet files. The corpus may be a folder of documents.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass, replace
from pathlib import Path

from embdiff._names import by_number
from embdiff._registry import hint
from embdiff.corpus.columns import NONE, ColumnName, Columns, header_rule, same_name
from embdiff.corpus.files import EXTENSIONS, PACKED, Form, extension_of, shown
from embdiff.corpus.pages.folder import page_table
from embdiff.corpus.read import corpus_of
from embdiff.corpus.readers import read_table
from embdiff.corpus.shards import joined, shard_table
from embdiff.corpus.tables import Table, as_number
from embdiff.corpus.trec import BEIR_QRELS, gathered, judged_rows, read_qrels, told_fractions
from embdiff.errors import DataError
from embdiff.records import Corpus, Qrels

_WITH_QRELS = ("qrels", "data", "default")  # folders
_EMPTY_WAYS_OUT = "Fill them in or delete them (a judged query that is not in the file counts as 0)."


@dataclass(frozen=True)
class Collection:
    """Documents, queries and judgements.

    Parameters
    ----------
    corpus : Corpus
        Documents are made as `read_corpus` makes them: title + " " + text, the text alone without a title, or what was
        asked for. Empty documents stay.
    queries : Corpus
        All queries of the folder, judged or not.
    qrels : Qrels
        As in the file, judgements of documents that are not in the corpus included.
    whole : Corpus
        The documents before they are cut, where rows of ``corpus`` are chunks; else that very corpus.
    """

    corpus: Corpus
    queries: Corpus
    qrels: Qrels
    whole: Corpus

    @property
    def documents(self) -> tuple[str, ...]:
        """Ids of the documents, each once, also where rows are chunks of them."""
        return self.whole.ids

    @property
    def empty_documents(self) -> tuple[str, ...]:
        """Ids of documents without text."""
        rows = zip(self.whole.ids, self.whole.items, strict=True)
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
        known = set(self.documents)
        judged = self.qrels.judgements
        return tuple((query, name) for query, grades in judged.items() for name in grades if name not in known)


def is_beir(folder: Path) -> bool:
    """Return whether a folder has BEIR's files."""
    return all(_files(folder, name) for name in ("corpus", "queries"))


def _files(folder: Path, name: str) -> list[Path]:
    """Return the files of one name, in whatever format, and the folder of that name; BEIR's own first."""
    found = [each for each in folder.glob(f"{name}.*") if extension_of(each) in EXTENSIONS and each.is_file()]
    found += [each for each in (folder / name,) if each.is_dir()]
    return sorted(found, key=lambda each: (each.name != f"{name}.jsonl", each.name))


def read_beir(
    folder: str | Path, qrels: str = "test", columns: Columns | None = None, by: ColumnName = None
) -> Collection:
    """Read a collection.

    Parameters
    ----------
    folder : str or Path
        Holds ``corpus.jsonl`` (``_id``, ``text``, ``title`` if wanted), ``queries.jsonl`` (``_id``, ``text``) and
        ``qrels/NAME.tsv`` (header ``query-id corpus-id score``). The first two may have any format that `read_corpus`
        reads, and any of its names of columns.
    qrels : str
        NAME, or the path of another such table (.tsv, .csv, .jsonl, .parquet), or of a TREC qrels file (any other
        extension).
    columns : Columns, optional
        Which make the documents, and how the files are written.
    by : str or int, optional
        The column of the queries that is their group.

    Raises
    ------
    DataError
        When a file is missing or malformed; a third column not called ``score`` is refused, as its numbers may mean
        the opposite.
    """
    folder, columns = Path(folder), columns or Columns()
    missing = [name for name in ("corpus", "queries") if not _files(folder, name)]
    if missing:
        others = sorted(each.name for name in missing for each in folder.glob(f"{name}*"))
        found = f"lacks {' and '.join(f'{name}.jsonl' for name in missing)}" if folder.is_dir() else "is no folder"
        found += f" (it has {shown(others, 3)})" if others else ""
        raise DataError(
            f"A retrieval collection must be a folder with corpus.jsonl and queries.jsonl, or files that are read like "
            f"these ({', '.join(EXTENSIONS)}). Got {folder}, which {found}. "
            "Name another folder, or give --task."
        )
    split = qrels if not Path(qrels).suffix else None
    columns = replace(columns, group=NONE)
    corpus = whole = _rows(_only(folder, "corpus"), columns, split)
    if columns.chunk is not None:  # of a query that is a document only the whole one tells
        whole = _rows(_only(folder, "corpus"), replace(columns, chunk=None), split)
    form = replace(columns.form, header=None)
    queries = _rows(
        _only(folder, "queries"),
        Columns(group=NONE if by is None else by, titles=False, form=form, group_called="by"),
        split,
    )
    unjudged = Collection(corpus, queries, Qrels({}), whole)
    return replace(unjudged, qrels=_judgements(_qrels_path(folder, qrels), unjudged, columns.form))


def _only(folder: Path, name: str) -> Path:
    """Return the only file of a name; BEIR's own where there are others, too."""
    found = _files(folder, name)
    if len(found) > 1 and found[0].name != f"{name}.jsonl":
        raise DataError(
            f"A collection must have one file {name}.*. Got {shown(each.name for each in found)} in {folder}. Keep one."
        )
    return found[0]


def _rows(path: Path, columns: Columns, split: str | None) -> Corpus:
    """Read documents, which may be empty, or queries (no titles), which may not; of several tables the split."""
    table = (page_table(path, columns.form) if columns.titles else None) or shard_table(path, split)
    table = table or read_table(path, header_rule(columns), columns.form)
    columns = replace(columns, numbered=False)
    if columns.id is None and "_id" in table.columns:
        columns = replace(columns, id="_id")
    rows = corpus_of(table, columns, "keep" if columns.titles else "refuse", None, _EMPTY_WAYS_OUT)
    if not rows.ids_given:
        raise DataError(
            f"Every line of {path.name} must have _id and text. "
            f"Got {shown(table.columns) or 'plain strings'} in {path}. Rename the keys."
        )
    return rows


def _qrels_path(folder: Path, qrels: str) -> Path | Table:
    """Return the file of judgements, or the table of several."""
    path = folder / "qrels" / f"{qrels}.tsv"
    for each in (path, *(path.with_name(path.name + end) for end in PACKED)):
        if each.is_file():
            return each
    if Path(qrels).is_file():
        return Path(qrels)
    for inside in _WITH_QRELS:  # as data sets are downloaded
        files = by_number((folder / inside).glob(f"{glob.escape(qrels)}-?????-of-?????.parquet"))
        files += [each for each in (folder / inside / f"{qrels}.parquet",) if each.is_file()]
        if files:
            return joined(files, str(folder / inside))
    names = sorted({each.name.partition(".")[0] for each in (folder / "qrels").glob("*.tsv*")})
    raise DataError(
        f"Judgements must be in {folder / 'qrels'}/NAME.tsv, or a file of their own. Got --qrels {qrels}, and neither "
        f"{path} nor a file {qrels} is there. {hint(qrels, names)}There are: {shown(names) or 'none'}."
    )


def _judgements(path: Path | Table, collection: Collection, form: Form) -> Qrels:
    queries, corpus = collection.queries, collection.corpus
    if isinstance(path, Table):
        qrels, path = _of_table(path), Path(path.source)
    else:
        is_table = extension_of(path) in {*EXTENSIONS} - {".txt"}
        table = read_table(path, form=replace(form, header=None)) if is_table else None
        qrels = read_qrels(path, form.encoding) if table is None else _of_table(table)
    if not set(queries.ids) & set(qrels.judgements):
        raise DataError(
            f"At least one judged query must be in {queries.source}. Got judgements of "
            f"{shown(qrels.judgements, 5)} in {path}, and queries {shown(queries.ids, 5)}. Check that they belong "
            "together."
        )
    documents = dict.fromkeys(name for grades in qrels.judgements.values() for name in grades)
    if documents.keys().isdisjoint(collection.documents):
        raise DataError(
            f"At least one judged document must be in {corpus.source}. Got judgements of {shown(documents, 5)} in "
            f"{path}, and documents {shown(collection.documents, 5)}. Check that they belong together, and that no "
            "program has turned the ids into numbers (001 into 1)."
        )
    return qrels


def _of_table(table: Table) -> Qrels:
    path = table.source
    names = tuple(same_name(name) for name in table.columns)
    if names != BEIR_QRELS:
        if len(names) in (3, 4) and as_number(names[-1]) is not None:
            raise DataError(
                "Judgements in a table must have the header query-id, corpus-id, score. Got none: line 1 of "
                f"{path} is a judgement, {shown(table.columns)}. "
                + (
                    "Put the header above it."
                    if len(names) == 3
                    else "These are the four fields of TREC qrels: give the file another extension (.qrels)."
                )
            )
        third = (
            "A third column of another name may count in another direction (Cranfield's codes: 1 is the highest). "
            if names[:2] == BEIR_QRELS[:2]
            else ""
        )
        raise DataError(
            "The header of judgements must be query-id, corpus-id, score, tab-separated. "
            f"Got {shown(table.columns)} in {path}. {third}If higher means more relevant, rename it score."
        )
    cells = table.column
    table = replace(table, column=lambda position: [_stripped(cell) for cell in cells(position)])
    judged = gathered(table, judged_rows(table, ordinary=True))
    return Qrels(judged, path, (*table.notes, *told_fractions(judged, path)))


def _stripped(cell: object) -> object:
    """Return a cell without the white space around its text; what has no value stays without one."""
    return cell.strip() if type(cell) is str else cell
