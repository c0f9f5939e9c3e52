"""Documents cut into chunks, each a row: ids are those of the documents with a number behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from embdiff.chunking import Chunking
from embdiff.corpus.documents import Recipe
from embdiff.corpus.pages.page import Page
from embdiff.corpus.tables import Table, as_part, as_title, as_written
from embdiff.errors import ParameterError
from embdiff.records import Corpus, Picture


def chunked(corpus: Corpus, table: Table, recipe: Recipe, rows: Sequence[int], chunking: Chunking) -> Corpus:
    """Return the chunks of documents as rows.

    Parameters
    ----------
    corpus : Corpus
        The documents whole.
    table : Table
        What they were made from.
    recipe : Recipe
        How: its last column is cut, what stands before that is put before every chunk.
    rows : sequence of int
        The row of the table of each document.
    chunking : Chunking

    Raises
    ------
    ParameterError
        When there are images, or nothing that has headings is to be cut at them.
    """
    cells = [table.column(position) for position in recipe.positions]
    pages = [cell for cell in cells[-1] if isinstance(cell, Page)]
    if any(isinstance(item, Picture) for item in corpus.items):
        raise ParameterError(f"--chunk cuts texts. Got the images of {corpus.source}. Leave it out.")
    if chunking.headings and not pages and table.size:
        raise ParameterError(
            f"--chunk heading: needs documents that are files (.md, .html, .rst). Got {corpus.source}, whose texts "
            f"have no headings. Write --chunk {chunking.size}."
        )
    last = as_part if recipe.given else as_written
    items: list[str] = []
    parents: list[int] = []
    ids: list[str] = []
    for number, row in enumerate(rows):
        text = last(cells[-1][row]) or ""
        others = [(as_part if recipe.given else as_title)(column[row]) or "" for column in cells[:-1]]
        headings = getattr(cells[-1][row], "headings", ())
        for place, (start, end) in enumerate(chunking.spans(text, headings), start=1):
            part = text[start:end]
            items.append(recipe.filled([*others, part]) if recipe.between else part)
            parents.append(number)
            ids.append(f"{corpus.ids[number]}#{place}")
    told = f"{len(items):,} chunks of at most {chunking.size:,} tokens were cut from {len(corpus):,} documents"
    return replace(
        corpus,
        items=tuple(items),
        ids=tuple(ids),
        groups=None if corpus.groups is None else tuple(corpus.groups[at] for at in parents),
        parents=tuple(corpus.ids[at] for at in parents),
        columns={name: tuple(values[at] for at in parents) for name, values in corpus.columns.items()},
        notes=(*corpus.notes, f"{told} of {corpus.source}{_without(pages, chunking)}."),
    )


def _without(pages: Sequence[Page], chunking: Chunking) -> str:
    """Say how many documents have no headings to be cut at."""
    bare = sum(not page.headings for page in pages)
    return f" ({bare:,} without headings below the title)" if chunking.headings and bare else ""
