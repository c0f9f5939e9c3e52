"""Quotes, headers, separators, remarks: what a convention would say never overrides what the file shows."""

import csv
import re

import pytest

from embdiff.corpus import read_corpus, read_expected
from embdiff.corpus.beir import read_beir
from embdiff.corpus.files import Form
from embdiff.corpus.trec import read_qrels, read_run
from embdiff.errors import DataError
from embdiff.evaluation.pairs import read_pairs

LINES = ["first light", '"we set out', "the river rose", "", "nobody spoke", 'and came home"', "last light"]


class TestQuotes:
    """Two stray quotes would swallow the rows between them."""

    @pytest.mark.parametrize("separator", [",", "\t"])
    @pytest.mark.parametrize("columns", [1, 2, 3])
    def test_rows_are_never_merged_in_silence(self, write, separator, columns):
        before = separator.join(["x"] * (columns - 1))
        lines = [f"{before}{separator if before else ''}{line}" for line in LINES if line]
        head = separator.join([*("n", "m")[: columns - 1], "text"])
        path = write({",": "a.csv", "\t": "a.tsv"}[separator], "\n".join([head, *lines]) + "\n")
        with pytest.raises(
            DataError, match=r"opens on line 3 and closes on line 6 of .*--no-quotes if .*or --quotes if"
        ):
            read_corpus(path)
        assert read_corpus(path, quotes=False).items == tuple(line for line in LINES if line)
        assert len(read_corpus(path, quotes=True)) == 3

    def test_a_cell_over_lines_that_are_no_rows_is_one_cell(self, write):
        path = write("a.tsv", 'id\ttext\n1\t"one\ntwo"\n2\tthree\n')
        assert read_corpus(path).items == ("one\ntwo", "three")
        assert len(read_corpus(path).notes) == 1

    @pytest.mark.parametrize(
        "shown", ['c,"yes, it does"', 'c,"he said ""no"""', '"c\nd",x'], ids=["separator", "doubled", "no row"]
    )
    def test_a_file_that_shows_that_it_quotes_is_read_and_says_so(self, write, shown):
        path = write("a.csv", f'id,text\na,"one,\nb,two"\n{shown}\n'.replace('"one,\nb,two"', '"one\nb,two"'))
        corpus = read_corpus(path)
        assert corpus.items[0] == "one\nb,two"
        assert "Lines 2 to 3" in corpus.notes[0]
        assert "--no-quotes" in corpus.notes[0]

    def test_names_of_columns_in_quotes_show_it_too(self, write):
        corpus = read_corpus(write("a.csv", '"id","text"\n"a","one\nb,two"\n'))
        assert corpus.items == ("one\nb,two",)
        assert "were read as one row" in corpus.notes[0]

    def test_what_cannot_be_quoted_names_the_way_out(self, write):
        path = write("a.tsv", 'id\ttext\n1\t"Hello" he said\n2\t"open\n')
        with pytest.raises(DataError, match="--no-quotes if quotes in this file are part of the text"):
            read_corpus(path)
        assert read_corpus(path, quotes=False).items == ('"Hello" he said', '"open')

    def test_judgements_pairs_and_queries_are_read_alike(self, write, tmp_path):
        rows = 'query-id\tcorpus-id\tscore\n"q1\ta\t1\nq2\tb\t1\nq3"\tc\t1\nq4\td\t1\n'
        (tmp_path / "qrels").mkdir()
        write("qrels/test.tsv", rows)
        write("corpus.jsonl", '{"_id": "a", "text": "x"}\n')
        write("queries.jsonl", '{"_id": "q1", "text": "x"}\n')
        with pytest.raises(DataError, match=r"opens on line 2 and closes on line 4 of .*test\.tsv"):
            read_beir(tmp_path)
        pairs = 'sentence1\tsentence2\tscore\n"a\tb\t1\nc\td\t2\ne"\tf\t3\ng\th\t4\n'
        path = write("pairs.tsv", pairs)
        with pytest.raises(DataError, match="opens on line 2 and closes on line 4"):
            read_pairs([path])
        assert len(read_pairs([path], Form(quotes=False))) == 4
        corpus = read_corpus(["x", "y", "z"])
        expected = write("e.tsv", 'query_id\tid\n"0\t1\n1\t2\n2"\t0\n')
        with pytest.raises(DataError, match="opens on line 2 and closes on line 4"):
            read_expected(expected, corpus, corpus)


