"""A document that is a file of its own: its text, its title, and where its headings are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from embdiff.chunking import Span


class Block(NamedTuple):
    """A paragraph, a heading, a row of a table.

    Parameters
    ----------
    text : str
        White space around it does not count.
    level : int
        Of a heading, from 1; 0 for anything else.
    close : bool
        Whether it follows what is before it on the next line, without an empty one between: an item of a list.
    """

    text: str
    level: int = 0
    close: bool = False


class NoText(Exception):  # noqa: N818 - told of a file by whoever knows it
    """A file is no document to work with.

    Parameters
    ----------
    must, found, mend : str
        What must hold, what was got, what to do; the place is added by whoever knows it.
    """

    def __init__(self, must: str, found: str, mend: str) -> None:
        super().__init__(f"{must} Got {found}. {mend}")
        self.must, self.found, self.mend = must, found, mend


class Page(str):
    """The text of a document, without its title.

    Parameters
    ----------
    text : str
    called : str
        The title; "" where there is none.
    headings : tuple of (int, int)
        Where each heading begins and ends in the text, ascending.
    note : str
        What a reader of results must know of how it was read, a sentence, or "".
    """

    called: str
    headings: tuple[Span, ...]
    note: str

    def __new__(cls, text: str, called: str = "", headings: tuple[Span, ...] = (), note: str = "") -> Self:  # noqa: D102
        page = super().__new__(cls, text)
        page.called, page.headings, page.note = called, headings, note
        return page

    @classmethod
    def of(cls, blocks: Iterable[Block], title: str = "") -> Self:
        """Join blocks, empty lines between them.

        The title is the one given, else the first heading of level 1, which is left out of the text then; so is a
        first heading that is the title given.
        """
        there = [block._replace(text=block.text.strip()) for block in blocks if block.text.strip()]
        title = " ".join(title.split())
        first = next((at for at, block in enumerate(there) if block.level == 1), None)
        if first is not None and title in ("", " ".join(there[first].text.split())):
            title = " ".join(there.pop(first).text.split())
        headings: list[Span] = []
        parts, size = list[str](), 0
        for block in there:
            joint = "" if not parts else "\n" if block.close else "\n\n"
            if block.level:
                headings.append((size + len(joint), size + len(joint) + len(block.text)))
            parts.append(joint + block.text)
            size += len(parts[-1])
        return cls("".join(parts), title, tuple(headings))
