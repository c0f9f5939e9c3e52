"""Pairs and classes through evaluate and the command line: the task found, columns, splits, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import embdiff
from embdiff import _optional
from embdiff.errors import DataError, ParameterError
from embdiff.evaluation.line import find_task
from embdiff.evaluation.pairs import read_pairs

PAIRS = [
    ("the cat sleeps", "the cat sleeps now", "4.5"), ("a train leaves", "trains leave, late", "3"),
    ("bake the bread", "the cat sleeps", "0.25"), ("rain today", "rain tomorrow", "2.75"), ("a \"b\" c", "d", "0"),
]  # fmt: skip
LABELLED = [
    (f"{animal} {verb} {place}", animal)
    for animal in ("cat", "dog", "bird")
    for verb in ("sleeps", "runs", "eats", "hides")
    for place in ("here", "there", "outside")
]


def write_csv(path: Path, rows, header: str = "", delimiter: str = ",") -> Path:
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("\n".join(([header] if header else []) + lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "header", "delimiter"),
    [
        ("a.csv", "", ","),
        ("b.csv", "sentence1,sentence2,score", ","),
        ("c.tsv", "left\tright\tgold", "\t"),
        ("d.csv", "x,y,z", ","),
    ],
)
def test_pairs_with_and_without_header(tmp_path, name, header, delimiter):
    path = write_csv(tmp_path / name, PAIRS, header, delimiter)
    pairs = read_pairs(path)
    assert list(zip(pairs.left, pairs.right, strict=True)) == [row[:2] for row in PAIRS]
    assert pairs.score.tolist() == [4.5, 3.0, 0.25, 2.75, 0.0]
    result = embdiff.evaluate(path, ["toy:64", "toy:8"])
    assert result.task == "pairs"
    assert [score.measure for score in result.scores] == ["spearman"] * 3 + ["pearson"] * 3
    own = result.score("spearman", "toy:64")
    assert own.low <= own.value <= own.high
    assert (own.n, own.chance) == (5, 0.0)
    lexical = result.score("spearman", "bm25")
    assert math.isnan(lexical.value)
    assert "no similarity that can be compared" in lexical.reason
    assert result.differences[0].tests[0].difference == pytest.approx(
        own.value - result.score("spearman", "toy:8").value
    )


def test_pairs_in_any_order_of_columns_by_name(tmp_path):
    rows = [
        {"score": 1.5, "text2": "b c", "id": 7, "text1": "a b"},
        {"score": 0, "text2": "x", "id": 8, "text1": "y z"},
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = read_pairs(tmp_path / "p.jsonl")
    assert (pairs.left, pairs.right, pairs.score.tolist()) == (("a b", "y z"), ("b c", "x"), [1.5, 0.0])
    assert pairs.how == "columns text1, text2, score"


def test_binary_pairs_have_auc(tmp_path, command):
    rows = [("the cat", "the cat", "1"), ("a dog", "the dog", "1"), ("rain", "bread", "0"), ("snow", "train", "0")]
    write_csv(tmp_path / "b.csv", rows)
    code, out, _ = command("evaluate", "b.csv", "-m", "toy:64", "--json")
    payload = json.loads(out)
    assert code == 0
    score = next(score for score in payload["scores"] if score["measure"] == "auc" and score["models"] == ["toy:64"])
    assert (score["value"], score["chance"]) == (1.0, 0.5)
    assert "two kinds of pairs, 0 and 1" in payload["protocol"]["scores"]
    assert payload["task_found"] == "the file has two columns of text and one of numbers"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,1\nc,d,x\n", r"must be a number. Got str 'x' in column '2' at line 2 \(row 1\)"),
        ('a,b,1\nc,d,"2,5"\n', r"must be a number. Got str '2,5'"),
        ("a,b,1\nc,d,\n", r"must be a number. Got an empty cell"),
        ("a,b,1\nc,d,nan\n", r"must be a number. Got str 'nan'"),
        ("a,b,1\n ,d,1\n", r"must hold text. Got an empty cell in column '0' at line 2"),
        ("a,b,c,1\nc,d,e,1\n", r"must have two columns of text and then one of numbers.*Got '0', '1', '2', '3'"),
        ("a,b,1\n", r"two pairs or more. Got 1"),
    ],
)
def test_refused_pairs(tmp_path, text, words):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        embdiff.evaluate("p.csv", ["toy:8"], task="pairs")


@pytest.mark.parametrize("header", ["id,text,label", "number,words,kind"])
def test_an_id_or_a_number_is_not_the_first_text_of_a_pair(tmp_path, header):
    rows = [(str(row), text, str(len(label))) for row, (text, label) in enumerate(LABELLED)]
    write_csv(tmp_path / "c.csv", rows, header)
    text, label = header.split(",")[1:]
    result = embdiff.evaluate("c.csv", ["toy:8"], text_column=text, label_column=label, draws=1)
    assert result.task == "classes"
    assert find_task("c.csv", None)[1] == "classes"


def test_named_columns_are_those_of_labelled_texts(tmp_path):
    rows = [(f"title {row}", text, str(len(label))) for row, (text, label) in enumerate(LABELLED)]
    write_csv(tmp_path / "c.csv", rows, "title,text,label")
    assert find_task("c.csv", None)[1] == "pairs"
    result = embdiff.evaluate("c.csv", ["toy:8"], text_column="text", draws=1)
    assert (result.task, result.to_dict()["task_found"]) == ("classes", "columns of labelled texts were named")
    with pytest.raises(ParameterError, match=r"for the task classes only. Got pairs"):
        embdiff.evaluate("c.csv", ["toy:8"], task="pairs", label_column="label")


def test_a_wrong_score_among_few_pairs_is_named(tmp_path):
    write_csv(tmp_path / "p.csv", [("a b", "c d", "1"), ("e", "f", "high"), ("g", "h", "2.5")])
    with pytest.raises(DataError, match=r"must be a number. Got str 'high' in column '2' at line 2"):
        embdiff.evaluate("p.csv", ["toy:8"])


def test_one_file_of_labelled_texts_is_split(tmp_path, command):
    write_csv(tmp_path / "c.csv", LABELLED, "text,label")
    result = embdiff.evaluate("c.csv", ["toy:64", "toy:4"], seed=3)
    assert result.task == "classes"
    assert list(dict.fromkeys(score.measure for score in result.scores)) == [
        "knn_accuracy@5",
        "probe_accuracy",
        "silhouette",
    ]
    for score in result.scores:
        if score.models != ("bm25",) or score.measure == "knn_accuracy@5":
            assert score.n == 9
            assert np.isfinite([score.value, score.chance]).all()
            few = score.measure == "silhouette"  # a jackknife needs 10 texts
            assert (score.interval == "none") == few
            assert few or score.low <= score.value <= score.high
    assert "no vectors" in result.score("silhouette", "bm25").reason
    assert (
        result.outcome.protocol["split"]
        == "one file, stratified: 25% of each class (at least one text) to test on, by seed 3"
    )
    assert len(result.to_dict()["draws"]["toy:64"]) == 10
    again = embdiff.evaluate("c.csv", ["toy:64", "toy:4"], seed=3)
    assert again.to_dict()["scores"] == result.to_dict()["scores"]
    code, out, _ = command("evaluate", "c.csv", "-m", "toy:64", "-m", "toy:4")
    assert code == 0
    for words in (
        "knn_accuracy@5",
        "probe_accuracy, draw by draw",
        "Confused in toy:4 but not in toy:64",
        "10 draws of 8",
    ):
        assert words in " ".join(out.split())
    assert "better" not in out


def test_folder_of_train_and_test(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    write_csv(folder / "train.csv", LABELLED, "text,label")
    write_csv(
        folder / "test.tsv",
        [("cat purrs", "cat"), ("dog barks", "dog"), ("fish swims", "fish")],
        "label_of\tx".replace("label_of", "text").replace("\tx", "\tlabel"),
        "\t",
    )
    result = embdiff.evaluate(folder, ["toy:64"], k=3, shots=0)
    assert result.score("knn_accuracy@3", "toy:64").per_query[2] == 0.0
    assert "train.csv to learn from, test.tsv to test on" in result.outcome.protocol["split"]
    assert "fitted once on all training texts" in result.outcome.protocol["probe"]
    assert any(
        "1 classes of the test texts have no training text: always wrong (fish)" in note
        for note in result.outcome.notes
    )
    confusions = result.to_dict()["confusions"]
    assert {(each["in"], each["not_in"]) for each in confusions} == {("bm25", "toy:64"), ("toy:64", "bm25")}


def test_columns_by_name(tmp_path):
    write_csv(tmp_path / "c.csv", [(label, "x", text) for text, label in LABELLED], "kind,other,words")
    with pytest.raises(DataError, match=r"--text-column"):
        embdiff.evaluate("c.csv", ["toy:8"])
    with pytest.raises(DataError, match=r"must have a column of labels.*--label-column"):
        embdiff.evaluate("c.csv", ["toy:8"], text_column="words")
    assert embdiff.evaluate("c.csv", ["toy:8"], text_column="words", label_column="kind", draws=1).scores[0].n == 9


def test_without_scikit_learn_the_probe_is_undefined_with_a_reason(tmp_path, monkeypatch):
    write_csv(tmp_path / "c.csv", LABELLED, "text,label")
    monkeypatch.setattr(_optional, "is_installed", lambda module: module.partition(".")[0] != "sklearn")
    score = embdiff.evaluate("c.csv", ["toy:8"]).score("probe_accuracy", "toy:8")
    assert math.isnan(score.value)
    assert "pip install 'embdiff[classes]'" in score.reason


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([("a", "x"), ("b", "x")], "text,label", r"two classes or more to learn from. Got only 'x'"),
        ([("a", "x"), ("b", "y")], "text,label", r"At least one class must have two texts"),
    ],
)
def test_refused_classes(tmp_path, rows, header, words):
    write_csv(tmp_path / "c.csv", rows, header)
    with pytest.raises(DataError, match=words):
        embdiff.evaluate("c.csv", ["toy:8"])


def test_files_that_fit_no_task(tmp_path):
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"must hold pairs .* or labelled texts .*Got plain lines"):
        embdiff.evaluate("lines.txt", ["toy:8"])
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match=r"must have one test file .*Got no file test"):
        embdiff.evaluate(folder, ["toy:8"], task="classes")
