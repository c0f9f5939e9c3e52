"""Scores by the values of a column: in every task those of the units with that value alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import DataError, ParameterError

MODELS = ["toy:8", "toy:24"]
WORDS = ["boat", "house", "stone", "bird", "lamp", "tree", "road", "cloud"]
TEXTS = [f"the {WORDS[at % 8]} number {at} of the {WORDS[(3 * at + 1) % 8]}" for at in range(48)]
LANGS = ["de" if at % 3 else "fr" for at in range(48)]


def written(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def same(some, others) -> None:
    """Value, interval, chance and n of every measure and model are the same."""
    one, other = ({(each.measure, each.models): each for each in scores} for scores in (some, others))
    assert one.keys() == other.keys()
    for key, score in one.items():
        numbers = [(each.value, each.low, each.high, each.chance, each.n) for each in (score, other[key])]
        assert numbers[0] == pytest.approx(numbers[1], nan_ok=True), key


@pytest.fixture
def collection(tmp_path):
    def make(name: str, languages: set[str]) -> Path:
        folder = tmp_path / name
        written(folder / "corpus.jsonl", [{"_id": f"d{at}", "text": text} for at, text in enumerate(TEXTS)])
        rows = [{"_id": f"q{at}", "text": f"{TEXTS[at][4:]}?", "lang": LANGS[at]} for at in range(24)]
        written(folder / "queries.jsonl", rows)
        lines = [f"q{at}\td{(at + at % 2) % 48}\t1\n" for at in range(24) if LANGS[at] in languages]
        (folder / "qrels").mkdir()
        (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
        return folder

    return make


def test_retrieval_by_language_is_that_of_these_queries(collection):
    whole = ed.evaluate(collection("both", {"de", "fr"}), MODELS, by="lang")
    assert list(whole.outcome.by_group) == ["de", "fr"]
    for language in ("de", "fr"):
        alone = ed.evaluate(collection(language, {language}), MODELS)
        same(whole.outcome.by_group[language], alone.scores)


def test_pairs_by_language_are_those_of_these_pairs(tmp_path):
    rows = [
        {"sentence1": TEXTS[at], "sentence2": TEXTS[(at * 5 + 2) % 48], "score": at % 7, "lang": LANGS[at]}
        for at in range(48)
    ]
    whole = ed.evaluate(written(tmp_path / "both.jsonl", rows), MODELS, by="lang", baseline=False)
    for language in ("de", "fr"):
        some = [row for row in rows if row["lang"] == language]
        alone = ed.evaluate(written(tmp_path / f"{language}.jsonl", some), MODELS, baseline=False)
        same(whole.outcome.by_group[language], alone.scores)


@pytest.mark.parametrize("files", [1, 2])
def test_parallel_texts_by_language_choose_among_all(tmp_path, files):
    pairs = [(TEXTS[at], f"{TEXTS[at][:-3]} {at}") for at in range(48)]
    if files == 1:
        rows = [{"a": left, "b": right, "lang": lang} for (left, right), lang in zip(pairs, LANGS, strict=True)]
        data = [written(tmp_path / "both.jsonl", rows)]
    else:
        left = [{"id": at, "text": pair[0], "lang": LANGS[at]} for at, pair in enumerate(pairs)]
        right = [{"id": at, "text": pair[1]} for at, pair in enumerate(pairs)]
        data = [written(tmp_path / "left.jsonl", left), written(tmp_path / "right.jsonl", right[::-1])]
    whole = ed.evaluate(data, MODELS, task="bitext", by="lang")
    for language in ("de", "fr"):
        which = [at for at, each in enumerate(LANGS) if each == language]
        found = {(score.measure, score.models): score for score in whole.outcome.by_group[language]}
        assert len(found) == len(whole.scores)
        for score in whole.scores:
            one = found[score.measure, score.models]
            assert one.value == pytest.approx(np.mean([score.per_query[at] for at in which]))
            assert (one.n, one.chance) == (len(which), pytest.approx(1 / 48))


@pytest.mark.parametrize("split", [False, True])
def test_classes_by_language_are_those_of_these_test_texts(tmp_path, split):
    rows = [
        {"text": text, "label": WORDS[at % 4], "lang": lang}
        for at, (text, lang) in enumerate(zip(TEXTS, LANGS, strict=True))
    ]
    if split:
        written(tmp_path / "set" / "train.jsonl", rows[:24])
        written(tmp_path / "set" / "test.jsonl", rows[24:])
        data = tmp_path / "set"
    else:
        data = written(tmp_path / "all.jsonl", rows)
    whole = ed.evaluate(data, MODELS, by="lang", task="classes", shots=2, draws=2)
    by_group = whole.outcome.by_group
    for score in whole.scores:
        if score.measure == "silhouette" or not np.isfinite(score.value):
            continue
        parts = [
            one
            for scores in by_group.values()
            for one in scores
            if (one.measure, one.models) == (score.measure, score.models)
        ]
        assert sum(one.n for one in parts) == score.n
        assert sum(one.n * one.value for one in parts) == pytest.approx(score.n * score.value)
    if split:
        counts = {name: scores[0].n for name, scores in by_group.items()}
        assert counts == {
            "de": sum(each == "de" for each in LANGS[24:]),
            "fr": sum(each == "fr" for each in LANGS[24:]),
        }


def test_the_terminal_and_json_tell_them(collection):
    command = [
        sys.executable,
        "-m",
        "embdiff",
        "evaluate",
        str(collection("both", {"de", "fr"})),
        "-m",
        "toy:8",
        "--by",
        "lang",
    ]
    done = subprocess.run([*command, "--all"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "ndcg@10 by group" in done.stdout
    screen = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    assert "ndcg@10 by group" in screen
    assert len(screen.splitlines()) <= 40
    assert max(map(len, screen.splitlines())) <= 80
    payload = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=300).stdout)
    assert set(payload["by_group"]) == {"de", "fr"}
    assert "by_group" not in ed.evaluate(command[4], ["toy:8"]).to_dict()


def test_other_columns_are_refused_by_name(collection, tmp_path):
    folder = collection("both", {"de", "fr"})
    with pytest.raises(DataError, match=r"The by column must be a column of .*'language'.*Correct --by \("):
        ed.evaluate(folder, MODELS, by="language")
    rows = [
        {"sentence1": "a b", "sentence2": "b c", "score": 1, "lang": "de"},
        {"sentence1": "a", "sentence2": "c", "score": 2},
    ]
    with pytest.raises(DataError, match="Every pair must have a value in the column by which scores are told"):
        ed.evaluate(written(tmp_path / "gap.jsonl", rows), MODELS, by="lang")
    many = [{"sentence1": f"a {at}", "sentence2": "b c", "score": at, "lang": at} for at in range(201)]
    with pytest.raises(DataError, match=r"at most 200 values. Got 201"):
        ed.evaluate(written(tmp_path / "many.jsonl", many), MODELS, by="lang")
    lines = [tmp_path / "one.txt", tmp_path / "two.txt"]
    for path in lines:
        path.write_text("a\nb\n")
    with pytest.raises(ParameterError, match="--by needs data with columns"):
        ed.evaluate(lines, MODELS, task="bitext", by="lang")
