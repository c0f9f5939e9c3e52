"""Expected results as ordinary judgements, and what the models disagree about most."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.measures.paired import paired_test
from embdiff.measures.ranking import ndcg
from shown import everything
from trec_runs import grade_run

pytrec_eval = pytest.importorskip("pytrec_eval")
MODELS = ["toy:8", "toy:24"]


@pytest.fixture(scope="module")
def sample():
    return ed.read_corpus("sample")


@pytest.fixture(scope="module")
def same_group(sample):
    """Every third query expects the rows of its group, the first of them with grade 2."""
    found = {}
    for query, group in list(zip(sample.ids, sample.groups, strict=True))[::3]:
        others = [name for name, own in zip(sample.ids, sample.groups, strict=True) if own == group and name != query]
        found[query] = {name: 2 if name == others[0] else 1 for name in others}
    return found


@pytest.fixture(scope="module")
def judged(same_group, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return ed.compare("sample", MODELS, k=5, expected=same_group, out=folder, baseline=True)


def run_of(answer, ids, queries, k=5):
    return {
        query: {ids[row]: float(value) for row, value in zip(rows[:k], values, strict=False) if row >= 0}
        for query, rows, values in zip(queries, answer.returned.rows, answer.returned.similarity, strict=True)
    }


def test_the_values_are_those_of_trec_eval(judged, sample, same_group):
    names = {
        "ndcg@5": "ndcg_cut_5",
        "recall@5": "recall_5",
        "precision@5": "P_5",
        "hit@5": "success_5",
        "mrr@5": "recip_rank",
    }
    evaluator = pytrec_eval.RelevanceEvaluator(same_group, set(names.values()) | {"ndcg_cut", "recall", "P", "success"})
    for answer in (*judged.run.answers, *judged.run.beside):
        every = evaluator.evaluate(run_of(answer, sample.ids, sample.ids))
        for measure, theirs in names.items():
            score = next(s for s in judged.scores if (s.measure, s.models) == (measure, (answer.model,)))
            values = [every[query][theirs] if query in every else 0.0 for query in same_group]
            assert score.per_query == pytest.approx(values, abs=1e-6)
            assert score.n == len(same_group)
            assert score.low <= score.value <= score.high
            assert 0 < score.chance < 1


def test_expected_hit_stays_and_agrees_with_hit(judged):
    for model in MODELS:
        values = {s.measure: s for s in judged.scores if s.models == (model,)}
        assert values["expected_hit@5"].value == values["hit@5"].value
        assert values["expected_hit@5"].chance == pytest.approx(values["hit@5"].chance)


def test_models_are_tested_in_pairs(judged, embdiff):
    assert [each.measure for _, each in judged.run.differences] == [
        "ndcg@5",
        "mrr@5",
        "recall@5",
        "precision@5",
        "hit@5",
        "same_group@5",
        "same_group_reached@5",
    ]
    asks, first = judged.run.differences[0]
    assert asks is None
    assert [test.models for test in first.tests] == [("toy:8", "toy:24"), ("toy:8", "bm25"), ("toy:24", "bm25")]
    values = [next(s for s in judged.scores if (s.measure, s.models) == ("ndcg@5", (m,))).per_query for m in MODELS]
    alone = paired_test(*values, tuple(MODELS), measure="ndcg@5", seed=0)
    assert first.tests[0].p == alone.p
    assert first.tests[0].p_holm >= alone.p
    assert first.tests[0].detectable == alone.detectable > 0
    assert set(first.letters) == {*MODELS, "bm25"}
    assert ed.load(judged.path) == judged
    frame = judged.differences_frame()
    assert len(frame) == 7 * 3
    assert frame.p[0] == alone.p
    payload = judged.to_dict()
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload
    assert payload["differences"][0]["ties"]
    shown = " ".join(embdiff("show", "--all", str(judged.path)).out.split())
    assert "Expected results as judgements" in shown
    assert "models that share a letter cannot be told apart" in shown
    assert "Differences in ndcg@5, paired over queries" in shown


def test_as_evaluate_scores_the_same_lists(tmp_path, sample, same_group):
    """One judged collection, twice: `evaluate` on a BEIR folder and `compare` with the same judgements."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    texts = list(zip(sample.ids, sample.items, strict=True))
    lines = [json.dumps({"_id": name, "title": "", "text": text}) for name, text in texts]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    queries = [{"_id": f"q{name}", "text": text} for name, text in texts if name in same_group]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    rows = [f"q{query}\t{name}\t{g}" for query, grades in same_group.items() for name, g in grades.items()]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(rows) + "\n")
    theirs = ed.evaluate(folder, ["toy:24"])
    Path("asked.csv").write_text("id,text\n" + "\n".join(f'q{n},"{t}"' for n, t in texts if n in same_group))
    Path("qrels.txt").write_text("\n".join(f"q{q} 0 {n} {g}" for q, gs in same_group.items() for n, g in gs.items()))
    ours = ed.compare(
        "sample", ["toy:24"], queries="asked.csv", expected="qrels.txt", k=10, store="memory:", self_matches="keep"
    )
    for measure in ("ndcg@10", "mrr@10", "precision@10", "hit@10"):
        for model in ("toy:24", "bm25"):
            score = next(s for s in ours.scores if (s.measure, s.models) == (measure, (model,)))
            assert score.value == pytest.approx(theirs.score(measure, model).value, abs=1e-12)
            assert score.chance == pytest.approx(theirs.score(measure, model).chance, abs=1e-9) or measure != "hit@10"


