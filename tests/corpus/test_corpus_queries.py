"""--queries in all its forms, and which corpus rows a query is itself."""

import time

import numpy as np
import pytest

from embdiff.corpus import read_corpus, read_queries, self_rows
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus

CORPUS = Corpus(tuple("abcde"), tuple("vwxyz"), groups=("g", "g", "h", "h", "h"), source="s.csv", ids_given=True)


class TestForms:
    @pytest.mark.parametrize("form", ["all", "every", " ALL "])
    def test_every_row(self, form):
        queries, rows = read_queries(form, CORPUS)
        assert queries is CORPUS
        assert rows == (0, 1, 2, 3, 4)

    @pytest.mark.parametrize(
        ("form", "rows"),
        [
            ("first:2", (0, 1)),
            ("first:5", (0, 1, 2, 3, 4)),
            ("FIRST: 1 ", (0,)),
            ("rows:3,0", (3, 0)),
            ("rows:1-3", (1, 2, 3)),
            ("rows: 4, 0 - 1", (4, 0, 1)),
            ("rows:2", (2,)),
        ],
    )
    def test_some_rows(self, form, rows):
        queries, found = read_queries(form, CORPUS)
        assert found == rows
        assert queries.items == tuple(CORPUS.items[row] for row in rows)
        assert queries.ids == tuple(CORPUS.ids[row] for row in rows)
        assert queries.groups == tuple(CORPUS.groups[row] for row in rows)
        assert queries.ids_given
        assert queries.source == "s.csv"

    @pytest.mark.parametrize("count", ["0", "6", "-1", "x", "", "1.5", "99999999999999"])
    def test_first_out_of_range(self, count):
        message = r"between 1 and 5 \(the corpus has 5 rows\).*Got 'first:.*Write first:5, or all"
        with pytest.raises(ParameterError, match=message):
            read_queries(f"first:{count}", CORPUS)

    @pytest.mark.parametrize("rows", ["5", "0,5", "3-5", "3-1", "0-999999999999"])
    def test_rows_out_of_range(self, rows):
        with pytest.raises(ParameterError, match=r"between 0 and 4 \(the corpus has 5 rows\).*Correct"):
            read_queries(f"rows:{rows}", CORPUS)

    @pytest.mark.parametrize("rows", ["", "a", "1,,2", "1;2", "-1", "1-", "1:2"])
    def test_rows_badly_written(self, rows):
        with pytest.raises(ParameterError, match="must be written rows:3,7 or rows:0-9"):
            read_queries(f"rows:{rows}", CORPUS)

    @pytest.mark.parametrize("rows", ["1,1", "0-3,2"])
    def test_rows_twice(self, rows):
        with pytest.raises(ParameterError, match=r"Got row \d twice"):
            read_queries(f"rows:{rows}", CORPUS)

    @pytest.mark.parametrize("form", ["evry", "frist:3", "missing.csv", "I love you", "one\ntwo", "", "x" * 3_000])
    def test_unknown(self, form):
        with pytest.raises(DataError, match=r"all, every, first:N, rows:3,7.*a file.*no such file.*list of texts"):
            read_queries(form, CORPUS)

    def test_hint(self):
        with pytest.raises(DataError, match=r"Did you mean 'every'\?"):
            read_queries("evry", CORPUS)


