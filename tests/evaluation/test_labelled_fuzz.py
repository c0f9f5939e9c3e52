"""Mutated files of pairs and of labelled texts: the rows of an independent reader, or a refusal that names the file."""

from __future__ import annotations

import random
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from corpus_mutations import (
    OF_ONE_ROW,
    PLAIN,
    SEPARATORS,
    TEXTS,
    Case,
    Grid,
    a_case,
    grid_of,
    packed,
    quotes_may_be_stray,
    rows_of,
    written,
)
from embdiff.corpus.files import Form
from embdiff.evaluation.class_files import Labelled, read_classes
from embdiff.evaluation.pair_files import Pairs, read_pairs
from mutations import battery, read_or_refused

EXTENSIONS = (".csv", ".csv", ".tsv", ".tsv", ".jsonl", ".jsonl", ".parquet", ".parquet")
KNOWN = {
    "left": {"sentence1", "text_a", "premise", "question1"},
    "right": {"sentence2", "text_b", "hypothesis", "question2"},
    "score": {"score", "similarity", "gold", "label"},
}
OF_PAIRS = (
    *("none", "columns moved", "rows moved", "another name", "no known name", "extra column", "alike", "row twice"),
    *("bytes", "bytes", "bytes", "no score", "no score", "word", "no number", "infinite", "underscore", "blank text"),
    *("no text", "NUL", "half a pair", "name twice", "score as text", "score first", "no header", "no header"),
)
OF_TEXT = ("line ends", "old Mac", "mark", "encoding", "blank lines", "no last line end", "all quoted", "stray quotes")
OF_TEXT += ("ragged", "other separator", "sep line", "no key", "not JSON", "key twice", "lists")
# After these nothing is wrong with any row; "no score" leaves one out.
GOOD_PAIRS = (PLAIN | {"no score", "row twice", "score as text"}) - {"old Mac"}
WRONG_ROW = {"word", "no number", "infinite", "underscore", "blank text", "no text", "NUL", "half a pair", "ragged"}
WRONG_ROW |= {"no key", "not JSON", "key twice", "lists"}


def of_pairs(rng: random.Random, extension: str) -> Case:
    """Return pairs with a score each and a mutation."""
    how, names = rng.choice((*OF_PAIRS, *(() if extension == ".parquet" else OF_TEXT))), []
    for role in ("left", "right", "score"):
        names.append(rng.choice(sorted(KNOWN[role])))
    scores = rng.choice([(0, 1), (0, 1, 2, 3, 4, 5), (0.25, 1.5, 4.75, 3.0)])
    rows = [[rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(scores)] for _ in range(rng.randrange(4, 12))]
    row = rows[at := rng.randrange(len(rows))]
    side = rng.randrange(2)
    row[2] = {"word": "high", "infinite": "inf", "no number": "4,5", "underscore": "1_0"}.get(how, row[2])
    row[side] = {"blank text": " ", "no text": rng.choice(["", None]), "NUL": "a\0b"}.get(how, row[side])
    if extension == ".jsonl":
        row[side] = {"half a pair": "x\ud800", "lists": ["a"]}.get(how, row[side])
    if how == "no score":
        row[2] = rng.choice([None, "" if extension != ".parquet" else None])
    elif how in ("score as text", "word", "infinite", "no number", "underscore") and extension == ".parquet":
        rows = [[*each[:2], str(each[2])] for each in rows]
    elif how == "rows moved":
        rng.shuffle(rows)
    elif how == "row twice":
        rows.insert(0, rows[at])
    elif how in ("another name", "no known name"):
        chosen = range(3) if how == "no known name" else [rng.randrange(3)]
        names = [f"zz{number}" if number in chosen else name for number, name in enumerate(names)]
    elif how in ("extra column", "name twice", "alike"):
        at = rng.randrange(3)
        again = names[at]
        names.append({"extra column": "remarks", "alike": again.upper()}.get(how, again))
        names[at] = again.title() if how == "alike" and rng.random() < 0.5 else again
        rows = [[*each, rng.choice(["seen", "3"])] for each in rows]
    if how == "columns moved" or (how == "no header" and rng.random() < 0.5) or how == "score first":
        order = rng.sample(range(3), 3) if how == "columns moved" else [2, 0, 1]
        names, rows = [names[to] for to in order], [[each[to] for to in order] for each in rows]
    if how == "no header" and rng.random() < 0.5:
        rows[0] = [None if isinstance(cell, (int, float)) else cell for cell in rows[0]]
    return Case(tuple(names), tuple(map(tuple, rows)), extension, how)


