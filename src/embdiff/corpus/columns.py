"""Which columns make the text, which are the id and the group: by known name, by given name, or by position."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from embdiff._registry import hint
from embdiff.chunking import Chunking
from embdiff.corpus.decoding import is_image_name
from embdiff.corpus.documents import Recipe, is_template, parts_of
from embdiff.corpus.files import FOUND, Form, shown
from embdiff.corpus.tables import HeaderRule, Table
from embdiff.errors import DataError, ParameterError

ColumnName = str | int | None

# In order of preference; case does not matter, nor whether "-", "_" or a blank joins the words.
KNOWN = {
    "text": (
        *("text", "sentence", "content", "document", "body", "passage", "lyrics", "lyric", "question", "query"),
        *("utterance", "review", "comment", "message", "description", "abstract", "texts", "sentences"),
    ),
    "title": ("title",),
    "image": (
        *(
            "image",
            "img",
            "picture",
            "photo",
            "images",
            "image_path",
            "img_path",
            "image_file",
            "file_name",
            "filename",
        ),
        *("file_path", "filepath", "path"),
    ),
    "id": (
        *("id", "_id", "doc_id", "docid", "document_id", "text_id", "sentence_id", "passage_id", "row_id"),
        *("query_id", "qid", "pid", "uid", "uuid", "custom_id", "ids"),
    ),
    "group": ("group", "label", "category", "class", "topic", "song", "cluster", "genre", "intent"),
    # of ready vectors
    "vector": (
        *("vector", "embedding", "embeddings", "vectors", "emb", "dense", "dense_vector", "sentence_embedding"),
        *("text_embedding",),
    ),
    # of expected results
    "query": ("query_id", "qid", "query"),
    "document": ("id", "_id", "doc_id", "docid", "document_id", "corpus_id"),
    "grade": ("grade", "score", "relevance", "rel"),
    # of pairs of texts
    "left": (
        *("sentence1", "sentence_1", "text1", "text_1", "sentence_a", "text_a"),
        *("question1", "premise", "left", "a"),
    ),
    "right": (
        *("sentence2", "sentence_2", "text2", "text_2", "sentence_b", "text_b"),
        *("question2", "hypothesis", "right", "b"),
    ),
    "score": (
        *(
            "score",
            "similarity",
            "similarity_score",
            "relatedness",
            "relatedness_score",
            "rating",
            "gold",
            "label",
            "gold_label",
        ),
        *("is_duplicate", "target"),
    ),
}
_OF_A_CORPUS = frozenset(name for role in ("text", "title", "image", "id", "group") for name in KNOWN[role])
_OF_RESULTS = ("query", "document", "grade")  # no option names their columns
NONE = "none"


@dataclass(frozen=True)
class Columns:
    """What the caller says about the columns.

    Parameters
    ----------
    text, id, group : str, int or None
        Name, 0-based position (an int, or digits), or None to look for a known name; "none" for
        `id` and `group` means: there is no such column. For `text` also a template: ``{title} {text}``.
    must : bool
        Whether a given column must be there; if not, the known names are tried next.
    titles : bool
        Whether a column of titles is put before texts that are found by a known name: of documents, not of queries.
    form : Form
        How the file is written, where it does not say so itself.
    group_empty : str or None
        The group of rows whose cell in the group column is empty; None: such rows are refused.
    group_called : str
        What a command calls the groups, in messages and its option: labels, or what scores are told by.
    numbered : bool
        Whether rows may go without ids.
    chunk : Chunking or None
        How documents are cut into chunks, each a row; None: a document is a row.
    """

    text: ColumnName = None
    id: ColumnName = None
    group: ColumnName = None
    must: bool = True
    titles: bool = True
    form: Form = FOUND
    group_empty: str | None = None
    group_called: str = "group"
    numbered: bool = True
    chunk: Chunking | None = None

    def called(self, role: str) -> str:
        """Return what a role is called, in messages and in the name of its option."""
        return self.group_called if role == "group" else role

    def given(self) -> dict[str, str | int]:
        """Return the columns that were given."""
        pairs = (("text", self.text), ("id", self.id), ("group", self.group))
        return {role: name for role, name in pairs if name is not None}


@dataclass(frozen=True)
class Picked:
    """The columns that were found.

    Parameters
    ----------
    recipe : Recipe
        Which make the document.
    id, group : int or None
        Positions.
    """

    recipe: Recipe
    id: int | None = None
    group: int | None = None

    def positions(self) -> list[int]:
        """Return the columns that are read, each once."""
        others = (at for at in (self.id, self.group) if at is not None)
        return list(dict.fromkeys((*self.recipe.positions, *others)))

    def told(self, table: Table) -> str:
        """Return in a sentence which columns of a table are text, id and group, and which others there are."""
        names = table.columns
        used = [f"{role} = {names[at]}" for role, at in (("id", self.id), ("group", self.group)) if at is not None]
        ignored = [name for at, name in enumerate(names) if at not in self.positions()]
        rest = f"others: {shown(ignored)}" if ignored else "all are used"
        return f"Columns of {table.source}: {', '.join([f'text = {self.recipe.told(names)}', *used])}; {rest}."


def same_name(name: str) -> str:
    """Return the form in which known names are compared."""
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def header_rule(columns: Columns) -> HeaderRule:
    """Return the rule that says whether line 1 of a .csv or .tsv names the columns; None where nothing tells.

    It does when one of its cells is a known name, or a given one. (Digits count as a given name only when
    all cells of the line are digits: ``0,1,2``. So a first row ``a bad film,0`` stays data.) Where columns are given
    by position, known names must stand in all these positions; in none of the line: it is data; anything between is
    for the user to say. Without known names it is data when there is only one column and no name was given, and else
    a header after all, whose names the message about the missing text column then lists.
    """
    given = [name for name in columns.given().values() if name != NONE]
    given += parts_of(str(columns.text))[0] if is_template(columns.text) else []
    words = {name.strip().casefold() for name in given if isinstance(name, str) and not _is_position(name)}
    digits = {name.strip() for name in given if isinstance(name, str) and _is_position(name)}
    positions = [int(name) for name in given if _is_position(name)]

    def is_header(cells: Sequence[str], surely: bool) -> bool | None:
        names = {cell.strip().casefold() for cell in cells}
        if not words.isdisjoint(names):
            return True
        if not digits.isdisjoint(names) and all(_is_position(name) for name in names):
            return True
        known = [same_name(cell) in _OF_A_CORPUS for cell in cells]
        if any(known):
            there = [known[at] for at in positions if at < len(cells)]
            return True if all(there) else None
        return not surely and not positions and (len(cells) > 1 or bool(words and columns.must))

    return is_header


def pick(table: Table, columns: Columns) -> Picked:
    """Find the columns of a table.

    Raises
    ------
    DataError
        When there is no text column, or a given column is not there.
    ParameterError
        When a column is given for data without columns, a position is negative, or a template is none.
    """
    given = columns.given()
    if table.plain:
        for role, name in given.items():
            if name != NONE and columns.must:
                raise ParameterError(
                    f"{_option(columns.called(role))} needs data with columns (.csv, .tsv, .jsonl, .parquet). Got "
                    f"{name!r} for {table.source}, which has plain lines of text. Leave it out."
                )
        return Picked(Recipe((0,)))
    recipe = _given_recipe(table, columns) if table.columns else None
    text = recipe.positions[0] if recipe is not None else _found_text(table)
    others: dict[str, int | None] = {}
    for role in ("id", "group"):
        found = _given(table, columns.called(role), given.get(role), columns.must)
        looked_for = found is None and given.get(role) != NONE
        others[role] = known_column(table, role, text, columns.called(role)) if looked_for else found
    if recipe is None:
        title = known_column(table, "title", taken=text) if columns.titles else None
        alone = title is None or title in others.values()
        recipe = Recipe((text,)) if alone or title is None else Recipe((title, text), ("", " ", ""))
    return Picked(recipe, **others)


def _given_recipe(table: Table, columns: Columns) -> Recipe | None:
    """Return what was asked for as the text: a column alone, or a template; None when nothing was."""
    named = isinstance(columns.text, str) and columns.text.strip() in map(str.strip, table.columns)
    if not is_template(columns.text) or named:
        text = _given(table, "text", columns.text, columns.must)
        return None if text is None else Recipe((text,), given=False)
    names, between = parts_of(str(columns.text))
    found = [_given(table, "text", name, columns.must) for name in names]
    positions = tuple(at for at in found if at is not None)
    return Recipe(positions, between, given=True) if len(positions) == len(names) else None


def _found_text(table: Table) -> int:
    """Return the column of texts that nobody named."""
    text = 0 if len(table.columns) == 1 else known_column(table, "text")
    text = _of_images(table) if text is None else text
    if text is None:
        raise DataError(
            f"One column must hold the texts, named like {shown(KNOWN['text'][:6])}, or images ('image', 'path'). "
            f"Got the columns {shown(table.columns) or '(none)'} in {table.source}. "
            "Say which with --text-column NAME (or a position from 0)."
        )
    return text


def _of_images(table: Table) -> int | None:
    """Return the column that is called like one of images, if one of its cells may be an image."""
    found = known_column(table, "image")
    if found is None or not table.size:  # of a file that is read in pieces nothing is known yet
        return found
    return found if any(not isinstance(cell, str) or is_image_name(cell) for cell in table.column(found)) else None


def known_column(table: Table, role: str, taken: int | None = None, called: str | None = None) -> int | None:
    """Return the position of the column with the most preferred name of a role; None when none has one.

    Raises
    ------
    DataError
        When several have it, alike but for case.
    """
    names = [same_name(name) for name in table.columns]
    for name in KNOWN[role]:
        matches = [position for position, each in enumerate(names) if each == name and position != taken]
        found = _alike(table, called or role, matches, (name,))
        if found is not None:
            return found
    return None


def column_of(table: Table, role: str, wanted: ColumnName) -> int | None:
    """Return the position of the column that was asked for by ``--ROLE-column``, None when none was.

    Raises
    ------
    DataError
        When it is not there.
    """
    return _given(table, role, wanted, must=True)


def _given(table: Table, role: str, wanted: ColumnName, must: bool) -> int | None:
    """Return the column that was asked for, None when none was."""
    if wanted is None:
        return None
    if isinstance(wanted, bool) or not isinstance(wanted, (str, int)):
        raise ParameterError(f"{_option(role)} must be a name or a position. Got {wanted!r}. Give one of these.")
    if isinstance(wanted, str):
        name = wanted.strip()
        matches = [p for p, each in enumerate(table.columns) if each.strip().casefold() == name.casefold()]
        found = _alike(table, role, matches, (wanted, name), must)
        if found is not None or (wanted == NONE and role != "text"):
            return found
    if _is_position(wanted) and 0 <= int(wanted) < len(table.columns):
        return int(wanted)
    if not must:
        return None
    raise DataError(
        f"The {role} column must be a column of {table.source}. Got {wanted!r}, which is none of its "
        f"{len(table.columns)}: {shown(table.columns)}. {hint(str(wanted), table.columns)}"
        f"Correct {_option(role)} (a name, or a position from 0 to {len(table.columns) - 1})."
    )


def _alike(table: Table, role: str, matches: Sequence[int], exactly: Sequence[str], must: bool = True) -> int | None:
    """Return the only one of columns that are alike but for case, or the first that is written exactly so."""
    exact = [position for position in matches if table.columns[position] in exactly]
    if len(matches) == 1 or exact:
        return (exact or matches)[0]
    if matches and must:
        names = shown(table.columns[position] for position in matches)
        way_out = "Rename the others" if role in _OF_RESULTS else f"Write the name exactly with {_option(role)}"
        raise DataError(
            f"The {role} column must be plain from its name. Got {names} in {table.source}, alike but for case. "
            f"{way_out}."
        )
    return None


def _option(role: str) -> str:
    """Return the option that names the column of a role."""
    return "--by" if role == "by" else f"--{role}-column"


def _is_position(name: object) -> bool:
    return isinstance(name, int) or (isinstance(name, str) and bool(re.fullmatch(r"\s*[0-9]{1,9}\s*", name)))
