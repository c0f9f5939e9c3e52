"""Files of rows with one mutation each, and what independent readers make of them: pyarrow.csv, fastparquet, json."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fastparquet
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from mutations import damaged

TEXTS = (
    *("The ferry left at nine.", "a lamp, on the pier", 'she said "wait" and left', "größer als ein Boot", "东方快车"),
    *("שלום, עולם", "👩‍👩‍👧 ahoy", "tab\tin the middle", "semi; colon", " leading blank", "{brace}", "a\u2028b\u0085c"),
    *("NULL", "nan", "007", "1e5", "x" * 300, "'single'", "#hash", "back\\slash"),
)
LATIN = tuple(text for text in TEXTS if text.encode("cp1252", "ignore").decode("cp1252") == text)
OTHER_NAMES = {"text": ("Sentence", "CONTENT", "body"), "id": ("_id", "Doc-ID", "uuid"), "group": ("Label", "topic")}
KNOWN = {
    "text": {"text", "sentence", "content", "body", "texts"},
    "id": {"id", "_id", "doc_id", "uuid", "pid", "qid", "uid"},
    "group": {"group", "label", "topic"},
    "title": {"title"},
}
SEPARATORS = {".csv": ",", ".tsv": "\t"}
# After these a file holds the same rows, or other rows that are as plain: it may not be refused.
PLAIN = {
    *("none", "columns moved", "rows moved", "another name", "extra column", "all quoted", "line ends", "mark", "said"),
    *("packed twice", "blank lines", "number as text", "large strings", "dictionary", "no last line end"),
}
# What is wrong stands in one row: a refusal names that.
OF_ONE_ROW = {"row twice", "no text", "no id", "no group", "NUL", "ragged", "key twice", "half a pair", "null text"}
OF_ONE_ROW |= {"text as number", "no key", "not JSON", "lists", "binary", "stray quotes"}
OF_ALL = ("none", "columns moved", "rows moved", "another name", "no such name", "extra column", "row twice", "bytes")
OF_ALL += ("bytes", "bytes", "no text", "no id", "no group", "blank text", "NUL", "id as number")
OF_TEXT = ("line ends", "old Mac", "mark", "encoding", "said", "blank lines", "no last line end", "other extension")
OF_DELIMITED = ("all quoted", "stray quotes", "ragged", "no header", "other separator", "sep line", "name twice")
OF_JSON = ("key twice", "half a pair", "text as number", "null text", "no key", "not JSON", "lists")
OF_PARQUET = ("large strings", "dictionary", "text as number", "null text", "binary", "name twice", "cut")


@dataclass(frozen=True)
class Case:
    """What is written: names of columns, rows, how."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    extension: str
    how: str
    said: str | None = None


def a_case(rng: random.Random, extension: str, always: tuple[str, ...] = ("text",)) -> Case:
    """Return rows with ids, perhaps groups and titles, and the mutation to come."""
    names = list(always)
    if rng.random() < 0.8:
        names += [name for name in ("id", "group", "title") if name not in always and rng.random() < 0.7]
    hows = list(OF_ALL) if extension != ".txt" else ["none", "rows moved", "bytes", "blank text", "NUL"]
    hows += OF_PARQUET if extension == ".parquet" else OF_TEXT
    hows += OF_DELIMITED if extension in SEPARATORS else OF_JSON if extension == ".jsonl" else ()
    how = rng.choice(hows)
    texts = LATIN if how == "said" else TEXTS
    rows = []
    for row in range(rng.randrange(4, 12)):
        cells = {"text": rng.choice(texts), "id": f"k{row}", "group": rng.choice("ab"), "title": rng.choice(["T", ""])}
        rows.append(tuple(cells[name] for name in names))
    names = names if extension != ".txt" else ["text"]
    rows = [row[: len(names)] for row in rows]
    return changed(rng, Case(tuple(names), tuple(rows), extension, how, "cp1252" if how == "said" else None))


def changed(rng: random.Random, case: Case) -> Case:
    """Return a case with its mutation, where that is one of rows and names."""
    names, rows, how = list(case.names), [list(row) for row in case.rows], case.how
    at = rng.randrange(len(rows))

    def put(role: str, value: Any) -> None:
        if role in names:
            rows[at][names.index(role)] = value

    empty = None if case.extension in (".jsonl", ".parquet") and rng.random() < 0.5 else ""
    values = {
        "no text": ("text", empty), "no id": ("id", empty), "no group": ("group", empty), "NUL": ("text", "a\0b"),
        "blank text": ("text", rng.choice(["  ", "\u00a0", ""])), "half a pair": ("text", "x\ud800"),
        "text as number": ("text", 7.5), "null text": ("text", None), "lists": ("text", ["a"]),
    }  # fmt: skip
    if how in values:
        put(*values[how])
    elif how == "columns moved":
        order = rng.sample(range(len(names)), len(names))
        names, rows = [names[to] for to in order], [[row[to] for to in order] for row in rows]
    elif how == "rows moved":
        rng.shuffle(rows)
    elif how == "row twice":
        rows.insert(rng.randrange(len(rows)), rows[at])
    elif how in ("another name", "no such name"):
        role = rng.choice([name for name in names if name in OTHER_NAMES])
        names[names.index(role)] = rng.choice(OTHER_NAMES[role]) if how == "another name" else "zzz"
    elif how in ("extra column", "name twice"):
        names.append("remarks" if how == "extra column" else rng.choice(names))
        rows = [[*row, rng.choice(["seen", ""])] for row in rows]
    elif how == "id as number" and "id" in names:
        for number, row in enumerate(rows):
            row[names.index("id")] = number + 1
    return replace(case, names=tuple(names), rows=tuple(map(tuple, rows)))


