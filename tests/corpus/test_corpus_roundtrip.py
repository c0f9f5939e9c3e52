"""What a csv, tsv, json or text writer wrote is read back equal, whatever the text."""

import csv
import json
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from embdiff.corpus import read_corpus

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
awkward = st.sampled_from(
    ["👩‍👩‍👧", "שלום, עולם", "مرحبا", "a\u2028b\u0085c", "\ufeff", '"', '""', "\r", "\r\n", "a\tb,c;d", "\u200f\u202e"]
)
texts = st.one_of(cells, awkward, st.builds(str.__add__, awkward, cells))
rows = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)
EXAMPLE = [('a,"b"\r\nc', "\u2028"), ("\ufeff", "😀"), ("\r", "\n")]


def check(path: Path, written: list[tuple[str, str]]) -> None:
    groups = [f"g{label}" for _, label in written]
    corpus = read_corpus(path, empty="keep", quotes=True)  # a writer that quotes
    assert corpus.items == tuple(text for text, _ in written)
    assert corpus.groups == tuple(groups)


@settings(max_examples=150, deadline=None)
@given(rows, st.sampled_from([(".csv", ","), (".tsv", "\t")]), st.booleans())
@example(EXAMPLE, (".csv", ","), True)
@example(EXAMPLE, (".tsv", "\t"), False)
def test_csv(written, kind, quote_all):
    extension, delimiter = kind
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{extension}"
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, delimiter=delimiter, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
            writer.writerows([["text", "group"], *((text, f"g{label}") for text, label in written)])
        check(path, written)


@settings(max_examples=150, deadline=None)
@given(rows, st.booleans())
@example(EXAMPLE, False)
def test_jsonl(written, ascii_only):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        lines = (json.dumps({"text": text, "group": f"g{label}"}, ensure_ascii=ascii_only) for text, label in written)
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        check(path, written)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts.map(lambda text: text.replace("\n", " ").rstrip("\r")), min_size=1, max_size=8))
def test_txt(items):
    items[0] = items[0].lstrip("\ufeff")  # a mark at the start of a file is no text
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_bytes(("\n".join(items) + "\n").encode("utf-8"))
        assert read_corpus(path, empty="keep").items == tuple(items)
