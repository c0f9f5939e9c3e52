"""``--cache`` and ``embdiff cache`` as a user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import embdiff as ed
from embdiff.kept import results
from embdiff.kept.database import Database

MODELS = ("-m", "toy:8", "-m", "toy:16", "-k", "2", "--store", "memory:")


def encodings(done) -> list[dict]:
    kept = ("texts", "duplicates", "cached", "encoded", "cache")
    return [{key: model["encoding"][key] for key in kept} for model in json.loads(done.out)["models"]]


def test_the_same_command_again_encodes_nothing(embdiff, sentences):
    for cached, name in ((0, "one"), (8, "two")):
        done = embdiff("compare", str(sentences), *MODELS, "--cache", "kept", "--out", name, "--json")
        assert done.code == 0, done.err
        assert encodings(done) == 2 * [
            {"texts": 8, "duplicates": 0, "cached": cached, "encoded": 8 - cached, "cache": "kept, float32"}
        ]
    assert Path("one/scores.json").read_text() == Path("two/scores.json").read_text()
    assert "toy:16: of 8 texts 0 were encoded now and 8 came from the cache." in " ".join(
        embdiff("show", "--all", "two").out.split()
    )
    manifest = json.loads(Path("two/manifest.json").read_text())
    assert manifest["cache"] == {"on": True, "precision": "float32", "notes": []}


def test_off_keeps_nothing_and_says_so(embdiff, sentences):
    done = embdiff("compare", "--all", str(sentences), *MODELS, "--cache", "off", "--out", "run")
    assert (
        "8 texts 8 were encoded now and 0 came from the cache; the vectors are not kept (the cache is off)."
        in " ".join(done.out.split())
    )
    assert {path.name for path in Path().iterdir()} == {"sentences.txt", "run"}


def test_evaluate_keeps_vectors_too(embdiff):
    Path("pairs.csv").write_text("a,b,score\n" + "".join(f"text {i},text {i * i % 7},{i % 5}\n" for i in range(12)))
    for cached in (0, 12):
        done = embdiff("evaluate", "pairs.csv", "-m", "toy:8", "--no-baseline", "--cache", "kept", "--json")
        assert done.code == 0, done.err
        encoding = json.loads(done.out)["models"][0]["encoding"]
        assert encoding["cached"] == cached
        assert encoding["texts"] == encoding["duplicates"] + encoding["cached"] + encoding["encoded"]
    assert f"{cached} came from the cache" in " ".join(
        embdiff("evaluate", "--all", "pairs.csv", "-m", "toy:8", "--no-baseline", "--cache", "kept").out.split()
    )


def test_ls_verify_prune(embdiff, sentences, monkeypatch):
    monkeypatch.setattr(results, "WORTH", 60.0)  # vectors alone: results are another test's
    embdiff("compare", "--all", str(sentences), *MODELS, "--cache", "kept", "--out", "run")
    listed = json.loads(embdiff("cache", "ls", "--cache", "kept", "--json").out)
    assert sorted((space["model"], space["role"], space["vectors"]) for space in listed["spaces"]) == [
        (model, role, 8) for model in ("toy:16", "toy:8") for role in ("document", "document, one by one")
    ]
    assert "toy:16 (16 × float32)" in embdiff("cache", "ls", "--cache", "kept").out
    assert embdiff("cache", "verify", "--cache", "kept").out.strip() == "18 entries checked, 0 damaged"
    space = next(space["name"] for space in listed["spaces"] if space["role"] == "document")
    damage = "UPDATE batches SET vectors = substr(vectors, 1, length(vectors) - 1) WHERE space = ?"
    database = Database(Path("kept"))
    database.execute(damage, (space,))
    found = embdiff("cache", "verify", "--cache", "kept", "--json")
    assert found.code == 2
    assert json.loads(found.out)["checked"] == 18
    assert json.loads(found.out)["damaged"][0]["entry"] == f"vectors/{space}"
    assert "18 entries checked, 1 damaged" in embdiff("cache", "verify", "--cache", "kept").out
    again = embdiff("compare", "--all", str(sentences), *MODELS, "--cache", "kept", "--out", "run")
    assert again.code == 0
    assert "are damaged" in " ".join(again.out.split())
    assert embdiff("cache", "verify", "--cache", "kept").code == 0  # it was removed, and made again
    database.execute(damage, (space,))
    dry = embdiff("cache", "prune", "--cache", "kept")
    assert "1 entries" in dry.out
    assert "would go; add --yes to remove them" in dry.out
    assert len(database.execute("SELECT * FROM batches WHERE space = ?", (space,))) == 1
    assert json.loads(embdiff("cache", "prune", "--cache", "kept", "--yes", "--json").out)["removed"] is True
    assert len(database.execute("SELECT * FROM batches WHERE space = ?", (space,))) == 0
    assert embdiff("cache", "verify", "--cache", "kept").code == 0
    assert embdiff("cache", "prune", "--cache", "kept", "--max-size", "0B", "--yes").code == 0
    assert json.loads(embdiff("cache", "ls", "--cache", "kept", "--json").out)["spaces"] == []


def test_what_cannot_be_is_refused(embdiff, sentences):
    for arguments, say in (
        (("compare", str(sentences), *MODELS, "--cache", "x?precision=int8"), "must be written off, DIR"),
        (("cache", "ls", "--cache", "off"), "A cache must be named. Got off."),
        (("cache", "prune", "--cache", "kept", "--max-size", "lots"), "A size must be a number"),
        (("cache", "prune", "--cache", "kept", "--model", "toy:3"), "there is nothing"),
        (("compare", str(sentences), *MODELS, "--cache", f"{sentences}/x"), "The vector cache must be writable."),
    ):
        done = embdiff(*arguments)
        assert done.code == 2
        assert say in done.err


def test_from_python(sentences):
    for cached in (0, 8):
        result = ed.compare(str(sentences), ["toy:8"], k=2, store="memory:", cache=Path("kept"))
        assert result.run.manifest["models"][0]["encoding"]["cached"] == cached


def test_what_is_to_be_left_needs_a_unit(embdiff, sentences):
    embdiff("compare", "--all", str(sentences), *MODELS, "--cache", "kept", "--out", "run")
    for size in ("4", "4G", "big"):
        refused = embdiff("cache", "prune", "--max-size", size, "--yes", "--cache", "kept")
        assert refused.code == 2
        assert "A size must be a number with a unit, such as 512MiB or 4GiB." in " ".join(refused.err.split())
    assert json.loads(embdiff("cache", "prune", "--max-size", "4GiB", "--cache", "kept", "--json").out)["entries"] == []
    assert json.loads(embdiff("cache", "prune", "--max-size", "4B", "--cache", "kept", "--json").out)["entries"]
