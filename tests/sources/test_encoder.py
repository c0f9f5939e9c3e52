"""What `Encoder` does once for all backends: batching, order, and refusing what is no vector."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from embdiff.errors import EncoderError, ParameterError
from embdiff.records import Stamp
from embdiff.sources import Encoder, Model, get_encoder


def by_length(items: Sequence[str]) -> Any:
    """A text's vector is its length and its first letter: easy to see that order is kept."""
    return np.array([[len(text), ord((text or " ")[0])] for text in items], dtype=np.float32)


class Recorder(Model):
    """A backend that remembers its batches."""

    batch_items = 3
    batch_budget = 10

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def encode(self, items: Sequence[str], *, role: str) -> Any:
        self.batches.append(list(items))
        return by_length(items) + (1000 if role == "query" else 0)

    def stamp(self) -> Stamp:
        return Stamp("recorder", "1", 2)


def encoder_of(function: Callable[[Sequence[str]], Any]) -> Encoder:
    return get_encoder(function, spec="mine")


def test_results_come_in_the_order_of_the_texts():
    texts = ["ccc", "a", "bb", "a", "eeeee", "dddd"]
    np.testing.assert_array_equal(Encoder("recorder", Recorder()).encode(texts), by_length(texts))


def test_equal_texts_are_encoded_once():
    backend = Recorder()
    vectors = Encoder("recorder", backend).encode(["bb", "a", "bb", "bb"])
    assert sorted(text for batch in backend.batches for text in batch) == ["a", "bb"]
    np.testing.assert_array_equal(vectors, by_length(["bb", "a", "bb", "bb"]))


def test_batches_hold_like_lengths_within_the_budget():
    backend = Recorder()
    Encoder("recorder", backend).encode(["a", "bb", "ccc", "dddd", "e" * 30, "f", "g"])
    assert backend.batches == [["e" * 30], ["dddd", "ccc"], ["bb", "a", "f"], ["g"]]


def test_a_backend_that_measures_lengths_is_asked():
    class Measuring(Recorder):
        def lengths(self, items: Sequence[str], role: str) -> Any:
            return np.array([{"short": 9, "a very long one": 1, "x": 5}[text] for text in items])

    backend = Measuring()
    Encoder("recorder", backend).encode(["a very long one", "x", "short"])
    assert backend.batches == [["short"], ["x", "a very long one"]]


def test_role_reaches_the_backend():
    vectors = Encoder("recorder", Recorder()).encode(["a"], role="query")
    assert vectors[0, 0] == 1001


def test_same_roles_is_false_unless_the_backend_says_so():
    assert not Encoder("recorder", Recorder()).same_roles


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], r"At least one text must be given .* Got an empty list\. Add texts\."),
        ("one text", r"must come as a list\. Got the text 'one text'\. Put it into a list\."),
        (["a", None], r"must be text\. Got NoneType in row 1\. Turn it into str\."),
    ],
)
def test_lists_that_are_none_are_refused(items: Any, message: str):
    with pytest.raises(ParameterError, match=message):
        Encoder("recorder", Recorder()).encode(items)


def test_unknown_role_is_refused():
    with pytest.raises(ParameterError, match=r"must be one of document, query\. Got 'passage'"):
        Encoder("recorder", Recorder()).encode(["a"], role="passage")  # type: ignore[arg-type]


def spoilt(value: float) -> Callable[[Sequence[str]], Any]:
    def function(items: Sequence[str]) -> Any:
        vectors = by_length(items).astype(np.float64)
        vectors[[text.startswith("bad") for text in items]] = value
        return vectors

    return function


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_vectors_that_are_not_finite_are_refused(value: float):
    message = r"mine must return finite vectors\. Got NaN or infinity for row 2 \('bad text'\)\. Check what"
    with pytest.raises(EncoderError, match=message):
        encoder_of(spoilt(value)).encode(["good", "also good", "bad text", "last"])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda items: by_length(items)[:-1], r"for each of the 3 texts.* Got an array of shape \(2, 2\)"),
        (lambda items: np.ones(2), r"Got an array of shape \(2,\), first for row 1 \('a longer text'\)"),
        (lambda items: np.ones((len(items), 0)), r"Got an array of shape \(3, 0\)"),
        (lambda items: np.ones((len(items), 2), dtype=np.int8), r"Got an array of int8, .* Return float32\."),
        (lambda items: [["a", "b"]] * len(items), r"Got an array of <U1"),
        (lambda items: np.ones((len(items), 2), dtype=complex), r"Got an array of complex128"),
    ],
    ids=["rows", "one-dimensional", "no columns", "integers", "text", "complex"],
)
def test_what_is_no_array_of_vectors_is_refused(function: Callable[[Sequence[str]], Any], message: str):
    with pytest.raises(EncoderError, match=message):
        encoder_of(function).encode(["text", "a longer text", "more"])


