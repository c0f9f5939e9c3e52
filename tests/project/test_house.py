"""The house keeps its rules: light import, import contract, public names, no loose ends in the text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import embdiff

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = {
    "Adaptation", "Alignment", "Comparison", "Corpus", "Diagnosis", "EmbdiffError", "__version__", "adapt", "align", "check", "compare", "copy_collections", "decide", "doctor", "evaluate", "get_encoder", "get_measure", "get_store",
    "list_encoders", "list_measures", "list_stores", "load", "probe", "read_corpus",
}  # fmt: skip
HEAVY = {"torch", "pymilvus", "pandas", "faiss", "sentence_transformers", "sklearn", "wordllama", "pyarrow", "numpy"}


def test_public_names_are_pinned_and_there():
    assert set(embdiff.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(embdiff, name) is not None
    assert callable(embdiff.compare)


def test_compare_stays_a_function_after_its_room_is_imported():
    code = "import embdiff.comparison, embdiff.cli, embdiff; assert callable(embdiff.compare)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_are_written_in_one_way():
    """By `_files.whole_file` and what stands on it: no writer of another library, and no open file, goes beside it."""
    writes = re.compile(
        r"""open\([^)]*["'][wax]b?\+?["']|\.write_(text|bytes)\(|\.to_(parquet|csv|json)\(|ParquetWriter\(|"""
        r"""\bpq\.write_table\(|np\.save|json\.dump\(|\.touch\(|shutil\.(copy|move)"""
    )
    source = ROOT / "src" / "embdiff"
    found = {
        (path.relative_to(source).as_posix(), line.strip())
        for path in source.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if writes.search(line) and "_files.write" not in line and "to_parquet(out)" not in line
    }
    within = {
        "_files.py",
        "bulk/mapfile.py",
        "bulk/parts.py",
        "runs/tables.py",
        "sources/parquet.py",
        "views/exports.py",
    }
    assert {name for name, _ in found if name in within} == within  # each inside `whole_file`
    assert {name for name, _ in found} - within == {
        "bulk/cluster.py",  # a mark in the folder of the work
        "cli/output.py",  # on stdout
        "judging/book.py",  # logs, by `append_line`
        "kept/database.py",  # a lock
        "kept/results.py",  # in memory
        "sources/columns.py",  # a temporary file
        "stores/milvus/snapshot.py",  # a temporary folder
    }


def test_import_is_light():
    code = "import embdiff, sys, json; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not HEAVY & set(json.loads(done.stdout))


def test_help_loads_neither_torch_nor_a_database():
    code = (
        "import sys, embdiff.cli as c\n"
        "try: c.app(['compare', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'pymilvus', 'faiss', 'pandas'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip().endswith("[]")
    assert "--query-model" in done.stdout


def test_listing_the_commands_does_not_read_the_models_of_their_options():
    code = (
        "import sys, embdiff.cli as c\n"
        "try: c.app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip().endswith("[]")
    assert "compare" in done.stdout


def test_unknown_attribute_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'comparee'"):
        _ = embdiff.comparee


def test_import_contract():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--config", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pymilvus_is_named_where_milvus_is_connected_and_collections_are_laid_out_only():
    naming = {
        path.name
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"^\s*(import|from) pymilvus", path.read_text(), re.M)
    }
    assert naming == {"asking.py", "layout.py", "lite.py"}


def test_what_is_imported_is_declared():
    """Also what other packages would bring along: they may stop doing so."""
    named = re.compile(r"""^\s*(?:from|import) ([a-z]\w*)|\brequire\(\s*"(\w+)""", re.MULTILINE)
    found = {each[1] or each[2] for path in (ROOT / "src").rglob("*.py") for each in named.finditer(path.read_text())}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (extra for name, extra in project["optional-dependencies"].items() if not name.startswith("test"))
    declared = {re.split(r"[\[>=]", line)[0] for lines in (project["dependencies"], *extras) for line in lines}
    installed = packages_distributions()
    foreign = {name for name in found if name in installed and name != "embdiff"}
    assert len(foreign) > 20
    assert {
        name for name in foreign if not declared & {each.lower().replace("_", "-") for each in installed[name]}
    } == set()


def test_version_is_the_one_in_pyproject():
    assert f'version = "{embdiff.__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("pattern", [r"\bpickle\.", r"\beval\(", r"shell=True", r"0\.0\.0\.0"])
def test_sources_keep_clear_of_dangerous_habits(pattern: str):
    for path in (ROOT / "src").rglob("*.py"):
        assert not re.search(pattern, path.read_text(encoding="utf-8")), f"{pattern} in {path.name}"


def test_no_committed_file_names_a_machine_path():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".ipynb", ".csv"} and path.name != "test_house.py":
            assert not re.search(r"/(home|root|work|Users)/\w", path.read_text(encoding="utf-8")), name
