"""Mutated corpora and files of queries: the rows of an independent reader, or a refusal that names the file."""

from __future__ import annotations

import random
import re
from pathlib import Path

from corpus_mutations import (
    OF_ONE_ROW,
    PLAIN,
    SEPARATORS,
    Case,
    a_case,
    grid_of,
    packed,
    quotes_may_be_stray,
    rows_of,
    unpacked,
    written,
)
from embdiff.corpus import read_corpus, read_queries
from embdiff.corpus.beir import read_beir
from embdiff.corpus.columns import Columns
from embdiff.corpus.files import Form
from embdiff.corpus.pieces import open_pieces
from embdiff.records import Corpus
from mutations import battery, read_or_refused

EXTENSIONS = (".csv", ".csv", ".tsv", ".tsv", ".jsonl", ".jsonl", ".txt", ".parquet", ".parquet")
SEARCHED = Corpus(("one", "two"), ("a", "b"))


def read(path: Path, case: Case, what: str, empty: str) -> Corpus:
    if what == "queries":
        return read_queries(path, SEARCHED, form=Form(encoding=case.said))[0]
    if what == "beir":
        (path.parent / "queries.jsonl").write_text('{"_id": "q", "text": "what?"}\n')
        (path.parent / "qrels").mkdir()
        judged = "".join(f"q\t{before}{number}\t1\n" for before in ("k", "") for number in range(20))
        (path.parent / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
        return read_beir(path.parent, columns=Columns(form=Form(encoding=case.said))).corpus
    if what == "pieces":
        pieces = list(open_pieces(path, Columns(form=Form(encoding=case.said)), empty).read(3))
        parts = [
            tuple(each for piece in pieces for each in getattr(piece, part)) for part in ("items", "ids", "dropped")
        ]
        groups = None if pieces[0].groups is None else tuple(each for piece in pieces for each in piece.groups or ())
        return Corpus(parts[0], parts[1], groups, dropped=parts[2], notes=pieces[0].notes)
    return read_corpus(path, empty=empty, encoding=case.said)


def check(found: Corpus, case: Case, raw: bytes, path: Path, empty: str, what: str) -> None:
    """Compare what was read with what an independent reader reads."""
    grid = grid_of(raw, case, path)
    assert grid is not None, "read though an independent reader refuses it"
    notes = " ".join(found.notes)
    if "was taken as data" in notes:
        grid = [[str(at) for at in range(len(grid[0]))], *grid]
    rows = rows_of(grid, empty, what)
    assert not isinstance(rows, str), f"read though {rows}"
    assert list(found.items) == [text for text, _, _ in rows]
    assert list(found.ids) == [name for _, name, _ in rows]
    assert list(found.groups or [None] * len(rows)) == [group for _, _, group in rows]
    assert len(found) + len(found.dropped) == len(grid) - 1
    if case.extension in SEPARATORS and any("\n" in text for text in found.items):
        assert not quotes_may_be_stray(raw, SEPARATORS[case.extension]) or "were read as one row" in notes
    if case.extension == ".txt" and b"\r" in raw.replace(b"\r\n", b"\n"):
        assert "carriage return" in notes


@battery(600)
def test_rows_are_those_of_an_independent_reader_or_refused(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    case, packing = a_case(rng, rng.choice(EXTENSIONS)), ""
    if case.extension != ".parquet" and rng.random() < 0.2:
        packing = rng.choice([".gz", ".gz", ".zst"])
    what = rng.choice(["corpus", "corpus", "corpus", "beir", "pieces" if case.extension == ".parquet" else "queries"])
    what = "corpus" if what == "beir" and "id" not in case.names else what
    empty = {"queries": "refuse", "beir": "keep"}.get(what, rng.choice(["refuse", "keep", "drop"]))
    raw = written(rng, case)
    extension = rng.choice([".json", ".xlsx", ".parquet", ""]) if case.how == "other extension" else case.extension
    path = tmp_path / f"{'corpus' if what == 'beir' else 'rows'}{extension}{packing}"
    wrongly = rng.choice(["", "packed twice", "packed and damaged", "not packed"]) if packing else ""
    path.write_bytes(packed(rng, raw, packing, wrongly) if packing else raw)
    found, said = read_or_refused(lambda: read(path, case, what, empty), path)
    if packing == ".gz":
        whole = unpacked(path.read_bytes())
        assert found is None or whole is not None
        raw = whole or b""
    if found is not None:
        assert case.how not in ("other extension", "key twice", "ragged")
        if not (packing == ".zst" and wrongly == "packed and damaged"):  # it may have no checksum
            check(found, case, raw, path, empty, what)
    elif case.how in PLAIN and wrongly in ("", "packed twice"):
        grid = grid_of(raw, case, path)
        rows = None if grid is None else rows_of(grid, empty, what)
        assert grid is not None
        assert isinstance(rows, str), said
    elif case.how in OF_ONE_ROW and wrongly in ("", "packed twice"):
        assert re.search(r"(line|rows?) \d", said)
