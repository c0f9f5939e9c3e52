"""A reader of documents: Org files, whose headings begin with stars."""

import re
from pathlib import Path

from embdiff.corpus.files import read_text
from embdiff.corpus.pages.page import Block, Page


def org(path: Path, encoding: str | None) -> Page:
    """Return the text of an .org file: its blocks, headings with their level, and its title."""
    title, blocks = "", []
    for part in re.split(r"\n\s*\n|\n(?=\*+ )", read_text(path, encoding)):
        heading = re.match(r"(\*+) +(.*)(?:\n|$)", part)
        named = re.match(r"#\+title: *(.*)", part, re.IGNORECASE)
        if named:
            title = named[1]
        elif heading:
            blocks += [Block(heading[2], len(heading[1])), Block(part[heading.end() :])]
        else:
            blocks.append(Block(part))
    return Page.of(blocks, title)
