"""Every format is read as written; every malformed file is refused with its place and a way out."""

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embdiff.corpus import read_corpus
from embdiff.errors import DataError, ParameterError


def refused(path: object, *parts: str, **arguments: object) -> str:
    """Assert that reading is refused and that the message holds every part; return it."""
    with pytest.raises(DataError) as caught:
        read_corpus(path, **arguments)
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    return message


class TestText:
    def test_one_item_a_line(self, write):
        corpus = read_corpus(write("a.txt", "one\ntwo\n"))
        assert corpus.items == ("one", "two")
        assert corpus.ids == ("0", "1")
        assert corpus.groups is None
        assert not corpus.ids_given
        assert corpus.source.endswith("a.txt")

    @pytest.mark.parametrize("content", ["one\ntwo", "one\ntwo\n", "one\r\ntwo\r\n", "\ufeffone\ntwo\n"])
    def test_line_ends_and_mark(self, write, content):
        assert read_corpus(str(write("a.TXT", content))).items == ("one", "two")

    def test_only_line_feeds_split(self, write):
        items = ("a\u2028b", "c\u0085d", "e\x0bf\x0cg", "h\ri", "  spaces  ")
        assert read_corpus(write("a.txt", "\n".join(items) + "\n")).items == items

    def test_carriage_returns_end_lines_where_nothing_else_does_and_are_told(self, write):
        old = read_corpus(write("a.txt", "one\rtwo\rthree\r"))
        assert old.items == ("one", "two", "three")
        assert "end in carriage returns alone" in old.notes[0]
        mixed = read_corpus(write("b.txt", "one\rtwo\nthree\n"))
        assert mixed.items == ("one\rtwo", "three")
        assert "1 texts" in mixed.notes[0]
        assert "line 1" in mixed.notes[0]
        assert read_corpus(write("c.jsonl", '{"text": "one"}\r{"text": "two"}\r')).items == ("one", "two")

    def test_equal_lines_stay_apart(self, write):
        assert read_corpus(write("a.txt", "one\none\n")).items == ("one", "one")

    def test_blank_line_is_an_empty_row(self, write):
        refused(write("a.txt", "one\n\ntwo\n"), "line 2 (row 1)", "--empty keep", "--empty drop")


class TestDelimited:
    def test_quotes_breaks_and_separators(self, write):
        content = 'text,category\n"a, ""b""\r\nc",x\n d ,y\n'
        corpus = read_corpus(write("a.csv", content))
        assert corpus.items == ('a, "b"\r\nc', " d ")
        assert corpus.groups == ("x", "y")

    def test_tsv(self, write):
        corpus = read_corpus(write("a.tsv", 'id\ttext\n007\t"a\tb"\n1.50\tc, d\n'))
        assert corpus.items == ("a\tb", "c, d")
        assert corpus.ids == ("007", "1.50")
        assert corpus.ids_given

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_line_ends_and_mark(self, write, end):
        corpus = read_corpus(write("a.csv", "\ufeff" + end.join(["id,text", "a,one", "b,two"])))
        assert (corpus.ids, corpus.items) == (("a", "b"), ("one", "two"))

    def test_quote_inside_a_bare_cell_is_kept(self, write):
        assert read_corpus(write("a.csv", 'text,id\n5" disk,a\n')).items == ('5" disk',)

    def test_blank_lines_make_no_row_and_lines_still_count(self, write):
        content = "id,text\n\na,one\n\nb,two\n"
        assert read_corpus(write("a.csv", content)).items == ("one", "two")
        refused(write("b.csv", content + "c,\n"), "line 6 (row 2)")

    def test_blank_line_of_a_single_column_is_an_empty_cell(self, write):
        refused(write("a.csv", "text\none\n\ntwo\n"), "line 3 (row 1)")

    def test_ragged(self, write):
        message = refused(
            write("a.csv", 'text,id\n"a\nb",1\nc, d,2\n'), "line 4 (row 1)", "as many cells as line 1: 2", "Got 3"
        )
        assert "quotes around" in message
        refused(write("b.csv", "text,id\na,1\nb\n"), "line 3 (row 1)", "Got 1")

    def test_ragged_without_header(self, write):
        refused(write("a.csv", "x,1\ny,2,3\n"), "line 2 (row 1)", text_column=0)

    def test_unclosed_quote(self, write):
        refused(write("a.csv", 'text,id\na,1\n"b,2\nc,3\n'), "begins on line 3", "never closed", "Mend", ".jsonl")

    def test_text_after_a_closing_quote(self, write):
        refused(write("a.tsv", 'id\ttext\n1\t"Hello" he said\n'), "begins on line 2", "doubled", "tabs")

    @pytest.mark.parametrize(("name", "other"), [("a.csv", ";"), ("a.csv", "\t"), ("a.tsv", ","), ("a.tsv", ";")])
    def test_other_separator(self, write, name, other):
        message = refused(write(name, f"id{other}text\n1{other}a\n"), "line 1", "must be separated by", "Save it with")
        assert ("rename it to .tsv" in message) == (other == "\t")
        assert ("rename it to .csv" in message) == (other == ",")

    def test_other_separator_in_a_text_is_no_separator(self, write):
        lines = ("Come in; sit down", "tab\there", "the text; of a song")
        assert read_corpus(write("a.csv", "\n".join(lines))).items == lines
        assert read_corpus(write("b.csv", "Come; in\nsit\n"), text_column=0).items == ("Come; in", "sit")
        assert read_corpus(write("a.tsv", "Fog, and your voice.\n")).items == ("Fog, and your voice.",)

    def test_repeated_column_names(self, write):
        refused(write("a.csv", "text,id,text\na,1,b\n"), "'text' more than once", "Rename")

    def test_columns_without_name_may_repeat(self, write):
        assert read_corpus(write("a.csv", "text,,\na,,\n")).items == ("a",)

    def test_only_a_header(self, write):
        refused(write("a.csv", "text,id\n"), "at least one row", "Add rows")

    def test_cell_of_a_megabyte_and_the_limit_is_put_back(self, write):
        before = csv.field_size_limit()
        items = ("x" * 1_000_000, "y" * 100_000)
        text = io.StringIO()
        csv.writer(text).writerows([["text"], *([item] for item in items)])
        assert read_corpus(write("a.csv", text.getvalue())).items == items
        assert csv.field_size_limit() == before
        refused(write("b.csv", '"a\n'), "never closed")
        assert csv.field_size_limit() == before

    def test_hundred_thousand_rows(self, write):
        rows = "".join(f'{row},"number {row}, and more",{row % 7}\n' for row in range(100_000))
        corpus = read_corpus(write("a.csv", "id,text,group\n" + rows))
        assert len(corpus) == 100_000
        assert corpus.ids[-1] == "99999"