def number_of(cell: Any) -> Decimal | None:
    try:
        found = Decimal(str(int(cell) if isinstance(cell, bool) else cell).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and "_" not in str(cell) else None


def is_blank(cell: Any) -> bool:
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())


def pairs_of(grid: Grid) -> list[tuple[str, str, Decimal]] | str:
    """Return the pairs that have a score, by the names of the columns or three columns alone; or why there are none."""
    names = [re.sub(r"[\s-]+", "_", str(name).strip().casefold()) for name in grid[0]]
    found = {role: [at for at, name in enumerate(names) if name in known] for role, known in KNOWN.items()}
    if any(names.count(name) > 1 and list(grid[0]).count(name) != 1 for name in names):
        return "a name stands twice, or alike but for case"
    if all(found.values()):
        left, right, score = (
            next((at for at in places if str(grid[0][at]).islower()), places[0]) for places in found.values()
        )
    elif len(names) != 3:
        return "not plain which columns are meant"
    else:
        mostly = [sum(number_of(row[at]) is not None for row in grid[1:]) * 2 > len(grid) - 1 for at in range(3)]
        left, right, score = (1, 2, 0) if mostly == [True, False, False] else (0, 1, 2)
    rows = []
    for row in grid[1:]:
        if is_blank(row[score]):
            continue
        value, texts = number_of(row[score]), (row[left], row[right])
        if value is None or any(not isinstance(text, str) or is_blank(text) for text in texts):
            return "no number, or no text"
        if re.search("[\0\ud800-\udfff]", "".join(texts)):
            return "not to be stored"
        rows.append((*texts, value))
    return rows if len(rows) > 1 else "fewer than two pairs"


def check_quotes(raw: bytes, extension: str, texts: list[str], notes: str) -> None:
    if extension in SEPARATORS and any("\n" in text for text in texts):
        assert not quotes_may_be_stray(raw, SEPARATORS[extension]) or "were read as one row" in notes


