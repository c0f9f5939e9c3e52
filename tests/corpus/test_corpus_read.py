"""Lists, frames, the sample; ids, groups and empty rows."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embdiff.corpus
from embdiff.corpus import read_corpus, sample
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus


class TestPython:
    @pytest.mark.parametrize(
        "data",
        [
            ["a", "b"],
            ("a", "b"),
            (each for each in "ab"),
            np.array(["a", "b"]),
            [np.str_("a"), np.str_("b")],
            pd.Series(["a", "b"], index=[7, 7]),
            pd.Series(["a", "b"], dtype="category"),
        ],
    )
    def test_texts(self, data):
        corpus = read_corpus(data)
        assert corpus.items == ("a", "b")
        assert all(type(item) is str for item in corpus.items)
        assert (corpus.ids, corpus.ids_given, corpus.source) == (("0", "1"), False, "list")

    def test_data_frame(self):
        frame = pd.DataFrame({"ID": [3, 4], "text": ["a", "b"], "song": ["x", "y"]}, index=[5, 5])
        corpus = read_corpus(frame)
        assert (corpus.ids, corpus.items, corpus.groups) == (("3", "4"), ("a", "b"), ("x", "y"))
        assert corpus.source == "DataFrame"
        assert read_corpus(frame, text_column="song", group_column=1).groups == ("a", "b")

    def test_data_frame_with_numbered_columns(self):
        frame = pd.DataFrame([["x", "a"], ["y", "b"]])
        assert read_corpus(frame, text_column=1).items == ("a", "b")

    def test_data_frame_refused(self):
        with pytest.raises(DataError, match="'text' more than once in the DataFrame"):
            read_corpus(pd.DataFrame([["a", "b"]], columns=["text", "text"]))
        with pytest.raises(DataError, match=r"at least one row.*DataFrame"):
            read_corpus(pd.DataFrame({"text": []}))
        for missing in (None, pd.NA, pd.NaT, float("nan")):
            with pytest.raises(DataError, match="an empty cell at row 1 of DataFrame"):
                read_corpus(pd.DataFrame({"text": ["a", "b"], "group": ["x", missing]}))

    def test_dict_rows(self):
        corpus = read_corpus(
            [{"text": "a", "id": np.int64(1)}, {"id": 2.5, "text": "b", "group": "x"}], group_column="none"
        )
        assert (corpus.items, corpus.ids) == (("a", "b"), ("1", "2.5"))
        with pytest.raises(DataError, match=r"must be a dict.*row 1"):
            read_corpus([{"text": "a"}, "b"])

    @pytest.mark.parametrize(("value", "kind"), [(3, "int 3"), (["a"], "list"), (b"a", "bytes"), (1.5, "float 1.5")])
    def test_items_that_are_no_text(self, value, kind):
        with pytest.raises(DataError, match=rf"{kind}.*at row 1 of list.*Write it as text"):
            read_corpus(["a", value])

    @pytest.mark.parametrize("data", [b"abc", {"a": 1}, {"a", "b"}, 3, None, 1.5])
    def test_data_that_is_no_list(self, data):
        with pytest.raises(DataError, match=r"must be a list of texts or the path.*Pass \[text"):
            read_corpus(data)

    @pytest.mark.parametrize("data", ["I love you.", "one\ntwo", " ", "", "what a\nlong text " * 500])
    def test_one_string(self, data):
        with pytest.raises(DataError, match=r"Got one string.*Pass \[text, text, ...\] or a path"):
            read_corpus(data)

    def test_a_path_with_spaces_is_a_path(self, write):
        assert read_corpus(str(write("my songs.txt", "a\n"))).items == ("a",)
        with pytest.raises(DataError, match="must exist"):
            read_corpus("my missing songs.txt")

    def test_nothing(self):
        with pytest.raises(DataError, match="at least one row"):
            read_corpus([])

    @pytest.mark.parametrize(("text", "found"), [("a\0", "NUL"), ("\ud800", "surrogate")])
    def test_characters(self, text, found):
        with pytest.raises(DataError, match=rf"{found}.*in the text at row 1 of list"):
            read_corpus(["a", text])
        with pytest.raises(DataError, match=rf"{found}.*in the group at row 1 of list"):
            read_corpus(["a", "b"], groups=["x", text])

    def test_corpus_comes_back(self):
        corpus = Corpus(("a", " "), ("x", "y"))
        assert read_corpus(corpus) is corpus
        assert read_corpus(corpus, groups=["g", "h"]).groups == ("g", "h")
        with pytest.raises(ParameterError, match="A Corpus is read already"):
            read_corpus(corpus, text_column="text")


class TestGroups:
    def test_given(self):
        assert read_corpus(["a", "b"], groups=["x", 3]).groups == ("x", "3")
        assert read_corpus(["a", "b"], groups=np.array([1, 2])).groups == ("1", "2")

    def test_given_instead_of_a_column(self, write):
        path = write("a.csv", "text,group\na,x\n")
        assert read_corpus(path, groups=["y"]).groups == ("y",)
        with pytest.raises(ParameterError, match="one place"):
            read_corpus(path, groups=["y"], group_column="group")

    @pytest.mark.parametrize("groups", [["x"], ["x", "y", "z"], "xy"])
    def test_wrong_number(self, groups):
        with pytest.raises(DataError, match="one entry for each of the 2 rows"):
            read_corpus(["a", "b"], groups=groups)

    @pytest.mark.parametrize("bad", [None, "", " ", float("nan"), ["x"]])
    def test_missing(self, bad):
        with pytest.raises(DataError, match=r"row 1 of groups. Fill it in"):
            read_corpus(["a", "b"], groups=["x", bad])

    def test_counted_before_dropping(self):
        assert read_corpus(["a", " ", "b"], groups=["x", "y", "z"], empty="drop").groups == ("x", "z")

    @pytest.mark.parametrize("cell", ["", "  "])
    def test_empty_cell_of_a_column(self, write, cell):
        with pytest.raises(DataError, match=r"a group.*empty cell at line 3 \(row 1\).*--group-column none"):
            read_corpus(write("a.csv", f"text,group\na,x\nb,{cell}\n"))

    @pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet", "frame"])
    def test_empty_cells_get_the_group_that_is_named(self, tmp_path, extension):
        frame, path = pd.DataFrame({"text": list("abcd"), "group": ["x", None, "x", ""]}), tmp_path / f"a.{extension}"
        if extension == "csv":
            frame.to_csv(path, index=False)
        elif extension == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        elif extension == "parquet":
            frame.to_parquet(path)
        data = frame if extension == "frame" else path
        with pytest.raises(DataError, match=r"an empty cell at .*row 1.*--group-empty NAME"):
            read_corpus(data)
        corpus = read_corpus(data, group_empty="(none)")
        assert corpus.groups == ("x", "(none)", "x", "(none)")
        assert "2 rows of " in corpus.notes[-1]
        assert "are in the group '(none)', as asked" in corpus.notes[-1]

    def test_the_group_of_empty_cells_needs_a_column_and_a_name(self, write):
        path = write("a.csv", "text,n\na,\nb,1\n")
        with pytest.raises(ParameterError, match=r"Got no such column in .*--group-column"):
            read_corpus(path, group_empty="none")
        with pytest.raises(ParameterError, match="Got a blank name"):
            read_corpus(path, group_column="n", group_empty=" ")
        assert read_corpus(path, group_column="n", group_empty="none").groups == ("none", "1")

    @pytest.mark.parametrize("rest", ["", ', "group": null', ', "group": ["x"]'])
    def test_cell_of_an_object(self, write, rest):
        with pytest.raises(DataError, match=r"Got (an empty cell|list .*) at line 2 \(row 1\).*--group-column none"):
            read_corpus(write("a.jsonl", f'{{"text": "a", "group": "x"}}\n{{"text": "b"{rest}}}\n'))


class TestIds:
    @pytest.mark.parametrize("cell", ["", " "])
    def test_missing(self, write, cell):
        with pytest.raises(
            DataError, match=r"an id.*empty cell at line 3 \(row 1\).*number the rows.*--id-column none"
        ):
            read_corpus(write("a.csv", f"text,id\na,x\nb,{cell}\n"))

    def test_repeated(self, write):
        with pytest.raises(DataError, match=r"'x' at line 2 \(row 0\) and at line 4 \(row 2\) .*--id-column none"):
            read_corpus(write("a.csv", "text,id\na,x\nb,y\nc,x\n"))

    def test_as_written(self, write):
        ids = ("007", "7", "7.0", " 7", "1e5", "NaN", "null", "12345678901234567890")
        content = "id,text\n" + "".join(f"{name},a\n" for name in ids)
        assert read_corpus(write("a.csv", content)).ids == ids


class TestEmpty:
    blanks = ("", "  ", "\t", "\u00a0", "\u3000", "\u2028", "\n")

    def test_refused_with_the_first_rows_and_the_count(self):
        with pytest.raises(DataError, match=r"Got 7 empty of 8 in list: row 1, row 2, row 3, row 4, row 5 \.\.\."):
            read_corpus(["a", *self.blanks])

    def test_kept(self):
        corpus = read_corpus(["a", *self.blanks], empty="keep")
        assert corpus.items == ("a", *self.blanks)
        assert corpus.dropped == ()

    def test_dropped(self):
        corpus = read_corpus(["", "a", " ", "b"], empty="drop")
        assert (corpus.items, corpus.ids, corpus.dropped) == (("a", "b"), ("1", "3"), ("0", "2"))

    def test_dropped_with_ids_and_a_row_of_nothing(self, write):
        corpus = read_corpus(write("a.csv", "id,text,group\nx,a,g\ny,,g\n,,\nz,b,h\n"), empty="drop")
        assert (corpus.ids, corpus.dropped, corpus.groups) == (("x", "z"), ("y", "2"), ("g", "h"))

    def test_nothing_left(self):
        for data in ([""], ["", " "]):
            with pytest.raises(DataError, match=r"all empty.*Fill them in"):
                read_corpus(data, empty="drop")

    def test_unknown_choice(self):
        with pytest.raises(ParameterError, match=r"refuse, keep, drop. Got 'skip'"):
            read_corpus(["a"], empty="skip")


class TestSample:
    def test_sample(self):
        corpus = sample()
        assert len(corpus) >= 51
        assert len(set(corpus.groups)) == 4
        assert corpus.ids_given
        assert corpus.source == "sample"
        assert len(set(corpus.items)) == len(corpus)

    def test_the_same_in_four_languages(self):
        corpus = read_corpus("sample-languages", group_column="group")
        assert corpus.source == "sample-languages"
        assert len(set(corpus.items)) == len(corpus) == 72
        meanings = dict.fromkeys(corpus.groups, "")
        for name, group, language in zip(corpus.ids, corpus.groups, corpus.columns["language"], strict=True):
            assert name == f"{group}-{language}"
            meanings[group] += language
        assert set(meanings.values()) == {"endefrja"}
        assert len(meanings) == 18

    def test_by_name(self, tmp_path, monkeypatch, write):
        monkeypatch.chdir(tmp_path)
        assert read_corpus("sample") == sample()
        assert read_corpus("sample", group_column="none").groups is None
        (tmp_path / "sample").mkdir()
        assert read_corpus("sample") == sample()
        (tmp_path / "sample").rmdir()
        write("sample", "a\n")
        with pytest.raises(DataError, match="extension"):
            read_corpus("sample")
        with pytest.raises(DataError, match="must exist"):
            read_corpus(Path("other/sample"))

    def test_survives_pickling(self):
        assert pickle.loads(pickle.dumps(sample())) == sample()


def test_large_texts(write):
    items = ["x" * 100_000, "é" * 500_000, "a b\u2028" * 200_000]
    assert read_corpus(items).items == tuple(items)
    assert read_corpus(write("a.txt", "\n".join(items))).items == tuple(items)


def test_public_names():
    assert embdiff.corpus.__all__ == [
        "read_corpus",
        "read_expected",
        "read_queries",
        "rows_of",
        "sample",
        "self_rows",
    ]