class TestJsonLines:
    def test_objects(self, write):
        first = '{"_id": "1", "title": "T", "text": "a\\nb", "label": 3}'
        second = '{"text": "\\ud83d\\ude00", "label": 4, "_id": 2}'
        corpus = read_corpus(write("a.jsonl", f"{first}\r\n\n{second}"))
        assert corpus.items == ("T a\nb", "😀")
        assert corpus.ids == ("1", "2")
        assert corpus.groups == ("3", "4")

    def test_strings(self, write):
        assert read_corpus(write("a.ndjson", '"a"\n"b\\u2028c"\n')).items == ("a", "b\u2028c")

    def test_raw_line_separator_stays_inside(self, write):
        assert read_corpus(write("a.jsonl", '"a\u2028b"\n')).items == ("a\u2028b",)

    def test_numbers_stay_as_written(self, write):
        big = "9" * 5_000  # int() would refuse it
        content = f'{{"id": 1.50, "text": "a", "group": true}}\n{{"id": {big}, "text": "b", "group": 1e3}}\n'
        corpus = read_corpus(write("a.jsonl", content))
        assert corpus.ids == ("1.50", big)
        assert corpus.groups == ("true", "1e3")
        assert all(type(name) is str for name in corpus.ids)

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("{", "column"),
            ("{'text': 1}", "column"),
            ('{"text": NaN}', "NaN is not JSON"),
            ('{"text": "b", "text": "c"}', "the key 'text' stands in an object twice"),
        ],
    )
    def test_bad_line(self, write, line, reason):
        refused(write("a.jsonl", f'{{"text": "a"}}\n\n{line}\n'), "line 3", reason, "Mend or delete")

    def test_nested_too_deeply(self, write):
        refused(write("a.jsonl", "[" * 100_000 + "]" * 100_000), "line 1", "nested too deeply")

    @pytest.mark.parametrize("line", ["[1]", "3", "null", "true", '"text"'])
    def test_neither_object_nor_string_throughout(self, write, line):
        refused(write("a.jsonl", f'{{"text": "a"}}\n{line}\n'), "line 2 (row 1)", "Make all lines alike")

    def test_object_without_text(self, write):
        refused(
            write("a.jsonl", '{"text": "a"}\n\n{"title": "b"}\n'),
            "Got nothing at line 3 (row 1)",
            "'text'",
            "Write it as text",
            "--text-column",
        )

    @pytest.mark.parametrize(
        ("value", "kind"),
        [("3", "number '3'"), ("[1]", "list"), ('{"a": 1}', "object"), ("true", "boolean True")],
    )
    def test_text_that_is_no_text(self, write, value, kind):
        refused(write("a.jsonl", f'{{"text": "a"}}\n{{"text": {value}}}\n'), kind, "line 2 (row 1)", "string")

    @pytest.mark.parametrize("escape", ["\\ud800", "\\udfff x"])
    @pytest.mark.parametrize("column", ["text", "id", "group"])
    def test_half_a_surrogate_pair(self, write, escape, column):
        row = {"text": "a", "id": "b", "group": "c"} | {column: escape}
        line = "{" + ", ".join(f'"{key}": "{value}"' for key, value in row.items()) + "}\n"
        refused(write("a.jsonl", line), "surrogate", f"in the {column} at line 1 (row 0)", "Remove it")

    @pytest.mark.parametrize("column", ["text", "id", "group"])
    def test_nul_escape(self, write, column):
        row = {"text": "a", "id": "b", "group": "c"} | {column: "x\\u0000"}
        line = "{" + ", ".join(f'"{key}": "{value}"' for key, value in row.items()) + "}\n"
        refused(
            write("a.jsonl", '{"text": " ", "id": "q", "group": "c"}\n' + line), "NUL", "line 2 (row 1)", empty="drop"
        )


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


