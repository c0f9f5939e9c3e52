"""Sentences changed by rule, what each model makes of it against plain numpy, and what is refused before that."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import embdiff as ed
from embdiff.probing.changes import CHANGES, changed
from embdiff.probing.report import findings
from embdiff.views.table import plain_text

TEXTS = [
    f"I {verb} {count} {thing} from the {place} and it is {state}."
    for at, (verb, thing) in enumerate(
        (v, t) for v in ("bought", "ordered", "returned") for t in ("lamps", "books", "shoes", "plants")
    )
    for count, place, state in ((at + 2, "market", "broken"), (at + 11, "library", "lovely"))
]


class Bag:
    """Counts of words without capitals: nothing of their order."""

    def encode(self, texts):
        out = np.zeros((len(texts), 128), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                out[row, zlib.crc32(word.encode()) % 127] += 1
        return out


class Exact:
    """Every text has its own direction: whatever changes is as far as a random pair."""

    def encode(self, texts):
        return np.stack([np.random.default_rng(list(text.encode())).normal(size=256) for text in texts]).astype(
            np.float32
        )


@pytest.fixture(scope="module")
def found():
    return ed.probe(TEXTS, [Bag(), Exact()], seed=4, cache="off")


@pytest.mark.parametrize("seed", range(20))
def test_a_change_changes_what_it_says_and_nothing_else(seed: int):
    text = "Yesterday I couldn't find 35 of the old letters, which is a pity for everybody here."
    typo, case, number, order = (changed(name, text, seed=seed, row=3) for name in ("typo", "case", "number", "order"))
    assert Counter(typo) == Counter(text) != Counter()
    assert sum(a != b for a, b in zip(typo, text, strict=True)) == 2
    assert (case.lower(), case) == (text.lower(), text.upper())
    assert re.sub(r"\d+", "", number) == re.sub(r"\d+", "", text)
    assert len(number) == len(text)
    assert number != text
    assert sorted(order.split()) == sorted(text.split())
    assert order != text
    assert typo == changed("typo", text, seed=seed, row=3)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("It is cold", "It is not cold"),
        ("It is not cold", "It is cold"),
        ("I can't pay", "I can pay"),
        ("I won't pay", "I will pay"),
        ("We cannot pay", "We can pay"),
        ("She didn't come", "She did come"),
        ("Es regnet heute", None),
    ],
)
def test_a_negation_is_put_in_or_taken_away(text: str, other: str | None):
    assert changed("negation", text, seed=0, row=0) == other


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("typo", "oh no aaaa"),
        ("case", "猫は黒い"),
        ("number", "none here"),
        ("order", "three words only"),
        ("order", "no no no no"),
    ],
)
def test_a_sentence_that_cannot_be_changed_stays_out(name: str, text: str):
    assert changed(name, text, seed=0, row=0) is None


def test_letters_of_any_script_are_swapped():
    for text in ("Быстрая лиса прыгает", "ταχεία αλεπού πηδά"):
        typo = changed("typo", text, seed=1, row=0)
        assert typo != text
        assert Counter(typo) == Counter(text)


def test_drops_and_finds_are_those_of_plain_numpy(found):
    unit = lambda texts: (lambda v: v / np.linalg.norm(v, axis=1, keepdims=True))(Bag().encode(texts).astype(float))  # noqa: E731
    documents = unit(TEXTS)
    every = documents @ documents.T
    for change in ("typo", "negation", "number"):
        texts = [changed(change, text, seed=4, row=row) for row, text in enumerate(TEXTS)]
        after = unit(texts) @ documents.T
        others = every[~np.eye(len(TEXTS), dtype=bool)].mean()
        drops = (1 - after.diagonal()) / (1 - others)
        probe = next(each for each in found.probes if (each.change, each.model) == (change, "object:Bag"))
        assert probe.n == len(TEXTS)
        assert probe.drop == pytest.approx(drops.mean(), abs=1e-6)
        assert probe.random == pytest.approx(others, abs=1e-6)
        best = after.max(axis=1, keepdims=True)
        tied = np.isclose(after, best, atol=1e-6)
        assert probe.found == pytest.approx(np.mean(tied.diagonal() / tied.sum(axis=1)), abs=1e-6)
        assert probe.low <= probe.drop <= probe.high


def test_what_a_model_cannot_see_is_no_drop_and_what_it_sees_wholly_is_one(found):
    by = {(each.change, each.model): each for each in found.probes}
    for change in ("case", "order"):
        assert by[change, "object:Bag"].drop == pytest.approx(0, abs=1e-6)
        assert by[change, "object:Bag"].found == by[change, "object:Bag"].found_unchanged
    for change in CHANGES:
        assert by[change, "object:Exact"].drop == pytest.approx(1, abs=0.05)
        assert by[change, "object:Exact"].found < 0.3


def test_paired_tests_are_of_the_same_sentences_with_holm_over_all(found):
    assert len(found.tests) == 2 * len(CHANGES)
    raw = sorted(test.p for test in found.tests)
    adjusted = np.maximum.accumulate([p * (len(raw) - at) for at, p in enumerate(raw)])
    assert sorted(test.p_holm for test in found.tests) == pytest.approx(np.minimum(1, adjusted))
    typo = next(test for test in found.tests if test.measure == "drop: typo")
    probes = {each.model: each.drop for each in found.probes if each.change == "typo"}
    assert typo.difference == pytest.approx(probes["object:Bag"] - probes["object:Exact"])
    assert typo.p < 0.001


def test_it_fits_on_a_screen_and_into_json_and_is_the_same_for_a_seed(found):
    assert plain_text(found.drawn(), 80).count("\n") < 40
    told = json.loads(json.dumps(found.to_dict()))
    assert told["unchanged"] == dict.fromkeys(CHANGES, 0)
    assert any("object:Exact is more fragile than object:Bag" in each for each in told["findings"])
    again = ed.probe(TEXTS, [Bag(), Exact()], seed=4, cache="off")
    assert again == found
    assert ed.probe(TEXTS, [Bag()], seed=5, cache="off", changes=["typo"]).probes[0].drop != found.probes[0].drop


def test_a_sure_difference_shows_in_the_numbers_beside_it(found):
    """Two drops of .07 with p = .0008 beside them are no finding anyone can read."""
    close = {"object:Bag": 0.0738, "object:Exact": 0.0741}
    probes = tuple(replace(each, drop=close[each.model]) if each.change == "typo" else each for each in found.probes)
    told = next(each for each in findings(replace(found, probes=probes)) if each.startswith("typo"))
    assert "object:Exact is more fragile than object:Bag: drop 0.0741 against 0.0738" in told


def test_sentences_that_cannot_be_changed_are_counted():
    found = ed.probe([*TEXTS, "猫は黒い", "犬も"], [Bag()], changes=["case", "number"], cache="off")
    assert found.unchanged == {"case": 2, "number": 2}
    assert {each.change: each.n for each in found.probes} == {"case": len(TEXTS), "number": len(TEXTS)}


class Silent:
    """Must not be asked."""

    def encode(self, texts):
        raise AssertionError("nothing may be encoded")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"models": ["bm25"]}, "bm25, which has no vectors"),
        ({"models": ["vectors:mine.npy"]}, "vectors:mine.npy, whose vectors are ready"),
        ({"models": ["a=milvus:x.db#c"]}, "whose vectors are ready"),
        ({"models": []}, "at least one model"),
        ({"models": [Silent()], "changes": ["rhyme"]}, "'rhyme'"),
        ({"models": [Silent()], "sample": 3}, "5 sentences or more"),
        ({"models": [Silent()], "data": ["猫は黒い"] * 6, "changes": ["case"]}, "no sentence in list"),
    ],
)
def test_what_cannot_be_probed_is_refused_before_anything_is_encoded(given, message):
    data = given.pop("data", TEXTS)
    with pytest.raises(ed.EmbdiffError, match=re.escape(message)) as error:
        ed.probe(data, given.pop("models"), **given)
    assert len(str(error.value)) < 600


def test_images_are_refused_by_name(tmp_path):
    pytest.importorskip("PIL", reason="images are read by Pillow")
    from PIL import Image

    for at in range(6):
        Image.new("RGB", (8, 8), (40 * at, 9, 9)).save(tmp_path / f"{at}.png")
    with pytest.raises(ed.EmbdiffError, match="Got images in"):
        ed.probe(tmp_path, [Silent()])
