"""Where a text is cut into chunks, in tokens of one rule for all models: a model's own would give each other chunks."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from embdiff.errors import ParameterError
from embdiff.specs import read_options, write_options

Span = tuple[int, int]  # where a part of a text begins and ends

SMALLEST, LARGEST = 10, 100_000  # tokens
LONGEST_RUN = 40  # letters: a longer run, such as a checksum, counts as several tokens
# Scripts whose words no blank divides: Thai, Lao, Burmese, Khmer, kana, Chinese characters.
_UNDIVIDED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_ENDS = ".!?\u2026\u3002\uff01\uff1f\u0964\u061f"  # of sentences, in many scripts
_CLOSERS = "\"')]\u2019\u201d\u00bb\u300d"


@dataclass(frozen=True)
class Chunking:
    """How texts are cut, in text form: ``200``, ``heading:200``, ``heading:200?overlap=40``.

    Parameters
    ----------
    size : int
        Most tokens of a chunk, 10 to 100,000. A token is a run of up to 40 letters, digits and their marks; a letter of
        Thai, Lao, Burmese, Khmer, Chinese or kana; or any other sign that is no white space.
    headings : bool
        Whether a chunk begins at every heading; one without text below it goes with the next.
    overlap : int
        Tokens at the end of a chunk that begin the next, too, where a section has several; at most half of ``size``.
    """

    size: int
    headings: bool = False
    overlap: int = 0

    @classmethod
    def parse(cls, text: str) -> Chunking:
        """Read the text form.

        Raises
        ------
        ParameterError
            When it is written otherwise, or a number is out of range.
        UnknownNameError
            For an unknown option.
        """
        head, options = read_options(text.strip(), "--chunk", ("overlap",))
        found = re.fullmatch(r"(heading:)?([0-9]{1,9})", head)
        if found is None or not SMALLEST <= int(found[2]) <= LARGEST:
            raise ParameterError(
                f"--chunk must be a size in tokens, {SMALLEST} to {LARGEST:,}, or heading:SIZE, which begins a chunk "
                f"at every heading. Got {text[:60]!r}. Write for example --chunk 200 or --chunk heading:200?overlap=20."
            )
        size, overlap = int(found[2]), options.get("overlap", "0")
        if not re.fullmatch(r"[0-9]{1,9}", overlap) or int(overlap) > size // 2:
            raise ParameterError(
                f"overlap of --chunk must be at most half the size, 0 to {size // 2}. Got {overlap!r} in {text[:60]!r}"
                ". Lower it or leave it out."
            )
        return cls(size, found[1] is not None, int(overlap))

    def __str__(self) -> str:
        head = f"{'heading:' if self.headings else ''}{self.size}"
        return write_options(head, {"overlap": str(self.overlap)} if self.overlap else {})

    def spans(self, text: str, headings: Sequence[Span] = ()) -> list[Span]:
        """Return where each chunk begins and ends, at least one.

        Parameters
        ----------
        text : str
        headings : sequence of (int, int)
            Where the headings of the text are, ascending.

        Returns
        -------
        list of (int, int)
            Whole tokens. A chunk ends, in its second half, at the last end of a paragraph; else of a sentence or a
            line; else at the last blank; else where it is full.
        """
        found = list[Span]()
        for start, end in _sections(text, headings) if self.headings else [(0, len(text))]:
            found += self._cut(text, list(tokens(text, start, end)))
        return found or [(0, len(text))]

    def _cut(self, text: str, of: Sequence[Span]) -> Iterator[Span]:
        """Yield the chunks of a section, given its tokens."""
        first = 0
        while first < len(of):
            end = first + self.size
            if end >= len(of):
                yield of[first][0], of[-1][1]
                return
            ends = range(first + self.size // 2 + 1, end + 1)
            end = max(ends, key=lambda at: (_break(text, of[at - 1], of[at]), at))
            yield of[first][0], of[end - 1][1]
            first = end - self.overlap


def tokens(text: str, start: int = 0, end: int = sys.maxsize) -> Iterator[Span]:
    """Yield where the tokens of a part of a text are (`Chunking`)."""
    return (found.span() for found in _token().finditer(text, start, end))


@cache
def _token() -> re.Pattern[str]:
    word, mark = rf"[^\W{_UNDIVIDED}]", f"[{_marks()}]"
    return re.compile(rf"[{_UNDIVIDED}]|(?:{word}|{mark}){{1,{LONGEST_RUN}}}|\S")


def _marks() -> str:
    """Return, as ranges, the signs that stand on or beside a letter of one word: accents, vowel signs."""
    divided = re.compile(f"[^{_UNDIVIDED}]")
    found: list[list[int]] = []
    for code in range(0x300, 0x1E000):
        if unicodedata.category(chr(code))[0] != "M" or not divided.match(chr(code)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in found)


def _sections(text: str, headings: Iterable[Span]) -> list[Span]:
    """Return the parts of a text that begin with a heading, and what stands before the first."""
    starts, body = [0], 0  # where the last section begins, and where text under its heading may
    for start, end in headings:
        if text[body:start].strip():
            starts.append(start)
        body = end
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _break(text: str, before: Span, after: Span) -> int:
    """Return how well a text may be cut between two tokens."""
    gap = text[before[1] : after[0]]
    if gap.count("\n") > 1:
        return 3
    last = text[max(0, before[1] - 2) : before[1]].rstrip(_CLOSERS)[-1:]
    if "\n" in gap or (last and last in _ENDS and (gap or last >= "\u3000")):
        return 2
    return 1 if gap else 0
