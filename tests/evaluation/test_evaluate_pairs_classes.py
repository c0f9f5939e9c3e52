"""Pairs and classes through evaluate and the command line: the task found, columns, splits, refusals."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import embdiff
from embdiff import _optional
from embdiff.errors import DataError, ParameterError
from embdiff.evaluation.line import find_task
from embdiff.evaluation.pair_files import read_pairs

PAIRS = [
    ("the cat sleeps", "the cat sleeps now", "4.5"), ("a train leaves", "trains leave, late", "3"),
    ("bake the bread", "the cat sleeps", "0.25"), ("rain today", "rain tomorrow", "2.75"), ("a \"b\" c", "d", "0"),
    ("a loaf of bread", "the bread", "3.5"), ("snow at night", "the train", "1"), ("two cats run", "a cat runs", "4"),
    ("he left", "she stayed", "1.5"), ("the last train", "a late train", "2.5"),
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
    pairs = read_pairs([path])
    assert list(zip(pairs.left, pairs.right, strict=True)) == [row[:2] for row in PAIRS]
    assert pairs.score.tolist() == [4.5, 3.0, 0.25, 2.75, 0.0, 3.5, 1.0, 4.0, 1.5, 2.5]
    result = embdiff.evaluate(path, ["toy:64", "toy:8"])
    assert result.task == "pairs"
    assert [score.measure for score in result.scores] == ["spearman"] * 3 + ["pearson"] * 3
    own = result.score("spearman", "toy:64")
    assert own.low <= own.value <= own.high
    assert (own.n, own.chance) == (10, 0.0)
    lexical = result.score("spearman", "bm25")
    assert math.isnan(lexical.value)
    assert "no similarity that can be compared" in lexical.reason
    assert result.differences[0].tests[0].difference == pytest.approx(
        own.value - result.score("spearman", "toy:8").value
    )


def test_columns_of_pairs_by_option(tmp_path, command):
    rows = [[f"id{at}", left, "x", right, score, "0"] for at, (left, right, score) in enumerate(PAIRS)]
    write_csv(tmp_path / "p.csv", rows, "id,first,other,second,gold mean,label")
    by_name = ("--left-column", "first", "--right-column", "second", "--score-column", "gold mean")
    by_place = ("--left-column", "1", "--right-column", "3", "--score-column", "4")
    found = []
    for columns in (by_name, by_place):
        code, out, err = command("evaluate", "p.csv", "-m", "toy:64", "--json", *columns)
        assert code == 0, err
        found.append(json.loads(out))
    assert found[0]["protocol"]["columns"] == "columns first, second, gold mean"
    assert found[0]["scores"] == found[1]["scores"]
    plain = embdiff.evaluate(write_csv(tmp_path / "q.csv", PAIRS), ["toy:64"])
    assert found[0]["scores"] == plain.to_dict()["scores"]
    for arguments, words in (
        (("--left-column", "first"), "must have two columns of text and one of numbers"),
        (("--left-column", "nope"), "The left column must be a column of p.csv. Got 'nope'"),
        (("--left-column", "3", *by_name[2:]), "must be three columns. Got 'second', 'second'"),
        (("--task", "classes", *by_name), "Leave --left-column, --right-column, --score-column out"),
    ):
        code, _, err = command("evaluate", "p.csv", "-m", "toy:8", *arguments)
        assert (code, words in err) == (2, True), err


@pytest.mark.parametrize("empty", ["", "  "])
def test_pairs_without_a_score_are_left_out_and_counted(tmp_path, empty):
    rows = [*PAIRS[:3], ("no one", "scored this", empty), *PAIRS[3:], ("nor", "that", empty)]
    result = embdiff.evaluate(write_csv(tmp_path / "p.csv", rows, "sentence1,sentence2,score"), ["toy:64"])
    plain = embdiff.evaluate(write_csv(tmp_path / "q.csv", PAIRS), ["toy:64"])
    assert result.to_dict()["scores"] == plain.to_dict()["scores"]
    assert any(
        "2 of 12 rows of" in note and "have no score: they are left out (the first at line 5 (row 3))" in note
        for note in result.outcome.notes
    )
    nulls = [{"text1": left, "text2": right, "score": float(score)} for left, right, score in PAIRS]
    nulls.insert(2, {"text1": "a", "text2": "b", "score": None})
    nulls.insert(5, {"text1": "a", "text2": "b"})
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(row) + "\n" for row in nulls))
    assert embdiff.evaluate(tmp_path / "n.jsonl", ["toy:64"]).to_dict()["scores"] == plain.to_dict()["scores"]


def test_pairs_with_the_score_first(tmp_path):
    """As SemEval has them: number, text, text, without a header."""
    path = write_csv(tmp_path / "s.tsv", [(score, left, right) for left, right, score in PAIRS], "", "\t")
    result = embdiff.evaluate(path, ["toy:64"])
    assert result.outcome.protocol["columns"] == "three columns without a header: number, text, text"
    plain = embdiff.evaluate(write_csv(tmp_path / "q.csv", PAIRS), ["toy:64"])
    assert result.to_dict()["scores"] == plain.to_dict()["scores"]
    (tmp_path / "s.txt").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"Got plain lines in s.txt. Every line has 2 tabs.* extension .tsv"):
        embdiff.evaluate("s.txt", ["toy:64"])


def test_several_files_of_pairs_are_scored_each_and_pooled(tmp_path, command):
    more = [(f"{left} again", right, str(5 - float(score))) for left, right, score in PAIRS]
    write_csv(tmp_path / "a.csv", PAIRS)
    write_csv(tmp_path / "b.csv", more, "sentence1,sentence2,score")
    write_csv(tmp_path / "all.csv", [*PAIRS, *more])
    result = embdiff.evaluate(["a.csv", "b.csv"], ["toy:64", "toy:8"])
    pooled = embdiff.evaluate("all.csv", ["toy:64", "toy:8"])
    assert result.to_dict()["scores"] == pooled.to_dict()["scores"]
    for name in ("a.csv", "b.csv"):
        alone = embdiff.evaluate(name, ["toy:64", "toy:8"], baseline=False)
        assert [each.to_dict() for each in result.outcome.by_file[name]] == alone.to_dict()["scores"]
    assert "by_file" not in pooled.to_dict()
    code, out, _ = command("evaluate", "a.csv", "b.csv", "-m", "toy:64", "--all")
    assert code == 0
    assert "Scores in b.csv" in out
    write_csv(tmp_path / "c.csv", LABELLED, "text,label")
    for data, words in (
        (["a.csv", "c.csv"], "must all be of pairs"),
        (["a.csv", "a.csv"], "named once"),
        ([], "Got none"),
    ):
        with pytest.raises(DataError, match=words):
            embdiff.evaluate(data, ["toy:8"])


def test_chosen_measures_of_pairs_and_classes(tmp_path):
    write_csv(tmp_path / "p.csv", PAIRS)
    result = embdiff.evaluate("p.csv", ["toy:64"], measures=["pearson"])
    assert {score.measure for score in result.scores} == {"pearson"}
    with pytest.raises(ParameterError, match=r"auc must be of two kinds of pairs. Got 10 different scores"):
        embdiff.evaluate("p.csv", ["toy:64"], measures=["auc"])
    write_csv(tmp_path / "c.csv", LABELLED, "text,label")
    classes = embdiff.evaluate("c.csv", ["toy:64"], measures=["knn_accuracy@1", "knn_accuracy@3"])
    assert [score.measure for score in classes.scores] == ["knn_accuracy@1"] * 2 + ["knn_accuracy@3"] * 2
    usual = embdiff.evaluate("c.csv", ["toy:64"], k=3)
    assert classes.score("knn_accuracy@3", "toy:64") == usual.score("knn_accuracy@3", "toy:64")


def test_pairs_in_any_order_of_columns_by_name(tmp_path):
    rows = [
        {"score": 1.5, "text2": "b c", "id": 7, "text1": "a b"},
        {"score": 0, "text2": "x", "id": 8, "text1": "y z"},
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = read_pairs([tmp_path / "p.jsonl"])
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
        ("a,b,1\nc,d,\n", r"two pairs or more that have a score. Got 1"),
        ("a,b,1\nc,d,nan\n", r"must be a number. Got str 'nan'"),
        ("a,b,1\n ,d,1\n", r"must hold text. Got an empty cell in column '0' at line 2"),
        ("a,b,c,1\nc,d,e,1\n", r"must have two columns of text and one of numbers.*Got '0', '1', '2', '3'"),
        ("a,b,1\n", r"two pairs or more that have a score. Got 1"),
    ],
)
def test_refused_pairs(tmp_path, text, words):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        embdiff.evaluate("p.csv", ["toy:8"], task="pairs")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.jsonl", '{"text1": "a\\u0000b", "text2": "c", "score": 1}\n', r"Got a NUL character.* at line 1 \(row 0\)"),
        ("p.jsonl", '{"text1": "a", "text2": "c\\ud800", "score": 1}\n', r"half of a surrogate pair.* at line 1 \(row 0\)"),
        ("p.tsv", "text1\ttext2\tscore\na\0b\tc\t1\n", r"Got a NUL character in the text at line 2 \(row 0\)"),
    ],
)  # fmt: skip
def test_texts_of_pairs_that_cannot_be_stored_are_refused(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_text(content + "2".join(content.splitlines(keepends=True)[-1].rsplit("1", 1)), "utf-8")
    with pytest.raises(DataError, match=words):
        read_pairs([path])


@pytest.mark.parametrize("header", ["Text1,text2,score,TEXT1", "text1,Text2,score,TEXT2", "text1,text2,Score,SCORE"])
def test_columns_of_pairs_that_are_alike_but_for_case_are_for_the_user_to_say(tmp_path, header):
    path = write_csv(tmp_path / "p.csv", [(*row, "1") for row in PAIRS], header)
    with pytest.raises(DataError, match=r"alike but for case. Write the name exactly with --(left|right|score)-column"):
        read_pairs([path])
    assert len(read_pairs([path], given=dict(zip(("left", "right", "score"), header.split(","), strict=False)))) == 10


@pytest.mark.parametrize("first", ["the cat,the dog,", "the cat,the dog,n/a", "words,others,much"])
def test_a_first_line_that_may_be_a_pair_without_a_score_is_told(tmp_path, first):
    path = tmp_path / "p.csv"
    path.write_text(f"{first}\na,b,1\nc,d,2\ne,f,3\n")
    pairs = read_pairs([path])
    assert pairs.left == ("a", "c", "e")
    assert "Line 1" in pairs.notes[0]
    assert "--no-header" in pairs.notes[0]
    path.write_text("sentence1,remark,score\na,b,1\nc,d,2\n")
    assert read_pairs([path]).notes == ()
    assert read_pairs([path], given={"left": "sentence1", "right": "remark"}).notes == ()


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
    with pytest.raises(ParameterError, match=r"for the tasks classes and scope only. Got pairs"):
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
            if score.measure == "silhouette":
                assert score.reason == "no interval and no test below 10 texts (here 9)"
            else:
                assert score.low <= score.value <= score.high
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
    code, out, _ = command("evaluate", "c.csv", "-m", "toy:64", "-m", "toy:4", "--all")
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


def test_messages_name_options_of_evaluate_alone(tmp_path, command):
    """What `compare` calls a group is a label here, and rows cannot go without."""
    (tmp_path / "l.csv").write_text("text,label\na b,x\nc d,\ne f,y\ng h,x\n")
    (tmp_path / "m.csv").write_text("text,Label,label\na b,x,1\nc d,y,2\n")
    _, help_text, _ = command("evaluate", "--help")
    for arguments, words in (
        (
            ("l.csv",),
            "Every row must have a label: text or a number in the column 'label'. Got an empty cell at line 3",
        ),
        (("m.csv", "--label-column", "LABEL"), "The label column must be plain from its name."),
        (("l.csv", "--label-column", "kind"), "The label column must be a column of l.csv. Got 'kind'"),
    ):
        code, _, err = command("evaluate", *arguments, "-m", "toy:8")
        assert code == 2
        assert words in err
        for option in re.findall(r"--[a-z]+(?:-[a-z]+)*", err):
            assert option in help_text


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([(a, b, str(int(row < 2))) for row, (a, b, _) in enumerate(PAIRS)], "left,right,score",
         ["n = 10;", "auc, spearman, pearson: no interval and no test below 5 pairs of the rarest kind (here 2)"]),
        (PAIRS[:3], "left,right,score", ["n = 3;", "spearman, pearson: no interval"]),
        ([(f"{text} {row}", f"c{row // 3}") for row, (text, _) in enumerate(LABELLED[:12])], "text,label",
         ["n = 4;", "silhouette: every class has one text only"]),
    ],
)  # fmt: skip
def test_the_first_screen_says_why_a_number_or_an_interval_is_not_there(tmp_path, command, rows, header, words):
    write_csv(tmp_path / "p.csv", rows, header)
    code, printed, _ = command("evaluate", "p.csv", "-m", "toy:8", "-m", "toy:16")
    assert code == 0
    told = " ".join(printed.split())
    for each in words:
        assert each in told


@pytest.mark.parametrize("rows", [3, 4])
def test_no_model_ranks_best_where_nothing_could_be_tested(tmp_path, rows):
    write_csv(tmp_path / "p.csv", [(a, b, str(int(row < rows - 1))) for row, (a, b, _) in enumerate(PAIRS)])
    headline = embdiff.evaluate("p.csv", ["toy:8", "toy:64"], baseline=False).headline
    assert headline.sentence.startswith("Which model leads by auc cannot be decided: toy:")
    assert headline.more[0].startswith("No difference could be tested: no interval and no test below 5 pairs")
