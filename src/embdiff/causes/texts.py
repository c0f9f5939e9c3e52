"""What texts say by themselves: script, length, words, and whether two differ in numbers, negations or names only."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embdiff.causes.units import Units
from embdiff.records import BoolArray, IntArray

SEEN = 4_000  # characters of a text that are looked at
NEAR = 0.8  # Jaccard of the words of two near copies
FENCE, LEAST_RATIO = 3.0, 4.0  # of length: Tukey's outer fence, and at least so many times the median
_HASHES, _SHARED = 8, 4  # of two near copies fewer hashes agree once in a hundred
_AT_ONCE = 2**22
_PRIME = np.uint64(2**31 - 1)
# Scripts without blanks between words: each character is a word.
_WORD = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff]|\w+")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_NOT = re.compile(
    r"\b(?:do|does|did)(?=(?:n['\u2019]t| not)\b)|n['\u2019]t\b|\b(?:not|no|never|without|cannot|nor|neither)\b"
)
_MARKS = re.compile(r"[^\w\s@'\u2019.,:/]|[.,:/](?!\d)")
_PIECES = re.compile(r"\w+|\W+")
_ENDS = frozenset(".!?:\n\u3002\u00bf\u00a1")
Names = npt.NDArray[np.object_]  # of str, "" where unknown
_JAPANESE, _EAST = ("HIRAGANA", "KATAKANA"), "CJK"


class Texts(NamedTuple):
    """What is known of some texts; arrays (n,) and (n, 8) of int64."""

    whole: IntArray  # equal texts, capitals and punctuation aside
    number: IntArray  # texts equal but for numbers; 0: there is none in it
    negation: IntArray
    entity: IntArray
    sketch: IntArray  # MinHash of the words
    words: Sequence[frozenset[str]]

    def keys(self, name: str) -> IntArray:
        """Return the keys of one kind of difference."""
        return {"number": self.number, "negation": self.negation, "entity": self.entity}[name]


def looked_at(texts: Sequence[str]) -> Texts:
    """Look at texts: the first 4,000 characters of each."""
    seen = [text[:SEEN] for text in texts]
    plain = [_plain(text) for text in seen]
    words = [frozenset(_WORD.findall(text)) for text in plain]
    named = list(map(_without_names, seen))
    without = {
        "number": [_NUMBER.sub("#", text) for text in plain],
        "negation": [" ".join(_NOT.sub(" ", text).split()) for text in plain],
        "entity": [_plain(text) for text in named],
    }
    has = {
        "number": [_NUMBER.search(text) is not None for text in plain],
        "negation": [bool(rest) for rest in without["negation"]],  # one of the two has none
        "entity": [after != before for after, before in zip(named, seen, strict=True)],
    }
    keys = {name: _keys(each) * np.array(has[name], dtype=np.int64) for name, each in without.items()}
    return Texts(_keys(plain), keys["number"], keys["negation"], keys["entity"], _sketch(words), words)


def _plain(text: str) -> str:
    """Return a text without capitals, and without marks that say nothing."""
    return " ".join(_MARKS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).split())


def _without_names(text: str) -> str:
    """Return a text with one sign for every run of capitalised words, those that begin a sentence aside."""
    found, opens = list[str](), True
    for piece in _PIECES.findall(text):
        if not (piece[0].isalnum() or piece[0] == "_"):
            opens = opens or not _ENDS.isdisjoint(piece)
            found.append(piece)
            continue
        name = piece[0].isupper() and not opens
        opens = False
        if name and found[-2:-1] == ["@"]:
            found.pop()  # of names in a row one is enough
        else:
            found.append("@" if name else piece)
    return "".join(found)


def _keys(texts: Iterable[str]) -> IntArray:
    """Return a number for each text, equal where texts are, never 0."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(text, _hash(text)) for text in texts], dtype=np.int64)


def _hash(text: str) -> int:
    raw = text.encode("utf-8", "surrogatepass")
    return 1 + (zlib.crc32(raw) << 29 | zlib.adler32(raw) & (2**29 - 1))


def _sketch(words: Sequence[frozenset[str]]) -> IntArray:
    """Return the least of each of 8 hashes over the words of each text (Broder 1997); -1 where there are none."""
    rng = np.random.default_rng(0)
    factors, shifts = (rng.integers(1, int(_PRIME), _HASHES, dtype=np.uint64) for _ in range(2))
    out = np.full((len(words), _HASHES), -1, dtype=np.int64)
    for at, found in enumerate(words):
        if found:
            codes = np.fromiter((zlib.crc32(word.encode("utf-8", "surrogatepass")) >> 1 for word in found), np.uint64)
            out[at] = ((codes[:, None] * factors + shifts) % _PRIME).min(axis=0)
    return out