def test_changing_dimensions_are_refused():
    model = encoder_of(lambda items: np.ones((len(items), len(items[0]))))
    model.encode(["ab"])
    with pytest.raises(EncoderError, match=r"mine must return vectors of one dimension\. Got 3 and 2\."):
        model.encode(["abc"])


def test_a_failing_model_is_named_with_its_row_and_text():
    def fails(items: Sequence[str]) -> Any:
        raise RuntimeError("index out of range")

    message = (
        r"mine must return a vector for every text\. Got RuntimeError: index out of range at row 1 \('the long text'\) "
        r"or one of the 1 encoded with it\. Encode that text alone"
    )
    with pytest.raises(EncoderError, match=message):
        encoder_of(fails).encode(["short", "the long text"])


def test_long_texts_are_cut_in_messages():
    with pytest.raises(EncoderError, match=r"\('word word[ word]* word…'\)"):
        encoder_of(lambda items: np.full((1, 1), np.nan)).encode(["word\n " * 100])


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_become_float32(dtype: Any):
    vectors = encoder_of(lambda items: by_length(items).astype(dtype)).encode(["a", "bb"])
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, by_length(["a", "bb"]))


def test_own_object_with_and_without_role():
    class WithRole:
        def encode(self, items: Sequence[str], *, role: str = "document") -> Any:
            return by_length(items) * (2 if role == "query" else 1)

    class Without:
        def encode(self, items: Sequence[str], **options: Any) -> Any:
            assert not options, "an option that was not asked for"
            return by_length(items).tolist()

    told, untold = get_encoder(WithRole(), spec="told"), get_encoder(Without())
    assert not told.same_roles
    assert told.encode(["abc"], role="query")[0, 0] == 6
    assert untold.same_roles
    assert untold.encode(["abc"], role="query")[0, 0] == 3
    assert untold.spec == "object:Without"


def test_stamp_of_an_own_object_takes_one_probe_at_most():
    asked: list[list[str]] = []

    def function(items: Sequence[str]) -> Any:
        asked.append(list(items))
        return by_length(items)

    model = get_encoder(function, spec="mine", revision="2024-05")
    assert model.stamp == Stamp("mine", "2024-05", 2)
    assert asked == [["dimension"]]
    model.encode(["a"])
    assert model.stamp.dim == 2
    assert len(asked) == 2
    assert model.stamp.fingerprint() != get_encoder(function, spec="mine").stamp.fingerprint()


def test_a_failing_probe_is_explained():
    with pytest.raises(EncoderError, match=r"mine must return one vector of floats for each of the 1 texts"):
        _ = encoder_of(lambda items: np.ones(3)).stamp


def test_functions_without_a_signature_are_taken():
    assert encoder_of(np.frompyfunc(len, 1, 1)).same_roles


def test_what_can_neither_encode_nor_be_called_is_refused():
    with pytest.raises(ParameterError, match=r"an object with encode\(texts\), or a function .* Got int\."):
        get_encoder(3)


def test_an_encoder_is_returned_as_it_is_and_takes_no_other_name():
    model = get_encoder("toy:4")
    assert get_encoder(model) is model
    with pytest.raises(ParameterError, match=r"only be given with an object of your own. Got them with 'toy:4'"):
        get_encoder("toy:4", spec="other")


def test_progress_is_counted_in_texts(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("embdiff._progress._SECONDS_BETWEEN_LINES", 0.0)
    Encoder("recorder", Recorder()).encode(["a" * 9, "b" * 9, "c" * 9])
    assert "encode recorder: 3 of 3 texts" in stream.getvalue()