def written(rng: random.Random, case: Case) -> bytes:
    """Return the bytes of a file, with its mutation."""
    if case.extension == ".parquet":
        raw = _parquet(case)
        return damaged(rng, raw) if case.how == "bytes" else raw[: len(raw) // 2] if case.how == "cut" else raw
    text = {".txt": _lines, ".jsonl": _objects}.get(case.extension, _cells)(rng, case)
    ends = {"line ends": "\r\n", "old Mac": "\r"}.get(case.how)
    text = text.replace("\n", ends) if ends else text
    if case.how == "blank lines":
        text = text.replace("\n", "\n\n", 2) if case.extension != ".txt" else text
    elif case.how == "no last line end":
        text = text.removesuffix("\n")
    elif case.how == "mark":
        text = "\ufeff" + text
    encoding = rng.choice(["utf-16", "utf-32", "cp1252", "utf-16-le"]) if case.how == "encoding" else case.said
    raw = text.encode(encoding or "utf-8", "surrogatepass" if encoding is None else "replace")
    return damaged(rng, raw) if case.how == "bytes" else raw


def packed(rng: random.Random, raw: bytes, name: str, how: str) -> bytes:
    """Return bytes compressed as the name of their file says, or not quite."""
    if name == ".gz":
        whole = gzip.compress(raw, mtime=0)
        if how == "packed twice":  # a file may have several members
            whole = gzip.compress(raw[:20], mtime=0) + gzip.compress(raw[20:], mtime=0)
    else:
        whole = pa.Codec("zstd").compress(raw).to_pybytes()
    return damaged(rng, whole) if how == "packed and damaged" else raw if how == "not packed" else whole


def unpacked(raw: bytes) -> bytes | None:
    """Return what Python's gzip makes of bytes; None where it refuses them."""
    try:
        return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (OSError, EOFError, ValueError, gzip.zlib.error):
        return None


def _lines(_rng: random.Random, case: Case) -> str:
    return "".join(f"{row[0]}\n" for row in case.rows)


def _objects(rng: random.Random, case: Case) -> str:
    lines = []
    at = rng.randrange(len(case.rows))
    for number, row in enumerate(case.rows):
        held = dict(zip(case.names, row, strict=True))
        if number == at and case.how == "no key":
            del held["text" if "text" in held else case.names[0]]
        line = json.dumps(held, ensure_ascii=rng.random() < 0.5 or case.how == "half a pair")
        if number == at and case.how == "key twice":
            line = f'{{"{rng.choice(case.names)}": "other", {line[1:]}'
        lines.append(line[:-1] if number == at and case.how == "not JSON" else line)
    return "\n".join(lines) + "\n"


def _cells(rng: random.Random, case: Case) -> str:
    separator = SEPARATORS[case.extension]
    if case.how == "other separator":
        separator = rng.choice([";", "\t" if separator == "," else ","])
    quoted = case.how == "all quoted"

    def cell(value: Any) -> str:
        text = "" if value is None else str(value)
        bare = not quoted and not re.search(rf'["\r\n{re.escape(separator)}]', text)
        return text if bare else '"' + text.replace('"', '""') + '"'

    rows = [[cell(value) for value in row] for row in case.rows]
    if case.how == "stray quotes" and len(rows) > 3:
        for row, form in zip(sorted(rng.sample(range(len(rows)), 2)), ('"{}', '{}"'), strict=True):
            rows[row][-1] = form.format("stray")
    if case.how == "ragged":
        rows[rng.randrange(len(rows))].append("more")
    lines = [separator.join(row) for row in rows]
    lines = lines if case.how == "no header" else [separator.join(map(cell, case.names)), *lines]
    lines = [f"sep={separator}", *lines] if case.how == "sep line" else lines
    return "\n".join(lines) + "\n"


def _parquet(case: Case) -> bytes:
    columns = [[row[at] for row in case.rows] for at in range(len(case.names))]
    arrays = []
    for name, cells in zip(case.names, columns, strict=True):
        if case.how == "text as number" and name == "text":
            cells = [float(number) for number in range(len(cells))]
        if case.how == "binary" and name == "text":
            cells = [str(each).encode() for each in cells]
        array = pa.array(cells)
        if array.type == pa.string() and case.how in ("large strings", "dictionary"):
            array = array.cast(pa.large_string()) if case.how == "large strings" else array.dictionary_encode()
        arrays.append(array)
    handle = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(case.names)), handle)
    return handle.getvalue()


