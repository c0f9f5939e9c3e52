"""Small changes of a sentence, each by a rule and a seed; None where a sentence cannot be changed so."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+")
_VERBS = "is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must"
_NEGATED = re.compile(rf"\b(?:(can)not|(\w+)n['\u2019]t|({_VERBS}) not)\b", re.IGNORECASE)
_VERB = re.compile(rf"\b(?:{_VERBS})\b", re.IGNORECASE)
_WHOLE = {"ca": "can", "wo": "will", "sha": "shall"}
_LETTERS = 4  # of a word that may have a typo
_EVERY = 10  # so many words there is one typo, and one at least
_WORDS = 4  # that an order needs
Rule = Callable[[str, np.random.Generator], str | None]


def typo(text: str, rng: np.random.Generator) -> str | None:
    """Swap two neighbouring letters that differ, in one word of ten and one at least; words of four letters or more."""
    words = [each for each in _WORD.finditer(text) if len(each[0]) >= _LETTERS and _swappable(each[0])]
    if not words:
        return None
    letters = list(text)
    count = min(len(words), max(1, len(_WORD.findall(text)) // _EVERY))
    for at in rng.permutation(len(words))[:count]:
        places = _swappable(words[at][0])
        place = words[at].start() + int(places[rng.integers(len(places))])
        letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


def _swappable(word: str) -> list[int]:
    """Return the places, the first letter aside, whose letter differs from the next one."""
    return [at for at in range(1, len(word) - 1) if word[at] != word[at + 1]]


def case(text: str, rng: np.random.Generator) -> str | None:
    """Write all in capitals, or in small letters what is in capitals; None in scripts that have no capitals."""
    other = text.lower() if text == text.upper() else text.upper()
    return None if other == text else other


def negation(text: str, rng: np.random.Generator) -> str | None:
    """Take the first "not" away, or put one behind the first auxiliary verb: English only."""
    found = _NEGATED.search(text)
    if found:
        stem = found[1] or found[3] or _WHOLE.get(found[2].lower(), found[2])
        return text[: found.start()] + stem + text[found.end() :]
    verb = _VERB.search(text)
    return None if verb is None else f"{text[: verb.end()]} not{text[verb.end() :]}"


def number(text: str, rng: np.random.Generator) -> str | None:
    """Put another number of as many digits in the place of the first one."""
    found = _NUMBER.search(text)
    if found is None:
        return None
    digits = len(found[0])
    while (other := "".join(map(str, [rng.integers(1, 10), *rng.integers(0, 10, digits - 1)]))) == found[0]:
        pass
    return text[: found.start()] + other + text[found.end() :]


def order(text: str, rng: np.random.Generator) -> str | None:
    """Put the words in a random order; None without blanks, and below four words."""
    words = text.split()
    if len(words) < _WORDS or len(set(words)) < 2:
        return None
    while (other := [words[at] for at in rng.permutation(len(words))]) == words:
        pass
    return " ".join(other)


# What is done to a sentence, and whether it still means the same.
CHANGES: Mapping[str, tuple[Rule, str, bool]] = {
    "typo": (typo, "two letters swapped in a word of ten", True),
    "case": (case, "all in capitals", True),
    "negation": (negation, "a not put in or taken away (English only)", False),
    "number": (number, "another number", False),
    "order": (order, "the words in random order", False),
}


def changed(name: str, text: str, *, seed: int, row: int) -> str | None:
    """Return a text changed by one of the rules; the same for a seed and a row, whatever else is asked."""
    rng = np.random.default_rng([seed, list(CHANGES).index(name), row])
    return CHANGES[name][0](text, rng)
