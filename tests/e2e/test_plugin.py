"""The example package, installed by pip: its model, store, measure and reader are used; broken ones end nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from embdiff.runs import Run

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"
GROUPS = ("encoders", "stores", "measures", "documents")
NOTES = [
    "#+title: Boats\n\nA boat on the lake.\n\n* Sails\nA sail of red cloth.\n** Mending\n\nNeedle and thread.\n",
    "#+title: Houses\n\nA house on the hill.\n\n* Roofs\nTiles of grey slate.\n",
    "* Stones\n\nA stone in the river.\n",
]


pytestmark = pytest.mark.slow  # a package is installed


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which pip has installed a copy of the example, without a network."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PLUGIN, folder / "source")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
         "--target", str(folder / "site"), str(folder / "source")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def notes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    for number, text in enumerate(NOTES):
        (folder / f"{number}.org").write_text(text)
    return folder


def embdiff(*arguments: object, site: Path | None, code: int = 0) -> subprocess.CompletedProcess[str]:
    paths = [str(site)] if site else []
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])}
    done = subprocess.run(
        [sys.executable, "-m", "embdiff", *map(str, arguments)], capture_output=True, text=True, timeout=300, env=env
    )
    assert done.returncode == code, done.stderr
    return done


def trigrams(texts: list[str], dim: int) -> np.ndarray:
    found = np.zeros((len(texts), dim))
    for row, text in enumerate(texts):
        text = f"  {text.lower()} "
        for three in zip(text, text[1:], text[2:], strict=False):
            found[row, zlib.crc32("".join(three).encode()) % dim] += 1
    return found / np.linalg.norm(found, axis=1)[:, None]


def test_all_four_are_used_in_one_comparison(installed, notes, tmp_path):
    models = ["-m", "trigrams:64", "-m", "trigrams:8"]
    more = ["--chunk", "heading:20", "-k", "2", "--measure", "same_first", "--store", f"npz:{tmp_path / 'store'}"]
    embdiff("compare", notes, *models, *more, "--out", tmp_path / "run", site=installed)
    run = Run.read(tmp_path / "run")
    texts = [
        "Boats A boat on the lake.", "Boats Sails\n\nA sail of red cloth.", "Boats Mending\n\nNeedle and thread.",
        "Houses A house on the hill.", "Houses Roofs\n\nTiles of grey slate.", "Stones A stone in the river.",
    ]  # fmt: skip
    assert list(run.corpus.items) == texts
    assert run.corpus.ids[2] == "0.org#3"
    lists = []
    for answer, dim in zip(run.answers, (64, 8), strict=True):
        similar = trigrams(texts, dim) @ trigrams(texts, dim).T
        np.fill_diagonal(similar, -1.0)
        order = np.argsort(-similar, axis=1, kind="stable")[:, :2]
        assert answer.returned.similarity == pytest.approx(np.take_along_axis(similar, order, axis=1), abs=1e-5)
        lists.append(order)
    score = next(each for each in run.scores if each.measure == "same_first@2")
    assert score.value == pytest.approx(np.mean(lists[0][:, 0] == lists[1][:, 0]))
    stored = sorted((tmp_path / "store").glob("*.npz"))
    assert len(stored) == 2
    assert sorted(np.load(stored[0])["ids"].tolist()) == sorted(run.corpus.ids)
    again = embdiff("compare", notes, *models, *more, "--out", tmp_path / "run", "--json", site=installed)
    assert all(model["collection"]["reused"] for model in json.loads(again.stdout)["models"])


def test_listings_name_the_package(installed):
    assert "from the package embdiff-example" in embdiff("models", "--all", site=installed).stdout
    assert "from the package embdiff-example" in embdiff("stores", site=installed).stdout
    assert "same_first" in embdiff("measures", site=installed).stdout


def test_without_the_package_its_names_are_unknown(notes):
    assert "trigrams" in embdiff("compare", "sample", "-m", "trigrams:8", site=None, code=2).stderr
    assert "without any" in embdiff("compare", notes, "-m", "toy:8", site=None, code=2).stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> Path:
    """A package whose module fails when it is imported, registered for everything."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "broken_plugin.py").write_text("import a_library_that_nobody_has\n")
    about = folder / "broken_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    points = "".join(f"[embdiff.{group}]\nbad{group} = broken_plugin:IT\n" for group in GROUPS)
    (about / "entry_points.txt").write_text(points)
    return folder


def test_a_broken_package_is_named_and_ends_nothing_else(broken, tmp_path):
    done = embdiff("compare", "sample", "-m", "toy:8", "-m", "toy:24", "--out", tmp_path / "run", site=broken)
    assert "A measure is left out. The measure 'badmeasures' must be usable as the package broken-plugin" in done.stderr
    assert done.stderr.count("badmeasures") == 1
    assert "No module named 'a_library_that_nobody_has'" in done.stderr
    assert "Neighbours in common" in done.stdout
    assert "overlap" in embdiff("measures", site=broken).stdout
    assert "bad" in embdiff("models", "--all", site=broken).stdout


def test_what_asks_for_it_is_refused(broken, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.baddocuments").write_text("x")
    asked = {
        "badencoders": ["compare", "sample", "-m", "badencoders"],
        "badstores": ["compare", "sample", "-m", "toy:8", "--store", "badstores:x"],
        "badmeasures": ["compare", "sample", "-m", "toy:8", "-m", "toy:24", "--measure", "badmeasures"],
        "baddocuments": ["compare", tmp_path / "docs", "-m", "toy:8"],
    }
    for name, command in asked.items():
        told = embdiff(*command, site=broken, code=2).stderr
        assert f"{name!r} must be usable as the package broken-plugin registers it (broken_plugin:IT)" in told
        assert "Mend broken-plugin, or uninstall it." in told


def test_a_name_that_two_packages_register_is_refused(installed, tmp_path):
    about = tmp_path / "other_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[embdiff.encoders]\ntrigrams = other_plugin:IT\n")
    env = os.pathsep.join([str(installed), str(tmp_path)])
    told = embdiff("compare", "sample", "-m", "trigrams:8", site=env, code=2).stderr
    assert "Got 2 packages that register it" in told
    assert "other-plugin" in told
    assert "embdiff-example" in told


def test_a_reader_that_fails_on_a_document_is_named_with_it(tmp_path):
    about = tmp_path / "site" / "odd_plugin-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[embdiff.documents]\nodd = odd_plugin:read\nnone = odd_plugin:nothing\n")
    (tmp_path / "site" / "odd_plugin.py").write_text(
        "def read(path, encoding):\n    return {}['x']\n\n\ndef nothing(path, encoding):\n    return None\n"
    )
    for ending, words in (("odd", "Got KeyError: 'x' for"), ("none", "must return a text. Got NoneType")):
        folder = tmp_path / ending
        folder.mkdir()
        (folder / f"a.{ending}").write_text("x")
        told = embdiff("compare", folder, "-m", "toy:8", site=tmp_path / "site", code=2).stderr
        assert words in told
        assert f"a.{ending}" in told
