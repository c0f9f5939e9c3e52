"""trec_eval decides: its own fixtures to their four decimals, pytrec_eval, ranx and ir_measures on random runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from embdiff.corpus.trec import read_qrels, read_run
from embdiff.measures import ranking
from embdiff.measures.judged import Graded
from trec_runs import grade_run

WHOLE = {"map": ranking.average_precision, "recip_rank": ranking.reciprocal_rank, "ndcg": ranking.ndcg}
CUT = {"P": ranking.precision, "recall": ranking.recall, "ndcg_cut": ranking.ndcg, "success": ranking.hit}


def values(name: str, graded: Graded) -> np.ndarray | None:
    """Return our values for one of trec_eval's names; None for a measure that we do not have."""
    if name in WHOLE:
        return WHOLE[name](graded)
    match = re.fullmatch(r"(P|recall|ndcg_cut|success)_(\d+)", name)
    return CUT[match[1]](graded, int(match[2])) if match else None


@pytest.mark.parametrize(
    ("output", "qrels", "results", "level", "depth", "fewest"),
    [
        ("out.test", "qrels.test", "results.test", 1, None, 11),
        ("out.test.a", "qrels.test", "results.test", 1, None, 30),
        ("out.test.aq", "qrels.test", "results.test", 1, None, 130),
        ("out.test.aqc", "qrels.test", "results.trunc", 1, None, 100),
        ("out.test.aqcM", "qrels.test", "results.trunc", 1, 100, 100),
        ("out.test.aql", "qrels.rel_level", "results.test", 2, None, 130),
        ("out.test.meas_params", "qrels.test", "results.test", 1, None, 40),
    ],
)
def test_fixtures_of_trec_eval(shared_data: Path, output, qrels, results, level, depth, fewest):
    folder = shared_data / "trec-eval-fixtures"
    judged, run = read_qrels(folder / qrels), read_run(folder / results)
    names, graded = grade_run(run, judged.judgements, level=level)
    if depth:
        graded = Graded(graded.grades[:, :depth], graded.judged, level)
    checked = 0
    for line in (folder / output).read_text().splitlines():
        name, topic, printed = line.split()
        mine = values(name, graded)
        if mine is not None and (topic == "all" or topic in names):
            number = mine.mean() if topic == "all" else mine[names.index(topic)]
            assert number == pytest.approx(float(printed), abs=5.0001e-5), line
            checked += 1
    assert checked >= fewest


def test_remarks_in_qrels_are_passed_over(shared_data: Path):
    folder = shared_data / "trec-eval-fixtures"
    plain, remarks = (read_qrels(folder / name) for name in ("qrels.test", "qrels.test.with-comments"))
    # The file differs in one document's name, which holds the sign of a remark.
    renamed = {
        ("CR93E-1860" if name == "CR#93E-1860" else name): grade for name, grade in remarks.judgements["301"].items()
    }
    assert {**remarks.judgements, "301": renamed} == plain.judgements


def random_run(seed: int, *, ties: bool) -> tuple[dict, dict]:
    """Return judgements and a run: graded, some queries missing in the run, some judged with nothing relevant."""
    rng = np.random.default_rng(seed)
    names = [f"d{number}" for number in range(300)]
    judgements, run = {}, {}
    for query in range(40):
        picked = rng.choice(300, size=rng.integers(1, 30), replace=False)
        grades = rng.integers(0, 4, len(picked)) if query % 7 else np.zeros(len(picked), dtype=int)
        judgements[f"q{query}"] = {names[d]: int(g) for d, g in zip(picked, grades, strict=True)}
        if query % 11:
            found = rng.choice(300, size=rng.integers(1, 150), replace=False)
            scores = rng.integers(0, 10, len(found)) if ties else rng.permutation(len(found)) + rng.random()
            run[f"q{query}"] = {names[d]: float(s) for d, s in zip(found, scores, strict=True)}
    return judgements, run


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_pytrec_eval(seed: int, ties: bool):
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="the reference is a test dependency")
    judgements, run = random_run(seed, ties=ties)
    names, graded = grade_run(run, judgements)
    wanted = {"map", "recip_rank", "ndcg", "ndcg_cut.5,10,100", "P.5,10,100", "recall.5,10,100", "success.1,5,10"}
    theirs = pytrec_eval.RelevanceEvaluator(judgements, wanted).evaluate(run)
    checked = 0
    for row, name in enumerate(names):
        for measure, number in theirs.get(name, {}).items():
            assert values(measure, graded)[row] == pytest.approx(number, abs=1e-5), (name, measure)
            checked += 1
    assert checked > 300
    missing = [row for row, name in enumerate(names) if name not in run]
    assert missing
    assert all((values(name, graded)[missing] == 0).all() for name in ("map", "ndcg_cut_10", "P_10"))


@pytest.mark.parametrize("seed", [3, 4])
def test_against_ranx_and_ir_measures(seed: int):
    judgements, run = random_run(seed, ties=False)
    _, graded = grade_run(run, judgements)
    mine = {
        "ndcg@10": ranking.ndcg(graded, 10), "map": ranking.average_precision(graded),
        "mrr@10": ranking.reciprocal_rank(graded, 10), "mrr": ranking.reciprocal_rank(graded),
        "recall@100": ranking.recall(graded, 100), "precision@10": ranking.precision(graded, 10),
        "hit_rate@10": ranking.hit(graded, 10),
    }  # fmt: skip
    ranx = pytest.importorskip("ranx", reason="the reference is a test dependency")
    theirs = ranx.evaluate(ranx.Qrels(judgements), ranx.Run(run), list(mine), make_comparable=True)
    assert {name: float(column.mean()) for name, column in mine.items()} == pytest.approx(theirs, abs=1e-6)
    ir = pytest.importorskip("ir_measures", reason="the reference is a test dependency")
    names = {
        "ndcg@10": "nDCG@10", "map": "AP", "mrr@10": "RR@10", "mrr": "RR", "recall@100": "R@100",
        "precision@10": "P@10", "hit_rate@10": "Success@10",
    }  # fmt: skip
    found = ir.calc_aggregate([ir.parse_measure(text) for text in names.values()], judgements, run)
    for own, text in names.items():
        assert mine[own].mean() == pytest.approx(found[ir.parse_measure(text)], abs=1e-6), text
