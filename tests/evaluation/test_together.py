"""Would using both help: values by hand, the test that allows for the choice of the higher one, what is shown."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import embdiff
from embdiff.evaluation import report
from embdiff.evaluation.together import together
from embdiff.measures.judged import Judged, grade
from embdiff.measures.paired import paired_test
from embdiff.measures.places import fused_rows
from embdiff.measures.ranking import ndcg
from embdiff.views.table import plain_text


def everything(result) -> str:
    return plain_text(result.drawn(everything=True), width=100)


def halves(queries: int, seed: int = 0):
    """Two models of 400 documents: of the four relevant ones, each finds two near the top, the others at the end."""
    rng = np.random.default_rng(seed)
    a, b = (np.empty((queries, 400), dtype=np.int64) for _ in range(2))
    for q in range(queries):
        for table, good in ((a, [0, 1]), (b, [2, 3])):
            rest = rng.permutation(np.arange(4, 400))
            table[q] = [*rest[:2], *good, *rest[2:], *({0, 1, 2, 3} - set(good))]
    judged = Judged.from_qrels(
        {str(q): {str(d): 1 for d in range(4)} for q in range(queries)},
        [str(q) for q in range(queries)],
        {str(d): d for d in range(400)},
    )
    return {"a": a, "b": b}, judged


def test_values_by_hand_where_each_finds_a_half():
    lists, judged = halves(60)
    gains = together(lists, judged, np.arange(400), documents=400, seed=0)
    assert [(gain.way, gain.measure) for gain in gains] == [
        ("fusion", "ndcg@10"),
        ("fusion", "recall@100"),
        ("union", "recall@100"),
    ]
    union = gains[2]
    assert union.value == 1.0
    assert union.alone == (0.5, 0.5)
    assert union.compared == (0.5, 0.5)  # the other half comes last: reading on to as many does not find it
    assert 150 < union.documents < 200
    assert union.difference == 0.5
    assert union.answer == "helps"
    assert union.chance == pytest.approx(1 - 0.75**2)
    fusion = gains[1]
    assert fusion.value == 1.0
    assert (fusion.higher, fusion.difference, fusion.n) == ("a", 0.5, 60)
    assert fusion.chance == pytest.approx(0.25)
    merged = grade(fused_rows(lists["a"], lists["b"], np.arange(400)), judged)
    assert gains[0].value == pytest.approx(float(ndcg(merged, 10).mean()))


def test_the_same_model_twice_gains_nothing():
    lists, judged = halves(20)
    for gain in together({"a": lists["a"], "b": lists["a"]}, judged, np.arange(400), documents=400, seed=0):
        assert gain.difference == 0.0
        assert gain.answer == "not shown"
        assert gain.p == 1.0
        assert gain.documents in (None, 100.0)
        assert json.dumps(gain.to_dict(), allow_nan=False)


def test_p_of_a_gain_is_the_larger_of_both_tests_and_of_a_loss_twice_the_better():
    rng = np.random.default_rng(3)
    judged = Judged.from_qrels(
        {str(q): {"0": 1} for q in range(40)}, [str(q) for q in range(40)], {str(d): d for d in range(300)}
    )
    good = np.stack([np.concatenate([[0], 1 + rng.permutation(299)]) for _ in range(40)])
    bad = np.stack([rng.permutation(300) for _ in range(40)])
    fusion = together({"good": good, "bad": bad}, judged, np.arange(300), documents=300, seed=0)[0]
    values = {name: ndcg(grade(rows, judged), 10) for name, rows in (("good", good), ("bad", bad))}
    merged = ndcg(grade(fused_rows(good, bad, np.arange(300)), judged), 10)
    assert fusion.higher == "good"
    assert fusion.difference < 0
    assert fusion.answer == "hurts"
    against = paired_test(merged, values["good"], ("both", "good"), measure="ndcg@10", seed=0)
    assert fusion.p == min(1.0, 2 * against.p)
    lists, halves_judged = halves(12)
    gain = together(lists, halves_judged, np.arange(400), documents=400, seed=0)[1]
    assert gain.p == pytest.approx(2 / 2**12)


def test_choosing_the_better_one_makes_no_gain():
    """Fusion of a model with itself shifted by noise: under no gain at all, helps is said in at most 5 % (of 400)."""
    rng = np.random.default_rng(4)
    from embdiff.evaluation.together import _p

    said = 0
    for _ in range(400):
        both, one, two = rng.normal(size=(3, 30))
        tests = [
            paired_test(both, single, ("x", "y"), measure="ndcg@10", seed=0, permutations=199) for single in (one, two)
        ]
        higher = tests[0] if one.mean() >= two.mean() else tests[1]
        said += higher.difference > 0 and _p(tests, higher) < 0.05
    assert said <= 0.05 * 400


def test_evaluate_shows_and_keeps_it(beir, command, tmp_path):
    code, out, _ = command(
        "evaluate", str(beir), "-m", "toy:64", "-m", "toy:16", "--all", "--out", str(tmp_path / "out")
    )
    assert code == 0
    assert "Would using both help? ndcg@10 of the merged lists, n = 2" in out
    assert "recall@100 of all that is among the first 100 of either list" in out
    assert "The higher one is chosen by the same queries" in out
    result = embdiff.evaluate(beir, ["toy:64", "toy:16"])
    frame = result.together_frame()
    assert len(frame) == 3 * 3
    assert frame[frame.way == "fusion"].measure.unique().tolist() == ["ndcg@10", "recall@100"]
    saved = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert saved["together"] == result.to_dict()["together"]
    assert saved["together"][0]["models"] == ["bm25", "toy:64"]
    alone = embdiff.evaluate(beir, ["toy:64"], baseline=False)
    assert alone.to_dict()["together"] == []
    assert alone.together_frame().empty
    assert "Would using both help" not in everything(alone)


def test_runs_are_taken_together_too(beir, tmp_path):
    embdiff.evaluate(beir, ["toy:64"], out=tmp_path / "out")
    files = sorted((tmp_path / "out" / "runs").iterdir())
    result = embdiff.evaluate(beir, ["toy:16"], runs=files)
    pairs = {gain.models for gain in result.outcome.together}
    assert pairs == {("bm25", "toy:16"), ("bm25", "run:02-toy_64.run"), ("toy:16", "run:02-toy_64.run")}
    # Two documents in each list: cut, as far as anyone can tell.
    assert any("lists of run:01-bm25.run are cut at fewer than 6" in note for note in result.outcome.notes)


def test_what_would_be_seen_is_said_only_where_it_is_known(beir):
    (beir / "qrels" / "one.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    result = embdiff.evaluate(beir, ["toy:64", "toy:16"], qrels="one")
    assert {gain["detectable"] for gain in result.to_dict()["together"]} == {None}
    words = " ".join(everything(result).split())
    assert "from these queries nothing is known of what would be seen" in words
    assert "one of 0.000" not in words
    first, *others = result.outcome.together
    seen = replace(result.outcome, together=(replace(first, detectable=0.125), *others))
    shown = plain_text(report.parts(seen, result.differences, "given", result.headline), width=200)
    assert "with this many queries one of 0.125 would usually" in " ".join(shown.split())
