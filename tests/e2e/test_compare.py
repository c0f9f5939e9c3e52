"""The main job through the command line: files in, a run folder out, and the same again from the folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embdiff as ed
from milvus_server import TOKEN

COLUMNS = ["query_id", "query_model", "model", "rank", "id", "distance", "similarity", "self"]
SCORE_KEYS = {"measure", "models", "value", "low", "high", "chance", "n", "reason"}


@pytest.mark.floors
def test_every_row_queries_and_is_left_out(embdiff, tmp_path, sentences):
    done = embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "3", "--out", "run")
    assert done.code == 0, done.err
    assert "overlap@3" in done.out
    assert "embdiff show run --all" in done.out
    table = pd.read_parquet("run/neighbors.parquet")
    assert list(table.columns) == COLUMNS
    assert len(table) == 8 * 2 * 3
    assert not (table["query_id"] == table["id"]).any()
    assert set(table["rank"]) == {1, 2, 3}
    assert (table["query_model"] == table["model"]).all()


@pytest.mark.floors
def test_run_folder_holds_what_it_should(embdiff, tmp_path, sentences):
    embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "3", "--out", "run")
    assert {"run.toml", "manifest.json", "scores.json", "neighbors.parquet", "milvus.db"} <= {
        path.name for path in Path("run").iterdir()
    }
    scores = json.loads(Path("run/scores.json").read_text())
    assert all(score.keys() >= SCORE_KEYS for score in scores)
    overlap = next(score for score in scores if score["measure"] == "overlap@3")
    assert overlap["models"] == ["toy:8", "toy:16"]
    assert overlap["n"] == 8
    assert overlap["low"] <= overlap["value"] <= overlap["high"]
    assert overlap["chance"] == pytest.approx(3 / 7)
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert [model["stamp"]["dim"] for model in manifest["models"]] == [8, 16]
    assert manifest["store"] == "milvus:milvus.db"
    assert ".partial-" not in Path("run/manifest.json").read_text()


def test_loaded_run_is_equal_and_shows_the_same(embdiff, tmp_path, sentences):
    result = ed.compare(str(sentences), ["toy:8", "toy:16"], k=3, out="run")
    again = ed.load("run")
    assert again == result
    assert again.diff(0).to_dict() == result.diff(0).to_dict()
    shown = embdiff("show", "--all", "run")
    assert shown.code == 0
    assert "overlap@3" in shown.out
    other = ed.compare(str(sentences), ["toy:8", "toy:16"], k=2, out="other")
    assert other != result


def test_repeating_a_run_gives_the_same_neighbours(embdiff, sentences):
    assert (
        embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "3", "--out", "run").code == 0
    )
    assert embdiff("compare", "--all", "run/run.toml", "--out", "again").code == 0
    pd.testing.assert_frame_equal(pd.read_parquet("run/neighbors.parquet"), pd.read_parquet("again/neighbors.parquet"))
    assert Path("run/scores.json").read_text() == Path("again/scores.json").read_text()


def test_json_alone_on_stdout(embdiff, sentences):
    done = embdiff("compare", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "2", "--out", "run", "--json")
    payload = json.loads(done.out)
    assert payload["settings"]["k"] == 2
    assert len(payload["results"]) == 8
    shown = json.loads(embdiff("show", "run", "--json").out)
    assert shown == payload
    diff = json.loads(embdiff("diff", "run", "3", "--json").out)
    assert diff["query"]["id"] == "3"


def test_third_model_asks_both_collections(embdiff, sentences):
    options = ("-m", "toy:16?", "-m", "toy:16", "--query-model", "toy:16", "--queries", "first:2", "-k", "3")
    done = embdiff(
        "compare",
        "--all",
        str(sentences),
        *options,
        "--metric",
        "l2",
        "--index",
        "ivf_flat(nlist=4,nprobe=4)",
        "--out",
        "run",
    )
    assert done.code == 0, done.err
    table = ed.load("run").to_frame()
    assert set(table["query_model"]) == {"toy:16"}
    assert set(table["model"]) == {"toy:16?", "toy:16"}
    first = table[table["rank"] == 1]
    assert first["self"].all()
    assert (first["query_id"] == first["id"]).all()
    assert (first["distance"].abs() < 1e-5).all()
    assert (table["distance"] == -table["similarity"]).all()


def test_diff_says_kept_moved_lost_gained(embdiff, sentences):
    result = ed.compare(str(sentences), ["toy:4", "toy:32"], k=3, out="run")
    frame = result.to_frame()
    for query in range(8):
        diff = result.diff(query)
        lists = {
            model: list(frame[(frame.query_id == str(query)) & (frame.model == model)].sort_values("rank").id)
            for model in ("toy:4", "toy:32")
        }
        a, b = lists["toy:4"], lists["toy:32"]
        assert set(diff.ids("lost")) == set(a) - set(b)
        assert set(diff.ids("gained")) == set(b) - set(a)
        assert set(diff.ids("kept")) == {name for name in a if name in b and a.index(name) == b.index(name)}
        for entry in diff.pairs[0]["entries"]:
            if entry["status"] == "lost":
                assert entry["ranks"][1] > 3
            if entry["status"] == "gained":
                assert entry["ranks"][0] > 3
    assert result.diff("5").query["row"] == 5
    assert "toy:4 → toy:32" in embdiff("diff", "run", "5", "--all").out


def test_a_diff_stands_in_three_blocks(embdiff, sentences):
    result = ed.compare(str(sentences), ["toy:4", "toy:8", "toy:32"], k=3, out="run")
    for query in range(8):
        for models in (("toy:4", "toy:8"), ("toy:32", "toy:4")):
            diff = result.diff(query, models=models)
            assert [pair["models"] for pair in diff.pairs] == [list(models)]
            out = embdiff("diff", "run", str(query), "--models", ",".join(models)).out
            head, *blocks = re.split(r"^(?=Both return|Only )", out, flags=re.MULTILINE)
            assert head.startswith(f"Query {query}: ")
            ids = [
                re.findall(r"^ +[0-9]+ +[0-9]+  ([0-9]+)(?: self)?: ", block, flags=re.MULTILINE) for block in blocks
            ]
            assert sorted(ids[0]) == sorted([*diff.ids("kept"), *diff.ids("moved")])
            assert ids[1:] == [list(diff.ids("lost")), list(diff.ids("gained"))]
            titles = ["Both return", f"Only {models[0]}", f"Only {models[1]}"]
            assert [block.partition("\n")[0] for block in blocks] == [
                f"{title} ({len(found)})" for title, found in zip(titles, ids, strict=True)
            ]
    shown = embdiff("diff", "run", "5").out
    assert "toy:4 and toy:8" in shown
    assert "Other pairs of collections: 2 (--models A,B for one of them, or --all)" in shown
    for wrong in ("toy:4", "toy:4,toy:4", "toy:4,nobody", "toy:4,toy:8,toy:32"):
        refused = embdiff("diff", "run", "5", "--models", wrong)
        assert (refused.code, refused.out) == (2, "")
        assert "A diff must be of two models of this run: toy:4, toy:8, toy:32. Got" in refused.err


@pytest.mark.parametrize("known", ["expected", "groups", "nothing"])
def test_a_diff_marks_what_is_known_to_be_right(known):
    ids = ed.read_corpus("sample").ids
    expected = {name: {after: 1} for name, after in zip(ids, (*ids[1:], ids[0]), strict=True)}
    data = ed.read_corpus("sample").items if known == "nothing" else "sample"
    result = ed.compare(data, ["toy:16", "toy:64"], k=5, store="memory:",
                        **({"expected": expected} if known == "expected" else {}))  # fmt: skip
    group_of = dict(zip(ids, result.run.corpus.groups or [None] * len(ids), strict=True))
    seen = set()
    for query, name in enumerate(ids):
        diff = result.diff(query)
        if known == "nothing":
            assert "+" not in re.sub(r"[0-9]+: .*", "", repr(diff))
            continue
        right = set(expected[name]) if known == "expected" else {x for x in ids if group_of[x] == group_of[name]}
        lines = re.findall(r"^ +[0-9]+ +[0-9]+  (\+ )?(\S+?)( self)?: ", repr(diff), flags=re.MULTILINE)
        assert len(lines) == len(diff.pairs[0]["entries"])
        assert {found for mark, found, _ in lines if mark} == right & {x for _, x, own in lines if not own}
        what = "expected" if known == "expected" else "of its group"
        assert f"+ is {what}" in " ".join(repr(diff).split())
        seen |= set(re.findall(rf"\([0-9]+; ([0-9]+) {what}\)", repr(diff)))
    assert known == "nothing" or {"0", "1"} <= seen


def test_expected_results(embdiff, sentences):
    Path("expected.csv").write_text("query_id,id\n0,1\n2,3\n4,5\n6,7\n")
    done = embdiff(
        "compare", str(sentences), "-m", "toy:32", "-k", "2", "--expected", "expected.csv", "--out", "run", "--json"
    )
    payload = json.loads(done.out)
    score = next(score for score in payload["scores"] if score["measure"] == "expected_hit@2")
    assert score["n"] == 4
    hits = [
        any(entry["expected"] for entry in result["answers"][0]["neighbors"])
        for result in payload["results"]
        if result["expected"]
    ]
    assert score["value"] == sum(hits) / 4
    frame = ed.load("run").hits_frame()
    assert list(frame.hit) == hits
    assert list(frame.columns) == ["query_id", "query_model", "model", "hit", "rank"]
    assert "hit at rank" in embdiff("show", "--all", "run").out


def test_hard_texts_come_through_whole(embdiff, tmp_path):
    texts = [
        "smile 😀 \u200d",
        "שלום עולם",
        "\u202eright to left override",
        "x" * 100_000,
        "=1+1",
        "<script>alert(1)</script>",
    ]
    result = ed.compare(texts, ["toy:8", "toy:16"], k=2, out="run")
    again = ed.load("run")
    assert again.run.corpus.items == tuple(texts)
    cut = result.run.manifest["models"][0]["collection"]["cut"]
    assert [entry["id"] for entry in cut] == ["3"]
    assert cut[0]["bytes"] == 100_000
    assert "<script>" not in result._repr_html_()
    assert "\u202e" not in repr(result)


@pytest.mark.slow
def test_five_thousand_duplicates(embdiff):
    texts = ["the same sentence again"] * 5_000 + ["one", "two"]
    result = ed.compare(texts, ["toy:8"], queries="first:3", k=5, out="run")
    assert ed.load("run") == result
    frame = result.to_frame()
    assert frame["self"].all()
    assert len(frame) == 15


def test_replaced_run_is_whole(embdiff, sentences):
    for k in ("3", "2"):
        assert embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-k", k, "--out", "run").code == 0
    assert ed.load("run").run.config.k == 2
    assert [path.name for path in Path().iterdir() if path.name.startswith(".run")] == []


def test_several_runs_in_one_file_and_reuse(embdiff, sentences):
    common = ("-m", "toy:8", "-k", "2", "--store", "milvus:all.db")
    assert embdiff("compare", "--all", str(sentences), *common, "--out", "one").code == 0
    assert embdiff("compare", "--all", str(sentences), *common, "--out", "two", "--metric", "l2").code == 0
    assert embdiff("compare", "--all", str(sentences), *common, "--out", "one").code == 0
    assert ed.load("one").run.manifest["models"][0]["collection"]["reused"] is True
    assert ed.load("two").run.manifest["models"][0]["collection"]["reused"] is False


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_leaves_no_run_and_the_same_command_goes_on(embdiff, tmp_path):
    corpus = tmp_path / "many.txt"
    corpus.write_text("\n".join(f"sentence number {row} of many" for row in range(30_000)))
    options = ("compare", "many.txt", "-m", "toy:64", "--queries", "first:5", "--out", "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "embdiff", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in the background of a shell has Ctrl-C ignored, and its children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".run.partial-*/milvus.db/collections/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted; nothing is left half-written. The same command goes on where this one stopped" in err
    assert "Traceback" not in err
    left = [path.name for path in tmp_path.iterdir() if "run" in path.name]
    assert len(left) == 1
    assert left[0].startswith(".run.partial-")
    assert embdiff(*options).code == 0
    collection = ed.load("run").run.manifest["models"][0]["collection"]
    assert 0 < collection["resumed"] <= 30_000
    assert [path.name for path in tmp_path.iterdir() if "run" in path.name] == ["run"]
    assert embdiff(*options[:-1], "undisturbed").code == 0
    pd.testing.assert_frame_equal(*(pd.read_parquet(f"{name}/neighbors.parquet") for name in ("run", "undisturbed")))


def test_ctrl_c_is_how_serving_ends(embdiff, monkeypatch):
    def served(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("embdiff.server.serve", served)
    done = embdiff("serve", "run")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_two_processes_do_not_share_an_unfinished_run(embdiff, sentences, monkeypatch):
    both = []

    def again(*_):
        both.append(embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-k", "2", "--out", "run"))
        raise KeyboardInterrupt

    monkeypatch.setattr("embdiff.comparison.line.search", again)
    done = embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-k", "2", "--out", "run")
    assert (done.code, both[0].code) == (130, 2)
    assert "must be written by one command at a time. Got " in both[0].err
    assert "which another process is making in the same way" in both[0].err


def test_what_interrupted_commands_left_goes_when_the_run_stands(embdiff, sentences, tmp_path):
    for name in (".run.partial-0123456789ab", ".run.old-abcdefgh"):
        (tmp_path / name / "milvus.db").mkdir(parents=True)
    assert embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-k", "2", "--out", "run").code == 0
    assert [path.name for path in tmp_path.iterdir() if "run" in path.name] == ["run"]


@pytest.mark.server
def test_a_server_answers_as_memory_does(milvus_server, monkeypatch, embdiff, sentences):
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    common = ("-m", "toy:8", "-m", "toy:16", "-k", "3", "--metric", "l2")
    done = embdiff("compare", "--all", str(sentences), *common, "--store", milvus_server, "--out", "server")
    assert done.code == 0, done.err
    assert embdiff("compare", "--all", str(sentences), *common, "--store", "memory:", "--out", "memory").code == 0
    server, memory = (pd.read_parquet(f"{name}/neighbors.parquet") for name in ("server", "memory"))
    pd.testing.assert_frame_equal(server, memory, atol=1e-4)
    assert ed.load("server").run.manifest["store"] == milvus_server
    assert TOKEN not in Path("server/manifest.json").read_text() + Path("server/run.toml").read_text() + done.out
    assert embdiff("compare", "--all", str(sentences), *common, "--store", milvus_server, "--out", "server").code == 0
    assert ed.load("server").run.manifest["models"][0]["collection"]["reused"] is True


def test_queries_from_a_file(embdiff, sentences):
    Path("queries.csv").write_text("id,text\nq1,the cat sleeps on the warm wall\nq2,something else entirely\n")
    common = ("compare", str(sentences), "-m", "toy:16", "-k", "2", "--store", "memory:", "--queries", "queries.csv")
    assert embdiff(*common, "--out", "kept").code == 0
    kept = ed.load("kept")
    frame = kept.to_frame()
    assert list(frame.query_id) == ["q1", "q1", "q2", "q2"]
    assert list(frame["self"]) == [True, False, False, False]
    found = next(score for score in kept.scores if score.measure == "self_retrieval@1")
    assert (found.n, found.value) == (1, 1.0)
    assert found.reason == "1 of 2 queries whose text is no row of the corpus are left out"
    assert embdiff(*common, "--self", "drop", "--out", "dropped").code == 0
    dropped = ed.load("dropped").to_frame()
    assert "0" not in set(dropped.id[dropped.query_id == "q1"])


def test_all_query_models_ask_all_collections(embdiff, sentences):
    options = ("-m", "toy:16", "-m", "toy:16?", "--query-model", "all", "-k", "2", "--store", "memory:")
    assert embdiff("compare", "--all", str(sentences), *options, "--out", "run").code == 0
    frame = ed.load("run").to_frame()
    assert set(zip(frame.query_model, frame.model, strict=True)) == {
        (a, b) for a in ("toy:16", "toy:16?") for b in ("toy:16", "toy:16?")
    }


class _Hashing:
    def __init__(self, seed):
        self.seed = seed

    def encode(self, texts):
        rows = [np.random.default_rng([self.seed, *text.encode()]).normal(size=6) for text in texts]
        return np.stack(rows).astype(np.float32)


def test_objects_of_one_class_are_kept_apart():
    a, b = _Hashing(1), _Hashing(2)
    texts = [f"row {row}" for row in range(12)]
    result = ed.compare(texts, [a], query_models=[b], k=1, metric="l2", queries="first:3", store="memory:")
    squared = ((b.encode(texts[:3])[:, None] - a.encode(texts)[None]) ** 2).sum(axis=2)
    assert list(result.to_frame().id) == [str(row) for row in squared.argmin(axis=1)]
    assert list(result.to_frame().distance) == pytest.approx(squared.min(axis=1), abs=1e-4)
    both = ed.compare(texts, [a, b], query_models=[b], k=2, store="memory:")
    assert both.run.config.models == ("object:_Hashing", "object:_Hashing-2")
    assert both.run.config.query_models == ("object:_Hashing-2",)


def test_files_of_one_name_do_not_share_a_run_folder(embdiff, tmp_path):
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(folder, "texts.txt").write_text(f"{folder} a\n{folder} b\n{folder} c\n")
        assert (
            embdiff("compare", "--all", f"{folder}/texts.txt", "-m", "toy:8", "-k", "1", "--store", "memory:").code == 0
        )
    assert len(list(Path("embdiff-runs").iterdir())) == 2


def test_saving_elsewhere_says_that_the_database_stayed(tmp_path):
    result = ed.compare(["aa", "b", "ccc", "dddd"], ["toy:8"], k=2, out="run")
    result.save("copy")
    assert ed.load("copy") == result
    assert ed.load("copy").run.manifest["store"] is None
    with pytest.raises(ed.EmbdiffError, match="own folder"):
        result.save("run")


def test_distances_are_never_minus_zero():
    result = ed.compare(["aa", "aa", "bb", "cc"], ["toy:8", "toy:4"], k=2, metric="l2", store="memory:")
    assert not np.signbit(result.to_frame().distance).any()
    assert "-0.000" not in repr(result) + repr(result.diff(0))


def test_a_guess_about_the_first_line_is_said(embdiff):
    Path("h.csv").write_text("colA,colB\nhi there,x\nyou all,y\nbye now,x\n")
    common = ("compare", "h.csv", "-m", "toy:8", "-k", "2", "--store", "memory:")
    guessed = embdiff(*common, "--text-column", "0", "--out", "guessed")
    assert "Line 1 of h.csv was taken as data" in " ".join(guessed.out.split())
    assert len(ed.load("guessed").run.corpus) == 4
    named = embdiff(*common, "--text-column", "colA", "--out", "named")
    assert "taken as data" not in " ".join(named.out.split())
    assert len(ed.load("named").run.corpus) == 3


def test_an_unknown_part_is_refused_before_work(embdiff):
    done = embdiff("compare", "sample", "-m", "toy:8", "--only", "answers")
    assert done.code == 2
    assert "queries, agreement" in done.err