def test_each_query_model_has_its_own_tests(same_group):
    models = ["toy:16", "toy:16?"]
    result = ed.compare(
        "sample",
        models,
        query_models=["toy:16"],
        expected=same_group,
        k=3,
        store="memory:",
        measures=["ndcg@2", "overlap", "map"],
    )
    assert {asks for asks, _ in result.run.differences} == {"toy:16"}
    assert [each.measure for _, each in result.run.differences] == [
        "ndcg@3", "mrr@3", "recall@3", "precision@3", "hit@3", "ndcg@2", "map", "same_group@3", "same_group_reached@3",
    ]  # fmt: skip
    assert "Expected results as judgements, asked with toy:16" in everything(result)
    ranked = run_of(result.run.answers[0], result.run.corpus.ids, result.run.corpus.ids, k=3)
    _, graded = grade_run({query: ranked[query] for query in same_group}, same_group)
    score = next(s for s in result.scores if s.measure == "ndcg@2" and s.models == ("toy:16",))
    assert score.per_query == pytest.approx(ndcg(graded, 2))


def test_the_same_model_again_stands_beside_the_differences(same_group, embdiff):
    index = "ivf_flat(nlist=8,nprobe=1)"
    result = ed.compare("sample", ["toy:8", "toy:24"], k=5, expected=same_group, out="run", index=index, baseline=False)
    changes = {(each["model"], each["how"]): each for each in result.to_dict()["changes"]}
    assert len(changes) == 6
    judged = [row for row, name in enumerate(result.run.queries.ids) if name in same_group]
    for answer in result.run.answers:
        lists = [
            {result.run.queries.ids[row]: {result.run.corpus.ids[found]: float(value)
             for found, value in zip(side.rows[row], side.similarity[row], strict=True) if found >= 0} for row in judged}
            for side in (answer.exact, answer.returned)
        ]  # fmt: skip
        exact_, returned = (ndcg(grade_run(run, same_group)[1], 5) for run in lists)
        lost = changes[answer.model, "index"]
        assert lost["measure"] == "ndcg@5"
        assert lost["n"] == len(judged)
        assert (lost["value"], lost["again"]) == (pytest.approx(exact_.mean()), pytest.approx(returned.mean()))
        assert lost["changed"] == np.count_nonzero(exact_ != returned)
        assert lost["low"] <= lost["difference"] <= lost["high"]
        assert changes[answer.model, "batch"]["difference"] == 0.0
    assert any(changes[model, "index"]["changed"] for model in ("toy:8", "toy:24"))
    assert ed.load("run") == result
    assert "The same model again: change of ndcg@5" in embdiff("show", "--all", "run").out


def test_own_rows_expected_and_left_out_are_said(sample):
    result = ed.compare(
        ["a b", "b c", "c d", "d e"], ["toy:8"], k=2, store="memory:", expected={"0": ["0", "1"], "2": ["3"]}
    )
    assert "1 expected results are the query itself, which is left out" in " ".join(everything(result).split())
    assert result.to_dict()["manifest"]["expected"] == {"own": 1, "absent": 0}
    value = next(s for s in result.scores if s.measure == "recall@2" and s.models == ("toy:8",))
    assert value.per_query[0] <= 0.5
    # Three rows can be returned, two are; of the two expected ones only one can be found.
    assert value.chance == pytest.approx((2 / 3 * 1 / 2 + 2 / 3) / 2)


def test_judged_documents_that_are_not_there_count_as_not_found(tmp_path):
    (tmp_path / "q.qrels").write_text("0 0 1 1\n0 0 gone 1\n2 0 lost 2\n")
    texts = ["a b", "b c", "c d", "d e"]
    result = ed.compare(texts, ["toy:8", "toy:16"], k=3, store="memory:", expected=tmp_path / "q.qrels")
    assert "2 judgements name documents that are not in the corpus" in " ".join(everything(result).split())
    value = next(s for s in result.scores if s.measure == "recall@3" and s.models == ("toy:8",))
    assert value.per_query == (0.5, 0.0)
    assert value.chance == pytest.approx(0.25)
    assert "expected pairs" in everything(result)


