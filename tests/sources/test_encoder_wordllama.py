"""wordllama:DIM: the package's own vectors, cut and normalised."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from embdiff.errors import EncoderError, ParameterError
from embdiff.sources import get_encoder, packaged, wordllama

pytest.importorskip("wordllama", reason="wordllama is not installed")


TEXTS = ["a lamp on the pier", "the ferry was late", "👋 مرحبا"]


def test_64_is_the_head_of_256():
    head = get_encoder("wordllama:256").encode(TEXTS)[:, :64]
    head /= np.linalg.norm(head, axis=1, keepdims=True)
    np.testing.assert_allclose(get_encoder("wordllama:64").encode(TEXTS), head, atol=1e-6)


def test_unit_vectors_but_zero_for_nothing():
    norms = np.linalg.norm(get_encoder("wordllama:128").encode([*TEXTS, ""]), axis=1)
    np.testing.assert_allclose(norms, [1, 1, 1, 0], atol=1e-6)


@pytest.mark.parametrize("spec", ["wordllama", "wordllama:100", "wordllama:512", "wordllama:256d"])
def test_other_dimensions_are_refused_with_the_list(spec: str):
    with pytest.raises(ParameterError, match=r"must be one of 256, 128, 64\. Got 'wordllama.*Write wordllama:256\."):
        get_encoder(spec)


def test_missing_files_are_explained(monkeypatch: pytest.MonkeyPatch):
    import wordllama

    def fails(*_: object, **__: object) -> None:
        raise FileNotFoundError("Weights file 'l2_supercat_256.safetensors' not found")

    monkeypatch.setattr(wordllama.WordLlama, "load", fails)
    with pytest.raises(EncoderError, match=r"must find its weights .* --force-reinstall wordllama"):
        get_encoder("wordllama:256")


@pytest.mark.parametrize("name", wordllama._FILES)
def test_files_that_are_not_those_installed_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(packaged, "installed", lambda _: {name.rpartition("/")[2]: "0" * 64})
    with pytest.raises(
        EncoderError, match=rf"must be those that pip installed\. Got sha256 [0-9a-f]{{64}} in .*{name}"
    ):
        get_encoder("wordllama:64")


def test_the_record_of_the_installation_is_that_of_the_files():
    recorded = packaged.installed("wordllama")
    assert {len(recorded[name.rpartition("/")[2]]) for name in wordllama._FILES} == {64}


def test_logging_of_the_process_is_left_alone():
    code = (
        "import logging\nfrom embdiff import get_encoder\nget_encoder('wordllama:64')\n"
        "root = logging.getLogger(); assert (root.handlers, root.level) == ([], logging.WARNING)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