class TestParquet:
    def test_texts_ids_groups(self, tmp_path):
        path = parquet(
            tmp_path / "a.parquet", id=[7, 2**60 + 1], text=["a", "😀\n"], label=[True, False], other=[None, 1]
        )
        corpus = read_corpus(path)
        assert corpus.items == ("a", "😀\n")
        assert corpus.ids == ("7", str(2**60 + 1))
        assert corpus.groups == ("true", "false")

    def test_dictionary_and_large_strings_dates_and_dots(self, tmp_path):
        table = {
            "my.text": pa.array(["a", "b", "a"], pa.large_string()),
            "topic": pa.array(["x", "y", "x"]).dictionary_encode(),
            "id": [datetime.date(2024, 1, day) for day in (1, 2, 3)],
        }
        corpus = read_corpus(parquet(tmp_path / "a.parquet", **table), text_column="my.text")
        assert corpus.items == ("a", "b", "a")
        assert corpus.groups == ("x", "y", "x")
        assert corpus.ids[0] == "2024-01-01"

    def test_path_that_looks_partitioned(self, tmp_path):
        folder = tmp_path / "text=x"
        folder.mkdir()
        assert read_corpus(parquet(folder / "_a.parquet", text=["b"])).items == ("b",)

    @pytest.mark.parametrize(
        ("texts", "kind"),
        [
            ([1, 2], "int 1"),
            ([["a"], ["b"]], "list"),
            ([b"a", b"b"], "bytes"),
            ([1.0, 2.0], "float"),
        ],
    )
    def test_text_that_is_no_text(self, tmp_path, texts, kind):
        message = refused(parquet(tmp_path / "a.parquet", text=texts), kind, "row ", "leave the row out")
        assert "row 0" in message

    def test_ids_that_are_no_ids(self, tmp_path):
        refused(parquet(tmp_path / "a.parquet", text=["a"], id=[b"x"]), "bytes", "row 0", "--id-column none")

    def test_not_parquet(self, write):
        refused(write("a.parquet", "text\na\n"), "Parquet format", "a.parquet", "true extension")

    def test_cut_short(self, write, tmp_path):
        whole = parquet(tmp_path / "a.parquet", text=["a" * 100] * 10).read_bytes()
        refused(write("b.parquet", whole[: len(whole) // 2]), "b.parquet")

    def test_broken_text(self, tmp_path):
        raw = pa.array([b"good", b"bad \xff"], pa.binary())
        column = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
        refused(parquet(tmp_path / "a.parquet", text=column), "not UTF-8 at row 1", "Write the file again")

    def test_damaged_pages(self, write, tmp_path):
        whole = bytearray(parquet(tmp_path / "a.parquet", text=["word " * 50] * 10).read_bytes())
        whole[4:40] = bytes(36)
        said = refused(
            write("b.parquet", bytes(whole)), "Column 'text' of ", "must be readable", "Write the file again"
        )
        assert "\n" not in said
        footer = bytearray(parquet(tmp_path / "a.parquet", text=["a"]).read_bytes())
        footer[-60:-20] = bytes(40)
        assert "\n" not in refused(write("c.parquet", bytes(footer)), "c.parquet", "Parquet format")

    def test_a_page_that_differs_from_its_checksum(self, write, tmp_path):
        table, path = pa.table({"text": ["red kite", "red lamp"]}), tmp_path / "a.parquet"
        plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        pq.write_table(table, path, write_page_checksum=True, **plain)
        raw = path.read_bytes()
        refused(write("b.parquet", raw.replace(b"kite", b"site", 1)), "Column 'text' of ", "CRC checksum")

    def test_repeated_names_and_no_rows(self, tmp_path):
        table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
        pq.write_table(table, tmp_path / "a.parquet")
        refused(tmp_path / "a.parquet", "'text' more than once", "Rename")
        refused(parquet(tmp_path / "b.parquet", text=pa.array([], pa.string())), "at least one row")


class TestCompressed:
    """Compressed text is read, whatever the file is called; what is no text is named."""

    TABLES = (("csv", "id,text\na,one\nb,two\n"), ("tsv", "id\ttext\na\tone\nb\ttwo\n"), ("txt", "one\ntwo\n"))
    TABLES += (("jsonl", '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n'), ("ndjson", '"one"\n"two"\n'))

    @pytest.mark.parametrize(("extension", "content"), TABLES)
    @pytest.mark.parametrize("packed", ["gz", "zst"])
    def test_every_format(self, write, extension, content, packed):
        raw = content.encode()
        whole = gzip.compress(raw) if packed == "gz" else pa.compress(raw, codec="zstd", asbytes=True)
        for name in (f"a.{extension}.{packed}", f"a.{extension}", f"A.{extension.upper()}.{packed.upper()}"):
            assert read_corpus(write(name, whole)).items == ("one", "two")
        refused(write(f"a.{extension}.{packed}", whole[:-5]), "must be whole", packed[:2], "Copy or make it again")
        refused(write(f"b.{extension}.{packed}", raw), f"A .{packed} file must be compressed", "Rename it")

    def test_two_members_one_after_the_other(self, write):
        assert len(read_corpus(write("a.txt.gz", gzip.compress(b"one\n") + gzip.compress(b"two\n")))) == 2

    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            (b"PAR1\0\0PAR1", "a Parquet file. Name it .parquet"),
            (b"PK\x03\x04\0\0", "a zip archive. Unpack it"),
            (bz2.compress(b"text" * 99), "compressed with bzip2. Decompress it"),
            (lzma.compress(b"text" * 99), "compressed with xz. Decompress it"),
        ],
    )
    @pytest.mark.parametrize("extension", ["txt", "csv", "jsonl"])
    def test_what_is_no_text_is_named(self, write, raw, words, extension):
        refused(write(f"a.{extension}", raw), words)

    def test_parquet_is_not_compressed_as_a_whole(self, write):
        refused(write("a.parquet.gz", gzip.compress(b"PAR1")), "must be as it was written", "Decompress it")


class TestEncoding:
    @pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "utf-32", "utf-8", "utf_8_sig"])
    @pytest.mark.parametrize(
        ("name", "content"), [("a.csv", "text\n{}\n"), ("a.txt", "{}\n"), ("a.jsonl", '{{"text": "{}"}}\n')]
    )
    def test_given(self, write, encoding, name, content):
        text = "schöne Grüße"
        path = write(name, content.format(text).encode(encoding))
        assert read_corpus(path, encoding=encoding).items == (text,)
        if not encoding.startswith("utf-8") and encoding != "utf_8_sig":
            refused(path, "--encoding")

    def test_text_that_is_not_in_it(self, write):
        refused(write("a.txt", "one\nschön\n"), "must be ascii", "0xC3 on line 2", "--encoding", encoding="ascii")

    @pytest.mark.parametrize("encoding", ["klingon", "", "base64", "rot13", "hex", "utf-8\0"])
    def test_none(self, write, encoding):
        with pytest.raises(ParameterError, match="must be one that Python knows for text"):
            read_corpus(write("a.txt", "a\n"), encoding=encoding)