class TestGiven:
    def test_list(self):
        queries, rows = read_queries(["love", "goodbye"], CORPUS)
        assert (queries.items, queries.ids, queries.ids_given, rows) == (("love", "goodbye"), ("0", "1"), False, None)

    def test_file(self, write):
        queries, rows = read_queries(str(write("q.txt", "love\n")), CORPUS)
        assert (queries.items, rows) == (("love",), None)
        queries, _ = read_queries(write("q.jsonl", '{"_id": "q1", "text": "love", "metadata": {}}\n'), CORPUS)
        assert (queries.ids, queries.ids_given) == (("q1",), True)

    def test_sample_queries(self):
        queries, rows = read_queries("sample", CORPUS, text_column="lyrics")
        assert (queries.source, len(queries), rows) == ("sample", 52, None)

    def test_corpus(self):
        other = Corpus(("q",), ("1",))
        assert read_queries(other, CORPUS) == (other, None)
        assert read_queries(CORPUS, CORPUS) == (CORPUS, (0, 1, 2, 3, 4))

    def test_columns_of_the_corpus_are_used_where_there(self, write):
        settings = {"text_column": "lyrics", "id_column": "nr", "group_column": "album"}
        path = write("q.csv", "nr,lyrics,text,album\n1,a,b,c\n")
        queries, _ = read_queries(path, CORPUS, **settings)
        assert (queries.items, queries.ids, queries.groups) == (("a",), ("1",), ("c",))
        assert read_queries(write("r.csv", "text,id\na,7\n"), CORPUS, **settings)[0].ids == ("7",)
        assert read_queries(write("r.txt", "a\n"), CORPUS, **settings)[0].items == ("a",)
        assert read_queries(["a"], CORPUS, **settings)[0].items == ("a",)
        assert read_queries(write("s.csv", "one\ntwo\n"), CORPUS, text_column="2")[0].items == ("one", "two")
        assert read_queries(write("s.csv", "one\ntwo\n"), CORPUS, text_column="lyrics")[0].items == ("one", "two")

    def test_empty_file(self, write):
        for name in ("q.txt", "q.csv", "q.jsonl"):
            with pytest.raises(DataError, match="at least one row"):
                read_queries(write(name, ""), CORPUS)
        with pytest.raises(DataError, match="at least one"):
            read_queries([], CORPUS)
        with pytest.raises(DataError, match="at least one query"):
            read_queries(Corpus((), ()), CORPUS)

    def test_empty_query(self, write):
        with pytest.raises(DataError, match=r"line 2 \(row 1\).*fill them in or delete"):
            read_queries(write("q.txt", "a\n \n"), CORPUS)
        with pytest.raises(DataError, match=r"row 0.*fill them in or delete"):
            read_queries([""], CORPUS)
        with pytest.raises(DataError, match=r"Got 1 empty of 2 in list: row 1\..*fill them in or delete"):
            read_queries(Corpus(("a", "\u3000"), ("0", "1")), CORPUS)

    def test_empty_rows_kept_on_purpose_may_query(self):
        corpus = read_corpus(["a", ""], empty="keep")
        assert len(read_queries("all", corpus)[0]) == 2


class TestSelf:
    def rows(self, *arguments):
        return [found.tolist() for found in self_rows(*arguments)]

    def test_row_of_the_corpus_and_equal_texts(self):
        corpus = read_corpus(["a", "b", "a", "c"])
        queries, rows = read_queries("rows:2,1", corpus)
        assert self.rows(queries, rows, corpus) == [[0, 2], [1]]

    def test_equal_text_from_elsewhere(self):
        corpus = read_corpus(["a", "b", "a"])
        queries, rows = read_queries(["a", "A", "a ", "b"], corpus)
        assert self.rows(queries, rows, corpus) == [[0, 2], [], [], [1]]

    def test_an_equal_id_counts_only_with_the_text(self):
        queries = Corpus(("q", "b"), ("v", "no"), ids_given=True)
        assert self.rows(queries, None, CORPUS) == [[], [1]]
        assert self.rows(Corpus(("e", "b"), ("v", "w"), ids_given=True), None, CORPUS) == [[4], [1]]
        titled = Corpus(("On birds b", "On birds e"), ("v", "x"), ids_given=True)
        assert self.rows(Corpus(("b", "e"), ("v", "w"), ids_given=True), None, titled) == [[0], []]
        assert self.rows(Corpus(("b", "e"), ("v", "x")), None, titled) == [[], []]
        assert self.rows(queries, None, read_corpus(["q", "x"])) == [[0], []]

    def test_kind_of_array(self):
        found = self_rows(CORPUS, range(5), CORPUS)[0]
        assert found.dtype == np.int64
        assert not found.flags.writeable

    def test_five_thousand_equal_texts_are_quick(self):
        corpus = read_corpus(["love"] * 5_000)
        start = time.perf_counter()
        queries, rows = read_queries("all", corpus)
        found = self_rows(queries, rows, corpus)
        assert time.perf_counter() - start < 1
        assert len(found) == 5_000
        assert all(each is found[0] for each in found)
        assert found[0].tolist() == list(range(5_000))
