"""SPLADE, ColBERT and a re-ranker in one comparison and one evaluation: lists are compared, what needs a space is n/a."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
import ranking_models as made
from embdiff.comparison.again import models_again, rankings_again
from embdiff.errors import ParameterError
from embdiff.judging.pool import pool_run
from embdiff.measures import get_measure
from embdiff.records import Ragged
from embdiff.runs import Named, Origin
from embdiff.server.asking import Asker
from embdiff.sources.sparse import ByWeights
from embdiff.views.packing import pack
from embdiff.views.words import notes

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
SPARSE, LATE, RERANKED = "sparse", "late", "reranked"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    place = tmp_path_factory.mktemp("families")
    return [
        "toy:16",
        f"{SPARSE}=sparse:{made.sparse(place / 'sparse')}",
        f"{LATE}=multivector:{made.multivector(place / 'late')}",
        f"{RERANKED}=toy:16+rerank:st:{made.cross(place / 'cross')}?top=20",
    ]


@pytest.fixture(scope="module")
def compared(models: list[str], tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    place = tmp_path_factory.mktemp("compared")
    return ed.compare("sample", models, out=place / "run", cache=place / "cache", baseline=False)


def test_every_two_are_compared_and_what_needs_a_space_is_undefined(compared):
    names = ["toy:16", SPARSE, LATE, RERANKED]
    overlaps = {score.models for score in compared.scores if score.measure == "overlap@10"}
    assert overlaps == {(a, b) for at, a in enumerate(names) for b in names[at + 1 :]}
    for score in compared.scores:
        others = set(score.models) - {"toy:16"}
        needs = get_measure(score.measure).measure.needs
        if others and needs == "two spaces + neighbors":
            assert math.isnan(score.value)
            assert "vectors" in score.reason or "vector for each token" in score.reason
        elif others and needs == "two neighbors":
            assert math.isfinite(score.value), score
        assert needs not in ("one space", "two spaces") or not others
    spread = {score.models: score for score in compared.scores if score.measure == "spread@10"}
    assert math.isfinite(spread["toy:16", LATE].value)  # every row has a rank
    assert "ranks only the first 21" in spread["toy:16", RERANKED].reason
    assert [layout.model for layout in compared.run.layouts] == ["toy:16"]
    told = {each["model"]: each["collection"] for each in compared.run.manifest["models"]}
    assert {name: each and each["shape"] for name, each in told.items()} == {
        "toy:16": "dense", SPARSE: "sparse", LATE: None, RERANKED: None,
    }  # fmt: skip


def told_of(found: ed.Comparison) -> dict[str, str | None]:
    return {each["model"]: each["no_collection"] for each in found.run.manifest["rankings"]}


def test_a_database_that_holds_such_vectors_is_asked(models, compared, tmp_path: Path):
    pytest.importorskip("lancedb")
    for found, has, other in (
        (compared, SPARSE, LATE),
        (ed.compare("sample", models, store=f"lancedb:{tmp_path / 'lance'}", cache="off"), LATE, SPARSE),
    ):
        assert told_of(found)[has] is None
        assert told_of(found)[other].startswith("this store holds no such vectors")
        assert told_of(found)[RERANKED] == "it scores pairs of texts"
        searches = {each["model"]: each for each in found.run.manifest["searches"]}
        assert set(searches) == {"toy:16", has}
        assert (searches[has]["store_queries"], searches[has]["short_lists"]) == (52, 0)
        assert searches[has]["seconds"]["warm"] > 0
        lost = {score.models[0]: score.value for score in found.scores if score.measure == "index_recall@10"}
        assert lost == {"toy:16": 1.0, has: 1.0}
        note = next(note for note in notes(found.facts()) if note.startswith(f"{other} ranks texts"))
        assert "It has no collection: this store holds no such vectors" in note
    again = ed.compare("sample", models, store=f"lancedb:{tmp_path / 'lance'}", cache="off")
    assert next(each for each in again.run.manifest["models"] if each["model"] == LATE)["collection"]["reused"]


def test_lists_are_those_that_no_database_gave(models, compared):
    exact = ed.compare("sample", models, store="memory:", cache="off", baseline=False)
    assert set(told_of(exact).values()) != {None}
    for here, there in zip(exact.run.shown, compared.run.shown, strict=True):
        np.testing.assert_array_equal(here.returned.rows, there.returned.rows)
        np.testing.assert_array_equal(here.returned.similarity, there.returned.similarity)


def test_rows_that_no_sparse_index_takes_are_ranked_without_one(models, monkeypatch):
    real = ByWeights._made

    def below_zero(self, items, role):
        made = real(self, items, role)
        return Ragged(made.offsets, np.where(np.arange(len(made.values)) == 5, -1, made.values), made.columns)

    monkeypatch.setattr(ByWeights, "_made", below_zero)
    found = ed.compare("sample", models[:2], cache="off")
    assert told_of(found)[SPARSE] == "some weights are below zero, which no sparse index takes"


def test_re_ranked_lists_hold_what_was_found_before(compared):
    answers = {answer.model: answer for answer in compared.run.shown}
    before = ed.compare("sample", ["toy:16"], k=20, cache="off").run.answers[0].returned.rows
    for row in range(52):
        assert set(answers[RERANKED].returned.rows[row]) <= set(before[row])
    elsewhere = answers[LATE].elsewhere
    ranks = elsewhere.ranks[elsewhere.rows >= 0]
    assert ranks.min() > 10
    assert ranks.max() <= 51


def test_the_run_folder_the_page_and_the_diff_have_them(compared):
    again = ed.load(compared.path)
    assert again.run.same_as(compared.run)
    assert {row.model for row in again.to_frame().itertuples()} == {"toy:16", SPARSE, LATE, RERANKED}
    packed = pack(compared.run)
    block = gzip.decompress(packed)
    head = json.loads(block[4 : 4 + int.from_bytes(block[:4], "little")])
    told = {each["model"]: (each["beside"], each["distance_word"]) for each in head["answers"]}
    assert told == {
        "toy:16": (False, "cosine"), SPARSE: (True, "sparse product"), LATE: (True, "MaxSim"),
        RERANKED: (True, "re-ranker's score"),
    }  # fmt: skip
    notes = " ".join(head["notes"])
    assert "late ranks texts by MaxSim of" in notes
    assert "are not applicable (n/a) to it" in notes
    found = compared.diff(3, models=[SPARSE, LATE])
    assert found.pairs[0]["metrics"] == ["sparse", "maxsim"]
    assert all(None not in entry["ranks"] for entry in found.pairs[0]["entries"])
    assert set(models_again(compared.run)) == {"toy:16"}  # what the live page and exports load
    assert set(pool_run(compared.run).queries[0].lists) == {"toy:16", SPARSE, LATE, RERANKED}


def test_the_live_page_asks_them_as_the_run_did(models, tmp_path: Path):
    pytest.importorskip("bm25s")
    run = ed.compare("sample", [*models, "bm25"], k=6, out=tmp_path / "run", cache=tmp_path / "cache").run
    asker = Asker(run, models_again(run), None, {}, rankings_again(run))
    text = "a lamp on the ferry pier"
    wanted = ed.compare("sample", [*models, "bm25"], queries=[text], k=6, store="memory:", cache=tmp_path / "cache").run
    got = asker.ask(text)["answers"]
    assert [each["model"] for each in got] == ["toy:16", SPARSE, LATE, RERANKED, "bm25"]
    assert [each["beside"] for each in got] == [False, True, True, True, True]
    for here, there in zip(got, wanted.shown, strict=True):
        listed = there.returned.rows[0] >= 0
        assert here["rows"] == there.returned.rows[0][listed].tolist()
        assert here["distance"] == pytest.approx(there.returned.distance[0][listed].tolist(), rel=1e-5)
        asked = dict(zip(here["elsewhere"]["rows"], here["elsewhere"]["ranks"], strict=True))
        told = there.elsewhere
        assert asked == {int(row): int(rank) for row, rank in zip(told.rows[0], told.ranks[0], strict=True) if row >= 0}
    assert got[1]["distance_word"] == "sparse product"
    assert set(asker.lists(text)) == {"toy:16", SPARSE, LATE, RERANKED, "bm25"}


def test_a_repeated_run_encodes_nothing(models, compared):
    again = ed.compare("sample", models, cache=compared.path.parent / "cache", baseline=False)
    told = {each["model"]: each["encoding"] for each in again.run.manifest["models"]}
    assert [told[name]["encoded"] for name in ("toy:16", SPARSE, LATE, RERANKED)] == [0, 0, 0, 0]
    for here, there in zip(again.run.shown, compared.run.shown, strict=True):
        np.testing.assert_array_equal(here.returned.rows, there.returned.rows)


def test_query_models_ask_collections_and_texts_ask_the_others(models):
    found = ed.compare("sample", ["toy:16", "lsa:16", *models[1:]], query_models="all", cache="off")
    crossed = {(score.models, score.query_model) for score in found.scores if score.measure == "overlap@10"}
    assert (("toy:16", SPARSE), "lsa:16") in crossed
    assert ((SPARSE, LATE), None) in crossed
    assert {(reach.query_model, reach.model) for reach in found.run.reaches} == {
        ("toy:16", "lsa:16"),
        ("lsa:16", "toy:16"),
    }


def test_judged_queries_classes_and_parallel_texts(models, tmp_path: Path):
    corpus = ed.read_corpus("sample")
    texts = [(name, text) for name, text in zip(corpus.ids, corpus.items, strict=True)]
    for file, rows in (("corpus", texts), ("queries", [(f"q{at}", text) for at, (_, text) in enumerate(texts[:6])])):
        lines = (json.dumps({"_id": name, "text": text}) for name, text in rows)
        (tmp_path / f"{file}.jsonl").write_text("\n".join(lines))
    (tmp_path / "qrels").mkdir()
    judged = "".join(f"q{at}\t{name}\t1\n" for at, (name, _) in enumerate(texts[:6]))
    (tmp_path / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    found = ed.evaluate(tmp_path, models, cache="off", baseline=False)
    first = {score.models[0]: score.value for score in found.scores if score.measure == "mrr@10"}
    assert first[LATE] == first["toy:16"] == 1.0  # a text finds itself
    assert set(first) == {"toy:16", SPARSE, LATE, RERANKED}
    assert any(note.startswith("reranked: 6 of 6 lists have fewer than 52 documents") for note in found.outcome.notes)
    table = tmp_path / "classes.csv"
    table.write_text("text,label\n" + "".join(f'"{t}",{g}\n' for t, g in zip(corpus.items, corpus.groups, strict=True)))
    classes = ed.evaluate(table, models, cache="off", baseline=False)
    values = {(score.measure.partition("@")[0], score.models[0]): score for score in classes.scores}
    assert math.isfinite(values["knn_accuracy", LATE].value)
    assert values["probe_accuracy", LATE].reason.startswith("late has a vector for each token")
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text("\n".join(corpus.items[:8]))
    both = ed.evaluate([tmp_path / "one.txt", tmp_path / "two.txt"], models, task="bitext", cache="off", baseline=False)
    assert both.score("right_found", LATE).value == 1.0


def test_pairs_and_images_are_refused(models, tmp_path: Path):
    (tmp_path / "pairs.csv").write_text("text1,text2,score\na lamp,a ferry,1\nrain,coffee,2\nsalt,tar,3\n")
    with pytest.raises(ParameterError, match="A model of the task pairs must make one dense vector"):
        ed.evaluate(tmp_path / "pairs.csv", models, cache="off")


@pytest.mark.parametrize(
    "text",
    ["sparse:/elsewhere/m", "multivector:/elsewhere/m", "bm25+rerank:st:/elsewhere/m", "st:/elsewhere/m+rerank:st:a/b"],
)
def test_a_file_names_no_model_of_another_folder(tmp_path: Path, text: str):
    with pytest.raises(ParameterError, match="outside its folder"):
        Origin(tmp_path / "run.toml").admit([Named("model", text)])
    Origin(tmp_path / "run.toml").admit([Named("model", text.replace("/elsewhere", "naver"))])
