"""How a row becomes a document: one column as it is, or several through a template such as ``{title} {text}``."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from embdiff.errors import ParameterError


@dataclass(frozen=True)
class Recipe:
    """Which cells of a row make its document, and what stands between them.

    Parameters
    ----------
    positions : tuple of int
        The columns, in order; one alone is the document as it is.
    between : tuple of str
        What stands before, between and after the cells, one more than these; empty for one column alone.
    given : bool
        Whether the user wrote the template: then a cell may be a number, too.
    """

    positions: tuple[int, ...]
    between: tuple[str, ...] = ()
    given: bool = False

    def filled(self, cells: Sequence[str]) -> str:
        """Return the document of one row.

        A blank cell takes the white space along that would have joined it: the text alone where there is no title.
        A row whose cells are all blank has an empty document, whatever stands around them.
        """
        if not any(cell and not cell.isspace() for cell in cells):
            return ""
        found, joint, blank = "", self.between[0], False
        for cell, after in zip(cells, self.between[1:], strict=True):
            blank = not cell or cell.isspace()
            if not blank:
                found, joint = found + joint + cell, after
            elif after.strip():
                joint += after
        return found + (joint.rstrip() if blank else joint)

    def told(self, names: Sequence[str]) -> str:
        """Return the recipe in words: ``title + " " + text``."""
        words = [f'"{self.between[0]}"'] if self.between and self.between[0] else []
        for at, position in enumerate(self.positions):
            words.append(names[position])
            if self.between and self.between[at + 1]:
                words.append(f'"{self.between[at + 1]}"')
        return " + ".join(words).replace("\n", "\\n")


def is_template(text: object) -> bool:
    """Return whether the value of ``--text-column`` is a template and no name: it has braces."""
    return isinstance(text, str) and "{" in text


def parts_of(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that a template names, and what stands before, between and after them.

    Raises
    ------
    ParameterError
        When it names none, or is not written like ``{title} {text}``.
    """
    names: list[str] = []
    between = [""]
    try:
        for literal, name, form, conversion in string.Formatter().parse(template):
            between[-1] += literal
            if name is None:
                continue
            if not name.strip() or form or conversion:
                raise ValueError("a column is its name alone, in braces")
            names.append(name)
            between.append("")
        if not names:
            raise ValueError("it names no column")
    except ValueError as error:
        raise ParameterError(
            "A template of --text-column must be text with names of columns in braces, such as '{title} {text}'. "
            f"Got {template!r}: {error}. Write {{{{ for a brace that stands for itself."
        ) from None
    return tuple(names), tuple(between)
