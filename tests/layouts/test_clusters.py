"""Suggested clusters and the words that name them, against definitions worked out again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from embdiff.clusters import MOST, named_by_words, suggested


def space(rows: int, dim: int, seed: int, middles: int = 6) -> np.ndarray:
    drawn = np.random.default_rng(seed)
    centres = drawn.normal(size=(middles, dim)) * 4
    return (centres[np.arange(rows) % middles] + drawn.normal(size=(rows, dim))).astype(np.float32)


@pytest.fixture
def spaces() -> dict[str, np.ndarray]:
    return {"a": space(300, 8, 1), "b": space(300, 20, 2)}


def side_by_side(spaces: dict[str, np.ndarray]) -> np.ndarray:
    each = [vectors.astype(np.float64) for vectors in spaces.values()]
    return np.concatenate([vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in each], axis=1)


def test_every_row_is_in_the_cluster_whose_mean_is_nearest(spaces):
    """What k-means has found when it has come to rest, with the means worked out here."""
    of_row, of_query = suggested(spaces, {}, seed=0)
    count = of_row.max() + 1
    assert 2 < count <= round(math.sqrt(150))
    assert set(of_row.tolist()) == set(range(count))
    assert of_query.size == 0
    whole = side_by_side(spaces)
    means = np.stack([whole[of_row == at].mean(axis=0) for at in range(count)])
    nearest = ((whole[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == of_row).mean() > 0.99
    # Rows made around one middle are together: a cluster holds rows of few middles.
    purity = sum(np.bincount(np.arange(300)[of_row == at] % 6).max() for at in range(count)) / 300
    assert purity > 0.95


def test_clusters_are_the_same_for_a_seed_and_whatever_the_length_of_a_models_vectors(spaces):
    first = suggested(spaces, {}, seed=3)[0]
    np.testing.assert_array_equal(first, suggested(spaces, {}, seed=3)[0])
    longer = {"a": spaces["a"] * np.float32(1024), "b": spaces["b"]}
    np.testing.assert_array_equal(first, suggested(longer, {}, seed=3)[0])


def test_a_query_is_where_a_row_like_it_is(spaces):
    asked = {name: vectors[[5, 77, 210]] for name, vectors in spaces.items()}
    of_row, of_query = suggested(spaces, asked, seed=0)
    assert of_query.tolist() == of_row[[5, 77, 210]].tolist()


def test_equal_rows_zero_vectors_and_many_rows():
    same = np.ones((50, 4), dtype=np.float32)
    assert set(suggested({"a": same}, {}, seed=0)[0].tolist()) == {0}
    zeros = np.vstack([np.zeros((3, 4), dtype=np.float32), space(60, 4, 5)])
    assert len(suggested({"a": zeros}, {}, seed=0)[0]) == 63
    assert suggested({"a": space(5_000, 4, 6)}, {}, seed=0)[0].max() < MOST


def test_names_are_the_words_of_highest_class_based_tf_idf():
    """The formula, term by term, for every word of three clusters."""
    texts = ["tea in a cup", "hot tea tea", "a cup of tea", "rain on the roof", "the rain falls", "rain again", "zz qq"]
    texts += [f"filler{chr(97 + at)} word{chr(97 + at)}" for at in range(23)]
    of_row = np.array([0, 0, 0, 1, 1, 1, 2, *[2] * 23])
    names = named_by_words(texts, of_row, seed=0)
    words = [
        [sorted(set(text.split())) for text, at in zip(texts, of_row, strict=True) if at == part] for part in range(3)
    ]
    flat = [[word for line in part for word in line if len(word) > 1] for part in words]
    every = [word for part in flat for word in part]
    mean = len(every) / 3

    def weight(word: str, part: int) -> float:
        return math.sqrt(flat[part].count(word) / len(flat[part])) * math.log(1 + mean / every.count(word))

    for part in range(2):
        common = [word for word in set(flat[part]) if every.count(word) <= 3]
        best = sorted(common, key=lambda word: (-weight(word, part), word))[:4]
        assert names[part] == ", ".join(best)
    assert names[0].startswith("tea")
    assert names[1].startswith("rain")


def test_a_word_of_more_than_a_tenth_of_the_texts_names_nothing_and_no_name_comes_twice():
    texts = ["the same words here"] * 40 + ["the other one"] * 2
    names = named_by_words(texts, np.array([0] * 20 + [1] * 20 + [2, 2]), seed=0)
    assert names == ["cluster 1", "cluster 2", "one, other"]
    assert named_by_words(["12 34", "56"], np.array([0, 1]), seed=0) == ["cluster 1", "cluster 2"]
    assert named_by_words(["uh oh", "uh oh"], np.array([0, 1]), seed=0) == ["oh, uh", "oh, uh (2)"]
