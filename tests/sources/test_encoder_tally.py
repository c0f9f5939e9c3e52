"""What a run says of encoding: tokens, padding, truncated rows, also of those that came from the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.kept import VectorCache
from embdiff.records import Stamp
from embdiff.sources import Encoder, Model, get_encoder
from embdiff.sources.tally import Tally, added, figures, peak_memory
from embdiff.views import terminal


class Words(Model):
    """A model that sees four words of a text, two texts at a time."""

    batch_items, counts_tokens, length_limit, same_roles = 2, True, 4, True

    def lengths(self, items: Sequence[str], role: str) -> Any:
        return np.array([len(text.split()) for text in items], dtype=np.int64)

    def encode(self, items: Sequence[str], *, role: str) -> Any:
        return np.array([[1.0, len(text)] for text in items], dtype=np.float32)

    def stamp(self) -> Stamp:
        return Stamp("words", "1", 2)


TEXTS = ["a b c d e f", "a b c d", "a", "a b", "a b c d e f", "g h i j k"]


def test_tokens_padding_and_truncated_rows_are_counted():
    tally = Tally()
    Encoder("words", Words()).encode(TEXTS, tally=tally)
    done = tally.to_dict()
    # Seen: 4, 4 | 4, 2 | 1 after sorting; the third batch has one text.
    assert (tally.tokens, tally.padded) == (4 + 4 + 4 + 2 + 1, 8 + 8 + 1)
    assert done["padded_per_token"] == 17 / 15
    assert done["tokens_per_second"] == pytest.approx(15 / tally.seconds)
    assert [(role, rows.tolist()) for role, rows in tally.truncated] == [("document", [0, 4, 5])]
    assert (done["truncated"], done["truncated_share"]) == (3, 0.5)


def test_truncated_rows_are_told_of_cached_texts_too(tmp_path: Path):
    cache = VectorCache.at(tmp_path / "kept")
    for encoded in (5, 0):
        tally = Tally()
        Encoder("words", Words()).encode(TEXTS, cache=cache, tally=tally)
        assert tally.encoded == encoded
        assert [rows.tolist() for _, rows in tally.truncated] == [[0, 4, 5]]
    assert tally.to_dict()["tokens_per_second"] is None
    assert tally.to_dict()["padded_per_token"] is None


def test_a_model_that_counts_no_tokens_says_none():
    tally = Tally()
    get_encoder("toy:8").encode(TEXTS, tally=tally)
    done = tally.to_dict()
    assert [done[key] for key in ("tokens", "padded_per_token", "truncated", "truncated_share")] == [None] * 4
    assert done["texts_per_second"] == pytest.approx(5 / tally.seconds)


def test_tallies_add_up_to_that_of_all_texts():
    one, other, whole = Tally(), Tally(), Tally()
    for tally, texts in ((one, TEXTS[:2]), (other, TEXTS[2:5])):
        Encoder("words", Words()).encode(texts, tally=tally)
    Encoder("words", Words()).encode(TEXTS[:2], tally=whole)
    Encoder("words", Words()).encode(TEXTS[2:5], tally=whole)
    counts, peaks = added([one.counts(), other.counts()]), [3, None, 7]
    same = ("texts", "duplicates", "cached", "encoded", "tokens", "padded", "counted", "truncated")
    assert [counts[name] for name in same] == [whole.counts()[name] for name in same]
    done = figures({**counts, "seconds": 2.0})
    assert (done["texts_per_second"], done["truncated"], done["truncated_share"]) == (2.5, 2, 0.4)
    assert done["padded_per_token"] == whole.padded / whole.tokens
    assert added([{**Tally().counts(), "peak_memory_bytes": peak} for peak in peaks])["peak_memory_bytes"] == 7
    assert figures(added([]))["texts_per_second"] is None


def test_bytes_of_a_vector_are_those_in_memory_and_those_kept(tmp_path: Path):
    for precision, kept in (("float32", 32), ("float16", 16)):
        cache = f"{tmp_path / precision}?precision={precision}"
        result = ed.compare(TEXTS, ["toy:8"], k=2, store="memory:", cache=cache, baseline=False)
        told = result.run.manifest["models"][0]["encoding"]
        assert (told["bytes_per_vector"], told["bytes_kept"]) == (32, kept)
        assert f"32 / {kept}" in terminal.text(result.facts(), 200, everything=True)
    result = ed.compare(TEXTS, ["toy:8"], k=2, store="memory:", cache="off", baseline=False)
    assert result.run.manifest["models"][0]["encoding"]["bytes_kept"] is None


def test_peak_memory_is_that_of_a_python_process():
    psutil = pytest.importorskip("psutil")
    assert peak_memory() >= psutil.Process().memory_info().rss * 0.5


def test_a_run_names_the_truncated_ids_and_shows_the_table(tiny: Callable[..., Path]):
    texts = ["the ferry was late", "the " * 40, "a lamp on the pier", "home"]
    result = ed.compare(texts, [f"st:{tiny()}", "toy:8"], k=2, store="memory:")
    learned, toy = (model["encoding"] for model in result.run.manifest["models"])
    assert learned["truncated_ids"] == {"document": ["1"]}
    assert (learned["truncated"], learned["truncated_share"], learned["bytes_per_vector"]) == (1, 0.25, 64)
    assert (learned["device"], learned["threads"] > 0) == ("cpu", True)
    assert learned["tokens"] == 6 + 32 + 7 + 3
    assert toy["truncated"] is None
    shown = " ".join(terminal.text(result.facts(), 200, everything=True).split())
    assert "padded/token" in shown
    assert "1 (25.0 %)" in shown
    assert "the model saw only the beginning of 1 texts" in shown