class TestHeader:
    @pytest.mark.parametrize(
        ("content", "columns"),
        [
            ("question,who is it\nperson,who was it\nquestion,what is it\n", {"text_column": 1}),
            ("a boat,topic\na lamp,place\na bell,topic\n", {"text_column": 0, "group_column": 1}),
            ("1,label,a\n2,other,b\n3,label,c\n", {"text_column": 2, "id_column": 0}),
        ],
    )
    def test_a_known_word_that_comes_again_is_no_header_where_positions_are_given(self, write, content, columns):
        path = write("a.csv", content)
        corpus = read_corpus(path, **columns)
        assert len(corpus) == 3
        assert "was taken as data" in corpus.notes[0]
        assert "stands below, too" in corpus.notes[0]
        assert "--header" in corpus.notes[0]
        assert len(read_corpus(path, **columns, header=True)) == 2

    def test_a_header_with_one_known_word_is_noted_where_positions_are_given(self, write):
        path = write("a.csv", "label,words\nx,a\ny,b\n")
        corpus = read_corpus(path, text_column=1)
        assert corpus.items == ("a", "b")
        assert "was taken for the names of the columns, though that is not plain from them" in corpus.notes[0]
        assert read_corpus(path, text_column=1, header=False).items == ("words", "a", "b")

    def test_a_known_word_that_comes_again_is_for_the_user_to_say(self, write):
        path = write("a.tsv", "question\twho is it\nperson\twho was it\nquestion\twhat is it\n")
        with pytest.raises(DataError, match=r"'question' again below in its column.*--header.*--no-header"):
            read_corpus(path)
        assert len(read_corpus(path, header=True)) == 2
        assert read_corpus(path, header=False, text_column=1).items == ("who is it", "who was it", "what is it")

    def test_what_is_said_is_not_noted(self, write):
        path = write("a.csv", "one,1\ntwo,2\n")
        assert not any("taken" in note for note in read_corpus(path, text_column=0, header=False).notes)
        assert any("taken as data" in note for note in read_corpus(path, text_column=0).notes)


class TestSeparators:
    @pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
    @pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_the_line_of_excel_is_followed(self, write, name, line, end):
        path = write(name, "\ufeff" + end.join([line, "id;text;group", "1;red, kite;x", "2; blue;y"]))
        corpus = read_corpus(path)
        assert (corpus.ids, corpus.items, corpus.groups) == (("1", "2"), ("red, kite", " blue"), ("x", "y"))
        assert "cells are separated by semicolons" in corpus.notes[0]
        with pytest.raises(DataError, match=r"line 5 \(row 2\)"):
            read_corpus(write(name, end.join([line, "id;text;group", "1;a;x", "2;b;y", "3"])))

    @pytest.mark.parametrize("separator", [",", "\t", "|"])
    def test_whatever_it_names(self, write, separator):
        path = write("a.csv", f"sep={separator}\nid{separator}text\n1{separator}a\n")
        assert read_corpus(path).items == ("a",)

    @pytest.mark.parametrize("above", ["", "Export of May\n", "Export\nof May\n"])
    @pytest.mark.parametrize(("name", "other"), [("a.csv", ";"), ("a.csv", "\t"), ("a.tsv", ","), ("a.tsv", ";")])
    def test_names_of_columns_below_the_first_line(self, write, above, name, other):
        path = write(name, f"{above}id{other}text\n1{other}a\n2{other}b\n")
        with pytest.raises(DataError, match=rf"must be separated by.*on line {above.count(chr(10)) + 1} of"):
            read_corpus(path)

    def test_a_single_column_that_holds_another_separator_as_often_in_each_row_is_noted(self, write):
        corpus = read_corpus(write("a.csv", "1;a\n2;b\n3;c\n"), text_column=0)
        assert len(corpus) == 3
        assert "has 1 semicolon and none is split: it was read as one column" in corpus.notes[0]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("id\ttext\n1\ta\n2\tb\n", r"every line of .* has 1 tab.*rename it to \.tsv"),
            ("1\ta\tb\n2\tc\td\n", r"has 2 tabs"),
            ("id,text\n1,a\n2,b, c\n", r"line 1 of .* has names of columns: 'id,text'.*rename it to \.csv"),
            ("x;y\n" * 12, r"has 1 semicolon"),
            ('{"text": "a"}\n{"text": "b"}\n', r"has braces around it.*rename it to \.jsonl"),
        ],
    )
    def test_a_txt_that_is_a_table_says_so(self, write, content, words):
        corpus = read_corpus(write("a.txt", content))
        assert len(corpus) == content.count("\n")
        (note,) = corpus.notes
        assert re.search(words, note)

    @pytest.mark.parametrize("content", ["Fog, and\nrain, too\n", "one\ntwo\n", "a\tb\nc\n", "{x}\ny\n"])
    def test_prose_is_no_table(self, write, content):
        assert read_corpus(write("a.txt", content)).notes == ()


