"""Evaluating vectors that are ready: judged queries, classes and pairs score as the model that made them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff
from embdiff.bulk import encode_corpus
from embdiff.corpus.beir import read_beir
from embdiff.errors import DataError, ParameterError
from embdiff.evaluation.result import Evaluation
from embdiff.sources import get_encoder

LABELLED = [
    (f"{word} {'abcde'[row % 5] * (row % 4 + 1)}", word) for row in range(24) for word in ("cat", "train", "mud")
]


def made(texts: list[str] | tuple[str, ...]) -> np.ndarray:
    return get_encoder("toy:16").encode(list(texts))


def same_scores(result: Evaluation, model: str) -> None:
    """Check that ready vectors score as toy:16, and that nothing was encoded again."""
    scores = {score.measure: score for score in result.scores if score.models == ("toy:16",)}
    assert scores
    for name, score in scores.items():
        mine = result.score(name, model)
        assert (mine.value, mine.n) == (pytest.approx(score.value, abs=1e-12), score.n), name
    noise = {(each["model"], each["how"]): each for each in result.to_dict()["noise"]}
    assert noise[model, "batch"]["reason"] == "the vectors were read from a file, not encoded"
    assert noise[model, "float16"]["again"] == pytest.approx(noise["toy:16", "float16"]["again"])


@pytest.fixture
def vectors(beir: Path, tmp_path: Path) -> str:
    """Save vectors of the documents and of all queries, judged or not, and return the model."""
    collection = read_beir(beir)
    np.save(tmp_path / "d.npy", made(collection.corpus.items))
    np.save(tmp_path / "q.npy", made(collection.queries.items))
    return f"vectors:{tmp_path / 'd.npy'}?queries={tmp_path / 'q.npy'}"


def test_judged_queries(beir: Path, vectors: str) -> None:
    result = embdiff.evaluate(beir, ["toy:16", vectors])
    same_scores(result, vectors)
    about = result.outcome.models[-1]
    assert about.encoding["queries"]["joined"] == "row"
    assert about.encoding["encoded"] == 0


def test_vectors_in_another_order_are_in_question(beir: Path, vectors: str, tmp_path: Path) -> None:
    documents = np.load(tmp_path / "d.npy")
    np.save(tmp_path / "d.npy", np.roll(documents, len(documents) // 2, axis=0))
    notes = " ".join(embdiff.evaluate(beir, ["toy:16", vectors], baseline=False).outcome.notes)
    asked = f"{vectors}: ndcg@10 cannot be told from chance, and the vectors are joined by row. Are they in the order"
    assert asked in notes
    assert "toy:16: ndcg@10 cannot" not in notes


def test_rows_of_the_file_of_queries_count_not_the_order_of_judgements(beir: Path, vectors: str) -> None:
    lines = (beir / "qrels" / "test.tsv").read_text().splitlines()
    (beir / "qrels" / "test.tsv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")  # q2 before q1
    same_scores(embdiff.evaluate(beir, ["toy:16", vectors]), vectors)


def test_judged_queries_that_embdiff_has_encoded(beir: Path, tmp_path: Path) -> None:
    collection = read_beir(beir)
    for name, part in (("d", collection.corpus), ("q", collection.queries)):
        rows = [{"id": each, "text": text} for each, text in zip(part.ids, part.items, strict=True)]
        encode_corpus(embdiff.read_corpus(rows, empty="keep"), "toy:16", tmp_path / f"{name}.parquet")
    model = f"vectors:{tmp_path / 'd.parquet'}?queries={tmp_path / 'q.parquet'}"
    result = embdiff.evaluate(beir, ["toy:16", model])
    same_scores(result, model)
    assert result.outcome.models[-1].encoding["queries"]["joined"] == "id"


def test_without_vectors_of_queries_there_is_a_message(
    beir: Path, vectors: str, command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, error = command("evaluate", str(beir), "-m", vectors.partition("?")[0])
    assert code == 2
    assert "Got 2 texts as query. Name a second file with theirs, ?queries=FILE," in " ".join(error.split())
    np.save(tmp_path / "q.npy", np.load(tmp_path / "q.npy")[:2])
    with pytest.raises(ParameterError, match=r"one vector for each of the 3 queries, in their order\. Got 2 vectors"):
        embdiff.evaluate(beir, [vectors])
    code, out, _ = command("evaluate", str(beir), "-m", "toy:16", "--no-baseline", "--json")
    assert code == 0
    assert json.loads(out)["task"] == "retrieval"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A file of texts and labels, and the vectors of all its rows."""
    path = tmp_path / "labelled.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in LABELLED))
    np.save(tmp_path / "all.npy", made([text for text, _ in LABELLED]))
    return path


def test_one_file_of_labelled_texts_has_one_file_of_vectors(labelled: Path, tmp_path: Path) -> None:
    model = f"vectors:{tmp_path / 'all.npy'}"
    same_scores(embdiff.evaluate(labelled, ["toy:16", model], task="classes"), model)
    with pytest.raises(
        ParameterError, match=r"of one file of labelled texts must be in one file\. Got a second one in"
    ):
        embdiff.evaluate(labelled, [f"{model}?queries={tmp_path / 'all.npy'}"], task="classes")


def test_training_and_test_texts_have_a_file_of_vectors_each(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, rows in (("train", LABELLED[:51]), ("test", LABELLED[51:])):
        (folder / f"{name}.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
        np.save(tmp_path / f"{name}.npy", made([text for text, _ in rows]))
    model = f"vectors:{tmp_path / 'train.npy'}?queries={tmp_path / 'test.npy'}"
    same_scores(embdiff.evaluate(folder, ["toy:16", model]), model)
    with pytest.raises(
        ParameterError, match=r"one vector for each of the 21 test texts, in their order\. Got 51 vectors"
    ):
        embdiff.evaluate(folder, [f"vectors:{tmp_path / 'train.npy'}?queries={tmp_path / 'train.npy'}"])


def test_pairs_are_found_by_their_texts(tmp_path: Path) -> None:
    pairs = [
        (f"the {'abc'[row % 3] * (row % 4 + 1)}", f"a {'abd'[row % 3] * (row % 5 + 1)}", row % 7) for row in range(30)
    ]
    path = tmp_path / "pairs.csv"
    path.write_text("sentence1,sentence2,score\n" + "".join(f"{a},{b},{score}\n" for a, b, score in pairs))
    texts = sorted({text for a, b, _ in pairs for text in (a, b)})
    pq.write_table(pa.table({"text": texts, "vector": made(texts).tolist()}), tmp_path / "texts.parquet")
    model = f"vectors:{tmp_path / 'texts.parquet'}"
    same_scores(embdiff.evaluate(path, ["toy:16", model]), model)
    np.save(tmp_path / "texts.npy", made(texts))
    pq.write_table(pa.table({"vector": made(texts).tolist()}), tmp_path / "bare.parquet")
    for name in ("texts.npy", "bare.parquet"):
        with pytest.raises(ParameterError, match=r"of pairs must be found by their texts: Parquet with a column text"):
            embdiff.evaluate(path, [f"vectors:{tmp_path / name}"])
    pq.write_table(pa.table({"text": texts[1:], "vector": made(texts[1:]).tolist()}), tmp_path / "few.parquet")
    with pytest.raises(DataError, match="it lacks the texts of 1 rows of the corpus"):
        embdiff.evaluate(path, [f"vectors:{tmp_path / 'few.parquet'}"])
