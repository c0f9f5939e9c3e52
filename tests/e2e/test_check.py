"""Rules for CI: what passes, fails and cannot be told, its exit codes, its files; drift from an earlier run."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

import embdiff as ed
from embdiff.errors import DataError, ParameterError, UnknownNameError

TWO = ("-m", "toy:64", "-m", "toy:8")


@pytest.fixture(scope="module")
def expected():
    """Every row of the sample expects the others of its group."""
    sample = ed.read_corpus("sample")
    pairs = list(zip(sample.ids, sample.groups, strict=True))
    return {query: {name: 1 for name, group in pairs if group == own and name != query} for query, own in pairs}


@pytest.fixture(scope="module")
def run(expected, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "june"
    return ed.compare("sample", ["toy:64", "toy:8"], expected=expected, store="memory:", cache="off", layout="none",
                      out=folder)  # fmt: skip


def outcomes(found):
    return [(each.outcome, each.rule) for each in found.rulings]


@pytest.mark.parametrize(
    ("rule", "code", "outcome"),
    [
        ("overlap < 0.1", 0, "pass"),
        ("overlap < 0.99", 3, "fail"),
        ("ndcg drop > 0.5", 0, "pass"),
        ("ndcg drop > 0.01", 4, "inconclusive"),
        ("ndcg@3 < 0.01", 0, "pass"),
        ("cka > 0.05", 3, "fail"),
    ],
)  # fmt: skip
def test_exit_codes_say_what_became_of_a_rule(embdiff, run, rule, code, outcome):
    done = embdiff("check", str(run.path), "--fail-if", rule, "--json")
    found = json.loads(done.out)
    assert (done.code, found["verdict"]) == (code, outcome), done.out
    assert [each["outcome"] for each in found["rulings"]] == [outcome]


def test_the_worst_of_several_is_the_verdict_and_all_of_them_are_told(embdiff, run, tmp_path):
    rules = ("overlap < 0.99", "ndcg drop > 0.01", "ndcg drop > 0.5")
    told = [part for rule in rules for part in ("--fail-if", rule)]
    done = embdiff("check", str(run.path), *told, "--junit", str(tmp_path / "found.xml"))
    assert done.code == 3
    assert "Fail: 1 of 3 checks fails, 1 cannot be told yet." in done.out
    assert len(done.out.splitlines()) <= 40
    assert max(map(len, done.out.splitlines())) <= 80
    suite = ElementTree.parse(tmp_path / "found.xml").getroot().find("testsuite")
    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3", "failures": "1", "errors": "1",
    }  # fmt: skip
    assert [case.get("name") for case in suite] == ["overlap@10 < 0.99", "ndcg@10 drop > 0.01", "ndcg@10 drop > 0.5"]
    assert [case[0].tag for case in suite] == ["failure", "error", "system-out"]
    assert {case.get("classname") for case in suite} == {"toy:8 against toy:64"}


def test_markdown_is_for_the_summary_of_a_job(embdiff, run):
    done = embdiff("check", str(run.path), "--fail-if", "overlap < 0.99", "--markdown")
    assert done.code == 3
    assert done.out.startswith("### toy:64, toy:8 on sample")
    assert "| fail | overlap\\@10 \\< 0.99 | toy:8 against toy:64 |" in done.out


def test_names_that_act_stay_harmless_in_every_form(embdiff, tmp_path):
    name = "a\x1b[31m|<b>&\ufffe"
    done = embdiff("check", "sample", "-m", f"{name}=toy:64", "-m", "toy:8", "--fail-if", "overlap < 0.99", "--store",
                   "memory:", "--layout", "none", "--junit", str(tmp_path / "found.xml"), "--out", str(tmp_path / "run"))  # fmt: skip
    assert done.code in (2, 3)
    if done.code == 3:
        assert "\x1b" not in done.out
        ElementTree.parse(tmp_path / "found.xml")


def test_a_drop_is_the_mean_difference_per_query_with_its_interval(run):
    """Values per query are those of the run in memory; the folder does not keep them, and gives the same again."""
    first, second = (
        np.array(next(each.per_query for each in run.scores if each.measure == "ndcg@10" and each.models == (name,)))
        for name in ("toy:64", "toy:8")
    )
    found = ed.check(run.path, fail_if=["ndcg drop > 0.02"]).rulings[0]
    assert found.value == pytest.approx((first - second).mean())
    assert found.n == len(first)
    low, high = stats.t.interval(0.95, len(first) - 1, (first - second).mean(), stats.sem(first - second))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)  # resampled, here


def test_a_rule_of_two_lists_is_the_score_of_the_run(run):
    kept = next(each for each in run.scores if each.measure == "overlap@10" and "bm25" not in each.models)
    found = ed.check(run.path, fail_if=["overlap@10 < 0.5"]).rulings[0]
    assert (found.value, found.low, found.high, found.n) == (kept.value, kept.low, kept.high, kept.n)
    again = ed.check(run.path, fail_if=["jaccard@7 < 0.5"]).rulings[0]  # no depth of a curve: taken again
    assert 0 < again.low < again.value < again.high < 1


def test_more_models_are_held_against_the_current_one(tmp_path):
    made = {"store": "memory:", "layout": "none", "out": tmp_path / "run"}
    found = ed.check("sample", ["toy:8", "toy:64", "lsa:16"], fail_if=["overlap < 0.2"], current="toy:64", **made)
    assert [each.models for each in found.rulings] == [("toy:8", "toy:64"), ("lsa:16", "toy:64")]
    assert {each.level for each in found.rulings} <= {0.975, 0.95}  # Holm over both
    assert ed.load(tmp_path / "run").run.config.models == ("toy:8", "toy:64", "lsa:16")


def test_the_same_model_again_passes_by_name(embdiff, run, expected, tmp_path):
    """The same stamp and the same lists: no query can differ, however few there are."""
    ed.compare("sample", ["toy:64", "toy:16"], expected=expected, store="memory:", layout="none", out=tmp_path / "july")
    rules = ("--fail-if", "ndcg drop > 0.0001", "--fail-if", "overlap < 0.9")
    done = embdiff("check", str(tmp_path / "july"), *rules, "--against", str(run.path))
    assert done.code == 2
    assert "toy:16" in done.err
    assert "have one of its name" in done.err
    done = embdiff("check", str(run.path), *rules, "--against", str(run.path), "--json")
    assert done.code == 0
    found = json.loads(done.out)["rulings"]
    assert {tuple(each["models"]) for each in found} == {("toy:64", "toy:64 in june"), ("toy:8", "toy:8 in june")}
    assert "the same list for every query" in found[0]["reason"]


def test_an_earlier_run_holds_another_model_to_it(run, expected):
    found = ed.check("sample", ["toy:16"], fail_if=["overlap < 0.9", "ndcg drop > 0.9"], against=run.path,
                     current="toy:64", expected=expected, store="memory:", layout="none")  # fmt: skip
    assert outcomes(found) == [("fail", "overlap@10 < 0.9"), ("pass", "ndcg@10 drop > 0.9")]
    direct = ed.compare("sample", ["toy:64", "toy:16"], expected=expected, store="memory:", layout="none")
    shared = next(each for each in direct.scores if each.measure == "overlap@10" and "bm25" not in each.models)
    assert found.rulings[0].value == shared.value


REFUSED = {
    "no rule": ({"fail_if": []}, "needs a rule"),
    "one twice": ({"fail_if": ["overlap < 0.5", "overlap<.5"]}, "must stand once"),
    "a text": ({"fail_if": "overlap < 0.5"}, "must be a list"),
    "no judgements": ({"fail_if": ["ndcg drop > 0.1"]}, "Give them with --expected"),
    "no groups": ({"fail_if": ["same_group drop > 0.1"], "data": ["a", "b", "c"], "k": 1}, "--group-column"),
    "one model": ({"fail_if": ["overlap < 0.5"], "models": ["toy:8"]}, "takes two models"),
    "too deep": ({"fail_if": ["overlap@30 < 0.5"]}, "lists are 10 long"),
    "of labelled data": ({"fail_if": ["spearman < 0.5"]}, "embdiff evaluate"),
    "no drop": ({"fail_if": ["overlap drop > 0.5"]}, "a drop is of what labels say"),
    "no such model": ({"fail_if": ["overlap < 0.5"], "current": "toy:9"}, "Did you mean 'toy:8'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_data_cannot_be_held_to_is_refused_before_anything_is_encoded(case, monkeypatch):
    given, said = REFUSED[case]
    monkeypatch.setattr("embdiff.deciding.checking.compare", lambda *_, **__: pytest.fail("it was compared"))
    given = {"data": "sample", "models": ["toy:64", "toy:8"], **given}
    with pytest.raises((ParameterError, UnknownNameError), match=said) as refused:
        ed.check(given.pop("data"), given.pop("models"), **given)
    assert len(str(refused.value)) < 600


def test_runs_of_other_rows_are_not_held_against_each_other(embdiff, run, sentences):
    done = embdiff("check", str(sentences), *TWO, "-k", "3", "--fail-if", "overlap < .5", "--against", str(run.path))
    assert done.code == 2
    assert "Got 8 now and 52 then" in done.err
    sample = ed.read_corpus("sample")
    rows = zip(sample.ids, sample.items, sample.groups, strict=True)
    lines = ["id,text,group", *(f'{name},"{text}!",{group}' for name, text, group in rows)]
    Path("changed.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match="another text of id"):
        ed.check("changed.csv", ["toy:64"], fail_if=["overlap < 0.5"], against=run.path, group_column="group")


def test_a_junit_file_that_cannot_be_written_is_refused_first(embdiff, run, monkeypatch):
    monkeypatch.setattr("embdiff.deciding.checking.load", lambda *_, **__: pytest.fail("the run was opened"))
    done = embdiff("check", str(run.path), "--fail-if", "overlap < 0.5", "--junit", "nowhere/found.xml")
    assert done.code == 2
    assert "into a folder that is there" in done.err


def test_a_run_folder_takes_no_other_settings(embdiff, run):
    done = embdiff("check", str(run.path), "-m", "toy:8", "--fail-if", "overlap < 0.5")
    assert done.code == 2
    assert "Got models beside" in done.err


def test_the_same_model_has_not_drifted(embdiff, run, expected, tmp_path):
    done = embdiff("compare", "sample", *TWO, "--store", "memory:", "--layout", "none", "--against", str(run.path),
                   "--out", str(tmp_path / "july"), "--json")  # fmt: skip
    assert done.code == 0, done.err
    found = json.loads(done.out)["drift"]
    assert [(each["model"], each["shared"], each["changed"]) for each in found] == [("toy:64", 10, 0), ("toy:8", 10, 0)]
    assert all(each["noise"] <= 10 for each in found)


def test_a_model_that_is_another_is_told_with_the_rows_that_moved(embdiff):
    made = ("--store", "memory:", "--layout", "none")
    assert embdiff("compare", "sample", "-m", "prod=toy:64", *made, "--out", "june").code == 0
    done = embdiff("compare", "sample", "-m", "prod=toy:32", *made, "--against", "june", "--out", "july")
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert "Drift: prod shares" in told
    assert "dim 64 then, 32 now" in told
    assert len(done.out.splitlines()) <= 40
    direct = ed.compare("sample", ["toy:64", "toy:32"], store="memory:", layout="none")
    rows = [set(answer.returned.rows[at]) for answer in direct.run.answers for at in range(52)]
    changed = sum(rows[at] != rows[52 + at] for at in range(52))
    assert f"{changed} of 52 queries have another neighbour" in told