class TestRemarks:
    def test_ids_that_begin_with_a_number_sign(self, write):
        path = write(
            "q.qrels", "# judged by hand in May\n#boats 0 d0 1\n#bells 0 d1 2\n#\n# 0 d2 1\n#x y\nroofs 0 #d 1\n"
        )
        assert read_qrels(path).judgements == {
            "#boats": {"d0": 1},
            "#bells": {"d1": 2},
            "#": {"d2": 1},
            "roofs": {"#d": 1},
        }

    def test_runs(self, write):
        path = write(
            "a.run", "# made by a tool of mine, version 2\n#boats Q0 d0 1 9.5 it\n#boats Q0 d1 2 9 it more\n# x\n"
        )
        assert read_run(path) == {"#boats": {"d0": 9.5, "d1": 9.0}}

    def test_what_is_passed_over_is_told(self, write):
        qrels = read_qrels(write("q.qrels", "a 0 d0 1\n#boats 0 d0\n# x\na 0 d1 1\n"))
        assert qrels.notes[0].endswith("begin with # and were passed over as remarks (the first is line 2).")
        corpus = read_corpus([{"id": name, "text": name} for name in ("a", "d0", "d1")])
        assert "2 lines of" in read_expected(write("q.qrels", "a 0 d0 1\n#b 0 d0\n# x\n"), corpus, corpus).notes[0]
        told: list[str] = []
        read_run(write("a.run", "a Q0 d0 1 9.5 it\n#boats Q0 d0 1\n"), told=told)
        assert "1 lines of" in told[0]

    def test_fields_stand_between_the_white_space_of_trec_eval(self, write):
        path = write("a.run", "a Q0 d\u00a00 1 9.5 it\ra Q0 d1 2 9 it more\rb Q0 d0 1 8 it\r\n")
        assert read_run(path) == {"a": {"d\u00a00": 9.5, "d1": 9.0}, "b": {"d0": 8.0}}
        assert read_qrels(write("q.qrels", "a 0 d\u20280 1\r")).judgements == {"a": {"d\u20280": 1}}

    @pytest.mark.parametrize("line", ["#boats 0 d0 x", "#boats 0 d0 0.5x"])
    def test_a_judgement_that_is_wrong_is_no_remark(self, write, line):
        with pytest.raises(DataError, match="must be a number"):
            read_qrels(write("q.qrels", f"a 0 b 1\n{line}\n"))
        with pytest.raises(DataError, match="must be a finite number"):
            read_run(write("a.run", "a Q0 b 1 1 t\n#boats Q0 d0 1 high it\n"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("q1\ta\t1\nq1\tb\t0\n", "Got none: line 1 of .* is a judgement, 'q1', 'a', '1'. Put the header above it"),
        ("q1\t0\ta\t1\nq1\t0\tb\t0\n", "the four fields of TREC qrels: give the file another extension"),
    ],
)
def test_judgements_without_a_header_are_named_as_that(write, tmp_path, rows, words):
    (tmp_path / "qrels").mkdir()
    write("qrels/test.tsv", rows)
    write("corpus.jsonl", '{"_id": "a", "text": "x"}\n')
    write("queries.jsonl", '{"_id": "q1", "text": "x"}\n')
    with pytest.raises(DataError, match=words):
        read_beir(tmp_path)


def test_what_a_writer_of_csv_writes_comes_back_where_it_is_said_to_quote(tmp_path):
    texts = ["a,\nb", "c", "d\ne", '"', "\n", "x,y"]
    for separator, name in ((",", "a.csv"), ("\t", "a.tsv")):
        for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL):
            path = tmp_path / name
            with path.open("w", newline="") as handle:
                csv.writer(handle, delimiter=separator, quoting=quoting).writerows(
                    [["text"], *([each] for each in texts)]
                )
            assert read_corpus(path, quotes=True, empty="keep").items == tuple(texts)
