"""What cannot work is refused with its own message, exit 2, and nothing on disk that looks like a run."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import EmbdiffError, EncoderError
from embdiff.runs.folder import FORMAT

TOY = ("-m", "toy:8", "-m", "toy:16", "--store", "memory:", "-k", "2")


def assert_refused(done, tmp_path: Path, *fragments: str) -> None:
    assert done.code == 2, done.out + done.err
    assert done.out == ""
    assert done.err.startswith("embdiff: ")
    assert "Traceback" not in done.err
    for fragment in fragments:
        assert fragment in done.err
    left = [path.name for path in tmp_path.rglob("*") if "run" in path.name or ".partial-" in path.name]
    assert left == []


def refuse(embdiff, tmp_path, data: str | Path, *options: str, say: tuple[str, ...]) -> None:
    assert_refused(embdiff("compare", str(data), *options, "--out", str(tmp_path / "run")), tmp_path, *say)


def test_missing_file(embdiff, tmp_path):
    refuse(embdiff, tmp_path, "nowhere.txt", *TOY, say=("nowhere.txt",))


def test_empty_file(embdiff, tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")
    refuse(embdiff, tmp_path, "empty.txt", *TOY, say=("empty.txt",))


def test_not_utf8(embdiff, tmp_path):
    (tmp_path / "latin.txt").write_bytes("gut\nschön\n".encode("latin-1"))
    refuse(embdiff, tmp_path, "latin.txt", *TOY, say=("latin.txt", "UTF-8", "2"))


def test_one_row(embdiff, tmp_path):
    (tmp_path / "one.txt").write_text("alone\n")
    refuse(embdiff, tmp_path, "one.txt", *TOY, say=("at least two rows", "Got 1"))


@pytest.mark.parametrize(("queries", "k", "most"), [("all", 8, 7), ("all", 9, 7), ("first:2", 9, 8)])
def test_k_beyond_the_rows(embdiff, tmp_path, sentences, queries, k, most):
    options = ("-m", "toy:8", "--store", "memory:", "-k", str(k), "--queries", queries)
    refuse(embdiff, tmp_path, sentences, *options, say=(f"between 1 and {most}", f"Got {k}"))


@pytest.mark.parametrize(
    ("options", "say"),
    [
        (("-m", "toyy:8"), ("toyy", "Did you mean 'toy'?")),
        (("-m", "just a name"), ("KIND:NAME", "just a name")),
        (("-m", "toy:8", "--metric", "cosin"), ("cosin", "Did you mean 'cosine'?")),
        (("-m", "toy:8", "--index", "ivf_flatt"), ("ivf_flatt", "Did you mean 'ivf_flat'")),
        (("-m", "toy:8", "--index", "ivf_flat(nlist=0)"), ("nlist", "between 1 and 65536", "'0'")),
        (("-m", "toy:8", "--index", "ivf_flat(nlist=2,nprobe=3)"), ("nprobe", "nlist=2")),
        (("-m", "toy:8", "--index", "ivf_flat(nlist=9,nprobe=2)"), ("nlist=9", "8 rows")),
        (("-m", "toy:8", "--index", "hnsw(ef=1)"), ("ef=1",)),
        (("-m", "toy:8", "--store", "memory:", "--index", "hnsw"), ("memory", "flat")),
        (("-m", "toy:8", "--store", "postgres:x"), ("postgres",)),
        (("-m", "toy:8", "-m", "toy:8"), ("toy:8", "once")),
        (("-m", "toy:8", "-m", "toy:16", "--query-model", "toy:8"), ("8", "16", "one dimension")),
        (("-m", "toy:8", "--preset", "tutorial"), ("tutorial-2023",)),
        (("-m", "toy:8", "--self", "perhaps"), ("perhaps", "keep")),
        (("-m", "toy:8", "--queries", "first:0"), ("first:0",)),
        (("-m", "toy:8", "--queries", "first:9"), ("9", "8")),
        (("-m", "toy:8", "--queries", "rows:1,8"), ("8",)),
        (("-m", "toy:8", "--queries", "nofile.txt"), ("nofile.txt",)),
        (("-m", "toy:8", "--expected", "nofile.csv"), ("nofile.csv",)),
        (
            (
                "-m",
                "toy:8?revision=x",
            ),
            ("revision",),
        ),
        ((), ("at least one model",)),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_settings_that_do_not_hold(embdiff, tmp_path, sentences, options, say):
    refuse(embdiff, tmp_path, sentences, "-k", "2", *options, say=say)


def test_unknown_option_is_a_usage_error(embdiff, sentences):
    assert embdiff("compare", str(sentences), "--nonsense").code == 2


def test_missing_column(embdiff, tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    refuse(embdiff, tmp_path, "table.csv", *TOY, "--text-column", "c", say=("'c'", "a", "b"))


def test_empty_query_file(embdiff, tmp_path, sentences):
    (tmp_path / "queries.txt").write_text("")
    refuse(embdiff, tmp_path, sentences, *TOY, "--queries", "queries.txt", say=("queries.txt",))


def test_nul(embdiff, tmp_path):
    (tmp_path / "nul.txt").write_bytes(b"fine\nnot\0fine\n")
    refuse(embdiff, tmp_path, "nul.txt", *TOY, say=("NUL", "1"))


def test_empty_rows(embdiff, tmp_path):
    (tmp_path / "gaps.txt").write_text("one\n\nthree\nfour\n")
    refuse(embdiff, tmp_path, "gaps.txt", *TOY, say=("--empty", "1"))
    done = embdiff("compare", "gaps.txt", *TOY, "--empty", "drop", "--out", "kept")
    assert done.code == 0
    assert ed.load("kept").run.corpus.dropped == ("1",)


def test_unwritable_path(embdiff, tmp_path, sentences):
    (tmp_path / "file").write_text("in the way")
    done = embdiff("compare", str(sentences), *TOY, "--out", str(tmp_path / "file" / "deep"))
    assert_refused(done, tmp_path, "writable", "--out")


def test_folder_that_holds_something_else(embdiff, tmp_path, sentences):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    done = embdiff("compare", str(sentences), *TOY, "--out", str(tmp_path / "mine"))
    assert_refused(done, tmp_path, "thesis.txt", "--out")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


class _Broken:
    def encode(self, items, *, role="document"):
        return np.full((len(items), 4), np.nan, dtype=np.float32)


def test_nan_vectors(tmp_path):
    with pytest.raises(EncoderError, match="finite"):
        ed.compare(["one", "two", "three"], [_Broken()], k=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert list(tmp_path.glob(".run.partial-*")) == []


@pytest.mark.parametrize("models", [{"models": "toy:8"}, {"models": ["toy:8"], "query_models": "toy:8"}])
def test_one_model_as_a_bare_text(models):
    with pytest.raises(EmbdiffError, match=r"must be a list\. Got the text 'toy:8'\. Write \['toy:8'\]"):
        ed.compare(["one", "two"], **models)


def test_locked_milvus_file(embdiff, tmp_path, sentences):
    hold = textwrap.dedent(
        """
        import sys
        from embdiff.stores import get_store
        store = get_store("milvus:shared.db")
        print("held", flush=True)
        sys.stdin.read()
        """
    )
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        options = ("-m", "toy:8", "-k", "2", "--store", "milvus:shared.db")
        refuse(embdiff, tmp_path, sentences, *options, say=("shared.db", "another process"))
    finally:
        holder.communicate()


def test_run_folder_that_is_none(embdiff, tmp_path):
    done = embdiff("show", str(tmp_path))
    assert done.code == 2
    assert "run.toml" in done.err


def test_database_inside_the_run_folder(embdiff, tmp_path, sentences):
    for inside in ("run/shared.db", "run"):
        options = ("-m", "toy:8", "-k", "2", "--store", f"milvus:{inside}", "--out", "run")
        assert_refused(embdiff("compare", str(sentences), *options), tmp_path, "outside the run folder", "--store")


def test_run_folder_with_notes_of_the_users(embdiff, sentences):
    options = ("compare", str(sentences), *TOY, "--out", "mine")
    assert embdiff(*options).code == 0
    Path("mine/notes.md").write_text("keep me")
    done = embdiff(*options)
    assert done.code == 2
    assert "notes.md" in done.err
    assert Path("mine/notes.md").read_text() == "keep me"


@pytest.mark.parametrize("name", ["arrays.parquet", "corpus.parquet", "scores.json", "manifest.json", "groups.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"PAR1"])
def test_damaged_run(embdiff, sentences, name, content):
    assert embdiff("compare", str(sentences), *TOY, "--out", "whole").code == 0
    Path("whole", name).write_bytes(content)
    done = embdiff("show", "whole")
    assert done.code == 2, done.err
    assert "intact" in done.err
    assert name in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("found", [1, FORMAT + 1, None])
def test_run_of_another_format(embdiff, sentences, found):
    assert embdiff("compare", str(sentences), *TOY, "--out", "whole").code == 0
    path = Path("whole/manifest.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": found}))
    done = embdiff("show", "whole")
    assert done.code == 2
    assert f"A run must be of format {FORMAT}. Got {found!r}" in done.err
    assert "Run the comparison again" in done.err


def test_run_with_parts_from_python_is_not_repeated(embdiff, sentences):
    ed.compare(str(sentences), ["toy:8"], k=2, groups=["a", "b"] * 4, store="memory:", out="groups")
    done = embdiff("compare", "groups/run.toml", "--out", "again")
    assert done.code == 2
    assert "the groups from Python" in done.err


def test_query_that_is_no_row(embdiff, sentences):
    assert embdiff("compare", str(sentences), *TOY, "--out", "whole").code == 0
    for query in ("²", "8", "nobody"):
        done = embdiff("diff", "whole", query)
        assert done.code == 2, query
        assert "Traceback" not in done.err
    for query in (1.5, True):
        with pytest.raises(EmbdiffError, match="row number or an id"):
            ed.load("whole").diff(query)


def test_unknown_kind_is_told_before_k(embdiff, sentences):
    done = embdiff("compare", str(sentences), "-m", "bogus:8")
    assert done.code == 2
    assert "bogus" in done.err


def test_unknown_measure(embdiff):
    done = embdiff("measures", "overlapp@10")
    assert done.code == 2
    assert "Did you mean 'overlap'" in done.err
    assert "'x'" in embdiff("measures", "overlap@x").err
    assert "k / (n - 1)" in embdiff("measures", "overlap@10").out
    assert "overlap@k" in embdiff("measures").out
