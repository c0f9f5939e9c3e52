"""SPLADE, ColBERT and CrossEncoder folders: their lists are those of sentence-transformers' own search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
import ranking_models as made
from embdiff.bulk import encode_corpus
from embdiff.errors import EncoderError, ParameterError
from embdiff.kept import VectorCache
from embdiff.ranked import ranked, refuse_unranked
from embdiff.sources import get_encoder

library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
CORPUS = ed.read_corpus("sample")
QUERIES = ["the ferry was late", "a lamp on the pier", "coffee and rain", CORPUS.items[7]]
OFF = VectorCache.at("off")
PROMPTS = {"query": "ferry : ", "document": "lamp "}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("families")
    return {name: getattr(made, name)(place / name) for name in ("sparse", "multivector", "cross")}


def ours(form: str, cache: VectorCache = OFF, depth: int = 20):
    found = ranked(form, {}, CORPUS, cache, "cosine")
    return found, found.ranking.rank(QUERIES, depth)


def same_lists(lists, wanted: np.ndarray) -> None:
    """Hold lists (q, k) to scores (q, n) of another program, whose float32 sums may swap what is as good as equal."""
    for row in range(len(wanted)):
        best = np.sort(wanted[row])[::-1][: lists.k]
        np.testing.assert_allclose(lists.similarity[row], best, rtol=1e-5)
        np.testing.assert_allclose(wanted[row][lists.rows[row]], best, rtol=1e-5)
        apart = np.abs(np.diff(best)) > 1e-4 * abs(best[0])
        assert apart.any()  # else nothing is compared


@pytest.mark.parametrize("settings", [{}, {"prompts": PROMPTS}, {"similarity_fn_name": "cosine"}])
def test_sparse_lists_are_those_of_the_library(tmp_path: Path, settings):
    folder = made.sparse(tmp_path, **settings)
    model = library.SparseEncoder(str(folder), device="cpu")
    asking, rows = model.encode_query(QUERIES), model.encode_document(list(CORPUS.items))
    found, lists = ours(f"sparse:{folder}")
    same_lists(lists, model.similarity(asking, rows).to_dense().numpy())
    hits = library.util.semantic_search(
        asking.to_dense(), rows.to_dense(), top_k=20, score_function=lambda a, b: model.similarity(a, b)
    )
    np.testing.assert_allclose([[hit["score"] for hit in each] for each in hits], lists.similarity, rtol=1e-5)
    assert [[hit["corpus_id"] for hit in each][:3] for each in hits] == lists.rows[:, :3].tolist()
    assert found.stamp.dim == rows.shape[1]
    assert found.stamp.query_prompt == settings.get("prompts", {}).get("query", "")


@pytest.mark.parametrize("settings", [{}, {"prompts": PROMPTS}, {"similarity_fn_name": "meanmaxsim"}])
def test_late_interaction_lists_are_those_of_the_library(tmp_path: Path, settings, monkeypatch):
    monkeypatch.setattr("embdiff.sources.late._TOKENS", 50)  # several blocks
    monkeypatch.setattr("embdiff.sources.late._QUERIES", 3)
    folder = made.multivector(tmp_path, **settings)
    model = library.MultiVectorEncoder(str(folder), device="cpu")
    asking, rows = model.encode_query(QUERIES), model.encode_document(list(CORPUS.items))
    _, lists = ours(f"multivector:{folder}")
    same_lists(lists, model.similarity(asking, rows).numpy())
    assert np.argsort(-model.similarity(asking, rows).numpy(), axis=1)[:, :3].tolist() == lists.rows[:, :3].tolist()
    # The formula itself, token by token.
    one, other = (np.asarray(each[0], dtype=np.float64) for each in (asking, [rows[lists.rows[0, 4]]]))
    value = sum(max(float(a @ b) for b in other) for a in one)
    value /= len(one) if settings.get("similarity_fn_name") else 1
    assert lists.similarity[0, 4] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("base", ["toy:16", "bm25", "lsa:8"])
def test_a_re_ranker_gives_the_order_of_its_own_rank(folders, base: str):
    pytest.importorskip("bm25s")
    model = library.CrossEncoder(str(folders["cross"]), device="cpu")
    _, lists = ours(f"{base}+rerank:st:{folders['cross']}?top=9")
    before = first_lists(base)
    for row, query in enumerate(QUERIES):
        listed = before[row][before[row] >= 0]
        order = model.rank(query, [CORPUS.items[at] for at in listed])
        wanted = [(int(listed[each["corpus_id"]]), float(each["score"])) for each in order]
        got = [(int(at), value) for at, value in zip(lists.rows[row], lists.similarity[row], strict=True) if at >= 0]
        np.testing.assert_allclose([value for _, value in got], [value for _, value in wanted], rtol=1e-5)
        assert {at for at, _ in got} == {at for at, _ in wanted}
        apart = {i for i in range(1, len(wanted)) if wanted[i - 1][1] - wanted[i][1] < 1e-5}
        if not apart:
            assert [at for at, _ in got] == [at for at, _ in wanted]


def first_lists(base: str) -> np.ndarray:
    if base == "bm25":
        return ed.lexical.Bm25(CORPUS.items).rank(QUERIES, 9).rows
    encoder = get_encoder(base)
    encoder.prepare(CORPUS)
    vectors, asking = encoder.encode(CORPUS.items), encoder.encode(QUERIES, role="query")
    return ed.exact.search(asking, vectors, 9, "cosine").rows


def test_rows_that_share_no_weight_are_not_ranked(tmp_path: Path):
    folder = made.sparse(tmp_path)
    ranking = ranked(f"sparse:{folder}", {}, CORPUS, OFF, "cosine").ranking
    ranking._table = ranking._table.multiply(np.arange(len(CORPUS)) % 2).tocsr()  # every other row weighs nothing
    lists, (ranks, scores) = ranking.rank_and_place(QUERIES, 52, np.tile(np.arange(4), (4, 1)))
    assert (lists.rows[lists.rows >= 0] % 2 == 1).all()
    assert (lists.rows >= 0).sum() == 4 * 26
    assert (ranks[:, ::2] == -1).all()
    assert np.isnan(scores[:, ::2]).all()
    assert "ranks only rows that share a weight" in ranking.partial


def test_what_was_encoded_is_kept_and_counted(tmp_path: Path, folders, monkeypatch):
    cache = VectorCache.at(tmp_path / "cache")
    monkeypatch.setattr("embdiff.sources.ranker.PART", 20)
    monkeypatch.setattr("embdiff.kept.results.WORTH", 0)  # a few queries are sooner encoded than read
    for name, form in (("sparse", "sparse:"), ("multivector", "multivector:"), ("cross", "toy:16+rerank:st:")):
        first, lists = ours(f"{form}{folders[name]}", cache)
        again, same = ours(f"{form}{folders[name]}", VectorCache.at(tmp_path / "cache"))
        np.testing.assert_array_equal(lists.rows, same.rows)
        np.testing.assert_array_equal(lists.similarity, same.similarity)
        assert first.tally.encoded > 0
        assert (again.tally.encoded, again.tally.cached) == (0, first.tally.encoded)
        assert again.stamp == first.stamp
        assert again.about["loaded"] is False


def test_texts_that_are_cut_are_counted(folders):
    long = " ".join(["ferry"] * 50)
    corpus = ed.read_corpus([*CORPUS.items[:4], long, long])
    for form in (f"sparse:{folders['sparse']}", f"multivector:{folders['multivector']}"):
        found = ranked(form, {}, corpus, OFF, "cosine")
        assert [(role, rows.tolist()) for role, rows in found.tally.truncated] == [("document", [4, 5])]
        assert found.stamp.max_tokens == made.LONGEST
        shorter = ranked(f"{form}?max_tokens=8", {}, corpus, OFF, "cosine")
        assert shorter.stamp.max_tokens == 8
        assert len(shorter.tally.truncated[0][1]) > 2
    found = ranked(f"toy:16+rerank:st:{folders['cross']}?top=6", {}, corpus, OFF, "cosine")
    found.ranking.rank(["ferry", "lamp"], 6)
    assert [(role, rows.tolist()) for role, rows in found.tally.truncated] == [("query", [0, 1])]


def test_equal_texts_are_tied(folders):
    corpus = ed.read_corpus([*CORPUS.items[:6], CORPUS.items[2], CORPUS.items[2]])
    for form in (f"sparse:{folders['sparse']}", f"multivector:{folders['multivector']}"):
        lists = ranked(form, {}, corpus, OFF, "cosine").ranking.rank([CORPUS.items[2]], 8)
        assert lists.ties is not None
        at = lists.rows[0].tolist().index(2)
        assert lists.ties.size[0, at] == 3


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("sparse:{multivector}", "must make a sparse vector of a text. Got a MultiVectorEncoder"),
        ("sparse:{cross}", "must make a sparse vector of a text. Got a CrossEncoder"),
        ("multivector:{sparse}", "must make a vector of each token. Got a SparseEncoder"),
        ("toy:8+rerank:st:{sparse}", "must score pairs of texts. Got a SparseEncoder"),
        ("st:{sparse}", "Name it as sparse:NAME"),
        ("st:{multivector}", "Name it as multivector:NAME"),
        ("st:{cross}", "Let it re-rank what another model finds"),
    ],
)
def test_a_model_of_another_family_is_refused(folders, form: str, told: str):
    name = form.format(**folders)
    ask = get_encoder if name.startswith("st:") else lambda name: refuse_unranked([name], {}, {"text"}, OFF)
    with pytest.raises(EncoderError) as caught:
        ask(name)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 600 + len(str(folders["sparse"]))


def test_plain_bodies_are_taken_for_what_they_may_be(tmp_path: Path):
    masked, plain = made.body(tmp_path / "masked", "BertForMaskedLM"), made.body(tmp_path / "plain", "BertModel")
    found, lists = ours(f"sparse:{masked}")
    assert found.about["assumed"] == ["it does not say that it is a SparseEncoder: its head for masked words is taken"]
    assert (lists.rows >= 0).any()
    for form in (f"multivector:{plain}", f"sparse:{plain}", f"toy:8+rerank:st:{plain}"):
        with pytest.raises(EncoderError, match="which makes one dense vector"):
            refuse_unranked([form], {}, {"text"}, OFF)


def test_a_re_ranker_of_several_labels_is_refused(tmp_path: Path):
    folder = made.cross(tmp_path, labels=3)
    with pytest.raises(EncoderError, match=r"must give each pair of texts one number. Got 3 labels"):
        refuse_unranked([f"toy:8+rerank:st:{folder}"], {}, {"text"}, OFF)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("minilm+rerank:cross:x", "must be written MODEL"),
        ("a+rerank:st:x+rerank:st:y", "must be written MODEL"),
        ("vectors:x.npy+rerank:st:x", "whose vectors are ready"),
        ("toy:8+rerank:st:x?top=1", "top must be an integer between 2 and 1000"),
        ("toy:8+rerank:st:x?top=many", "top must be an integer"),
    ],
)
def test_a_re_ranker_that_is_written_wrong_is_refused(form: str, told: str):
    with pytest.raises(ParameterError) as caught:
        ed.compare("sample", ["toy:8", form])
    assert told in str(caught.value)


def test_nothing_dense_can_be_asked_of_them(folders, tmp_path: Path):
    for form in (f"sparse:{folders['sparse']}", f"multivector:{folders['multivector']}"):
        with pytest.raises(ParameterError, match="which ranks texts without one"):
            get_encoder(form)
        with pytest.raises(ParameterError, match="which ranks texts without one"):
            encode_corpus(["a", "b"], form, out=tmp_path / "x.parquet")
        with pytest.raises(ParameterError, match="A query model must have vectors"):
            ed.compare("sample", ["toy:8"], query_models=[form])
        with pytest.raises(ParameterError, match=r"at least one model with vectors. Got only"):
            ed.compare("sample", [form])


def test_vectors_of_tokens_that_do_not_fit_into_memory_are_refused(folders, monkeypatch):
    monkeypatch.setattr("embdiff.sources.late.share", lambda: 10_000)
    with pytest.raises(ParameterError, match="The vectors of all tokens of the corpus must fit into memory"):
        ours(f"multivector:{folders['multivector']}")