class TestNull:
    """Null and empty text are one thing, in every format."""

    TEXTS = ("the boat left", None, "rain on the roof", None)

    @pytest.fixture(params=["csv", "tsv", "jsonl", "strings", "parquet", "frame", "list", "dicts"])
    def rows(self, request, tmp_path):
        frame, kind = pd.DataFrame({"id": list("abcd"), "text": self.TEXTS}), request.param
        path = tmp_path / f"a.{kind}"
        if kind in ("csv", "tsv"):
            frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
        elif kind == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        elif kind == "strings":
            path = tmp_path / "a.jsonl"
            path.write_text("".join(f"{json.dumps(text)}\n" for text in self.TEXTS))
        elif kind == "parquet":
            frame.to_parquet(path)
        return {"frame": frame, "list": list(self.TEXTS), "dicts": frame.to_dict("records")}.get(kind, path), kind

    def test_one_rule(self, rows):
        data, kind = rows
        ids = kind not in ("strings", "list")
        message = refused(data, "Got 2 empty of 4", "--empty keep or --empty drop", "row 1", "row 3")
        assert ("(ids 'b', 'd')" in message) == ids
        dropped = read_corpus(data, empty="drop")
        assert dropped.items == ("the boat left", "rain on the roof")
        assert dropped.dropped == (("b", "d") if ids else ("1", "3"))
        assert read_corpus(data, empty="keep").items == ("the boat left", "", "rain on the roof", "")

    def test_null_first(self, write):
        assert read_corpus(write("a.jsonl", 'null\n"a"\n'), empty="drop").items == ("a",)
        refused(write("b.jsonl", 'null\n{"text": "a"}\n'), "line 2 (row 1)", "Make all lines alike")
        refused(write("c.jsonl", '{"text": "a"}\nnull\n'), "line 2 (row 1)", "Make all lines alike")
        refused(write("d.jsonl", "null\nnull\n"), "2 empty of 2")

    def test_messages_name_the_row_the_id_and_the_file(self, tmp_path):
        path = parquet(tmp_path / "a.parquet", id=["x", "y"], text=pa.array([["a"], None]))
        refused(path, "Got list ['a'] at row 0, id 'x', of", "a.parquet")
        path = parquet(tmp_path / "b.parquet", id=["x", "y"], text=["a", "b"], group=["g", None])
        refused(path, "an empty cell at row 1, id 'y', of", "--group-empty NAME")


