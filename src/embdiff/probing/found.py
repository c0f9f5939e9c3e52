"""What probes found, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embdiff._plain import Number, Record
from embdiff.measures.paired import PairedTest


@dataclass(frozen=True)
class Example(Record):
    """A sentence that a change moved far: its id, itself, as changed, its drop, and the id found first instead."""

    id: str
    text: str
    changed: str
    drop: Number
    instead: str | None


@dataclass(frozen=True)
class Probe(Record):
    """What one change did to sentences, as one model sees them.

    Parameters
    ----------
    change, model : str
    n : int
        Sentences that could be changed, and have a direction before and after.
    drop, low, high : float
        How far the changed sentence goes from its original to an unrelated text: ``(s - c) / (s - r)``, s the cosine of
        the sentence, asked unchanged, to its original, c that of the changed one, r the mean of s over all other texts;
        mean over sentences with 95 % interval. 0: not at all, 1: as far as a random pair is.
    same, changed, random : float
        The cosines s, c and r, means.
    found, found_low, found_high : float
        Share of changed sentences that find their original first among all texts, with 95 % interval.
    found_unchanged : float
        The same of the sentences as they are.
    example : Example or None
        The sentence that went farthest.
    """

    change: str
    model: str
    n: int
    drop: Number
    low: Number
    high: Number
    same: Number
    changed: Number
    random: Number
    found: Number
    found_low: Number
    found_high: Number
    found_unchanged: Number
    example: Example | None = None


@dataclass(frozen=True)
class Found(Record):
    """What small changes of the user's own sentences did to each model.

    Parameters
    ----------
    source : str
    rows, sampled, among : int
        Rows of the corpus, sentences drawn from it, and texts among which they are looked for.
    seed : int
    models : tuple of str
    unchanged : mapping of str to int
        By change: sentences drawn that it could not change.
    probes : tuple of Probe
        Change by change, model by model.
    tests : tuple of PairedTest
        Every two models on the same sentences; measures ``drop: CHANGE`` and ``found: CHANGE``, Holm over all of them.
    """

    source: str
    rows: int
    sampled: int
    among: int
    seed: int
    models: tuple[str, ...]
    unchanged: Mapping[str, int]
    probes: tuple[Probe, ...]
    tests: tuple[PairedTest, ...]
