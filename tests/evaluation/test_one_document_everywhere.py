"""compare and evaluate make the same documents of the same files, and so the same nDCG to the last digit."""

import pandas as pd
import pytest

import embdiff
from embdiff.errors import DataError, ParameterError

WORDS = "boat harbour lamp street roof hill bell school cup shop door park train yard tower mill".split()  # noqa: SIM905
MODELS = ["toy:32", "lsa:8"]
WORDLESS = ["toy:8", "toy:16"]


@pytest.fixture(scope="module")
def frames():
    """Documents whose texts tie without their titles, queries that want words of either, graded judgements."""
    documents = [
        {
            "_id": f"d{row}",
            "title": WORDS[row % 16] if row % 5 else "",
            "text": f"{WORDS[(row * 7 + 3) % 16]} near {row}",
        }
        for row in range(48)
    ]
    queries = [{"_id": f"q{row}", "text": f"{WORDS[row]} {WORDS[(row * 5 + 1) % 16]}"} for row in range(12)]
    judged = [
        {"query-id": f"q{row}", "corpus-id": f"d{(row * 11 + step * 16) % 48}", "score": 1 + step % 2}
        for row in range(12)
        for step in range(3)
    ]
    return pd.DataFrame(documents), pd.DataFrame(queries), pd.DataFrame(judged)


def collection(frames, place, form):
    """Write the collection in one format; qrels as BEIR has them."""
    for name, frame in zip(("corpus", "queries"), frames, strict=False):
        path = place / f"{name}.{form}"
        if "json" in form:
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_csv(path, index=False, sep="," if form == "csv" else "\t")
    (place / "qrels").mkdir()
    frames[2].to_csv(place / "qrels" / "test.tsv", index=False, sep="\t")
    return place


def _ndcg(scores):
    return {score.models: score.value for score in scores if score.measure == "ndcg@10"}


@pytest.mark.parametrize(
    ("form", "text"),
    [("jsonl", None), ("csv", None), ("tsv", None), ("jsonl.gz", None), ("jsonl", "text"), ("csv", "{text} {title}")],
)
def test_the_same_ndcg_to_the_last_digit(frames, tmp_path, form, text):
    place = collection(frames, tmp_path, form)
    evaluated = embdiff.evaluate(place, MODELS, text_column=text, cache="off")
    compared = embdiff.compare(
        place / f"corpus.{form}",
        MODELS,
        queries=place / f"queries.{form}",
        expected=place / "qrels" / "test.tsv",
        text_column=text,
        store="memory:",
        layout="none",
        cache="off",
    )
    assert _ndcg(compared.run.scores) == _ndcg(evaluated.outcome.scores)
    recipe = {None: 'title + " " + text', "{text} {title}": 'text + " " + title'}.get(text, text)
    assert f"text = {recipe}, id = _id;" in evaluated.outcome.protocol["document"]


def test_titles_count(frames, tmp_path):
    place = collection(frames, tmp_path, "csv")
    both, alone = (
        _ndcg(embdiff.evaluate(place, ["lsa:8"], text_column=text, cache="off").outcome.scores)
        for text in (None, "text")
    )
    assert both[("lsa:8",)] != alone[("lsa:8",)]


def test_a_label_column_is_still_for_classes(frames, tmp_path):
    with pytest.raises(ParameterError, match="for the tasks classes and scope only"):
        embdiff.evaluate(collection(frames, tmp_path, "csv"), ["toy:8"], label_column="title", cache="off")


def test_how_files_are_written_is_said_once_for_all_of_them(tmp_path):
    """Corpus, queries and expected results have stray quotes and another encoding, and no header where it is said."""
    words = ["schöne Stadt", '"am Fluss', "im Tal", 'bei Nacht"', "im Schnee"]
    rows = {
        "corpus.tsv": [f"d{row}\t{text}" for row, text in enumerate(words)],
        "queries.tsv": ["id\ttext", 'q0\t"Stadt', "q1\tTal", 'q2\tNacht"'],
        "expected.tsv": ["query_id\tid", '"Stadt\td0', "q1\td2", 'Nacht"\td3'],
    }
    for name, lines in rows.items():
        (tmp_path / name).write_bytes("\n".join([*lines, ""]).encode("cp1252"))
    given = {
        "queries": tmp_path / "queries.tsv",
        "expected": tmp_path / "expected.tsv",
        "text_column": 1,
        "id_column": 0,
        "k": 2,
        "store": "memory:",
        "layout": "none",
        "cache": "off",
    }
    with pytest.raises(DataError, match="--encoding"):
        embdiff.compare(tmp_path / "corpus.tsv", WORDLESS, **given)
    with pytest.raises(DataError, match="--no-quotes"):
        embdiff.compare(tmp_path / "corpus.tsv", WORDLESS, **given, encoding="cp1252")
    run = embdiff.compare(tmp_path / "corpus.tsv", WORDLESS, **given, encoding="cp1252", quotes=False, header=False).run
    assert run.corpus.items == tuple(words)
    assert run.queries.items == ('"Stadt', "Tal", 'Nacht"')
    assert any("2 queries of" in note and "named by their texts" in note for note in run.queries.notes)
    again = embdiff.settings.RunConfig.checked(quotes=False, header=True, encoding="cp1252", group_empty="x")
    assert "quotes = false" in again.to_toml()