class TestFiles:
    def test_missing_with_a_hint(self, write):
        path = write("lyrics.csv", "text\na\n")
        refused(path.with_name("lyrcs.csv"), "must exist", "lyrcs.csv", "Did you mean 'lyrics.csv'?", "Check the path")
        refused("/no/such/folder/a.csv", "must exist", "Check the path")

    def test_folder(self, write, tmp_path):
        write("a.csv", "text\na\n")
        write("readme.md", "")
        message = refused(tmp_path, "Got the folder", "Name a file", "'a.csv'")
        assert "readme" not in message

    @pytest.mark.parametrize("name", ["a.xlsx", "a", "a.xlsx.gz", "a.json", "a.gz"])
    def test_extension(self, write, name):
        refused(write(name, "text\na\n"), ".txt, .csv, .tsv, .jsonl, .ndjson, .parquet", "rename")

    @pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.jsonl", "a.ndjson"])
    @pytest.mark.parametrize("content", ["", "\ufeff"])
    def test_empty_file(self, write, name, content):
        refused(write(name, content), "at least one row", name, "Add rows")

    def test_other_encodings(self, write):
        text = "text\nschöne Grüße\n"
        refused(write("a.csv", text.encode("latin-1")), "0xF6", "line 2", "Save the file as UTF-8")
        refused(write("a.csv", text.encode("utf-16")), "UTF-16", "Save it as UTF-8")
        refused(write("a.txt", b"\xfe\xff" + text.encode("utf-16-be")), "UTF-16")
        refused(write("a.jsonl", text.encode("utf-32")), "UTF-32")
        refused(write("a.txt", text.encode("utf-16-le")), "NUL", "probably UTF-16", "Save it as UTF-8")

    def test_nul(self, write):
        refused(write("a.csv", "text\na\nb\0\n"), "NUL", "in the text at line 3 (row 1)", "Remove it")
        refused(write("a.txt", "fine\nnot\0fine\n"), "NUL", "line 2 (row 1)", "Remove it")
        assert read_corpus(write("b.csv", "text,other column\na,b\0\n")).items == ("a",)

    def test_permission_denied(self, write, monkeypatch):
        path = write("a.txt", "a\n")

        def deny(_path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", deny)
        refused(path, "permission denied", "Change its permissions")
        monkeypatch.setattr(Path, "exists", deny)
        refused(path, "permission denied", "Change its permissions")

    def test_other_trouble_of_the_system(self, write, monkeypatch):
        path = write("a.txt", "a\n")

        def fail(_path: Path) -> bytes:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Path, "read_bytes", fail)
        refused(path, "Input/output error", "Check the file")

    def test_name_too_long(self):
        refused("x" * 5_000, "must exist")
        refused(Path("x" * 5_000 + ".csv"), "must exist")
