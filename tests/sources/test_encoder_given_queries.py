"""Ready vectors of queries, in a file of their own: found by row, id or text, checked, and asked with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.errors import DataError, EmbdiffError, EncoderError, ParameterError
from embdiff.sources import Encoder, Wanted, get_encoder

TEXTS = [f"row {row} of {'abcdefg'[row % 7] * (row % 5 + 1)}" for row in range(40)]
QUERIES = [f"asked {'bcd'[row % 3] * (row + 1)}" for row in range(9)]


def made(texts: Sequence[str]) -> np.ndarray:
    return get_encoder("toy:8").encode(list(texts), role="query")


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., str]:
    """Return what saves vectors of the corpus and of queries, and returns the model of both."""

    def save(queries: np.ndarray, documents: np.ndarray | None = None) -> str:
        np.save(tmp_path / "d.npy", made(TEXTS) if documents is None else documents)
        np.save(tmp_path / "q.npy", queries)
        return f"vectors:{tmp_path / 'd.npy'}?queries={tmp_path / 'q.npy'}"

    return save


def ready(model: str, queries: Sequence[str] = QUERIES, ids: Sequence[str] | None = None) -> Encoder:
    encoder = get_encoder(model)
    encoder.fit(TEXTS, "digest")
    encoder.expect(Wanted.whole(queries, ids or [f"q{row}" for row in range(len(queries))], "queries"))
    return encoder


def test_queries_by_row_have_their_own_vectors(files: Callable[..., str]) -> None:
    encoder = ready(files(made(QUERIES)))
    np.testing.assert_array_equal(encoder.encode(TEXTS), made(TEXTS))
    np.testing.assert_array_equal(encoder.encode(QUERIES, role="query"), made(QUERIES))
    queries = encoder.about["queries"]
    assert (queries["file"], queries["joined"]) == ("q.npy", "row")
    assert queries["revision"].startswith("blake2b:")
    assert encoder.by_row
    assert not encoder.same_roles


def test_the_collection_is_the_same_whatever_asks_it(files: Callable[..., str]) -> None:
    with_queries = ready(files(made(QUERIES)))
    alone = get_encoder(with_queries.spec.partition("?")[0])
    alone.fit(TEXTS, "digest")
    assert with_queries.stamp == alone.stamp


@pytest.mark.parametrize(
    ("columns", "how"), [(("id", "text"), "id"), (("id",), "id"), (("text",), "text"), ((), "row")]
)
def test_queries_in_parquet_are_found_as_rows_are(
    files: Callable[..., str], tmp_path: Path, columns: tuple[str, ...], how: str
) -> None:
    model = files(made(QUERIES))
    order = list(range(len(QUERIES))) if how == "row" else [3, 0, 8, 7, 6, 5, 4, 2, 1]
    texts = [QUERIES[row] for row in order]
    kept = {"id": [f"q{row}" for row in order], "text": texts}
    table = pa.table({**{name: kept[name] for name in columns}, "vector": made(texts).tolist()})
    pq.write_table(table, tmp_path / "q.parquet")
    encoder = ready(model.replace("q.npy", "q.parquet"))
    np.testing.assert_array_equal(encoder.encode(QUERIES, role="query"), made(QUERIES))
    assert encoder.about["queries"]["joined"] == how


def test_a_path_with_an_ampersand_is_written_with_percent(files: Callable[..., str], tmp_path: Path) -> None:
    model = files(made(QUERIES))
    (tmp_path / "q.npy").rename(tmp_path / "q&a.npy")
    encoder = ready(model.replace("q.npy", "q%26a.npy"))
    assert encoder.about["queries"]["file"] == "q&a.npy"


def test_refusals(files: Callable[..., str], tmp_path: Path) -> None:
    nan = made(QUERIES)
    nan[4, 1] = np.nan
    refused: list[tuple[np.ndarray, type[EmbdiffError], str]] = [
        (made(QUERIES[:8]), ParameterError, r"one vector for each of the 9 queries, in their order\. Got 8 vectors"),
        (made(QUERIES)[:, :7], DataError, r"must have vectors of 8 dimensions, as the corpus has\. Got 7\."),
        (nan, EncoderError, r"q\.npy of the queries of 'vectors:.*finite vectors\. Got NaN or infinity in row 4"),
    ]
    for queries, kind, message in refused:
        with pytest.raises(kind, match=message):
            ready(files(queries))
    encoder = ready(files(made(QUERIES)))
    untold = get_encoder(encoder.spec)
    untold.fit(TEXTS, "digest")
    with pytest.raises(ParameterError, match=r"knows the vectors of 9 texts and no others\. Got 1 texts as query"):
        untold.encode(["typed"], role="query")
    for other in (["new"], QUERIES[::-1], QUERIES[:3]):
        with pytest.raises(ParameterError, match=r"knows the vectors of 9 texts and no others\. Got \d texts as query"):
            encoder.encode(other, role="query")
    with pytest.raises(ParameterError, match="knows the vectors of the 40 rows of the corpus and no others"):
        encoder.encode(QUERIES)
    with pytest.raises(DataError, match="must be there and readable"):
        get_encoder(f"vectors:{tmp_path / 'd.npy'}?queries=nowhere.npy")
    pq.write_table(pa.table({"id": ["q0"], "vector": [[1.0] * 8]}), tmp_path / "few.parquet")
    with pytest.raises(
        DataError, match=r"for each of the queries.*'id' lacks 8 of the 9 ids, for example 'q1'\. Encode"
    ):
        ready(f"vectors:{tmp_path / 'd.npy'}?queries={tmp_path / 'few.parquet'}")


def test_another_model_cannot_have_made_the_queries(tmp_path: Path) -> None:
    for name, texts, model in [("d", TEXTS, "toy:8"), ("q", QUERIES, "toy:8"), ("l", QUERIES, "lsa:8")]:
        encode_corpus(texts, model, tmp_path / f"{name}.parquet", role="query" if name == "q" else "document")
    encoder = ready(f"vectors:{tmp_path / 'd.parquet'}?queries={tmp_path / 'q.parquet'}", ids=QUERIES)
    np.testing.assert_array_equal(encoder.encode(QUERIES, role="query"), made(QUERIES))
    assert encoder.about["vectors_of"] == "toy:8"
    with pytest.raises(
        DataError, match=r"must be made by the model that made those of the corpus\. Got a difference in"
    ):
        get_encoder(f"vectors:{tmp_path / 'd.parquet'}?queries={tmp_path / 'l.parquet'}")


def test_a_comparison_asks_with_ready_vectors(files: Callable[..., str]) -> None:
    model = files(made(QUERIES))
    result = ed.compare(TEXTS, [model, "toy:8"], queries=QUERIES, k=5, store="memory:")
    frame = result.to_frame()
    mine, theirs = (frame[frame.model == name].reset_index(drop=True) for name in (model, "toy:8"))
    assert len(mine) == 9 * 5
    assert mine["id"].tolist() == theirs["id"].tolist()
    np.testing.assert_allclose(mine["similarity"], theirs["similarity"], atol=1e-6)


def test_rows_that_ask_have_a_vector_each_as_queries(files: Callable[..., str]) -> None:
    turned = np.roll(made(TEXTS), 1, axis=0)  # as a query, each row is what the row before is as a document
    model = files(turned)
    for queries, rows in [("rows:7,3", [7, 3]), ("first:2", [0, 1]), ("every", range(40))]:
        result = ed.compare(TEXTS, [model], queries=queries, k=1, store="memory:", self_matches="keep")
        similarity = result.to_frame()["similarity"].to_numpy()
        assert len(similarity) == len(rows)
        np.testing.assert_allclose(similarity, 1.0, atol=1e-6)
        found = made(TEXTS)[[int(each) for each in result.to_frame()["id"]]]
        asked = turned[list(rows)]
        np.testing.assert_allclose(
            found / np.linalg.norm(found, axis=1, keepdims=True),
            asked / np.linalg.norm(asked, axis=1, keepdims=True),
            atol=1e-6,
        )
    with pytest.raises(
        ParameterError, match=r"one vector for each of the 40 rows of the corpus, in their order\. Got 9"
    ):
        ed.compare(TEXTS, [files(made(QUERIES))], k=1, store="memory:")


def test_vectors_that_stay_in_their_file_are_asked_with_ready_ones(files: Callable[..., str]) -> None:
    rows = np.random.default_rng(0).standard_normal((3_000, 8)).astype(np.float32)
    texts = [f"t{row}" for row in range(len(rows))]
    model = files(rows[:9] + np.float32(0.001), rows)
    found = [
        ed.compare(texts, [model], queries=QUERIES, k=3, store="memory:", memory=memory).to_frame()["id"].tolist()
        for memory in (None, "300KiB")
    ]
    assert found[0] == found[1]
    assert found[0][::3] == [str(row) for row in range(9)]