@battery(200)
def test_pairs_are_those_of_an_independent_reader_or_refused(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    case = of_pairs(rng, rng.choice(EXTENSIONS))
    raw = written(rng, case)
    packing = rng.choice([".gz", ".zst"]) if case.extension != ".parquet" and rng.random() < 0.1 else ""
    path = tmp_path / f"pairs{case.extension}{packing}"
    path.write_bytes(packed(rng, raw, packing, "") if packing else raw)
    found, said = read_or_refused(lambda: read_pairs([path]), path)
    grid = grid_of(raw, case, path)
    if grid is not None and case.how == "no header" and case.extension in SEPARATORS:
        grid = [["0", "1", "2"], *grid]
    rows = "an independent reader refuses it" if grid is None else pairs_of(grid)
    if found is None:
        plain = case.how in GOOD_PAIRS or (case.how == "no header" and "names the columns" not in said)
        assert not plain or isinstance(rows, str), said
        if case.how in WRONG_ROW and not isinstance(rows, list):
            assert re.search(r"(line|rows?) \d", said), said
        return
    check_pairs(found, case, raw, grid, rows)


def check_pairs(
    found: Pairs, case: Case, raw: bytes, grid: Grid | None, rows: list[tuple[str, str, Decimal]] | str
) -> None:
    """Compare pairs that were read with those of an independent reader."""
    notes = " ".join(found.notes)
    if case.how == "no header" and "was taken for the names of the columns" in notes and grid is not None:
        rows = pairs_of(grid[1:])  # told, so that --no-header can be given
    assert not isinstance(rows, str), f"read though {rows}"
    assert list(zip(found.left, found.right, map(Decimal, map(str, found.score)), strict=True)) == rows
    without = len(grid or []) - 1 - len(rows) - ("was taken for the names" in notes)
    assert (f"{without:,} of" in notes and "have no score" in notes) == (without > 0)
    check_quotes(raw, case.extension, [*found.left, *found.right], notes)


@battery(150)
def test_labelled_texts_are_those_of_an_independent_reader_or_refused(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    case = a_case(rng, rng.choice(EXTENSIONS), ("text", "group"))
    kind = rng.choice(["one file", "train", "test"])
    raw = written(rng, case)
    folder = tmp_path / "set"
    folder.mkdir()
    extension = rng.choice([".json", ".xlsx", ".parquet", ""]) if case.how == "other extension" else case.extension
    path = folder / f"{'train' if kind == 'one file' else kind}{extension}"
    path.write_bytes(raw)
    other = folder / ("test.csv" if kind == "train" else "train.jsonl")
    texts = {"test.csv": 'text,label\n"one, two",a\nthree,b\n'}
    if kind != "one file":
        other.write_text(texts.get(other.name, '{"text": "one", "label": "a"}\n{"text": "two", "label": "b"}\n'))
    strange = rng.choice(["", "", "", "second", "gone"]) if kind != "one file" else ""
    if strange:
        (folder / f"{other.stem}.tsv").write_text("text\tlabel\nx\ta\n") if strange == "second" else other.unlink()
    form = Form(encoding=case.said)
    named = path if kind == "one file" else folder
    found, said = read_or_refused(lambda: read_classes(named, seed=seed, form=form), named)
    grid = grid_of(raw, case, path)
    rows = "an independent reader refuses it" if grid is None else rows_of(grid, "keep", "classes")
    if found is None:
        few = not isinstance(rows, str) and len({label for _, _, label in rows}) < 2
        once = not isinstance(rows, str) and len({label for _, _, label in rows}) == len(rows)
        assert case.how not in PLAIN or isinstance(rows, str) or strange or few or once, said
        if case.how in OF_ONE_ROW and not strange and isinstance(rows, str):
            assert re.search(r"(line|rows?) \d", said), said
        return
    assert not strange
    assert case.how not in ("key twice", "ragged", "other extension")
    check_classes(found, case, raw, path, kind)


def check_classes(found: Labelled, case: Case, raw: bytes, path: Path, kind: str) -> None:
    """Compare texts and labels that were read with those of an independent reader; one file is split whole."""
    part = found.whole or {"train": found.train, "test": found.test}[kind]
    notes = " ".join(part.notes)
    grid = grid_of(raw, case, path)
    assert grid is not None, "read though an independent reader refuses it"
    if "was taken as data" in notes:
        grid = [[str(at) for at in range(len(grid[0]))], *grid]
    rows = rows_of(grid, "keep", "classes")
    assert not isinstance(rows, str), f"read though {rows}"
    assert list(zip(part.items, part.groups or (), strict=True)) == [(text, label) for text, _, label in rows]
    parts = ((found.train, found.train_labels), (found.test, found.test_labels))
    for each, labels in parts:
        assert [found.classes[label] for label in labels] == list(each.groups or ())
    if kind == "one file":
        assert sorted(found.train.ids + found.test.ids, key=int) == [str(row) for row in range(len(rows))]
        for each, _ in parts:
            assert [rows[int(name)][::2] for name in each.ids] == list(zip(each.items, each.groups or (), strict=True))
    check_quotes(raw, case.extension, list(part.items), notes)
