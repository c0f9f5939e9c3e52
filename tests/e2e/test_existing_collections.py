"""A collection that embdiff did not make as one side of a comparison: read and searched, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from typer.testing import CliRunner

import embdiff as ed
from embdiff.cli import app
from embdiff.errors import DataError, ParameterError, StoreError, UnknownNameError
from embdiff.specs import ModelSpec
from milvus_server import TOKEN

TEXTS = [f"{word} number {row}" for row, word in enumerate(("cat", "dog", "harbour", "lantern", "cup") * 12)]
KEYS = [f"doc-{row:03}" for row in range(60)]
VECTORS = np.random.default_rng(1).standard_normal((60, 8)).astype(np.float32)
NAME = "theirs"
OPTIONS = "vector=emb&text=body&id=code"


def fill(client: Any, *, auto_id: bool = True, rows: int = 60, metric: str = "COSINE", index: str = "HNSW") -> None:
    """Make a collection as users do: another schema, keys by the server, extra and dynamic fields."""
    schema = MilvusClient.create_schema(auto_id=auto_id, enable_dynamic_field=True)
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("code", DataType.VARCHAR, max_length=64)
    schema.add_field("body", DataType.VARCHAR, max_length=500)
    schema.add_field("stars", DataType.DOUBLE)
    schema.add_field("emb", DataType.FLOAT_VECTOR, dim=8)
    params = MilvusClient.prepare_index_params()
    params.add_index("emb", index_type=index, metric_type=metric, params={"M": 16, "efConstruction": 100})
    client.create_collection(NAME, schema=schema, index_params=params, properties={"owner": "them"})
    order = np.random.default_rng(2).permutation(rows)  # the rows do not lie in the order of the corpus
    client.insert(
        NAME,
        [
            {"code": KEYS[row], "body": TEXTS[row], "stars": 0.5, "emb": VECTORS[row], "colour": "red"}
            | ({} if auto_id else {"pk": int(row) // 2})
            for row in order
        ],
    )
    client.flush(NAME)


def state(client: Any) -> str:
    client.load_collection(NAME)
    described = client.describe_collection(NAME)
    rows = client.query(NAME, filter="pk >= 0", output_fields=["*"], consistency_level="Strong")
    indexes = [client.describe_index(NAME, name) for name in client.list_indexes(NAME)]
    records = sorted(json.dumps(row, sort_keys=True, default=float) for row in rows)  # fields come in any order
    told = [described, records, indexes, sorted(client.list_collections())]
    return json.dumps(told, default=str, sort_keys=True)


@pytest.fixture
def lite() -> Iterator[Any]:
    client = MilvusClient("a.db")
    fill(client)
    yield client
    client.close()


@pytest.fixture
def csv() -> Path:
    path = Path("corpus.csv")
    path.write_text("id,text\n" + "".join(f"{key},{text}\n" for key, text in zip(KEYS, TEXTS, strict=True)))
    return path


def check(reference: str, client: Any, csv: Path) -> None:
    before = state(client)
    result = ed.compare(csv, models=[reference, "toy:8"], k=5, out="run", id_column="id", text_column="text")
    assert state(client) == before
    normed = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    similarity = normed @ normed.T
    np.fill_diagonal(similarity, -2)
    truth = np.argsort(-similarity, axis=1)[:, :5]
    answer = result.run.answers[0]
    np.testing.assert_array_equal(answer.exact.rows, truth)
    assert (answer.returned.rows == truth).mean() > 0.95
    assert answer.returned.index.startswith(("hnsw", "autoindex"))
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert manifest["models"][0]["collection"]["name"] == NAME
    assert manifest["models"][0]["collection"]["reused"] is True
    for path in Path("run").rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
    assert ed.load("run") == result


def test_lite(lite: Any, csv: Path) -> None:
    check(f"milvus:a.db#{NAME}?{OPTIONS}", lite, csv)
    assert CliRunner().invoke(app, ["compare", "run/run.toml", "--out", "again", "--json"]).stdout.startswith("{")


@pytest.mark.server
def test_server(milvus_server: str, csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MilvusClient(milvus_server, token=TOKEN)
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    fill(client)
    try:
        check(f"{milvus_server}#{NAME}?{OPTIONS}", client, csv)
    finally:
        client.drop_collection(NAME)
    fill(client, auto_id=False)
    try:
        with pytest.raises(DataError, match=r"Every primary key must occur once"):
            ed.compare(csv, models=[f"{milvus_server}#{NAME}?{OPTIONS}"], k=3)
    finally:
        client.drop_collection(NAME)
        client.close()


def test_the_corpus_can_be_taken_from_it(lite: Any) -> None:
    reference = f"milvus:a.db#{NAME}?{OPTIONS}"
    result = ed.compare(reference, models=[reference, "toy:4"], k=3)
    assert sorted(result.run.corpus.ids) == KEYS
    assert dict(zip(result.run.corpus.ids, result.run.corpus.items, strict=True)) == dict(zip(KEYS, TEXTS, strict=True))
    by_key = ed.compare(f"milvus:a.db#{NAME}?text=body", models=[f"milvus:a.db#{NAME}"], k=3)  # one field of vectors
    assert all(name.isdigit() for name in by_key.run.corpus.ids)
    done = CliRunner().invoke(app, ["compare", reference, "-m", "toy:4", "-k", "3", "--json"])
    assert done.exit_code == 0, done.output
    lite.insert(NAME, [{"code": "blank", "body": " ", "stars": 1.0, "emb": VECTORS[0]}])
    for given, message in (
        ({"id_column": "id"}, r"named in its text\. Got id_column with milvus:a\.db#"),
        ({"empty": "refuse"}, r"must have texts\. Got 1 without, for example 'blank'"),
    ):
        with pytest.raises((ParameterError, DataError), match=message):
            ed.compare(reference, models=["toy:4"], k=3, **given)
    with pytest.raises(ParameterError, match=r"must name its field of texts\. Got milvus:a\.db#theirs\. Add \?text="):
        ed.compare(f"milvus:a.db#{NAME}", models=["toy:4"])


def test_free_queries_need_an_encoder(lite: Any, csv: Path) -> None:
    reference = f"milvus:a.db#{NAME}?{OPTIONS}"
    with pytest.raises(
        ParameterError, match=r"need a model that encodes them\. Got none for milvus:a\.db.*encoder=MOD"
    ):
        ed.compare(csv, models=[reference], queries=["a cat"], k=3, id_column="id", text_column="text")
    with pytest.raises(ParameterError, match=r"must have its dimension, 8\. Got 4 from toy:4\. Name the model"):
        ed.compare(csv, models=[f"{reference}&encoder=toy:4"], queries=["cat"], k=3, id_column="id", text_column="text")
    found = ed.compare(
        csv, models=[f"{reference}&encoder=toy:8"], queries=["cat"], k=3, id_column="id", text_column="text"
    )
    assert found.run.answers[0].returned.rows.shape == (1, 3)


def test_queries_that_it_does_not_hold_are_encoded_once(lite: Any, csv: Path, tmp_path: Path) -> None:
    reference = f"milvus:a.db#{NAME}?{OPTIONS}&encoder=toy:8"
    columns = {"id_column": "id", "text_column": "text"}
    for encoded in (2, 0):
        found = ed.compare(csv, [reference], queries=["cat", "dog"], k=3, cache=tmp_path / "kept", **columns)
        told = found.run.manifest["models"][0]["encoding"]
        assert (told["texts"], told["encoded"], told["cached"]) == (2, encoded, 2 - encoded)


def test_what_does_not_fit_is_told(lite: Any, csv: Path) -> None:
    def compared(reference: str, error: type[Exception], message: str, **given: Any) -> None:
        columns = {"id_column": "id", "text_column": "text"}
        with pytest.raises(error, match=message):
            ed.compare(csv, models=[reference], k=3, **{**columns, **given})

    here = f"milvus:a.db#{NAME}"
    compared(
        f"{here}?vector=embb&id=code", UnknownNameError, r"field vector= must be in .* Got 'embb'\. Did you mean 'emb'"
    )
    compared(f"{here}?vector=body", ParameterError, r"float vectors must be named .* Got 'body' .*which has: emb\.")
    compared(f"{here}?id=stars", ParameterError, r"id= must be of type VARCHAR or .* Got 'stars' of type DOUBLE")
    compared(f"{here}?text=stars", ParameterError, r"text= must be of type VARCHAR\. Got 'stars'")
    compared(
        "milvus:a.db#no?id=code", StoreError, r"must be in milvus:a\.db\. Got 'no', which is not; there are: theirs"
    )
    compared("milvus:b.db#no", StoreError, r"must exist\. Got b\.db\. Check the path")
    assert not Path("b.db").exists()
    compared(f"{here}?id=code", ParameterError, r"Got l2 for the run and cosine in .*Add --metric cosine", metric="l2")
    compared(
        here, DataError, r"must hold the same ids\. Got 60 in .* and 60 in corpus\.csv; the collection lacks 60, for"
    )
    csv.write_text(csv.read_text().replace("doc-007", "other"))
    compared(f"{here}?id=code", DataError, r"the collection lacks 1, for example 'other'")
    csv.write_text("".join(line + "\n" for line in csv.read_text().splitlines() if not line.startswith("other")))
    compared(f"{here}?id=code", DataError, r"has besides 1, for example 'doc-007'")
    lite.insert(NAME, [{"code": KEYS[3], "body": "twice", "stars": 1.0, "emb": VECTORS[0]}])
    compared(
        f"{here}?id=code", DataError, r"Every id must occur once .* Got 'doc-003' more than once in milvus:a\.db#th"
    )
    compared("milvus:#x", ParameterError, r"must be written milvus:FILE#COLLECTION or http.* Got 'milvus:#x'")
    compared("lancedb:a#x", ParameterError, r"must be written milvus:FILE#COLLECTION or http.* Got 'lancedb:a#x'")


def test_the_text_form_round_trips_and_holds_no_secret() -> None:
    text = "http://h:19530#docs?vector=emb&encoder=st:a/b%3Fdim%3D8&db=x"
    spec = ModelSpec.parse(text)
    assert ModelSpec.parse(str(spec)) == spec
    assert spec.options["encoder"] == "st:a/b?dim=8"
    with pytest.raises(UnknownNameError, match=r"must be one of vector, id, text, group, encoder, db\. Got 'dim'"):
        ModelSpec.parse("milvus:a.db#docs?dim=8")
    for secret in ("http://me:hush@h:1#docs", "http://h:1?token=hush#docs", "https://h:1#docs?vector=v&token=hush"):
        with pytest.raises(ParameterError, match=r"without token or password.*set EMBDIFF_STORE_TOKEN") as raised:
            ed.compare("sample", models=[secret])
        assert "hush" not in str(raised.value)


@pytest.mark.parametrize("store", ["milvus:run/a.db", "lancedb:run/vectors"])
def test_a_store_inside_the_run_folder_is_refused(store: str) -> None:
    with pytest.raises(
        ParameterError, match=rf"must lie outside the run folder, which is replaced\. Got {store} in run"
    ):
        ed.compare("sample", models=["toy:4"], store=store, out="run")
