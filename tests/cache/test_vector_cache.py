"""The vector cache: bit for bit what was encoded, encoded once, found by what made it, where it was asked to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from counted_vectors import TEXTS, Counting, batches, encoded, encoder_of

import embdiff as ed
from embdiff.errors import CacheError, ParameterError
from embdiff.kept import Place, VectorCache
from embdiff.kept.housekeeping import list_spaces
from embdiff.sources import get_encoder
from embdiff.sources.tally import Tally
from shown import everything


def test_a_second_run_encodes_nothing_and_returns_the_same_bits(cache):
    first, cold = encoded(TEXTS, cache)
    model = Counting()
    again, warm = encoded(TEXTS[::-1], cache, model)
    assert cold == Tally(700, 0, 0, 700)
    assert warm == Tally(700, 0, 700, 0)
    assert model.seen == []
    assert again[::-1].tobytes() == first.tobytes() == Counting().encode(TEXTS).tobytes()
    assert [len(keys) // 16 for _, _, keys, *_ in batches(cache.folder)] == [64] * 10 + [60]


def test_one_percent_more_rows_encodes_one_percent(cache):
    encoded(TEXTS, cache)
    model = Counting()
    more = [f"new {row}" for row in range(7)]
    vectors, tally = encoded(TEXTS + more, cache, model)
    assert tally == Tally(707, 0, 700, 7)
    assert sorted(model.seen) == more
    assert vectors.tobytes() == Counting().encode(TEXTS + more).tobytes()


def test_equal_texts_are_encoded_once(cache):
    model = Counting()
    vectors, tally = encoded(["a", "b", "a", "a"], cache, model)
    assert tally == Tally(4, 2, 0, 2)
    assert sorted(model.seen) == ["a", "b"]
    np.testing.assert_array_equal(vectors[[0, 2, 3]], vectors[[0, 0, 0]])


@pytest.mark.parametrize("text", ["", "\ud800 half", "שלום", "x" * 100_000, "a\u0301", "á"])
def test_any_text_is_found_again(cache, text):
    get_encoder("toy:8").encode([text, "other"], cache=cache)
    tally = Tally()
    get_encoder("toy:8").encode(["other", text], cache=cache, tally=tally)
    assert tally.cached == 2
    assert get_encoder("toy:8").encode([text], cache=cache).tobytes() == get_encoder("toy:8").encode([text]).tobytes()


def test_texts_encoded_one_by_one_are_kept_apart(cache):
    model = Counting()
    encoder = encoder_of(model)
    first = encoder.encode_singly(["b", "a", "b"], cache=cache)
    assert model.seen == ["a", "b"] or model.seen == ["b", "a"]
    again = encoder.encode_singly(["b", "a", "b"], cache=cache)
    assert len(model.seen) == 2
    assert first.tobytes() == again.tobytes() == Counting().encode(["b", "a", "b"]).tobytes()
    assert encoded(["a", "b"], cache)[1].cached == 0


def test_what_makes_vectors_keeps_them_apart(cache):
    encoded(TEXTS[:5], cache)
    assert encoded(TEXTS[:5], cache, revision="2")[1].cached == 0
    get_encoder("toy:8").encode(TEXTS[:5], cache=cache)
    for spec in ("toy:9", "toy:16"):
        tally = Tally()
        get_encoder(spec).encode(TEXTS[:5], cache=cache, tally=tally)
        assert tally.cached == 0
    assert len(list_spaces(cache)) == 5


def test_roles_share_vectors_only_where_they_are_one_to_the_model(cache):
    class TwoWays(Counting):
        def encode(self, texts, role):
            return super().encode(texts) * (2 if role == "query" else 1)

    encoded(TEXTS[:5], cache)
    assert encoded(TEXTS[:5], cache, role="query")[1].cached == 5
    documents, _ = encoded(TEXTS[:5], cache, TwoWays(), revision="two")
    queries, tally = encoded(TEXTS[:5], cache, TwoWays(), revision="two", role="query")
    assert tally.encoded == 5
    np.testing.assert_array_equal(queries, 2 * documents)


def test_a_model_fitted_on_another_corpus_has_other_vectors(cache):
    pytest.importorskip("sklearn")
    corpora = [[f"word{row} and word{row + shift}" for row in range(9)] for shift in (1, 2)]
    for corpus in corpora:
        for cached in (0, 9):
            tally, encoder = Tally(), get_encoder("lsa:3")
            encoder.fit(corpus, ed.Corpus(tuple(corpus), tuple(map(str, range(9)))).digest())
            encoder.encode(corpus, cache=cache, tally=tally)
            assert tally.cached == cached


def test_what_nothing_pins_down_is_not_kept_and_the_run_says_so(embdiff_cache_notes):
    result, notes = embdiff_cache_notes
    assert batches(Path("kept")) == []
    kept = {"texts": 3, "duplicates": 1, "cached": 0, "encoded": 2, "cache": "unpinned: not kept"}
    assert kept.items() <= result.run.manifest["models"][0]["encoding"].items()
    assert "2 were encoded now and 0 came from the cache, 1 were equal to another" in notes
    assert "the vectors are not kept (nothing pins the model down: give it a revision)" in notes


@pytest.fixture
def embdiff_cache_notes():
    result = ed.compare(["a", "bb", "a"], [Counting()], k=1, store="memory:", cache="kept")
    return result, " ".join(everything(result).split())


def test_float16_by_choice_is_recorded_and_the_same_at_once_and_later(tmp_path):
    cache = VectorCache.at(f"{tmp_path / 'kept'}?precision=float16")
    first, _ = encoded(TEXTS, cache)
    again, tally = encoded(TEXTS, cache)
    exact = Counting().encode(TEXTS)
    assert tally.cached == 700
    assert first.tobytes() == again.tobytes() == exact.astype(np.float16).astype(np.float32).tobytes()
    assert first.tobytes() != exact.tobytes()
    assert encoded(TEXTS, VectorCache.at(tmp_path / "kept"))[1].cached == 0
    result = ed.compare(TEXTS[:5], ["toy:8"], k=1, store="memory:", cache="half?precision=float16")
    assert result.run.manifest["models"][0]["stamp"]["precision"] == "float32, kept as float16"
    assert result.run.manifest["models"][0]["encoding"]["cache"] == "kept, float16"


def test_float16_refuses_what_it_cannot_hold(tmp_path):
    encoder = get_encoder(lambda texts: np.full((len(texts), 2), 7e4, np.float32), spec="large", revision="1")
    with pytest.raises(CacheError, match=r"between -65,504 and 65,504\. Got a value beyond.*leave \?precision=float16"):
        encoder.encode(["a"], cache=VectorCache.at(f"{tmp_path / 'kept'}?precision=float16"))


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"must be writable\. Got .* in .*file/cache.*Or write --cache off\."):
        VectorCache.at(tmp_path / "file" / "cache")
    monkeypatch.setenv("EMBDIFF_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    nobody_asked = VectorCache.at(None)
    assert nobody_asked.folder is None
    assert nobody_asked.notes[0].startswith("Vectors are not kept: The vector cache must be writable.")


def test_where_the_cache_is(tmp_path, monkeypatch):
    assert Place.of("off").folder is None
    assert Place.of(str(tmp_path / "x")) == Place((tmp_path / "x").resolve())
    monkeypatch.setenv("EMBDIFF_CACHE", "OFF")
    assert Place.of(None).folder is None
    monkeypatch.delenv("EMBDIFF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert Place.of("") == Place(tmp_path / "xdg" / "embdiff", named=False)
    assert Place.of("?precision=float16").precision == "float16"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Place.of("").folder == tmp_path / ".cache" / "embdiff"
    monkeypatch.setattr("sys.platform", "darwin")
    assert Place.of("").folder == tmp_path / "Library" / "Caches" / "embdiff"
    for text in ("x?precision=int8", "x?prec=float16"):
        with pytest.raises(ParameterError, match=r"must be written off, DIR or DIR\?precision=float16\. Got 'x"):
            Place.of(text)
