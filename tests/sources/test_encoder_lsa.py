"""lsa:DIM: fitted on the corpus, honest about what it cannot place."""

from __future__ import annotations

import numpy as np
import pytest

from embdiff.errors import EncoderError, ParameterError
from embdiff.sources import Encoder, get_encoder

pytest.importorskip("sklearn", reason="lsa needs scikit-learn")


CORPUS = ("red green blue", "red green", "blue sky", "green grass", "sky and grass", "red wine")


def fitted(spec: str, corpus: tuple[str, ...] = CORPUS, digest: str = "abc") -> Encoder:
    encoder = get_encoder(spec)
    encoder.fit(corpus, digest)
    return encoder


def test_two_topics_fall_apart_as_worked_by_hand():
    # Two blocks without a common word, each of rank one within numerical noise of its own direction: with DIM 2 the
    # components are the blocks, a row's vector is ± one axis, and rows of different blocks are at right angles.
    vectors = fitted("lsa:2", ("a b", "a b c", "x y", "x y z")).encode(["a b", "a b c", "x y", "x y z"])
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(cosines[:2, 2:], 0, atol=1e-6)
    np.testing.assert_allclose(np.abs(cosines[0, 1]), 1, atol=1e-6)
    np.testing.assert_allclose(np.abs(cosines[2, 3]), 1, atol=1e-6)


def test_unit_vectors_and_zero_for_unknown_words():
    vectors = fitted("lsa:3").encode(["red sky", "quantum chromodynamics", "", "red red"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0, 1], atol=1e-6)


def test_signs_do_not_depend_on_the_run():
    np.testing.assert_array_equal(fitted("lsa:3").encode(CORPUS), fitted("lsa:3").encode(CORPUS))


def test_signs_do_not_depend_on_the_order_of_the_corpus():
    there, back = fitted("lsa:3"), fitted("lsa:3", CORPUS[::-1])
    np.testing.assert_allclose(there.encode(CORPUS), back.encode(CORPUS), atol=1e-5)


def test_stamp_has_the_digest_of_the_corpus():
    one, other = fitted("lsa:2"), fitted("lsa:2", digest="xyz")
    assert one.stamp.fitted_on == "abc"
    assert one.stamp.fingerprint() != other.stamp.fingerprint()
    assert one.same_roles


def test_before_fit_nothing_is_said():
    encoder = get_encoder("lsa:2")
    with pytest.raises(EncoderError, match=r"lsa:2 must be fitted on the corpus before it can encode\..*encoder\.fit"):
        encoder.encode(["a"])
    with pytest.raises(EncoderError, match="before it can tell its stamp"):
        _ = encoder.stamp


@pytest.mark.parametrize(
    ("spec", "corpus", "message"),
    [
        (
            "lsa:9",
            CORPUS,
            r"at most 5 for this corpus: it has 6 different rows and 7 words\. Got 'lsa:9'\. Write lsa:5",
        ),
        ("lsa:3", ("a b", "a b", "b a", "c"), r"at most 2 for this corpus: it has 3 different rows and 3 words"),
        ("lsa:2", ("a", "a a", "a a a", "a b", "b"), r"at most 1 for this corpus: it has 5 different rows and 2 words"),
        ("lsa:3", ("a b", "a  b", "b a", "a, b", "c d"), r"at most 2 for this corpus: its rows span 2 dimensions"),
        ("lsa:1", ("...", "!?"), r"at most 0 for this corpus: it has no words\..*Add rows with words, or take toy:8"),
    ],
)
def test_dimensions_the_corpus_cannot_carry(spec: str, corpus: tuple[str, ...], message: str):
    with pytest.raises(ParameterError, match=message):
        fitted(spec, corpus)


@pytest.mark.parametrize("spec", ["lsa", "lsa:0", "lsa:many"])
def test_dimensions_that_cannot_be(spec: str):
    with pytest.raises(ParameterError, match=r"DIM of lsa:DIM must be an integer between 1 and 32768"):
        get_encoder(spec)
