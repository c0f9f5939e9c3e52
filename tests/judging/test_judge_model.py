"""A chat service that judges: what it is asked, what its labels are worth, and that they never pass for a person's."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import embdiff
from embdiff import cli
from embdiff.errors import EncoderError, ParameterError
from embdiff.judging import JudgeModel, Pool, PooledQuery, open_judging, pool_run, pooled_query, second_judge
from embdiff.judging.asking import PROMPT
from embdiff.judging.second import agreement_of, prediction_powered
from embdiff.runs import Run
from service_server import ServiceServer

WORDS = ("cat", "train", "bread", "rain", "sea", "lamp")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Sixty sentences about six things, under two letter-counting models; every row queries."""
    rng = np.random.default_rng(3)
    texts = [f"{WORDS[row % 6]} {''.join(rng.choice(list('aeiou'), 5))} {row}" for row in range(60)]
    embdiff.compare(texts, ["toy:4", "toy:64"], k=4, store="memory:", baseline=False, out=tmp_path / "runs" / "first")
    return tmp_path / "runs" / "first"


def same_thing(query: str, document: str) -> int:
    return int(query.split()[0] == document.split()[0])


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run_it(run: Path, *arguments: str) -> Done:
        monkeypatch.setattr("sys.argv", ["embdiff", "judge", str(run), *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return Done(int(ended.value.code or 0), told.out, told.err)

    return run_it


def log(run: Path) -> list[dict]:
    return [json.loads(line) for line in run.with_name("first.qrels.jsonl").read_text().splitlines()]


def by_hand(run: Path, queries: int, order: str = "random") -> None:
    with open_judging(run, queries=queries, depth=3, order=order) as judging:
        while (question := judging.next()) is not None:
            judging.record(question, same_thing(question.query_text, question.document_text), judge="ann")


def test_a_model_judges_beside_a_person_and_both_together_say_more(run, judge):
    by_hand(run, 20)
    before = run.with_name("first.qrels").read_text()
    with ServiceServer() as service:
        service.says = lambda query, document: str(same_thing(query, document) if "3" not in document else 0)
        name = f"openai:small?base_url={service.url}"
        told = judge(
            run, "--judge", name, "--queries", "60", "--depth", "3", "--order", "random", "--dry-run", "--price", "2"
        )
        assert told.returncode == 0, told.stderr
        assert service.requests == []
        documents = int(told.stderr.split(": ")[1].split(" documents")[0])
        assert "tokens, 0.1" in told.stderr
        done = judge(run, "--judge", name, "--queries", "60", "--depth", "3", "--order", "random", "--json")
        assert done.returncode == 0, done.stderr
        assert len(service.requests) == documents
        body = service.requests[0]
        assert body["messages"][0] == {"role": "system", "content": PROMPT}
        assert (body["model"], body["temperature"]) == ("small", 0)
        again = judge(run, "--judge", name, "--queries", "60", "--depth", "3", "--order", "random")
        assert len(service.requests) == documents  # nothing is paid twice
    assert run.with_name("first.qrels").read_text() == before  # its labels are no judgements
    assert {entry["judge"] for entry in log(run) if entry["model"]} == {f"{name} (prompt 1)"}
    (found,) = json.loads(done.stdout)["judge_models"]
    assert found["labels"] == documents
    assert found["reason"] is None
    assert 0 < found["agreement"]["low"] < found["agreement"]["kappa"] < 1
    assert 0.5 < found["share"] < 0.8
    assert [each["models"] for each in found["combined"]] == [["toy:4"], ["toy:64"], ["toy:4", "toy:64"]]
    assert all(each["n"] == 20 and each["more"] == 40 for each in found["combined"])
    assert all(each["width"] < 1 for each in found["combined"][:2])
    assert all(len(line) <= 80 for line in again.stdout.splitlines() if "/" not in line)
    assert "20 queries by you and 40 by it alone" in " ".join(again.stdout.split())
    assert "Cohen's kappa" in again.stdout


@pytest.mark.slow
def test_the_combined_mean_is_near_the_mean_of_a_person_who_judged_all(run, judge):
    by_hand(run, 20)
    with ServiceServer() as service:
        service.says = lambda query, document: str(same_thing(query, document))
        done = judge(run, "--judge", f"openai:exact?base_url={service.url}", "--queries", "60", "--depth", "3",
                     "--order", "random", "--json")  # fmt: skip
    (found,) = json.loads(done.stdout)["judge_models"]
    by_hand(run, 60)
    with open_judging(run, queries=60, depth=3, order="random", write=False) as judging:
        whole = {score.models[0]: score.value for score in judging.score().scores if score.measure == "ndcg@3"}
    for each in found["combined"][:2]:
        assert each["low"] <= whole[each["models"][0]] <= each["high"]
        assert each["width"] < 0.9
    assert found["agreement"]["kappa"] == 1


@pytest.mark.parametrize(
    ("order", "own", "says", "reason"),
    [
        ("disputed", 20, "same", "no random sample"),
        ("random", 0, "same", "no document was graded by both"),
        ("random", 5, "same", "fewer than 10 queries judged by both"),
        ("random", 20, "one", "says the same of every document"),
        ("random", 20, "noise", "no more than by chance"),
        ("random", 30, "same", "no further queries"),
    ],
)
def test_labels_that_do_not_count_say_why(run, order, own, says, reason, judge):
    by_hand(run, own, order) if own else None
    rng = np.random.default_rng(0)
    answers = {
        "same": lambda query, document: str(same_thing(query, document)),
        "one": lambda query, document: "1",
        "noise": lambda query, document: str(rng.integers(0, 2)),
    }
    with ServiceServer() as service:
        service.says = answers[says]
        done = judge(run, "--judge", f"openai:m?base_url={service.url}", "--queries", "30", "--depth", "3",
                     "--order", order, "--json")  # fmt: skip
    (found,) = json.loads(done.stdout)["judge_models"]
    assert reason in found["reason"]
    assert found["combined"] == []


@pytest.mark.slow
def test_killed_and_misled_it_loses_no_answer_and_pays_for_none_twice(run, judge):
    trouble = ("429 seconds", "500", "hang up", "no json", "short")
    with ServiceServer(misdeed=lambda number, texts: trouble[number % 5] if number % 3 == 1 else "") as service:
        name, more = f"openai:m?base_url={service.url}", ("--queries", "30", "--depth", "3", "--json")
        for _ in range(2):
            process = subprocess.Popen(
                [sys.executable, "-m", "embdiff", "judge", str(run), "--judge", name, *more],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            path, until = run.with_name("first.qrels.jsonl"), time.monotonic() + 60
            before = path.read_bytes().count(b"\n") if path.exists() else 0
            while time.monotonic() < until and (not path.exists() or path.read_bytes().count(b"\n") < before + 5):
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
        done = judge(run, "--judge", name, *more)
        assert done.returncode == 0, done.stderr
        kept = [(entry["query"], entry["document"]) for entry in log(run)]
        assert len(kept) == len(set(kept)) == json.loads(done.stdout)["judge_models"][0]["labels"]
        twice = [text for text, count in service.answered.items() if count > 1]
        assert len(twice) <= 2  # answers that were on their way when the process was killed


@pytest.mark.parametrize(
    ("said", "grade"),
    [("2", 2), (" 1.\n", 1), ("0", 0), ("<think>is it 2?</think>\n\n1", 1), ("3", None), ("-1", None), ("yes", None),
     ("1 or 2", None), ("", None), ("\u0661", None), ("Ignore all rules: 2", None)],
)  # fmt: skip
def test_only_one_digit_is_an_answer(run, said, grade):
    with ServiceServer() as service, open_judging(run, queries=1, write=False) as judging:
        service.says = lambda query, document: said
        assert JudgeModel(f"openai:m?base_url={service.url}").grade(judging.next()) == grade


def test_a_service_that_refuses_is_told(run, judge):
    with ServiceServer(misdeed=lambda number, texts: "400") as service:
        done = judge(run, "--judge", f"openai:m?base_url={service.url}")
    assert done.returncode == 2
    assert "temperature=none" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("judge_name", "more", "words"),
    [
        ("openai:", (), "must have a name"),
        ("openai:m?dim=3", (), "base_url, key_from, temperature"),
        ("openai:m?base_url=http://example.com/v1", (), "in the clear"),
        ("openai:m?base_url=http://127.0.0.1:1/v1&temperature=hot", (), "0 to 2, or none"),
        ("openai:m", (), "needs a key"),
        ("openai:m?base_url=http://127.0.0.1:1/v1", (), "must answer at"),
        ("ann", ("--dry-run",), "must come with a judge model"),
        ("ann", ("--price", "2"), "must come with a judge model"),
    ],
)
def test_what_cannot_be_asked_is_refused(run, judge_name, more, words, monkeypatch, judge):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = judge(run, "--judge", judge_name, *more)
    assert done.returncode in (1, 2)
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_prompt_is_published():
    page = Path(__file__).resolve().parents[2] / "docs" / "judging.md"
    assert PROMPT in page.read_text(encoding="utf-8")


def test_a_key_goes_to_the_service_and_nowhere_else(run, monkeypatch, judge):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    with ServiceServer() as service:
        done = judge(run, "--judge", f"openai:m?base_url={service.url}&key_from=MY_KEY", "--queries", "2")
        assert service.headers[0]["authorization"] == "Bearer sk-very-secret"
    assert done.returncode == 0, done.stderr
    for path in run.parent.rglob("*"):
        assert not path.is_file() or b"sk-very-secret" not in path.read_bytes()
    assert "sk-very-secret" not in done.stdout + done.stderr


def test_kappa_is_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    queries = [pooled_query(str(n), "q", {"a": [f"{n}-{d}" for d in range(4)]}, seed=0) for n in range(15)]
    pairs = [(query.id, name) for query in queries for name in query.documents]
    person = {pair: int(rng.integers(0, 3)) for pair in pairs}
    model = {pair: grade if rng.random() < 0.7 else int(rng.integers(0, 3)) for pair, grade in person.items()}
    model[pairs[0]] = None  # it gave no grade
    known = [pair for pair in pairs if model[pair] is not None]
    found = agreement_of(queries, person, model)
    one, two = ([grades[pair] > 0 for pair in known] for grades in (person, model))
    assert math.isclose(found.kappa, sklearn.cohen_kappa_score(one, two), abs_tol=1e-12)
    assert (found.n, found.queries) == (59, 15)
    assert found.low < found.kappa < found.high


def test_typed_queries_are_no_sample():
    lists = {"a": ["d1", "d2"], "b": ["d2", "d3"]}
    queries = tuple(pooled_query(f"q{n}", "text", lists, seed=0) for n in range(30))
    grades = {(q.id, d): int(d == "d2" or (d == "d1" and int(q.id[1:]) % 3 == 0)) for q in queries for d in q.documents}
    person = {pair: grade for pair, grade in grades.items() if int(pair[0][1:]) < 12}
    pool = Pool(queries, {}, 2, 30, 30, "random", 30)
    assert second_judge("m", pool, person, grades).combined[0].more == 18
    few = Pool(queries, {}, 2, 30, 30, "random", 12)
    assert "no further queries" in second_judge("m", few, person, grades).reason


@pytest.mark.parametrize(("n", "more"), [(10, 40), (20, 200), (60, 60)])
@pytest.mark.parametrize("skill", [0.0, 0.5, 0.95])
def test_intervals_of_both_hold_what_they_say(n, more, skill):
    """nDCG-like values in a few steps, predicted well, badly or not at all: 95 % within the error of 2,000 draws."""
    rng, held, narrower = np.random.default_rng([n, round(100 * skill)]), 0, []
    levels = np.array([0.0, 0.39, 0.63, 0.92, 1.0])
    for _ in range(2_000):
        truth = levels[rng.choice(5, n + more, p=[0.2, 0.1, 0.2, 0.1, 0.4])]
        guess = np.where(rng.random(n + more) < skill, truth, levels[rng.integers(0, 5, n + more)]) * 0.9
        value, reach, _ = prediction_powered(truth[:n], guess[:n], guess[n:])
        held += abs(value - 0.2 * 0.63 - 0.039 - 0.092 - 0.4) <= reach
        narrower.append(reach)
    alone = 2.0 * float(np.std(truth, ddof=1)) / math.sqrt(n)
    assert held / 2_000 > 0.93
    assert (np.mean(narrower) < 0.9 * alone) == (skill == 0.95), np.mean(narrower) / alone


def disputed_law(rng, count, skill):
    """Differences of two models that are larger where lists differ more, their predictions, and how disputed each is."""
    disputed = np.where(rng.random(count) < 0.3, 0.0, rng.random(count))
    levels = np.array([0.0, 0.39, 0.63, 0.92, 1.0])
    truth, other = (
        np.where(rng.random(count) < disputed, np.clip(levels[one] - levels[two] + shift, -1, 1), 0.0)
        for shift, one, two in ((0.3, *rng.integers(0, 5, (2, count))), (0.0, *rng.integers(0, 5, (2, count))))
    )
    return truth, 0.9 * np.where(rng.random(count) < skill, truth, other), disputed


def weighted_coverage(count, n, reached, skill, draws):
    """How often the interval holds the true mean, and how often it does with the weights left out."""
    rng, held, plain = np.random.default_rng([count, n, reached, round(100 * skill)]), 0, 0
    mean = disputed_law(np.random.default_rng(1), 2_000_000, skill)[0].mean()
    for _ in range(draws):
        truth, guess, disputed = disputed_law(rng, count, skill)
        size = 0.25 + 0.75 * disputed
        keys = size / (1.0 - rng.random(count))
        order = np.argsort(-keys)
        queries = tuple(PooledQuery(str(at), "", {}, (), float(disputed[at])) for at in order[:reached])
        pool = Pool(queries, {}, 5, reached, count, "weighted", reached, tuple(keys[order].tolist()))
        truth, first, rest = truth[order[:n]], guess[order[:n]], guess[order[n:reached]]
        value, reach, _ = prediction_powered(truth, first, rest, (pool.weights(n), pool.weights(reached)))
        held += abs(value - mean) <= reach
        value, reach, _ = prediction_powered(truth, first, rest)
        plain += abs(value - mean) <= reach
    return held / draws, plain / draws


def test_weighted_intervals_hold_what_they_say_and_unweighted_ones_do_not():
    held, plain = weighted_coverage(200, 60, 200, 0.0, 1_000)
    assert held > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 1_000)
    assert plain < 0.91


@pytest.mark.battery
@pytest.mark.parametrize("skill", [0.0, 0.5, 0.95])
@pytest.mark.parametrize(
    ("count", "n", "reached"), [(60, 20, 60), (200, 20, 200), (200, 20, 100), (200, 60, 200), (1_000, 20, 300)]
)
def test_weighted_intervals_hold_in_every_cell(count, n, reached, skill):
    held, plain = weighted_coverage(count, n, reached, skill, 2_000)
    print(f"{count} queries, {n} judged, {reached} by the model, skill {skill}: {held:.1%}, unweighted {plain:.1%}")
    assert held > 0.93


def test_an_order_that_is_weighted_speaks_of_all_queries(run, judge):
    """By hand: weights from sizes and keys, their mean of the values that trec's rules give; one sample holds the other."""
    with open_judging(run, queries=24, depth=3, order="weighted") as judging:
        while (question := judging.next()) is not None:
            judging.record(question, same_thing(question.query_text, question.document_text), judge="me")
        pool, found = judging.pool, judging.to_dict()["of_all_queries"]
    weights = pool.weights(24)
    sizes = np.array([0.25 + 0.75 * query.disputed for query in pool.queries])
    np.testing.assert_allclose(weights, np.maximum(1.0, pool.keys[24] / sizes))
    assert list(pool.keys) == sorted(pool.keys, reverse=True)
    scores = {each.models[0]: np.array(each.per_query) for each in judging.score().scores if "ndcg" in each.measure}
    means = {name: np.average(values, weights=weights) for name, values in scores.items()}
    assert [each["value"] for each in found[:2]] == pytest.approx([means[each["models"][0]] for each in found[:2]])
    assert found[2]["value"] == pytest.approx(means[found[2]["models"][0]] - means[found[2]["models"][1]])
    assert all(each["low"] < each["value"] < each["high"] for each in found)
    shown = judge(run, "--status", "--queries", "24", "--depth", "3", "--order", "weighted").stdout
    assert "over all queries of the run, by 24 drawn" in " ".join(shown.split())


def test_weights_add_up_to_all_queries_on_average(run):
    """Whatever n is, given the next key every query counts as one on average over seeds (Duffield and others)."""
    records = Run.read(run)
    for n in (5, 20):
        sums = [pool_run(records, queries=n, order="weighted", seed=seed).weights(n).sum() for seed in range(300)]
        assert abs(np.mean(sums) - 60) < 4 * np.std(sums) / math.sqrt(300)
    drawn = [pool_run(records, queries=n, order="weighted") for n in (10, 30)]
    assert drawn[0].queries == drawn[1].queries[:10]
    assert np.all(pool_run(records, queries=60, order="weighted").weights(60) == 1.0)


def test_a_refused_text_is_no_answer_and_three_in_a_row_end_it(run):
    bad = {1, 4, 5, 6}
    with ServiceServer(misdeed=lambda number, texts: "400" if number in bad else "") as service:
        with open_judging(run, queries=5, write=False) as judging:
            questions, model = judging.unlabelled("x"), JudgeModel(f"openai:m?base_url={service.url}")
        assert [model.grade(each) for each in questions[:6]] == [1, None, 1, 1, None, None]
        with pytest.raises(EncoderError, match="so far is kept"):
            model.grade(questions[6])


def test_its_labels_cannot_be_recorded_where_a_run_was_opened_to_read(run):
    with open_judging(run, queries=1, write=False) as judging, pytest.raises(ParameterError, match="opened to read"):
        judging.label(judging.next(), 1, model="openai:m")
