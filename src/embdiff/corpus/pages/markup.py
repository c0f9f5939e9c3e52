"""Markdown and HTML as pages: what is read by people, without the signs that lay it out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from embdiff.corpus.files import read_text
from embdiff.corpus.pages.page import Block, Page

_UNREAD = ("script", "style", "template", "noscript", "svg", "head")  # nobody reads what is in these
_OF_THE_HEAD = ("html", "title", "meta", "link", "base")
_INLINE = (
    *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i"),
    *("ins", "kbd", "label", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup"),
    *("time", "tt", "u", "var", "wbr"),
)
_CLOSE = ("li", "tr", "dt", "dd", "option")  # follow each other line by line
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def html(path: Path, encoding: str | None) -> Page:
    """Read an HTML file: the text of its ``main`` where there is one, else of all of it.

    The title is the first heading of level 1, else that of the head.
    """
    parser = _Text()
    parser.feed(read_text(path, encoding))
    parser.close()
    blocks = parser.found()
    has_heading = any(block.level == 1 and block.text.strip() for block in blocks)
    return Page.of(blocks, "" if has_heading else parser.title)


class _Text(HTMLParser):
    """Gathers the blocks of an HTML document."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._unread: list[str] = []
        self._titled = self._kept = self._level = self._main = 0
        self._close = False
        self._said: list[str] = []
        self._blocks: list[tuple[Block, bool]] = []

    def found(self) -> list[Block]:
        """Return the blocks."""
        self._end()
        inside = [block for block, main in self._blocks if main]
        return inside or [block for block, _ in self._blocks]

    def _end(self) -> None:
        text = "".join(self._said)
        text = text if self._kept else re.sub(r" *\n *", "\n", re.sub(r"[^\S\n]+", " ", text))
        if text.strip():
            self._blocks.append((Block(text.strip("\n"), self._level, self._close), self._main > 0))
            self._close = False
        self._said = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title and "svg" not in self._unread:
            self._titled += 1
        if tag in _UNREAD:
            self._unread.append(tag)
        elif tag not in _OF_THE_HEAD and self._unread == ["head"]:  # its end need not be written
            self._unread.clear()
        if self._unread:
            return
        if tag == "br":
            self._said.append("\n")
        elif tag in ("td", "th"):
            self._said.append(" ")
        elif tag not in _INLINE and tag != "img":
            self._end()
            self._level = _HEADINGS.get(tag, 0)
            self._close = tag in _CLOSE
            self._kept += tag == "pre"
            self._main += tag == "main"

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._titled = 0
        if tag in self._unread:  # one that was left open ends with what it stands in
            del self._unread[self._unread.index(tag) :]
            return
        if tag == "body":
            self._unread.clear()
        if not self._unread and tag not in _INLINE and tag not in ("td", "th", "br", "img"):
            self._end()
            self._level = 0
            self._kept -= tag == "pre" and self._kept > 0
            self._main -= tag == "main" and self._main > 0

    def handle_data(self, data: str) -> None:
        if self._titled:
            self.title += data
        elif not self._unread:
            self._said.append(data if self._kept else re.sub(r"\s+", " ", data))


def markdown(path: Path, encoding: str | None) -> Page:
    """Read a Markdown file (CommonMark, tables); the title is that of the front matter, else as for HTML."""
    text = read_text(path, encoding).replace("\r\n", "\n")
    front = re.match(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|$)", text, re.DOTALL)
    title = ""
    if front and (not (front[1] or "").strip() or re.search(r"^[\w-]+:", front[1], re.MULTILINE)):
        named = re.search(r"""^title:[ \t]*(["']?)(.*?)\1[ \t]*$""", front[1] or "", re.MULTILINE)
        title, text = named[2] if named else "", text[front.end() :]
    return Page.of(_blocks(_markdown().parse(text)), title)


@cache
def _markdown() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _blocks(tokens: list[Any]) -> Iterator[Block]:
    """Yield the blocks of Markdown's tokens."""
    level, close, cells = 0, False, list[str]()
    row = False
    for token in tokens:
        kind = token.type
        if kind == "heading_open":
            level = int(token.tag[1:])
        elif kind == "list_item_open":
            close = True
        elif kind in ("tr_open", "tr_close"):
            row = kind == "tr_open"
            if cells:
                yield Block(" ".join(cells), close=True)
            cells = []
        elif kind == "inline" and row:
            cells.append(_said(token))
        elif kind == "inline":
            yield Block(_said(token), level, close)
            level, close = 0, False
        elif kind in ("fence", "code_block"):
            yield Block(token.content.strip("\n"))
        elif kind == "html_block":
            parser = _Text()
            parser.feed(token.content)
            parser.close()
            yield from parser.found()


def _said(token: Any) -> str:
    """Return the text of a paragraph's tokens; of an image what stands for it."""
    words = []
    for each in token.children or ():
        if each.type in ("softbreak", "hardbreak"):
            words.append(" " if each.type == "softbreak" else "\n")
        elif each.type in ("text", "code_inline", "image"):
            words.append(each.content)
        elif each.type == "html_inline" and re.match(r"<br\b", each.content, re.IGNORECASE):
            words.append("\n")
    return "".join(words)
