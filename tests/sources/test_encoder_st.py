"""st:FOLDER on tiny models made here: equal to the library's own encode, prompts, dimensions, stamps, failures."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from embdiff.errors import EncoderError, ParameterError
from embdiff.sources import get_encoder

library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

pytestmark = pytest.mark.floors
TEXTS = ["the ferry was late", "a lamp on the pier", "home", "", "unknown words 👋", "the " * 200, "lamps: a query"]


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.sum(one.astype(np.float64) * other, axis=1) / norms


def own_encode(folder: Path, texts: list[str], **options: object) -> np.ndarray:
    return library.SentenceTransformer(str(folder), device="cpu").encode(texts, show_progress_bar=False, **options)


def test_equals_the_library(tiny: Callable[..., Path]):
    folder = tiny()
    vectors = get_encoder(f"st:{folder}").encode(TEXTS)
    theirs = own_encode(folder, TEXTS)
    assert cosines(vectors, theirs).min() >= 0.99999
    np.testing.assert_allclose(vectors, theirs, atol=1e-5)


def test_stamp(tiny: Callable[..., Path]):
    folder = tiny()
    stamp = get_encoder(f"st:{folder}").stamp
    assert stamp.model == f"st:{folder.name}"
    assert stamp.revision.startswith("sha256:")
    assert (stamp.dim, stamp.max_tokens, stamp.prompt, stamp.query_prompt) == (16, 32, "", "")


def test_revision_follows_the_files_that_count(tiny: Callable[..., Path], tmp_path: Path):
    folder, copy = tiny(), tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = get_encoder(f"st:{folder}").stamp.revision
    (copy / "README.md").write_text("other words")
    assert get_encoder(f"st:{copy}").stamp.revision == before
    with (copy / "config.json").open("a") as file:
        file.write("\n")
    assert get_encoder(f"st:{copy}").stamp.revision != before


@pytest.mark.parametrize(
    ("prompts", "default"),
    [
        ({}, None),
        ({"query": "query: ", "document": "a "}, None),
        ({"query": "query: ", "passage": "passage: "}, None),
        ({"query": "query: ", "document": "", "passage": "passage: "}, None),
        ({"query": "query: ", "document": ""}, "query"),
        ({"query": "", "document": "", "plain": "the "}, "plain"),
        ({"query": "query: "}, "query"),
        ({"plain": "the "}, "plain"),
        ({"corpus": "home: "}, "corpus"),
    ],
)
def test_prompts_are_those_of_the_library(tiny: Callable[..., Path], prompts: dict[str, str], default: str | None):
    folder = tiny(prompts, default=default)
    encoder, own = get_encoder(f"st:{folder}"), library.SentenceTransformer(str(folder), device="cpu")
    stamped = {"document": encoder.stamp.prompt, "query": encoder.stamp.query_prompt}
    for role, encode in (("document", own.encode_document), ("query", own.encode_query)):
        expected = encode(TEXTS, show_progress_bar=False)
        np.testing.assert_allclose(encoder.encode(TEXTS, role=role), expected, atol=1e-5)  # type: ignore[arg-type]
        np.testing.assert_allclose(own.encode(TEXTS, prompt=stamped[role]), expected, atol=1e-5)
    left_out = [text for text in prompts.values() if text and text not in stamped.values()]
    told = " ".join(encoder.about.get("assumed", ()))
    assert all(f"prompt={quote(text)}" in told for text in left_out)
    assert bool(left_out) == ("not put before" in told)


@pytest.mark.parametrize(
    ("options", "document", "query"),
    [(f"?prompt={quote('home: ')}", "home: ", "query: "), (f"?query_prompt={quote('a: ')}", "", "a: ")],
)
def test_prompts_of_options_win(tiny: Callable[..., Path], options: str, document: str, query: str):
    folder = tiny({"query": "query: "})
    encoder = get_encoder(f"st:{folder}{options}")
    assert (encoder.stamp.prompt, encoder.stamp.query_prompt) == (document, query)
    for role, prompt in (("document", document), ("query", query)):
        expected = own_encode(folder, [prompt + text for text in TEXTS], prompt="")
        np.testing.assert_allclose(encoder.encode(TEXTS, role=role), expected, atol=1e-5)  # type: ignore[arg-type]


def test_cut_vectors_keep_norm_one_where_the_model_promises_it(tiny: Callable[..., Path]):
    plain, unit = tiny(), tiny(normalize=True)
    head = own_encode(plain, TEXTS)[:, :8]
    np.testing.assert_allclose(get_encoder(f"st:{plain}?dim=8").encode(TEXTS), head, atol=1e-5)
    cut = get_encoder(f"st:{unit}?dim=8").encode(TEXTS)
    np.testing.assert_allclose(cut, head / np.linalg.norm(head, axis=1, keepdims=True), atol=1e-5)


def test_dim_beyond_the_model_is_refused(tiny: Callable[..., Path]):
    with pytest.raises(ParameterError, match=r"dim must be at most 16, the dimension of the model\. Got 17 in"):
        get_encoder(f"st:{tiny()}?dim=17")


def test_half_precision_files_run_in_float32(tiny: Callable[..., Path]):
    folder = tiny()
    library.SentenceTransformer(str(folder), device="cpu").half().save(str(folder))
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    encoder = get_encoder(f"st:{folder}")
    assert {parameter.dtype for parameter in encoder._backend._model.parameters()} == {torch.float32}  # type: ignore[attr-defined]
    assert encoder.encode(TEXTS).dtype == np.float32


def test_a_plain_transformer_is_averaged_and_says_so(tiny: Callable[..., Path], tmp_path: Path):
    folder, bare = tiny(), tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / "modules.json").unlink()
    encoder = get_encoder(f"st:{bare}")
    assert encoder.stamp.model == "st:bare + mean of tokens"
    np.testing.assert_allclose(encoder.encode(TEXTS), get_encoder(f"st:{folder}").encode(TEXTS), atol=1e-5)


def test_old_weights_are_read_as_tensors_only(tiny: Callable[..., Path]):
    folder = tiny()
    expected = get_encoder(f"st:{folder}").encode(TEXTS)
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    np.testing.assert_allclose(get_encoder(f"st:{folder}").encode(TEXTS), expected, atol=1e-6)


def test_weights_that_would_run_code_are_refused(tiny: Callable[..., Path], tmp_path: Path):
    folder, trace = tiny(), tmp_path / "code ran"

    class Evil:
        def __reduce__(self) -> object:
            return (Path.touch, (trace,))

    torch.save({"weights": Evil()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="must load as a sentence-transformers model"):
        get_encoder(f"st:{folder}")
    assert not trace.exists()


ROUTER = "sentence_transformers.models.Router"
NAMED = {
    "a module": ({"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "mine.Body"}]}, "'mine.Body', named in modules"),
    "a part of a router": (
        {
            "modules.json": [{"idx": 0, "name": "0", "path": "", "type": ROUTER}],
            "router_config.json": {"types": {"query_0": "mine.Body"}, "structure": {"query": ["query_0"]}, "parameters": {}},
        },
        "'mine.Body', named in router_config.json",
    ),
    "a part of a router in a router": (
        {
            "modules.json": [{"idx": 0, "name": "0", "path": "", "type": ROUTER}],
            "router_config.json": {"types": {"inner": ROUTER}, "structure": {"query": ["inner"]}, "parameters": {}},
            "inner/router_config.json": {"types": {"query_0": "mine.Body"}, "structure": {}, "parameters": {}},
        },
        "'mine.Body', named in inner/router_config.json",
    ),
    "an activation": (
        {
            "modules.json": [{"idx": 0, "name": "0", "path": "1_Dense", "type": "sentence_transformers.models.Dense"}],
            "1_Dense/config.json": {"in_features": 16, "out_features": 8, "activation_function": "mine.Body"},
        },
        "'mine.Body', named in 1_Dense/config.json",
    ),
    "a tokenizer": (
        {
            "modules.json": [{"idx": 0, "name": "0", "path": "w", "type": "sentence_transformers.models.WordEmbeddings"}],
            "w/wordembedding_config.json": {"tokenizer_class": "mine.Body", "update_embeddings": False},
        },
        "'mine.Body', named in w/wordembedding_config.json",
    ),
    "nothing": ({"modules.json": [{"idx": 0, "name": "0", "path": "", "type": None}]}, "'None', named in modules"),
}  # fmt: skip


@pytest.mark.parametrize("place", NAMED)
def test_a_model_that_names_code_of_its_own_is_refused_before_a_library_meets_it(
    tiny: Callable[..., Path], place: str, monkeypatch: pytest.MonkeyPatch
):
    """Whatever the library would do with it: before version 6 it ran the code of a folder unasked."""
    files, named = NAMED[place]
    folder = tiny()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    (folder / "mine.py").write_text("raise SystemExit('the code ran')")
    monkeypatch.setattr(library, "SentenceTransformer", lambda *_, **__: pytest.fail("the library met it"))
    with pytest.raises(EncoderError, match=r"without running code of its own\..*add trust_remote_code=true") as caught:
        get_encoder(f"st:{folder}")
    assert named in str(caught.value)


def test_code_of_a_model_runs_where_it_is_trusted(tiny: Callable[..., Path]):
    folder = tiny()
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "mine.Body"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "mine.py").write_text("raise RuntimeError('the code ran')")
    with pytest.raises(EncoderError, match="the code ran"):
        get_encoder(f"st:{folder}?trust_remote_code=true")


def test_damaged_weights_give_one_line(tiny: Callable[..., Path]):
    folder = tiny()
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(EncoderError, match=r"must load as a sentence-transformers model\. Got ") as caught:
        get_encoder(f"st:{folder}")
    assert "\n" not in str(caught.value)


def test_loading_and_encoding_print_nothing(tiny: Callable[..., Path], capfd: pytest.CaptureFixture[str]):
    from transformers.utils import logging as bars

    folder = tiny()
    capfd.readouterr()  # what making the model printed
    before = logging.getLogger("transformers").level, bars.is_progress_bar_enabled()
    get_encoder(f"st:{folder}").encode(TEXTS)
    assert capfd.readouterr() == ("", "")
    assert (logging.getLogger("transformers").level, bars.is_progress_bar_enabled()) == before


def test_lengths_are_the_tokens_of_the_whole_text(tiny: Callable[..., Path]):
    backend = get_encoder(f"st:{tiny({'query': 'query : '})}")._backend
    texts = ["the ferry", "", "the " * 200]
    assert backend.lengths(texts, "document").tolist() == [4, 2, 202]  # type: ignore[attr-defined]
    assert backend.lengths(texts, "query").tolist() == [6, 4, 204]  # type: ignore[attr-defined]


def test_packed_layers_compute_the_same():
    from embdiff.sources.streams import pack_linear_layers

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(48, 96), torch.nn.GELU(), torch.nn.Linear(96, 24, bias=False))
    values = torch.randn(5, 7, 48)
    with torch.inference_mode():
        expected = model(values)
        packed = pack_linear_layers(model)
        if not packed:
            pytest.skip("this processor or PyTorch has no oneDNN layers")
        assert packed == 2
        torch.testing.assert_close(model(values), expected, rtol=1e-5, atol=1e-5)


def test_layers_that_cannot_be_packed_stay(monkeypatch: pytest.MonkeyPatch):
    from embdiff.sources.streams import pack_linear_layers

    half = torch.nn.Linear(4, 4).half()
    assert pack_linear_layers(half) == 0
    monkeypatch.setattr("embdiff.sources.streams._forward", lambda weight, bias, values: values * 0)
    assert pack_linear_layers(torch.nn.Linear(4, 4)) == 0
    monkeypatch.setattr("embdiff.sources.streams._MOST_PARAMETERS", 10)
    assert pack_linear_layers(torch.nn.Linear(4, 4)) == 0
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert pack_linear_layers(torch.nn.Linear(4, 4)) == 0


def positions(tiny: Callable[..., Path], rows: int, kind: str) -> Path:
    """Save a plain body with a table of so many positions, whose tokenizer knows no limit."""
    import transformers

    folder = tiny()
    for file in folder.glob("*.json"):
        if file.name not in ("tokenizer.json", "tokenizer_config.json"):
            file.unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("model_max_length", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=18, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=rows, pad_token_id=1,
    )  # fmt: skip
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("kind", "places"), [("Roberta", 22), ("XLMRoberta", 22), ("MPNet", 22), ("Bert", 24)])
def test_texts_longer_than_the_positions_are_cut_and_counted(tiny: Callable[..., Path], kind: str, places: int):
    from embdiff.sources.tally import Tally

    encoder, tally = get_encoder(f"st:{positions(tiny, 24, kind)}"), Tally()
    texts = ["the " * count for count in (3, places - 2, places - 1, places, 200)]
    vectors = encoder.encode(texts, tally=tally)
    assert encoder.stamp.max_tokens == places
    assert [rows.tolist() for _, rows in tally.truncated] == [[2, 3, 4]]
    assert cosines(vectors[2:], vectors[1:2].repeat(3, axis=0)).min() > 0.99999


def test_max_tokens_cuts_texts(tiny: Callable[..., Path]):
    folder = tiny()
    encoder = get_encoder(f"st:{folder}?max_tokens=8")
    assert encoder.stamp.max_tokens == 8
    own = library.SentenceTransformer(str(folder), device="cpu")
    own.max_seq_length = 8
    np.testing.assert_allclose(encoder.encode(TEXTS), own.encode(TEXTS, show_progress_bar=False), atol=1e-5)
    with pytest.raises(ParameterError, match=r"max_tokens must be at most 40, the positions of the model\. Got 41 in"):
        get_encoder(f"st:{folder}?max_tokens=41")
    with pytest.raises(ParameterError, match="max_tokens must be an integer between 8 and"):
        get_encoder(f"st:{folder}?max_tokens=few")


def test_a_token_without_a_row_is_explained(tiny: Callable[..., Path]):
    encoder = get_encoder(f"st:{tiny()}")
    encoder._backend._model[0].auto_model.embeddings.word_embeddings.weight.data = torch.zeros(6, 16)  # type: ignore[attr-defined]
    with pytest.raises(EncoderError, match=r"has no place for a token or for its position.*202 tokens, cut at 32"):
        encoder.encode(["the " * 200, "home"])
