"""Plain text, reStructuredText and PDF as pages."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from embdiff._optional import require
from embdiff.corpus.files import read_text, reading
from embdiff.corpus.pages.page import Block, NoText, Page
from embdiff.errors import in_one_line


def text(path: Path, encoding: str | None) -> Page:
    """Read a text file, which has neither title nor headings."""
    return Page(read_text(path, encoding).replace("\r\n", "\n").strip())


def rst(path: Path, encoding: str | None) -> Page:
    """Read a reStructuredText file; nothing that it names is read or run, and what only Sphinx knows stays as written.

    The title is the first heading of the highest level.
    """
    source = read_text(path, encoding)
    require("docutils", "rst", "A file of reStructuredText")
    from docutils import frontend, utils
    from docutils.parsers.rst import Parser

    settings = frontend.get_default_settings(Parser)
    settings.file_insertion_enabled = settings.raw_enabled = False
    settings.report_level, settings.halt_level, settings.warning_stream = 5, 6, io.StringIO()
    settings.line_length_limit, settings.syntax_highlight = 10**9, "none"
    document = utils.new_document(path.name, settings)
    try:
        Parser().parse(source, document)
        return Page.of(_rst_blocks(document))
    except (RecursionError, ValueError, AttributeError, IndexError, KeyError) as error:
        raise NoText("A .rst file must be reStructuredText.", in_one_line(error), "Mend it or move it away.") from None


def _rst_blocks(document: Any) -> Iterator[Block]:
    from docutils import nodes

    unread = (nodes.comment, nodes.substitution_definition, nodes.raw, nodes.target)
    todo: list[tuple[Any, int, bool]] = [(document, 0, False)]
    while todo:
        node, depth, close = todo.pop()
        if isinstance(node, nodes.system_message):  # of an unknown directive, whose text is there as it was written
            todo += [(each, depth, False) for each in node.children if isinstance(each, nodes.literal_block)]
        elif isinstance(node, nodes.title):
            heading = isinstance(node.parent, nodes.section)
            yield Block(node.astext(), depth if heading else 0)
        elif isinstance(node, nodes.row):
            yield Block(" ".join(each.astext() for each in node.children), close=True)
        elif isinstance(node, nodes.TextElement) and not isinstance(node, unread):
            yield Block(node.astext(), close=close)
        elif not isinstance(node, (*unread, nodes.Text)):
            below = depth + isinstance(node, nodes.section)
            item = isinstance(node, (nodes.list_item, nodes.field_body, nodes.definition))
            todo += [(each, below, item and each is node.children[0]) for each in reversed(node.children)]


def pdf(path: Path, encoding: str | None) -> Page:
    """Read the text of a PDF, page by page, which has no headings; its own title is seldom one and not taken."""
    del encoding  # a PDF says so itself
    pypdf = require("pypdf", "pdf", "A PDF file")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with reading(path):
        content = path.read_bytes()
    try:
        file = pypdf.PdfReader(io.BytesIO(content))
        if file.is_encrypted:
            raise NoText("A PDF must be readable without a password.", "an encrypted one", "Save it without.")
        pages = [page.extract_text().strip() for page in file.pages]
    except NoText:
        raise
    except Exception as error:  # whatever a damaged file makes the library stumble over
        raise NoText("A PDF must be whole.", in_one_line(error), "Save it again, or move it away.") from None
    empty = pages.count("")
    if empty == len(pages):
        raise NoText(
            "A PDF must hold text.", f"{len(pages)} pages without any, pictures perhaps", "Have their text recognised."
        )
    told = f"{empty:,} of the {len(pages):,} pages of {path.name} have no text." if empty else ""
    return Page("\n\n".join(filter(None, pages)), note=told)
