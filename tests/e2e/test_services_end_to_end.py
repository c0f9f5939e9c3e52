"""compare, evaluate and encode with a model that another host runs; what a dry run says and what is then sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("httpx2", reason="services need the extra service")
pytest.importorskip("uvicorn", reason="the server of these tests needs the extra serve")

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.comparison import plan
from embdiff.errors import ParameterError
from embdiff.variants import run_elsewhere
from service_server import ServiceServer

TEXTS = [f"text {number} of {number % 7}" for number in range(60)]


@pytest.fixture
def server() -> Iterator[ServiceServer]:
    with ServiceServer() as running:
        yield running


def test_a_dry_run_says_what_is_then_sent(server, embdiff, sentences):
    model = f"served=openai:m?base_url={server.url}&batch=3"
    command = ("compare", str(sentences), "-m", model, "-m", "toy:8", "-k", "2")
    done = embdiff(*command, "--dry-run", "--price", "9", "--price", "served=0.5", "--json")
    assert done.code == 0, done.err
    assert server.requests == []
    assert not Path("embdiff-runs").exists()
    told = json.loads(done.out)
    tokens = sum(-(-len(text) // 4) for text in sentences.read_text().splitlines())
    assert told == {
        "source": str(sentences), "rows": 8, "queries": 8, "others": ["toy:8"],
        "services": [{"model": "served", "texts": 8, "kept": 0, "tokens": tokens, "requests": 3, "price": tokens / 2e6}],
    }  # fmt: skip
    assert embdiff(*command, "--out", "run").code == 0
    assert sorted(server.sent) == sorted(sentences.read_text().splitlines())
    assert sum(1 for body in server.requests if not body["_texts"][0].startswith("embdiff asks")) == 3
    after = embdiff(*command, "--dry-run")
    assert "served   8       8      0         0                   0" in after.out
    assert "price" in after.out
    alone = embdiff("compare", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "2", "--dry-run")
    assert "No service is among the models: toy:8, toy:16" in alone.out


def test_a_dry_run_needs_no_key_and_tells_queries_from_documents(monkeypatch):
    monkeypatch.delenv("CO_API_KEY", raising=False)
    found = plan(TEXTS, ["cohere:embed-v4.0", "openai:text-embedding-3-small"], query_models=["cohere:embed-v4.0"], k=2)
    counted = {each.model: (each.texts, each.requests) for each in found.services}
    assert counted == {"cohere:embed-v4.0": (120, 2), "openai:text-embedding-3-small": (60, 1)}
    for price in ("x", "-1", "nan", "toy:8=3"):
        with pytest.raises(ParameterError, match="A price must be written NUMBER"):
            plan(TEXTS, ["openai:m", "toy:8"], prices=[price])


def test_a_dry_run_of_encode_says_what_is_then_sent_part_by_part(server, embdiff):
    Path("texts.txt").write_text("\n".join([*TEXTS, *TEXTS[:9]]), encoding="utf-8")
    command = (
        "encode",
        "texts.txt",
        "-m",
        f"openai:m?base_url={server.url}&batch=7",
        "--part-rows",
        "20",
        "-o",
        "v.parquet",
    )
    done = embdiff(*command, "--dry-run", "--price", "2", "--json")
    assert done.code == 0, done.err
    assert (server.requests, Path("v.parquet").exists()) == ([], False)
    told = json.loads(done.out)
    assert (told["source"], told["rows"], told["queries"], told["others"]) == ("texts.txt", 69, 0, [])
    tokens = sum(-(-len(text) // 4) for text in TEXTS)
    (one,) = told["services"]
    assert one == {
        "model": command[3],
        "texts": 60,
        "kept": 0,
        "tokens": tokens,
        "requests": 9,
        "price": tokens * 2 / 1e6,
    }
    assert embdiff(*command).code == 0
    assert sum(1 for body in server.requests if not body["_texts"][0].startswith("embdiff asks")) == 9
    assert json.loads(embdiff(*command, "--dry-run", "--json").out)["services"][0]["kept"] == 60
    assert (
        "toy:8 gets its texts on this machine"
        in embdiff("encode", "texts.txt", "-m", "toy:8", "-o", "v", "--dry-run").out
    )
    for wrong, message in (
        (("--part-rows", "0"), "A part must have"), (("--price", "x"), "A price must be written"),
        (("--text-column", "nothing"), "nothing"), (("--metric", "l2"), "--metric is for a collection"),
    ):  # fmt: skip
        refused = embdiff(*command, "--dry-run", *wrong)
        assert refused.code == 2
        assert message in " ".join(refused.err.split())
    alone = embdiff(*command, "--price", "2")
    assert (alone.code, "Add --dry-run" in alone.err) == (2, True)


def test_a_dry_run_of_evaluate_says_what_is_then_sent(server, embdiff):
    rows = [
        f"{left}\t{right}\t{number % 5}" for number, (left, right) in enumerate(zip(TEXTS, TEXTS[::-1], strict=True))
    ]
    Path("pairs.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *rows]), encoding="utf-8")
    Path("classes.csv").write_text(
        "\n".join(["text,label", *(f"{text},{text[-1]}" for text in TEXTS)]), encoding="utf-8"
    )
    model = f"served=openai:m?base_url={server.url}"
    for data, queries in (("pairs.tsv", 0), ("classes.csv", 14)):
        command = ("evaluate", data, "-m", model, "-m", "toy:8", "--no-baseline", "--cache", data.partition(".")[0])
        done = embdiff(*command, "--dry-run", "--price", "served=2", "--json")
        assert done.code == 0, done.err
        told = json.loads(done.out)
        assert (told["services"][0]["texts"], told["queries"], told["others"]) == (60, queries, ["toy:8"])
        before = len(server.sent)
        assert before == (0 if data == "pairs.tsv" else 60)
        ran = embdiff(*command)
        assert ran.code == 0, ran.err
        assert sorted(server.sent[before:]) == sorted(TEXTS)
    refused = embdiff("evaluate", "pairs.tsv", "-m", model, "--dry-run", "--run", "x.run")
    assert (refused.code, "task retrieval only" in refused.err) == (2, True)


def test_a_re_ranker_behind_a_service_is_planned_as_that_service():
    pair = "openai:m+rerank:st:./cross"
    found = plan(TEXTS, [pair, "openai:m", "toy:8"], k=2)
    assert [(each.model, each.texts) for each in found.services] == [(pair, 60)]
    assert found.others == ("toy:8",)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_one_model_on_two_runtimes_is_told_apart_by_its_largest_distance(noise, server, embdiff):
    server.noise = noise
    Path("texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    model = f"openai:toy?base_url={server.url}"
    done = embdiff("compare", "texts.txt", "-m", model, "-m", "toy=toy:16", "-k", "3", "--store", "memory:", "--all",
                   "--out", "run")  # fmt: skip
    assert done.code == 0, done.err
    variant = ed.load("run").run.manifest["models"][0]["encoding"]["variant"]
    assert (variant["of"], variant["elsewhere"], variant["rows"]) == ("toy", True, 60)
    plain = ed.get_encoder("toy:16").encode(TEXTS).astype(float)
    there = np.array([server.made[text] for text in TEXTS]).astype(float)
    cosines = (plain * there).sum(axis=1) / np.linalg.norm(plain, axis=1) / np.linalg.norm(there, axis=1)
    assert variant["cosine_lowest"] == pytest.approx(cosines.min(), abs=1e-12)
    largest = f"{max(0.0, 1 - variant['cosine_lowest']):.1g}"
    told = " ".join(done.out.split())
    assert f"is toy, by its name, run elsewhere: on 60 of 60 rows, 1 - cosine to it is at most {largest};" in told
    assert (1 - cosines.min() > 1e-8) == (noise > 0)


def test_names_that_mean_one_model():
    class Other:
        def __init__(self, dim: int, form: str = "") -> None:
            self.stamp, self.facts = ed.get_encoder(f"toy:{dim}").stamp, {"form": form} if form else {}

    others = {"st:BAAI/bge-m3?dim=8": Other(8), "lsa:4": Other(4), "mine": Other(16, "st:./folder")}
    assert run_elsewhere("openai:bge-m3?base_url=http://h", 8, others)[1] == "st:BAAI/bge-m3?dim=8"
    assert run_elsewhere("ollama:BGE-M3", 8, others)[1] == "st:BAAI/bge-m3?dim=8"
    assert run_elsewhere("openai:mine", 16, others)[1] == "mine"
    assert run_elsewhere("openai:folder", 16, others)[1] == "mine"
    assert run_elsewhere("openai:bge-m3", 16, others) is None
    assert run_elsewhere("openai:minilm", 8, others) is None
    assert run_elsewhere("toy:8", 8, others) is None


def test_nothing_is_paid_twice(server, tmp_path):
    """Equal texts, queries that are rows, the noise floor, another run, another verb: each text is sent once."""
    model = f"openai:m?base_url={server.url}"
    ed.compare([*TEXTS, *TEXTS[:9]], [model, "toy:8"], k=3, store="memory:")
    ed.compare(TEXTS, [model, "toy:16"], k=5, store="memory:")
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    encode_corpus(path, model, "vectors.parquet")
    assert sorted(server.sent) == sorted(TEXTS)


def test_the_page_says_where_a_model_ran(server, embdiff, sentences):
    model = f"openai:m?base_url={server.url}"
    done = embdiff("compare", str(sentences), "-m", model, "-m", "toy:8", "-k", "2", "--out", "run", "--all")
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert f"ran at {server.url} as served-model: 2 requests." in told
    assert "whether the service cuts texts that are too long is unknown: its interface has no switch for it." in told
    assert "no text is sent to a service a second time" in told
    ollama = embdiff("compare", str(sentences), "-m", f"ollama:m?base_url={server.host}", "-m", "toy:8", "-k", "2", "--all",
                     "--out", "run")  # fmt: skip
    assert "unknown" not in ollama.out.partition("ollama:m")[2].split("* ")[0]
    assert "its interface has no switch" not in ollama.out
