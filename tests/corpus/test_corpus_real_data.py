"""Real files, where the checkout has them beside it."""

import csv

import pytest

from embdiff.corpus import read_corpus, read_expected, read_queries
from embdiff.errors import DataError


def test_real_files(shared_data, tmp_path):
    banking = read_corpus(shared_data / "banking77" / "train.csv")
    assert len(banking) == 10_003
    assert len(set(banking.groups)) == 77
    assert any("\n" in item for item in banking.items)

    pairs = read_corpus(shared_data / "stsb" / "stsb-en-dev.csv", text_column="1")
    assert len(pairs) == 1_500
    assert pairs.items[0] == "A man wearing a hard hat is dancing."
    with pytest.raises(DataError, match="--text-column"):
        read_corpus(shared_data / "stsb" / "stsb-en-dev.csv")

    for language in ("deu_Latn", "eng_Latn", "jpn_Jpan"):
        for part, size in (("train", 701), ("dev", 99), ("test", 204)):
            topics = read_corpus(shared_data / "sib200" / language / f"{part}.tsv", id_column="index_id")
            assert (len(topics), len(set(topics.groups))) == (size, 7)

    for file in sorted((shared_data / "tatoeba").glob("tatoeba.*")):
        copy = tmp_path / f"{file.name}.txt"
        copy.write_bytes(file.read_bytes())
        assert len(read_corpus(copy)) == 1_000

    cranfield = shared_data / "cranfield"
    with pytest.raises(
        DataError, match=r"Got 2 empty of 1,400 .*line 471 \(row 470\), line 995 \(row 994\).*--empty keep"
    ):
        read_corpus(cranfield / "corpus.jsonl")
    assert read_corpus(cranfield / "corpus.jsonl", empty="drop").dropped == ("471", "995")
    corpus = read_corpus(cranfield / "corpus.jsonl", empty="keep")
    assert len(corpus) == 1_400
    queries, rows = read_queries(str(cranfield / "queries.jsonl"), corpus)
    assert (len(queries), rows) == (225, None)
    expected = read_expected(cranfield / "qrels" / "graded.tsv", queries, corpus)
    assert sum(len(each) for each in expected.judgements.values()) == 1_837


def test_the_csv_of_banking_is_what_the_csv_module_reads(shared_data):
    path = shared_data / "banking77" / "test.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        assert read_corpus(path).items == tuple(row["text"] for row in csv.DictReader(handle))
