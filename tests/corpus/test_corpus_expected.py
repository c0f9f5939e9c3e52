"""Expected results: every form, every refusal."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embdiff.corpus import read_corpus, read_expected, read_queries
from embdiff.errors import DataError
from embdiff.records import Corpus, Qrels

CORPUS = Corpus(tuple("abcd"), ("d0", "d1", "d2", "d3"), source="docs.csv", ids_given=True)
QUERIES = Corpus(("x", "y"), ("q0", "q1"), source="queries.csv", ids_given=True)


def judged(data, queries=QUERIES, corpus=CORPUS):
    return read_expected(data, queries, corpus).judgements


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.csv", "query_id,id,grade\nq0,d1,2\nq0,d2,1\nq1,d0,0\n"),
        ("e.tsv", "query-id\tcorpus-id\tscore\nq0\td1\t2\nq0\td2\t 1\nq1\td0\t0\n"),
        ("e.csv", "Grade,note,ID,Query_ID\n2,,d1,q0\n1,,d2,q0\n0,,d0,q1\n"),
        (
            "e.jsonl",
            '{"query_id": "q0", "id": "d1", "grade": 2}\n{"query_id": "q0", "id": "d2", "grade": 1}\n'
            '{"query_id": "q1", "id": "d0", "grade": 0}\n',
        ),
    ],
)
def test_files(write, name, content):
    path = write(name, content)
    expected = read_expected(path, QUERIES, CORPUS)
    assert expected.judgements == {"q0": {"d1": 2, "d2": 1}, "q1": {"d0": 0}}
    assert expected.source == str(path)


def test_grade_is_one_by_default(write):
    assert judged(str(write("e.csv", "query_id,id\nq0,d1\n"))) == {"q0": {"d1": 1}}


def test_parquet(tmp_path):
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"query_id": [0, 1], "id": [1, 0], "grade": [1, 2]}), path)
    corpus = read_corpus(["a", "b"])
    assert judged(path, corpus, corpus) == {"0": {"1": 1}, "1": {"0": 2}}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([("q0", "d1"), ["q0", "d2", 3]], {"q0": {"d1": 1, "d2": 3}}),
        ([("q0", "d1", np.int64(2))], {"q0": {"d1": 2}}),
        ({"q0": ["d1", "d2"], "q1": "d0"}, {"q0": {"d1": 1, "d2": 1}, "q1": {"d0": 1}}),
        ({"q0": {"d2", "d1"}}, {"q0": {"d1": 1, "d2": 1}}),
        ({"q0": {"d1": 2}}, {"q0": {"d1": 2}}),
        (Qrels({"q0": {"d1": 2}}), {"q0": {"d1": 2}}),
    ],
)
def test_python(data, expected):
    assert judged(data) == expected


def test_numbers_as_ids():
    corpus = read_corpus(["a", "b"])
    assert judged([(0, 1)], corpus, corpus) == {"0": {"1": 1}}
    assert judged({0: [1]}, corpus, corpus) == {"0": {"1": 1}}


def test_rows_of_queries_not_asked_in_this_run_are_not_used(write):
    queries, _ = read_queries("first:1", CORPUS)
    assert judged(write("e.csv", "query_id,id\nd3,d1\nd0,d1\n"), queries) == {"d0": {"d1": 1}}
    with pytest.raises(DataError, match=r"Got 'd9' at line 3 \(row 1\)"):
        judged(write("e.csv", "query_id,id\nd0,d1\nd9,d1\n"), queries)


def test_order_is_that_of_the_queries():
    assert list(judged([("q1", "d0"), ("q0", "d0")])) == ["q0", "q1"]


def test_equal_rows_count_once_but_grades_may_not_differ(write):
    assert judged([("q0", "d1"), ("q0", "d1", 1)]) == {"q0": {"d1": 1}}
    with pytest.raises(DataError, match=r"Got 1 and 2 for 'q0' and 'd1', the second at line 4 \(row 2\).*Keep one"):
        judged(write("e.csv", "query_id,id,grade\nq0,d1,1\nq1,d0,1\nq0,d1,2\n"))


def test_unknown_ids(write):
    with pytest.raises(
        DataError, match=r"query_id must be .*queries.csv.*Got 'q7' at line 3 \(row 1\).*They are 'q0', 'q1'"
    ):
        judged(write("e.csv", "query_id,id\nq0,d1\nq7,d1\n"))
    with pytest.raises(DataError, match=r"Every id must be .*docs.csv.*Got 'docs7' at line 2 \(row 0\).*They are 'd0'"):
        judged(write("e.csv", "query_id,id\nq0,docs7\n"))
    with pytest.raises(DataError, match=r"Got 'zzz' at row 0 of list. They are 'd0', 'd1'.*Correct the id, or delete"):
        judged([("q0", "zzz")])
    with pytest.raises(DataError, match=r"Got 'zzz' at the key 'q0' of dict"):
        judged({"q0": ["zzz"]})
    corpus = Corpus(("a",), ("Harbour-01",), ids_given=True)
    with pytest.raises(DataError, match=r"Did you mean 'Harbour-01'\?"):
        judged([("q0", "harbor-1")], corpus=corpus)


def test_a_row_left_out_as_empty():
    corpus = read_corpus(["a", "", "b"], empty="drop")
    assert judged([("1", "0"), ("0", "2")], corpus, corpus) == {"0": {"2": 1}}
    with pytest.raises(DataError, match=r"left out because it is empty.*--empty keep"):
        judged([("0", "1")], corpus, corpus)


@pytest.mark.parametrize("grade", ["-1", "x", "", "1e3", "²", "99999999999999"])
def test_bad_grade_in_a_file(write, grade):
    with pytest.raises(DataError, match=rf"number, 0 or more. Got '{grade}' at line 2 \(row 0\).*Correct it"):
        judged(write("e.csv", f"query_id,id,grade\nq0,d1,{grade}\n"))


@pytest.mark.parametrize("grade", [-1, None, True, "a", np.float64("nan"), float("inf")])
def test_bad_grade_in_python(grade):
    with pytest.raises(DataError, match=r"number, 0 or more.*at row 0 of list"):
        judged([("q0", "d1", grade)])


@pytest.mark.parametrize("grade", [2, 2.0, "2", "2.0", "2.", np.float64(2), np.int8(2)])
def test_a_whole_number_is_a_grade_however_it_is_written(write, grade):
    assert judged([("q0", "d1", grade)]) == {"q0": {"d1": 2}}
    assert judged(write("e.csv", f"query_id,id,grade\nq0,d1,{grade}\n")) == {"q0": {"d1": 2}}


def test_missing_cells(write):
    with pytest.raises(DataError, match=r"a query_id. Got an empty cell at line 2 \(row 0\).*Fill it in"):
        judged(write("e.csv", "query_id,id\n,d1\n"))
    with pytest.raises(
        DataError, match=r"have a id. Got an empty cell at line 1 \(row 0\)|have an id. Got an empty cell"
    ):
        judged(write("e.jsonl", '{"query_id": "q0"}\n{"query_id": "q0", "id": "d1"}\n'))
    with pytest.raises(DataError, match="bytes"):
        judged([(b"q0", "d1")])


@pytest.mark.parametrize(("name", "content"), [("e.csv", "q0,d1\n"), ("e.csv", "query_id,document\nq0,d1\n")])
def test_header_is_needed(write, name, content):
    with pytest.raises(DataError, match=r"header with the columns query_id and id.*Name the columns"):
        judged(write(name, content))


@pytest.mark.parametrize("header", ["Query,QUERY,id", "query_id,Doc_ID,doc-id", "query_id,id,Grade,GRADE"])
def test_columns_that_are_alike_but_for_case(write, header):
    path = write("e.csv", f"{header}\n{','.join('1' * (header.count(',') + 1))}\n")
    with pytest.raises(DataError, match=r"alike but for case. Rename the others\."):
        read_expected(path, QUERIES, CORPUS)


@pytest.mark.parametrize("row", ["q0", ("q0",), ("q0", "d1", 1, 2), 3, None])
def test_bad_tuples(row):
    with pytest.raises(DataError, match=r"tuple \(query_id, id\).*at row 0"):
        judged([row])


def test_no_usable_row(write):
    with pytest.raises(DataError, match=r"about a query of this run. Got none in list for the 2 queries: 'q0', 'q1'"):
        judged([("d0", "d1")])
    with pytest.raises(DataError, match="about a query"):
        judged([])
    with pytest.raises(DataError, match="at least one row"):
        judged(write("e.csv", "query_id,id\n"))
    with pytest.raises(DataError, match="must exist"):
        judged("missing.csv")


@pytest.mark.parametrize("name", ["qrels.txt", "judged.qrels", "qrels"])
def test_trec_qrels(write, name):
    found = judged(write(name, "# judged by hand\nq0 0 d1 2\nq0 0 d0 0\nd1 0 d0 1\nq1 Q0 d1 -1\n"))
    assert found == {"q0": {"d1": 2, "d0": 0}, "q1": {"d1": -1}}


def test_bad_trec_qrels(write):
    with pytest.raises(DataError, match=r"must have 4 fields between white space.*Got 2 on line 1"):
        judged(write("e.txt", "q0 d1\n"))
    with pytest.raises(DataError, match=r"query_id must be .*Got 'nobody' at the key 'nobody'"):
        judged(write("e.txt", "nobody 0 d1 1\n"))


def test_ordinary_qrels_may_judge_documents_that_are_not_there(write):
    assert judged(write("e.txt", "q0 0 nobody 1\nq0 0 d1 1\n")) == {"q0": {"nobody": 1, "d1": 1}}
    assert judged(Qrels({"q0": {"nobody": 2}, "q1": {"d1": 1}}, "mine")) == {"q0": {"nobody": 2}, "q1": {"d1": 1}}
    with pytest.raises(DataError, match=r"Judgements must be of documents of the corpus .*Got none in .*--id-column"):
        judged(write("e.txt", "q0 0 nobody 1\n"))


def test_grades_of_ordinary_qrels_may_be_negative_as_in_their_files(write):
    assert judged(Qrels({"q0": {"d1": -1, "d0": 1}})) == judged(write("e.txt", "q0 0 d1 -1\nq0 0 d0 1\n"))


def test_queries_named_by_their_texts(write):
    corpus = Corpus(("a boat", "a lamp", "a bell"), ("d0", "d1", "d2"), ids_given=True)
    queries = Corpus(("where is it", "what rings", "what rings"), ("q0", "q1", "q2"), source="q.csv", ids_given=True)
    content = "query,id,grade\nwhere is it,d0,2\nwhat rings,d2,1\nq1,d1,0\n"
    tuples = [("where is it", "d0", 2), ("what rings", "d2", 1), ("q1", "d1", 0)]
    wanted = {"q0": {"d0": 2}, "q1": {"d2": 1, "d1": 0}, "q2": {"d2": 1}}
    for data in (write("e.csv", content), tuples, {"where is it": {"d0": 2}, "what rings": {"d2": 1}, "q1": {"d1": 0}}):
        found = read_expected(data, queries, corpus)
        assert found.judgements == wanted
        assert "2 queries of " in found.notes[0]
        assert "named by their texts instead of their ids" in found.notes[0]
    assert read_expected([("q0", "d0")], queries, corpus).notes == ()
    with pytest.raises(DataError, match=r"Got 'what sings' at line 3 \(row 1\)"):
        read_expected(write("f.csv", content.replace("rings", "sings")), queries, corpus)
    with pytest.raises(DataError, match=r"Got 1 and 2 for 'q1' and 'd2', the second at row 1 of list"):
        read_expected([("what rings", "d2", 1), ("q1", "d2", 2)], queries, corpus)


def test_an_id_is_an_id_before_it_is_a_text():
    corpus = Corpus(("b", "a"), ("a", "b"), ids_given=True)
    assert judged([("a", "b")], corpus, corpus) == {"a": {"b": 1}}


def test_judgements_in_the_layout_of_beir_are_ordinary_qrels(write):
    content = "query-id\tcorpus-id\tscore\nq0\td1\t1\nq0\tgone\t2\nq1\td0\t-1\n"
    assert judged(write("e.tsv", content)) == {"q0": {"d1": 1, "gone": 2}, "q1": {"d0": -1}}
    with pytest.raises(DataError, match=r"Every id must be .*Got 'gone'"):
        judged(write("f.tsv", content.replace("corpus-id", "id").replace("-1", "0")))