def test_chance_allows_for_queries_with_fewer_rows():
    texts = ["same", "same", "other", "else", "more", "rest"]
    result = ed.compare(
        texts,
        ["toy:8"],
        queries="first:3",
        k=2,
        store="memory:",
        self_matches="drop",
        expected={"0": ["2"], "2": ["3"]},
    )
    value = next(s for s in result.scores if s.measure == "recall@2" and s.models == ("toy:8",))
    assert value.chance == pytest.approx((2 / 4 + 2 / 5) / 2)  # two own rows of the first query, one of the third


def test_disagreement_frames(judged, sample):
    found = judged.disagreement()
    a, b = (answer.returned.rows for answer in judged.run.answers)
    lost = np.array([1 - len({*x} & {*y}) / 5 for x, y in zip(a, b, strict=True)])
    queries = found.queries
    assert list(queries.disagreement) == sorted(queries.disagreement, reverse=True)
    assert list(queries.overlap_disagreement) == pytest.approx(list(lost[queries.row]))
    assert sorted(queries.id) == sorted(sample.ids)
    counts = [np.bincount(rows.ravel(), minlength=len(sample)) for rows in (a, b)]
    items = found.items.set_index("id")
    row_of = {name: row for row, name in enumerate(sample.ids)}
    for name, line in items.iterrows():
        row = row_of[name]
        assert (line["toy:8"], line["toy:24"]) == (counts[0][row], counts[1][row])
        assert line.disagreement == pytest.approx(abs(int(counts[0][row]) - int(counts[1][row])) / len(sample))
    assert len(items) == np.count_nonzero(counts[0] + counts[1])
    assert list(items.disagreement) == sorted(items.disagreement, reverse=True)
    assert (items.only_one >= (items["toy:8"] - items["toy:24"]).abs()).all()


def test_disagreement_is_shown(judged, embdiff):
    shown = " ".join(embdiff("show", "--all", str(judged.path)).out.split())
    assert "Most disputed queries of 52" in shown
    assert "Rows that are returned most differently often" in shown
    payload = json.loads(embdiff("show", str(judged.path), "--json").out)["disagreement"]
    assert (len(payload["queries"]), payload["n"]) == (52, 52)
    assert payload["queries_by"] == "mean over the pairs of 1 - rbo(p=0.9)@5"
    assert payload["pairs"] == [{"models": MODELS, "query_models": MODELS}]
    assert 0.8 < payload["chance"] < 1
    assert [each["model"] for each in payload["items"][0]["returned"]] == MODELS
    few = judged.to_dict(queries=2)["disagreement"]
    assert few["queries"] == payload["queries"][:20]


def test_who_counts_in_a_disagreement():
    alone = ed.compare("sample", ["toy:8"], k=3, store="memory:", baseline=False)
    assert alone.to_dict()["disagreement"] is None
    assert alone.disagreement().queries.empty
    assert alone.disagreement().items.empty
    beside = ed.compare("sample", ["toy:8"], k=3, store="memory:")
    assert [pair["models"] for pair in beside.to_dict()["disagreement"]["pairs"]] == [["toy:8", "bm25"]]
    named = ed.compare("sample", ["toy:8", "toy:24", "bm25"], k=3, store="memory:")
    assert len(named.to_dict()["disagreement"]["pairs"]) == 3
    crossed = ed.compare(
        "sample", ["toy:16", "toy:16?"], query_models=["toy:16"], queries="first:4", k=3, store="memory:"
    )
    columns = list(crossed.disagreement().items.columns)
    assert columns[-2:] == ["toy:16 asked with toy:16", "toy:16? asked with toy:16"]


def test_no_side_is_taken_where_no_label_is_known():
    """Terminal, notebook and JSON of a comparison without expected results, read for words that prefer a model."""
    result = ed.compare("sample", ["toy:8", "toy:24"], k=4, out="run", index="ivf_flat(nlist=4,nprobe=1)", metric="l2")
    payload = result.to_dict()
    told = {key: value for key, value in payload.items() if key not in ("results", "disagreement", "manifest")}
    texts = everything(result) + repr(result.diff(0, baseline=True)) + result._repr_html_() + json.dumps(told)
    for item in result.run.corpus.items:  # what the user's own texts say is theirs
        texts = texts.replace(item, "")
    words = {word.strip('.,;:()[]"').lower() for word in texts.split()}
    assert not words & {"better", "worse", "best", "worst", "winner", "superior", "inferior", "outperforms", "beats"}
    assert "not which one to prefer" in " ".join(everything(result).split())