def script_of(text: str) -> str:
    """Return the script in which most letters of a text are written, as Unicode names it; "" without letters.

    Japanese is written in three scripts: a text with kana is ``JAPANESE``.
    """
    counts = Counter(filter(None, map(_script, text[:SEEN])))
    kana = sum(counts.pop(name, 0) for name in _JAPANESE)
    if kana:
        counts["JAPANESE"] = kana + counts.pop(_EAST, 0)
    return max(counts, key=lambda name: (counts[name], name), default="")


@lru_cache(maxsize=65_536)
def _script(character: str) -> str:
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "").partition(" ")[0]


def other_value(of_row: Names, of_query: Names, units: Units) -> tuple[BoolArray, BoolArray]:
    """Return whether a row has another value than the query, and where both are known: "" is not."""
    here, asked = of_row[units.row], of_query[units.query]
    known = (here != "") & (asked != "")
    return np.asarray((here != asked) & known), np.asarray(known)


def far_out(texts: Sequence[str], units: Units) -> BoolArray:
    """Return which rows are far longer or shorter than the rows of the corpus are.

    Beyond Tukey's outer fence of the logarithm of the number of characters (three times the distance between the
    quartiles from the nearer one), and at least four times the median, or at most a quarter of it.

    References
    ----------
    Tukey, "Exploratory Data Analysis" (1977), section 2D.
    """
    sizes = np.log(np.maximum(1, np.fromiter(map(len, texts), dtype=np.float64, count=len(texts))))
    low, middle, high = np.percentile(sizes, [25, 50, 75])
    reach = FENCE * (high - low)
    beyond = (sizes > high + reach) | (sizes < low - reach)
    return np.asarray((beyond & (np.abs(sizes - middle) >= np.log(LEAST_RATIO)))[units.row])


class Swapped(NamedTuple):
    """For each unit the near copy in the other list (-1: none), by kind of difference."""

    duplicate: IntArray
    number: IntArray
    negation: IntArray
    entity: IntArray


def swapped(found: Texts, place: IntArray, units: Units, only: Sequence[IntArray]) -> Swapped:
    """Return the near copy of each unit's row among the rows that only the other list holds.

    Parameters
    ----------
    found : Texts
    place : ndarray of int64, shape (n,)
        Where each row of the corpus stands among the texts looked at.
    units : Units
    only : two of ndarray of int64, shape (q, k)
        For each side the rows that only the other one's list holds, -1 pads.
    """
    out = {name: np.full(len(units), -1, dtype=np.int64) for name in Swapped._fields}
    for side in (0, 1):
        mine = np.flatnonzero(units.side == side)
        step = max(1, _AT_ONCE // max(1, only[side].shape[1] * _HASHES))
        for start in range(0, len(mine), step):
            some = mine[start : start + step]
            others = only[side][units.query[some]]
            apart = (others >= 0) & (others != units.row[some, None])
            here, there = place[units.row[some]], place[np.maximum(others, 0)]
            equal = found.whole[here, None] == found.whole[there]
            differ = np.zeros_like(apart)
            for name in ("number", "negation", "entity"):
                keys = found.keys(name)
                alike = apart & ~equal & ~differ & (keys[here, None] == keys[there]) & (keys[here, None] != 0)
                _first(out[name], some, alike, others)
                differ |= alike
            agree = (found.sketch[here, None] == found.sketch[there]).sum(axis=2)
            near = apart & ~differ & (equal | (agree >= _SHARED))
            for unit, column in zip(*np.nonzero(near & ~equal), strict=True):
                near[unit, column] = _jaccard(found.words[here[unit]], found.words[there[unit, column]]) >= NEAR
            _first(out["duplicate"], some, near, others)
    return Swapped(**out)


def _first(out: IntArray, units: IntArray, alike: BoolArray, others: IntArray) -> None:
    """Note for each unit the first of the others that is alike."""
    at = alike.argmax(axis=1)
    lines = np.arange(len(at))
    out[units] = np.where(alike[lines, at], others[lines, at], -1)


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / max(1, len(a | b))


def differs_from_query(found: Texts, name: str, row: IntArray, query: IntArray) -> BoolArray:
    """Return which texts differ from others, both by their places (m,), in numbers, negations or names only."""
    keys = found.keys(name)
    return np.asarray((keys[row] == keys[query]) & (keys[row] != 0) & (found.whole[row] != found.whole[query]))
