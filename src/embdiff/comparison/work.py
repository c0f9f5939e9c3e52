"""What travels along the line: each stage takes it and returns a new one with what the stage adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from embdiff.comparison.baseline import ask_words
from embdiff.comparison.sampling import Pilot, sized
from embdiff.comparison.settings import Inputs
from embdiff.comparison.stages import Placed, answers_of, encode_all, place_all, search_all
from embdiff.encoding import Encoded
from embdiff.kept import VectorCache
from embdiff.records import Answer
from embdiff.search import Found
from embdiff.settings import RunConfig
from embdiff.stores.store import Store


@dataclass(frozen=True, eq=False)
class Work:
    """A comparison under way.

    Parameters
    ----------
    config : RunConfig
    inputs : Inputs
    vectors : VectorCache
        Where vectors and results are kept.
    encoded : mapping of str to Encoded
        By model, after `encode`.
    placed : mapping of str to Placed
        By model with a collection, after `fill`.
    pilot : Pilot or None
        What `size` asked to learn how many queries are needed.
    found : mapping of (str, str) to Found
        By query model and collection, after `search`.
    baseline : Answer or None
        Of bm25, where it stands beside the models.
    words : mapping or None
        What the manifest says of bm25, also where it was left out.
    answers : tuple of Answer
        What every collection answered, with the places of rows that only others returned.
    """

    config: RunConfig
    inputs: Inputs
    vectors: VectorCache
    encoded: Mapping[str, Encoded] = field(default_factory=dict)
    placed: Mapping[str, Placed] = field(default_factory=dict)
    pilot: Pilot | None = None
    found: Mapping[tuple[str, str], Found] = field(default_factory=dict)
    baseline: Answer | None = None
    words: Mapping[str, Any] | None = None
    answers: tuple[Answer, ...] = ()


def encode(work: Work, objects: Mapping[str, Any]) -> Work:
    """Encode with every model what it is needed for; ``objects`` are models that have no name."""
    return replace(work, encoded=encode_all(work.config, work.inputs, objects, work.vectors))


def fill(work: Work, store: Store, label: str) -> Work:
    """Put each model's vectors into its own collection, whose name begins with ``label``."""
    return replace(work, placed=place_all(store, work.config, work.inputs, work.encoded, label))


def size(work: Work) -> Work:
    """Cut the queries to as many as the interval asked for needs."""
    inputs, encoded, pilot = sized(work.config, work.inputs, work.encoded, work.placed)
    return replace(work, inputs=inputs, encoded=encoded, pilot=pilot)


def search(work: Work) -> Work:
    """Ask every collection, and bm25 where it stands beside the models."""
    found = search_all(work.config, work.inputs, work.encoded, work.placed)
    baseline, words = ask_words(work.config, work.inputs, found)
    answers = answers_of(work.inputs, work.encoded, work.placed, found, baseline)
    return replace(work, found=found, baseline=baseline, words=words, answers=answers)
