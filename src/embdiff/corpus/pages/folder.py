"""Folders of documents as tables: a file a row, its path the id, its sub-folder the group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from embdiff._memory import room_for_texts
from embdiff._progress import progress
from embdiff._registry import Entry, Registry
from embdiff.corpus.decoding import is_image_name
from embdiff.corpus.files import EXTENSIONS, FOUND, Form, exists, extension_of, reading, shown, too_large
from embdiff.corpus.folders import groups_of, is_beside, is_for_systems, leads_out, names_under
from embdiff.corpus.pages.page import NoText, Page
from embdiff.corpus.tables import Table
from embdiff.errors import DataError, EmbdiffError, in_one_line

_MARKUP, _OTHERS = "embdiff.corpus.pages.markup", "embdiff.corpus.pages.others"
READERS = Registry(
    "document reader",
    "embdiff.documents",
    [
        Entry("md", f"{_MARKUP}:markdown", "Markdown"),
        Entry("markdown", f"{_MARKUP}:markdown", "Markdown"),
        Entry("html", f"{_MARKUP}:html", "HTML"),
        Entry("htm", f"{_MARKUP}:html", "HTML"),
        Entry("txt", f"{_OTHERS}:text", "plain text"),
        Entry("rst", f"{_OTHERS}:rst", "reStructuredText", ("docutils",), "rst"),
        Entry("pdf", f"{_OTHERS}:pdf", "PDF", ("pypdf",), "pdf"),
    ],
)


def page_table(path: Path, form: Form = FOUND) -> Table | None:
    """Return a folder of documents, or one document, as a table: text, id, title and, with sub-folders, group.

    The texts are `Page`: they know their headings.

    Parameters
    ----------
    path : Path
    form : Form, optional
        Its encoding is that of all files.

    Returns
    -------
    Table or None
        None for what holds no documents: a .txt file, whose lines are rows, or a folder of images or of tables, also
        with words for people beside these (README).

    Raises
    ------
    DataError
        When a file cannot be read as what it is, lies elsewhere, or tables stand beside documents.
    """
    if not exists(path):
        return None
    if not path.is_dir():
        single = _kind(path.name)
        return _of_pages([path.name], path.parent, str(path), form) if single in READERS and single != "txt" else None
    with reading(path):
        every = [name for name in sorted(names_under(path, _unwanted)) if not is_for_systems(PurePosixPath(name).name)]
    names = _documents_among(every, path)
    return _of_pages(names, path, str(path), form, len(every)) if names else None


def _kind(name: str) -> str:
    return PurePosixPath(name).suffix.lower().removeprefix(".")


def _unwanted(folder: Path) -> bool:
    if not is_for_systems(folder.name) and folder.is_symlink():
        raise DataError(
            f"A folder of documents must hold its sub-folders itself. Got the link {folder}. Copy what it leads to, or "
            "remove it."
        )
    return is_for_systems(folder.name)


def _documents_among(names: Sequence[str], folder: Path) -> list[str]:
    """Return the documents of a folder; none where other data are what it is of."""
    readers = READERS.entries()
    documents = [name for name in names if _kind(name) in readers]
    meant = [name for name in documents if not is_beside(PurePosixPath(name).name)]
    tables = [name for name in names if extension_of(Path(name)) in EXTENSIONS and _kind(name) != "txt"]
    if tables and any(_kind(name) != "txt" for name in meant):
        raise DataError(
            f"A folder of documents must hold no tables. Got {shown(tables, 3)} beside {len(meant):,} documents, such "
            f"as {shown(meant, 1)} in {folder}. Name a file or a sub-folder, or move the tables away."
        )
    captions = all(_kind(name) == "txt" for name in meant)  # documents have pictures beside them, pictures no documents
    other = tables or (captions and any(is_image_name(name) for name in names))
    return [] if other else documents


def _of_pages(names: Sequence[str], folder: Path, source: str, form: Form, files: int = 1) -> Table:
    """Read documents, each whole."""
    with reading(folder):
        if sum((folder / name).lstat().st_size for name in names) > room_for_texts():
            raise too_large(folder, "text")
    pages: list[Page] = []
    with progress(f"read {source}", len(names), "documents") as advance:
        for name in names:
            pages.append(_page(folder, name, form))
            advance(1)
    columns: list[Sequence[object]] = [pages, names, [page.called for page in pages]]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in Counter(map(_kind, names)).most_common())
    told = f"{source} holds {len(names):,} documents ({kinds}); their ids are their paths"
    groups = groups_of(names)
    if groups is not None:
        columns.append(groups)
        told += ", their groups the sub-folders"
    if files > len(names):
        others = files - len(names)
        told += f"; {others:,} other {'file is' if others == 1 else 'files are'} not read"
    notes = (f"{told}.", *(page.note for page in pages if page.note))
    columns_of = partial(list.__getitem__, columns)
    return Table(
        source,
        ("text", "id", "title", "group")[: len(columns)],
        columns_of,
        len(pages),
        id_at=1,
        notes=notes,
        own_columns=True,
    )


def _page(folder: Path, name: str, form: Form) -> Page:
    """Read one document."""
    path = folder / name
    if leads_out(folder, path):
        raise DataError(
            f"A document must lie inside its folder, {folder}. Got {name!r}, a link that leads out. Copy what it leads "
            "to, or remove it."
        )
    reader = READERS.load(_kind(name))
    try:
        found = reader(path, form.encoding)
        if not isinstance(found, str):
            raise NoText("A document reader must return a text.", type(found).__name__, "Tell whoever wrote it.")
    except NoText as error:
        raise DataError(f"{error.must} Got {error.found}, in {path}. {error.mend}") from None
    except EmbdiffError:
        raise
    except Exception as error:  # of a reader from elsewhere
        who = READERS.entry(_kind(name)).summary
        raise DataError(
            f"A document must be read by its reader. Got {in_one_line(error)} for {path}, of the reader of "
            f".{_kind(name)} ({who}). Mend the document, or move it away."
        ) from None
    return found if isinstance(found, Page) else Page(found)
