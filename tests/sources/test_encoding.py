"""Encoding as it is orchestrated once: what is read comes first, variants last, and a record is whole when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.encoded import Encoded, Texts
from embdiff.encoding import encode, encode_models
from embdiff.errors import DataError, EmbdiffError
from embdiff.kept import VectorCache
from embdiff.records import Corpus, Stamp
from embdiff.sources import Encoder, Model, Source, Wanted

CORPUS = Corpus(("a lamp", "the pier", "a ferry", "home"), ("0", "1", "2", "3"))
QUERIES = Wanted.whole(("late", "the ferry"), ("q0", "q1"), "queries")
TEXTS = Texts(CORPUS, QUERIES, 0)


class Letters(Model):
    """The length and the first letter of a text; in lower precision a little off."""

    def __init__(self, seen: list[str], name: str, precision: str = "float32") -> None:
        self.seen, self.name, self.precision = seen, name, precision

    def encode(self, items: Sequence[str], *, role: str) -> Any:
        if not self.seen or self.seen[-1] != self.name:
            self.seen.append(self.name)
        return np.array([[len(text), ord(text[0])] for text in items], dtype=np.float32) + (
            0 if self.precision == "float32" else 0.25
        )

    def stamp(self) -> Stamp:
        return Stamp("letters", "1", 2, precision=self.precision)


def models(seen: list[str]) -> dict[str, Any]:
    low, high, other = "letters:a?precision=int8", "letters:a", "other"
    return {
        low: Encoder(low, Letters(seen, "low", "int8")),
        high: Encoder(high, Letters(seen, "high")),
        other: Encoder(other, Letters(seen, "other")),
    }


def run(objects: dict[str, Any], *, documents: Sequence[str], queries: Sequence[str]) -> dict[str, Encoded]:
    off = VectorCache.at("off")
    return encode_models(
        list(objects), objects, TEXTS, off, documents=documents, queries=queries, check=lambda source, others: None
    )


def test_a_variant_is_encoded_last_and_compared_with_the_vectors_that_are_there():
    seen: list[str] = []
    objects = models(seen)
    found = run(objects, documents=list(objects), queries=list(objects))
    assert seen == ["high", "other", "low"]
    assert list(found) == list(objects)
    variant = found["letters:a?precision=int8"].facts["variant"]
    assert (variant["of"], variant["role"], variant["rows"]) == ("letters:a", "document", 4)
    assert 0.99 < variant["cosine_lowest"] < 1
    assert "variant" not in found["letters:a"].facts


def test_a_variant_that_only_asks_is_compared_on_the_queries():
    objects = models([])
    found = run(objects, documents=["letters:a"], queries=list(objects))
    assert found["letters:a?precision=int8"].documents is None
    assert found["letters:a?precision=int8"].facts["variant"]["role"] == "query"


def test_a_record_is_whole_and_says_what_was_encoded():
    source, encoded = encode("toy:4", {}, TEXTS, VectorCache.at("off"))
    assert source.spec == encoded.model == "toy:4"
    assert encoded.documents is not None
    assert encoded.queries is not None
    assert (encoded.documents.shape, encoded.queries.shape) == ((4, 4), (2, 4))
    assert set(encoded.seconds) == {"load_model", "encode"}
    assert encoded.facts["texts"] == encoded.tally.texts == 6
    assert encoded.facts["cache"] == "off"
    assert encoded.facts["bytes_per_vector"] == 16
    assert encoded.read is None
    assert encoded.again is not None
    np.testing.assert_array_equal(encoded.again.vectors, encoded.queries)
    with pytest.raises(FrozenInstanceError):
        encoded.facts = {}  # type: ignore[misc]


def test_what_is_refused_is_refused_before_anything_is_encoded():
    seen: list[str] = []
    objects = models(seen)

    def check(source: Source) -> None:
        raise DataError(source.spec)

    with pytest.raises(DataError, match="other"):
        encode("other", objects, TEXTS, VectorCache.at("off"), check=check)
    assert seen == []


def test_ready_vectors_are_read_and_never_encoded_again(tmp_path: Any):
    np.save(tmp_path / "d.npy", np.eye(4, dtype=np.float32))
    rows = Wanted(CORPUS.items[:2], CORPUS.ids[:2], np.arange(2), 4, "rows of the corpus")
    name = f"vectors:{tmp_path / 'd.npy'}"
    source, encoded = encode(name, {}, Texts(CORPUS, rows, 0), VectorCache.at(f"{tmp_path}?precision=float16"))
    assert source is encoded.read
    assert source.read_from == "a file"
    assert encoded.again is None
    assert encoded.facts["bytes_kept"] is None
    assert encoded.stamp.precision == "float32"  # the cache rounds only what it keeps
    np.testing.assert_array_equal(encoded.queries, np.eye(4)[:2])


def test_a_model_that_cannot_be_loaded_is_refused_before_the_first_encodes(tmp_path):
    asked = []

    def slow(texts):
        asked.extend(texts)
        return np.ones((len(texts), 2)) + np.arange(len(texts))[:, None]

    (tmp_path / "pairs.csv").write_text("".join(f"a {row},b {row},{row}\n" for row in range(20)))
    for missing in ("st:./nothing-here", "vectors:nothing.npy", "lsa:4000"):
        with pytest.raises(EmbdiffError):
            ed.compare([f"text {row}" for row in range(9)], [slow, missing], k=2, store="memory:", cache="off")
        assert asked == []
    with pytest.raises(EmbdiffError):
        ed.evaluate(tmp_path / "pairs.csv", [slow, "st:./nothing-here"], cache="off")
    assert asked == []