Grid = list[list[Any]]  # the names of the columns, then the rows
_ABSENT = object()


def grid_of(raw: bytes, case: Case, path: Path) -> Grid | None:
    """Return the cells as an independent reader reads them; None where it refuses."""
    if case.extension == ".parquet":
        return _read_parquet(path, case)
    try:
        text = raw.decode(case.said or "utf-8-sig")
    except UnicodeDecodeError:
        return None
    if case.extension == ".txt":
        end = "\n" if "\n" in text else "\r"  # old Macs
        return [["text"], *([line] for line in text.replace("\r\n", "\n").removesuffix(end).split(end))]
    return _read_objects(text) if case.extension == ".jsonl" else _read_cells(text, SEPARATORS[case.extension])


def _read_parquet(path: Path, case: Case) -> Grid | None:
    try:
        if case.how == "bytes":  # fastparquet does not hold out against damage
            frame = pd.read_parquet(path, engine="pyarrow", dtype_backend="pyarrow")
        else:
            frame = fastparquet.ParquetFile(str(path)).to_pandas()
    except Exception:  # whatever a library says of a damaged file
        return None
    frame = frame.astype(object).where(frame.notna(), None)
    return [list(map(str, frame.columns)), *frame.to_numpy(dtype=object).tolist()]


def _read_objects(text: str) -> Grid | None:
    def plain(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        found = list(pairs)
        if len(dict(found)) < len(found):
            raise ValueError("a key stands twice")
        return dict(found)

    try:
        lines = [line for line in re.split("[\r\n]", text) if line.strip(" \t")]
        objects = [json.loads(line, object_pairs_hook=plain, parse_float=str) for line in lines]
    except ValueError:
        return None
    if not objects or not all(isinstance(each, dict) for each in objects):
        return None
    names = list(dict.fromkeys(name for each in objects for name in each))
    return [names, *([each.get(name, _ABSENT) for name in names] for each in objects)]


def _read_cells(text: str, separator: str) -> Grid | None:
    said = re.match(r"sep=(.)\r?\n", text)
    text, separator = (text[said.end() :], said[1]) if said else (text, separator)
    names = [f"f{at}" for at in range(40)]
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(text.encode()),
            pyarrow.csv.ReadOptions(autogenerate_column_names=True, use_threads=False),
            pyarrow.csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, ignore_empty_lines=separator in text.split("\n")[0]
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [list(row.values()) for row in table.to_pylist()]


Rows = list[tuple[str, str, str | None]]  # text, id, group


def rows_of(grid: Grid, empty: str, what: str) -> Rows | str:
    """Return text, id and group of each row, as the names of the columns say; or why it must be refused."""
    names = [re.sub(r"[\s-]+", "_", str(name).strip().casefold()) for name in grid[0]]
    if len({name for name in names if name}) < len([name for name in names if name]):
        return "a name stands twice"
    at = {role: next((names.index(n) for n in names if n in known), None) for role, known in KNOWN.items()}
    at |= {"queries": {"title": None}, "beir": {"group": None}, "classes": {"id": None}}.get(what, {})
    text = 0 if len(names) == 1 else at["text"]
    if text is None or (what == "classes" and at["group"] in (None, text)):
        return "no text, or no label"
    rows: Rows = []
    for number, cells in enumerate(grid[1:]):
        found, title = cells[text], cells[at["title"]] if at["title"] not in (None, text) else None
        if found is _ABSENT or not isinstance(found, (str, type(None))):
            return "no text in a row"
        parts = [str(part) for part in (title, found) if part not in (None, _ABSENT) and str(part).strip()]
        whole = " ".join(parts) if title is not None else found or ""
        blank = not whole.strip()
        if re.search("[\0\ud800-\udfff]", whole) or (blank and empty == "refuse"):
            return "blank, or not to be stored"
        labels = [
            str(number) if role == "id" and at[role] is None else None if at[role] is None else cells[at[role]]
            for role in ("id", "group")
        ]
        if blank and empty == "drop":
            continue
        for role, label in zip(("id", "group"), labels, strict=True):
            if at[role] is not None and at[role] != text and (label in (None, _ABSENT) or not str(label).strip()):
                return f"no {role}"
        rows.append((whole, str(labels[0]), None if labels[1] is None else str(labels[1])))
    return rows if len({name for _, name, _ in rows}) == len(rows) and rows else "an id twice, or no rows"


def quotes_may_be_stray(raw: bytes, separator: str) -> bool:
    """Return whether every line of a file is a whole row without quotes, too."""
    counts = {line.count(separator.encode()) for line in raw.split(b"\n") if line.strip()}
    return len(counts) == 1
