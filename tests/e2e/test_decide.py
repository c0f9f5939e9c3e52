"""Which model to take, or whether to change the one in use: verdicts, their reasons, forms and page."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.views import report

MADE = {"store": "memory:", "layout": "none"}
FLAGS = ("--store", "memory:", "--layout", "none")
TABLE = """
error = {error}
[judgements]
out-if = ["{judgements}"]
[groups]
out-if = ["same_group drop > 0.02"]
[agreement]
not-same-if = ["overlap < 0.95"]
[mapped]
not-kept-if = ["overlap < 0.9"]
"""


@pytest.fixture(scope="module")
def texts():
    """Sixty texts of three words each: bag-of-words models see which share words."""
    rng = np.random.default_rng(1)
    words = [f"{a}{b}" for a in ("ba", "ke", "lo", "mi", "nu") for b in ("ra", "so", "ti", "ve")]
    return [" ".join(rng.choice(words, 6, replace=False)) for _ in range(60)]


@pytest.fixture(scope="module")
def expected(texts):
    """Each text expects the two that share most words with it."""
    sets = [set(text.split()) for text in texts]
    found = {}
    for row, own in enumerate(sets):
        shared = [len(own & other) if at != row else -1 for at, other in enumerate(sets)]
        found[str(row)] = {str(at): 1 for at in np.argsort(shared)[::-1][:2]}
    return found


@pytest.fixture(scope="module")
def stays(texts, expected, tmp_path_factory):
    return ed.decide(texts, ["lsa:19", "toy:2"], expected=expected, current="lsa:19", at=0.5, prices=[0.02],
                     out=tmp_path_factory.mktemp("runs") / "run", **MADE)  # fmt: skip


def test_a_model_that_is_worse_is_out(stays):
    found = stays.decision
    assert (found.verdict, found.model, found.out, found.left) == ("stay", "lsa:19", ("toy:2",), ("lsa:19",))
    one = found.rulings[0]
    assert one.low > 0.02
    assert found.sentence.startswith(f"Stay with lsa:19: with toy:2 ndcg@10 drops by {one.value:.3f} (95 %")
    assert {each.evidence for each in found.reasons} >= {"changed", "cutoffs", "costs"}
    assert found.actions == ()


def test_what_changes_is_counted_from_the_lists(stays):
    change = stays.decision.changes[0]
    lists = [answer.returned.rows for answer in stays.comparison.run.answers]
    kept = [len(set(a) & set(b)) for a, b in zip(*lists, strict=True)]
    assert (change.n, change.k) == (60, 10)
    assert change.any == sum(each < 10 for each in kept)
    assert change.first >= int(np.count_nonzero(lists[0][:, 0] != lists[1][:, 0])) - 3  # tied rows aside
    falls = [each.before - each.after for each in change.worst]
    assert falls == sorted(falls, reverse=True)
    assert min(falls) > 0
    values = {
        each.models[0]: dict(zip(stays.comparison.run.queries.ids, each.per_query, strict=True))
        for each in stays.comparison.scores
        if each.measure == "ndcg@10"
    }
    assert max(values["lsa:19"][name] - values["toy:2"][name] for name in values["toy:2"]) == pytest.approx(falls[0])


def test_a_model_that_is_no_worse_may_be_had(texts, expected):
    found = ed.decide(texts, ["toy:4", "lsa:19"], expected=expected, current="toy:4", at=0.9, **MADE).decision
    assert (found.verdict, found.model) == ("switch", "lsa:19")
    assert found.rulings[0].high < 0.02
    assert [each.sentence.split()[0] for each in found.actions] == ["Encode", "Set"]  # old vectors cannot be kept
    assert found.changes[0].mapped.outcome == "fail"
    assert any(each.sentence.startswith("The old vectors cannot be kept") for each in found.reasons)
    cut = next(each for each in found.reasons if each.evidence == "cutoffs")
    value = float(cut.sentence.split("becomes ")[1].split()[0])
    assert f"Set the cut-off to {value:.3f}." == found.actions[1].sentence


def test_without_a_model_in_use_the_others_are_out_or_open(texts, expected):
    found = ed.decide(texts, ["toy:2", "lsa:19", "toy:3"], expected=expected, **MADE).decision
    assert (found.verdict, found.model) == ("take", "lsa:19")
    assert set(found.out) == {"toy:2", "toy:3"}
    assert all(each.models[0] in found.out for each in found.rulings if each.outcome == "fail")
    assert all(each.value >= 0 for each in found.rulings)


def test_few_questions_leave_it_open_and_say_how_many_more(texts, expected):
    few = {name: expected[name] for name in list(expected)[:12]}
    found = ed.decide(texts, ["toy:24", "toy:32"], expected=few, current="toy:24", **MADE).decision
    assert (found.verdict, found.model) == ("undecided", None)
    assert "cannot be told" in found.sentence
    assert [each.command and each.command.split(" --")[0] for each in found.actions] == [None, "embdiff judge RUN"]
    one = found.rulings[0]
    assert one.expected is None or f"about {one.expected - 12:,} judged questions" in found.actions[0].sentence


def test_without_labels_nothing_is_better(texts, tmp_path):
    made = {**MADE, "out": tmp_path / "run"}
    found = ed.decide(texts, ["toy:64", "again=toy:64", "lsa:3"], current="toy:64", **made).decision
    assert (found.verdict, found.model, found.out) == ("same", "again", ())
    assert found.sentence.startswith(
        "again and toy:64 are the same for these data: overlap@10 is 0.9"
    )  # of tied rows some are out
    assert any("are not the same" in each.sentence for each in found.reasons)
    found = ed.decide(texts, ["toy:64", "lsa:3"], current="toy:64", **made).decision
    assert found.verdict == "undecided"
    assert "nothing says which is better" in found.sentence
    judge = found.actions[0]
    lists = [answer.returned.rows[:, :5] for answer in ed.load(tmp_path / "run").run.answers]
    pool = np.mean([len(set(a) | set(b)) for a, b in zip(*lists, strict=True)])
    assert f"Judge 20 questions, about {round(20 * pool)} results" in judge.sentence
    assert judge.command == f"embdiff judge {tmp_path / 'run'} --order random"
    assert found.actions[1].command == f"{judge.command} --queries 60 --judge openai:MODEL --dry-run"


def test_groups_are_said_to_be_weak_labels():
    found = ed.decide("sample", ["toy:64", "toy:4"], **MADE).decision
    assert found.basis == "groups"
    assert found.rulings[0].rule == "same_group@10 drop > 0.02"
    assert "weak labels" in found.paragraph


def test_a_decision_is_kept_with_its_run_and_shown_on_its_page(stays):
    again = ed.load(stays.comparison.path)
    assert again.run.decision == stays.decision
    assert again.to_dict(0)["decision"]["verdict"] == "stay"
    assert stays.decision.sentence.split(":")[0] in repr(again)
    assert json.loads((stays.comparison.path / "headline.json").read_text())["decision"]["verdict"] == "stay"


def test_a_run_folder_is_decided_by_its_lists(stays):
    found = ed.decide(stays.comparison.path, current="lsa:19", at=0.5, prices=[0.02])
    assert found.decision == stays.decision


def test_one_screen_whatever_the_form(embdiff, stays):
    place = str(stays.comparison.path)
    done = embdiff("decide", place, "--current", "lsa:19", "--at", "0.5")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert stays.decision.sentence.split(":")[0] in done.out
    told = json.loads(embdiff("decide", place, "--current", "lsa:19", "--json").out)
    assert {"verdict", "reasons", "actions", "paragraph"} <= told.keys()
    assert told["paragraph"].startswith(told["sentence"])
    assert embdiff("decide", place, "--current", "lsa:19", "--markdown").out.startswith("### lsa:19, toy:2 on list")
    assert "Stay with lsa:19" in repr(stays)
    assert "<strong>Stay with lsa:19" in stays._repr_html_()


def test_the_table_of_rules_is_printed_and_read_again(embdiff, tmp_path, stays):
    done = embdiff("decide", "--rules")
    assert done.code == 0
    (tmp_path / "mine.toml").write_text(done.out.replace("ndcg drop > 0.02", "ndcg drop > 0.9"), encoding="utf-8")
    found = embdiff("decide", str(stays.comparison.path), "--current", "lsa:19", "--rules-from", "mine.toml", "--json")
    assert json.loads(found.out)["verdict"] == "switch"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("error = 0.05", "must have out-if"),
        (TABLE.format(error="2.0", judgements="ndcg drop > 0.1"), "a number from 0.001 to 0.2"),
        (TABLE.format(error="true", judgements="ndcg drop > 0.1"), "a number from 0.001 to 0.2"),
        (TABLE.format(error="0.05", judgements="ndcg < 0.1"), "must limit the drop of a labelled measure"),
        (TABLE.format(error="0.05", judgements="ndcg drop > 1.1"), "must lie between 0 and 1"),
        (TABLE.format(error="0.05", judgements="nddcg drop > 0.1"), "Did you mean"),
        (TABLE.format(error="0.05", judgements="ndcg drop > 0.1").replace("[groups]", "[group]"), "Did you mean"),
        ("error = ", "must be a UTF-8 TOML file"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, text, said):
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises((ParameterError, UnknownNameError, DataError), match=said) as refused:
        ed.decide("sample", ["toy:8", "toy:4"], rules=tmp_path / "mine.toml")
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"models": ["toy:8"]}, "takes two models"),
        ({"current": "toy:9"}, "Did you mean 'toy:8'"),
        ({"at": 0.7}, "no --current"),
        ({"at": 1.7, "current": "toy:8"}, "between -1 and 1"),
        ({"prices": ["toy:9=1"]}, "A price must be written"),
        ({"query_models": "all", "models": ["toy:8", "other=toy:8"]}, "its own collection"),
    ],
)
def test_what_cannot_be_decided_is_refused_before_anything_is_encoded(given, said, monkeypatch):
    monkeypatch.setattr("embdiff.deciding.line.walk", lambda *_, **__: pytest.fail("it was compared"))
    with pytest.raises((ParameterError, UnknownNameError), match=said):
        ed.decide("sample", given.pop("models", ["toy:8", "toy:4"]), **given)


def found_among(rows, asking, k):
    """The k nearest rows of each, itself left out."""
    rows, asking = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (rows, asking))
    close = asking @ rows.T
    np.fill_diagonal(close, -2)
    return np.argsort(-close, axis=1)[:, :k]


def test_old_vectors_that_a_map_leads_over_can_be_kept(tmp_path):
    """A second model that is the first, turned: by a map all of its neighbours are found; by noise none."""
    rng = np.random.default_rng(3)
    texts = [f"text {row}" for row in range(600)]
    old = rng.standard_normal((600, 12)).astype(np.float32)
    turned = old @ np.linalg.qr(rng.standard_normal((12, 12)))[0].astype(np.float32)
    near = turned + 0.4 * rng.standard_normal(turned.shape).astype(np.float32)
    noise = rng.standard_normal((600, 12)).astype(np.float32)
    for name, vectors in (("old", old), ("turned", turned), ("near", near), ("noise", noise), ("same", old)):
        np.save(tmp_path / f"{name}.npy", vectors)

    def decided(name):
        models = [f"old=vectors:{tmp_path / 'old.npy'}", f"{name}=vectors:{tmp_path / name}.npy"]
        return ed.decide(texts, models, current="old", baseline=False, **MADE).decision

    found = decided("turned").changes[0].mapped
    assert (found.outcome, found.models, found.fitted) == ("pass", ("old", "turned"), 600)
    assert (found.shared, found.low > 0.99) == (1.0, True)
    found = decided("noise").changes[0].mapped
    assert found.outcome == "fail"
    assert found.low < 9 / 599 + 0.01
    found = decided("same").changes[0].mapped  # in one space no map is needed
    assert (found.outcome, found.fitted, found.rulings[0].models[0]) == ("pass", 0, "old as it is")
    found = decided("near").changes[0].mapped
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (old, near)]
    turn = np.linalg.lstsq(unit[0] - unit[0].mean(0), unit[1] - unit[1].mean(0), rcond=None)[0]  # of so many rows near
    led = (unit[0] - unit[0].mean(0)) @ turn + unit[1].mean(0)
    pairs = zip(found_among(near, near, 10), found_among(led, near, 10), strict=True)
    theirs = np.mean([len(set(a) & set(b)) / 10 for a, b in pairs])
    assert found.shared == pytest.approx(theirs, abs=0.02)
    assert found.low < found.shared < found.high


def test_a_map_is_held_to_the_rules_and_offered_with_its_command(texts, expected, tmp_path, embdiff):
    """Measured with the run; of the folder it is held to other rules; a run that was not decided is offered a look."""
    made = {**MADE, "expected": expected}
    found = ed.decide(texts, ["toy:32", "new=toy:64"], current="toy:32", out=tmp_path / "run", **made)
    mapped = found.decision.changes[0].mapped
    one = mapped.rulings[0]
    assert (one.rule, one.models) == ("ndcg@10 drop > 0.02", ("toy:32 mapped", "new"))
    loose = tmp_path / "loose.toml"
    loose.write_text(TABLE.format(error="0.05", judgements="ndcg drop > 0.9"), encoding="utf-8")
    again = ed.decide(tmp_path / "run", current="toy:32", rules=loose).decision
    assert again.verdict == "switch"
    assert again.changes[0].mapped.outcome == "pass"
    assert again.changes[0].mapped.rulings[0].value == one.value
    assert again.actions[1].command == "embdiff adapt STORE --from toy:32 --to toy:64"
    other = tmp_path / "other.toml"
    other.write_text(TABLE.format(error="0.05", judgements="recall drop > 0.9"), encoding="utf-8")
    assert ed.decide(tmp_path / "run", current="toy:32", rules=other).decision.changes[0].mapped is None
    ed.compare(texts, ["toy:32", "new=toy:64"], out=tmp_path / "plain", **made)
    plain = ed.decide(tmp_path / "plain", current="toy:32", rules=loose).decision
    assert plain.actions[1].command == "embdiff adapt STORE --from toy:32 --to toy:64 --dry-run"


def test_a_map_is_not_offered_for_models_that_learn_from_the_corpus(texts, expected, tmp_path):
    """`embdiff adapt` could not encode a sample with them."""
    loose = tmp_path / "loose.toml"
    loose.write_text(TABLE.format(error="0.05", judgements="ndcg drop > 0.9"), encoding="utf-8")
    made = {**MADE, "expected": expected, "rules": loose}
    for current, model, offered in (("lsa:9", "toy:64", False), ("toy:32", "toy:64", True)):
        found = ed.decide(texts, [current, model], current=current, **made).decision
        assert found.changes[0].mapped.outcome == "pass"
        assert any("embdiff adapt" in (each.command or "") for each in found.actions) == offered


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """An index that looks into one list of eight loses neighbours: that is why, and it counts."""
    place = tmp_path_factory.mktemp("explained")
    return ed.decide("sample", ["toy:64", "toy:16"], current="toy:64", index="ivf_flat(nlist=8,nprobe=1)",
                     store=f"milvus:{place / 'a.db'}", layout="none", out=place / "run")  # fmt: skip


def test_likely_causes_of_the_change_are_cited_with_their_shares(explained):
    why = explained.comparison.run.why[0]
    told = [each for each in explained.decision.reasons if each.evidence == "why"]
    assert [cause.name for cause in why.counted] == ["index"]
    share = why.counted[0].found
    assert f"index {100 * share.share:.0f} % [{100 * share.low:.0f} %, {100 * share.high:.0f} %]" in told[0].sentence
    without = ed.decide("sample", ["toy:64", "toy:16"], current="toy:64", **MADE)
    assert not any(each.counted for each in without.comparison.run.why)
    assert not any(each.evidence == "why" for each in without.decision.reasons)


@pytest.mark.browser
@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
@pytest.mark.parametrize("which", ["stays", "explained"])
def test_every_sentence_leads_to_its_evidence(browser, which, request):
    found = request.getfixturevalue(which)
    page = browser.new_page(viewport={"width": 1366, "height": 768}, offline=True)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto((found.comparison.path / "report.html").as_uri())
    page.wait_for_selector("[data-mounted]")
    section = page.locator("section.decision")
    assert section.locator("h2").inner_text().startswith(found.decision.sentence.split(":")[0])
    links = section.locator(".to-evidence").all()
    assert len(links) == 1 + len(found.decision.reasons)
    if which == "explained":
        assert {"why", "mapped", "index"} <= {each.evidence for each in found.decision.reasons}
    for link in links:
        link.click()
        assert f"#{page.evaluate('document.activeElement.id')}" == link.get_attribute("href")
        assert page.evaluate("document.activeElement.getBoundingClientRect().height") > 0
    assert page.evaluate("location.hash") == ""
    assert wrong == []


def shown(ours, end=None, within=60):
    """Return what a terminal shows until it ends so, nobody writes any more, or the time is over."""
    told, over = "", time.monotonic() + within
    with suppress(OSError):  # Linux says so when the other end is closed
        while not (end and told.endswith(end)) and select.select([ours], [], [], max(0, over - time.monotonic()))[0]:
            if not (more := os.read(ours, 4096).decode()):
                break
            told += more
    return told


def pressed(ours, key):
    """Press a key until it is answered: one that comes before single keys are read is lost, as it was typed too early."""
    for _ in range(20):
        os.write(ours, key)
        if "\n" in (told := shown(ours, "\n", within=2)):
            return told
    pytest.fail("no key was taken")


@pytest.mark.slow
@pytest.mark.parametrize("key", ["j", "x"])
def test_at_a_terminal_one_key_begins_to_judge(sentences, key):
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    ours, theirs = pty.openpty()
    command = ("decide", str(sentences), "-m", "toy:64", "-m", "toy:8", "-k", "2", *FLAGS, "--out", "run")
    words = [sys.executable, "-m", "embdiff", *command]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL) as done:
        os.close(theirs)
        try:
            assert "embdiff judge run --order random" in shown(ours, "j to judge now, any other key to end > ")
            told = pressed(ours, key.encode())
            if key == "j":
                asks = "? help > "
                assert "Query 1 of 8" in (told if told.endswith(asks) else told + shown(ours, asks))
                os.write(ours, b"y\n")
                shown(ours, asks)
                os.write(ours, b"q\n")
                assert "1 document judged (1 relevant)" in shown(ours)
            shown(ours)
            assert done.wait(60) == 0
        finally:
            done.kill()
            os.close(ours)
    assert Path("run.qrels").exists() == (key == "j")
