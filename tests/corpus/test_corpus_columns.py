"""Columns are found by usual names, by given names, by position; the header rule."""

import pytest

from embdiff.corpus import read_corpus
from embdiff.errors import DataError, ParameterError


@pytest.mark.parametrize(
    "name", ["text", "Text", "SENTENCE", "content", "document", "body", "passage", "lyrics", " text "]
)
def test_text_column_by_usual_name(write, name):
    assert read_corpus(write("a.csv", f"n,{name}\n1,a\n2,b\n")).items == ("a", "b")


@pytest.mark.parametrize("name", ["id", "ID", "_id", "doc_id", "DocID", "doc-id", "Document ID"])
def test_id_column_by_usual_name(write, name):
    corpus = read_corpus(write("a.csv", f"text,{name}\na,x\nb,y\n"))
    assert corpus.ids == ("x", "y")
    assert corpus.ids_given


@pytest.mark.parametrize("name", ["group", "label", "Category", "class", "topic", "song"])
def test_group_column_by_usual_name(write, name):
    assert read_corpus(write("a.csv", f"text,{name}\na,x\nb,x\n")).groups == ("x", "x")


def test_order_of_preference(write):
    corpus = read_corpus(write("a.csv", "content,label,text,group,doc_id,id\nA,B,C,D,E,F\n"))
    assert (corpus.items, corpus.groups, corpus.ids) == (("C",), ("D",), ("F",))


@pytest.mark.parametrize("name", ["Words", "words", " WORDS "])
def test_given_name(write, name):
    path = write("a.csv", "n,Words,text\n1,a,x\n")
    assert read_corpus(path, text_column=name).items == ("a",)


def test_given_name_exactly_wins_over_case(write):
    path = write("a.csv", "Words,words\na,b\n")
    assert read_corpus(path, text_column="words").items == ("b",)
    with pytest.raises(DataError, match=r"'Words', 'words'.*alike but for case.*--text-column"):
        read_corpus(path, text_column="WORDS")


def test_usual_names_alike_but_for_case(write):
    assert read_corpus(write("a.csv", "Text,text\na,b\n")).items == ("b",)
    with pytest.raises(DataError, match="alike but for case"):
        read_corpus(write("b.csv", "Text,TEXT\na,b\n"))


@pytest.mark.parametrize("position", [1, "1", " 1 "])
def test_position(write, position):
    assert read_corpus(write("a.csv", "text,other\na,b\n"), text_column=position).items == ("b",)
    assert read_corpus(write("b.jsonl", '{"n": "a", "m": "b"}'), text_column=position).items == ("b",)


def test_column_with_a_digit_for_a_name_wins(write):
    path = write("a.csv", "text,1,0\na,b,c\n")
    assert read_corpus(path, text_column="0").items == ("c",)
    assert read_corpus(path, text_column=0).items == ("a",)
    assert read_corpus(write("b.csv", "1,0\na,b\n"), text_column="0").items == ("b",)
    assert read_corpus(write("c.jsonl", '{"1": "a", "0": "b"}'), text_column="0").items == ("b",)


def test_headerless_with_positions(write):
    path = write("a.csv", "a bad film,0\na good one,1\n")
    for text, group in ((0, 1), ("0", "1"), ("0", None)):
        corpus = read_corpus(path, text_column=text, group_column=group)
        assert corpus.items == ("a bad film", "a good one")
        assert corpus.groups == (None if group is None else ("0", "1"))


def test_positions_with_a_header_of_known_names(write):
    assert read_corpus(write("a.csv", "label,words\nx,a\n"), text_column=1).items == ("a",)


def test_a_given_name_makes_the_header(write):
    path = write("a.csv", "foo,bar\na,b\n")
    assert read_corpus(path, text_column=0, group_column="bar").items == ("a",)
    assert read_corpus(path, text_column=0).items == ("foo", "a")


def test_single_column(write):
    assert read_corpus(write("a.csv", "one\ntwo\n")).items == ("one", "two")
    assert read_corpus(write("b.csv", "Text\none\n")).items == ("one",)
    assert read_corpus(write("c.csv", "id\none\n")).items == ("one",)
    assert not read_corpus(write("c.csv", "id\none\n")).ids_given
    assert read_corpus(write("d.csv", "Lied\none\n"), text_column="lied").items == ("one",)
    assert read_corpus(write("e.jsonl", '{"Lied": "one"}\n')).items == ("one",)
    with pytest.raises(DataError, match="Did you mean 'Lied'"):
        read_corpus(write("f.csv", "Lied\none\n"), text_column="leid")


def test_no_text_column(write):
    with pytest.raises(DataError, match=r"'foo', 'bar'.*--text-column"):
        read_corpus(write("a.csv", "foo,bar\na,b\n"))
    with pytest.raises(DataError, match="'0', '1'"):
        read_corpus(write("a.csv", "foo,bar\na,b\n"), group_column=1)
    with pytest.raises(DataError, match=r"Got the columns \(none\).*--text-column"):
        read_corpus(write("a.jsonl", "{}\n{}\n"))
    with pytest.raises(DataError, match=r"Got the columns \(none\)"):
        read_corpus([{}, {}], text_column="text")
    wide = ",".join(f"column{number}" for number in range(40))
    with pytest.raises(DataError, match="and 28 more"):
        read_corpus(write("a.csv", f"{wide}\n{wide}\n"))


@pytest.mark.parametrize("role", ["text", "id", "group"])
def test_given_column_that_is_not_there(write, role):
    path = write("a.csv", "text,id,group,Liedtext\na,b,c,d\n")
    with pytest.raises(DataError, match=rf"'leidtext'.*Did you mean 'Liedtext'.*\? Correct --{role}-column"):
        read_corpus(path, **{f"{role}_column": "leidtext"})
    for wrong in (4, "4", -1, "-1"):
        with pytest.raises(DataError, match=rf"none of its 4.*--{role}-column.*from 0 to 3"):
            read_corpus(path, **{f"{role}_column": wrong})
    with pytest.raises(ParameterError, match="must be a text or an integer"):
        read_corpus(path, **{f"{role}_column": True})


def test_none_switches_off(write):
    path = write("a.csv", "text,id,group\na,1,x\nb,1,\n")
    corpus = read_corpus(path, id_column="none", group_column="none")
    assert (corpus.ids, corpus.groups, corpus.ids_given) == (("0", "1"), None, False)
    named = read_corpus(write("b.csv", "text,none,group\na,1,x\n"), group_column="none")
    assert named.groups == ("1",)


def test_the_text_column_is_not_taken_twice(write):
    corpus = read_corpus(write("a.csv", "id,label\na,b\n"), text_column="label")
    assert (corpus.items, corpus.ids, corpus.groups) == (("b",), ("a",), None)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_plain_texts_have_no_columns(write, name):
    path = write(name, '"a"\n')
    with pytest.raises(ParameterError, match="--group-column needs data with columns"):
        read_corpus(path, group_column="x")
    assert len(read_corpus(path, group_column="none")) == 1
    with pytest.raises(ParameterError, match="--text-column needs data with columns"):
        read_corpus(["a"], text_column=0)
