"""Mutated judgements, expected results, runs and BEIR folders: what an independent reader says, or a refusal."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from embdiff.corpus import read_expected
from embdiff.corpus.beir import read_beir
from embdiff.corpus.trec import read_qrels, read_run
from embdiff.records import Corpus
from mutations import battery, damaged, read_or_refused

QUERIES, DOCUMENTS = ("q1", "q2", "#boats", "q4"), tuple(f"d{number}" for number in range(6))
KINDS = ("qrels", "qrels", "run", "beir", "expected.csv", "expected.tsv", "expected.jsonl", "expected.parquet")
HOWS = (
    *("none", "rows moved", "row twice", "two grades", "grade 1.0", "fraction", "word", "no grade", "no id", "short"),
    *("long", "line ends", "old Mac", "one old end", "mark", "remark", "blank lines", "no-break", "encoding", "NUL"),
    *("other name", "columns moved", "no such name", "extra column", "stray quotes", "unknown document", "key twice"),
    *("negative", "huge", "bytes", "bytes", "bytes", "bytes", "no last line end", "white space"),
)
PLAIN = {
    "none",
    "rows moved",
    "row twice",
    "grade 1.0",
    "line ends",
    "mark",
    "blank lines",
    "no last line end",
    "old Mac",
}
REMARK = "a remark"
Judged = list[tuple[str, str, Any]]  # query, document, grade or score


def judgements(rng: random.Random, kind: str, how: str) -> list[list[Any]]:
    """Return rows of query, document and grade, with the mutation of one of them."""
    pairs = rng.sample([(query, name) for query in QUERIES for name in DOCUMENTS], rng.randrange(6, 14))
    rows = [[query, name, rng.randrange(3)] for query, name in pairs]
    rows += [[query, "d0", 1] for query in QUERIES[:1] if (query, "d0") not in pairs]
    at = rng.randrange(len(rows))
    row = rows[at]
    if kind == "run":
        rows = [[query, name, round(rng.random() * 9, 3)] for query, name, _ in rows]
        row = rows[at]
    if how == "rows moved":
        rng.shuffle(rows)
    elif how in ("row twice", "two grades"):
        rows.insert(rng.randrange(len(rows)), [*row[:2], row[2] + (how == "two grades")])
    elif how == "negative":
        row[2] = -1
    else:
        grades = {"grade 1.0": "1.0", "fraction": "0.5", "word": "high", "no grade": "", "huge": "99999999999"}
        row[2] = grades.get(how, row[2])
        names = {"no id": "", "unknown document": "gone", "no-break": "d\u00a01", "NUL": "d\0"}
        row[1] = names.get(how, row[1])
        row[0] = " q1 " if how == "white space" else row[0]
    return rows


def trec(rng: random.Random, rows: list[list[Any]], kind: str, how: str) -> str:
    """Return lines of qrels or of a run."""
    lines = []
    for rank, (query, name, value) in enumerate(rows):
        fields = [query, "0", name, value] if kind == "qrels" else [query, "Q0", name, rank, value, "tag"]
        lines.append(rng.choice([" ", "\t"]).join(map(str, fields)))
    at = rng.randrange(len(lines))
    if how in ("short", "long", "no-break"):
        parts = lines[at].split()
        lines[at] = {"short": " ".join(parts[:-2]), "long": lines[at] + " more"}.get(how, lines[at])
    if how == "remark":
        lines.insert(at, rng.choice(["# made by hand", "#pooled", f"#{lines[at]} and more"]))
    return "\n".join(lines) + "\n"


def table(rng: random.Random, rows: list[list[Any]], kind: str, how: str) -> str:
    """Return a table of judgements, BEIR's or a user's own."""
    names = ["query-id", "corpus-id", "score"] if kind == "beir" else ["query_id", "id", "grade"]
    if how == "other name":
        names = ["Query_ID", "Doc-ID", "Relevance"]
    elif how == "no such name":
        names[rng.randrange(3)] = "zzz"
    elif how == "columns moved":
        order = rng.sample(range(3), 3)
        names, rows = [names[at] for at in order], [[row[at] for at in order] for row in rows]
    elif how == "extra column":
        names, rows = [*names, "remarks"], [[*row, "seen"] for row in rows]
    if kind == "expected.jsonl":
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
        if how == "key twice":
            lines[0] = f'{{"{names[1]}": "d1", {lines[0][1:]}'
        return "\n".join(lines) + "\n"
    handle = io.StringIO()
    writer = csv.writer(handle, delimiter="," if kind.endswith("csv") else "\t", lineterminator="\n")
    writer.writerows([names, *rows])
    lines = handle.getvalue().splitlines()
    at = rng.randrange(1, len(lines))
    if how in ("short", "long"):
        separator = "," if kind.endswith("csv") else "\t"
        lines[at] = lines[at].rpartition(separator)[0] if how == "short" else lines[at] + separator + "more"
    if how == "stray quotes":
        lines[1], lines[3] = '"' + lines[1], lines[3].replace("d", 'd"', 1) if rng.random() < 0.5 else lines[3] + '"'
    return "\n".join(lines) + "\n"


def file_of(rng: random.Random, folder: Path, kind: str, how: str) -> Path:
    """Write a file of judgements with its mutation."""
    rows = judgements(rng, kind, how)
    end = {"qrels": "judged.qrels", "run": "it.run", "beir": "qrels/test.tsv"}.get(kind, kind)
    path = folder / end
    path.parent.mkdir(exist_ok=True)
    if kind == "beir":
        for name, ids in (("corpus", DOCUMENTS), ("queries", QUERIES)):
            lines = (json.dumps({"_id": each, "text": f"text of {each}"}) for each in ids)
            (folder / f"{name}.jsonl").write_text("\n".join(lines))
    if kind == "expected.parquet":
        frame = pd.DataFrame(rows, columns=["query_id", "id", "grade"])
        frame.astype({"grade": str} if frame["grade"].map(type).nunique() > 1 else {}).to_parquet(path, index=False)
        raw = path.read_bytes()
    else:
        text = (trec if kind in ("qrels", "run") else table)(rng, rows, kind, how)
        text = text.replace("\n", {"line ends": "\r\n", "old Mac": "\r"}.get(how, "\n"))
        text = text.replace("\n", "\r" if how == "one old end" else "\n\n" if how == "blank lines" else "\n", 2)
        text = text.removesuffix("\n") if how == "no last line end" else "\ufeff" * (how == "mark") + text
        raw = text.encode("utf-16" if how == "encoding" else "utf-8")
    path.write_bytes(damaged(rng, raw) if how == "bytes" else raw)
    return path


def read(path: Path, kind: str) -> tuple[Mapping[str, Mapping[str, Any]], list[str]]:
    told: list[str] = []
    if kind == "run":
        return read_run(path, told=told), told
    if kind == "beir":
        qrels = read_beir(path.parent.parent).qrels
    elif kind == "qrels":
        qrels = read_qrels(path)
    else:
        queries = Corpus(tuple(f"text of {name}" for name in QUERIES), QUERIES, ids_given=True)
        qrels = read_expected(path, queries, Corpus(tuple("abcdef"), DOCUMENTS, ids_given=True))
    return qrels.judgements, list(qrels.notes)


def lines_of_trec(raw: bytes, kind: str) -> Judged:
    """Return the fields between C's white space, as trec_eval has it; REMARK for a line that is or may be one."""
    at, count = (3, 4) if kind == "qrels" else (4, 6)
    rows: Judged = []
    for line in raw.removeprefix("\ufeff".encode()).splitlines():
        fields = [each.decode() for each in line.split()]
        if not fields:
            continue
        wrong = len(fields) < count or (len(fields) > count and kind == "qrels")
        alone = fields[0] == "#" or len(fields) > count
        if fields[0].startswith("#") and (wrong or (alone and number(fields[at]) is None)):
            rows.append((REMARK, "", ""))
        else:
            rows.append((fields[0], fields[2], fields[at]))
    return rows


def independently(raw: bytes, path: Path, kind: str) -> Judged | None:
    """Return what bytes.split, pandas and json read; None where they refuse."""
    try:
        if kind in ("qrels", "run"):
            return lines_of_trec(raw, kind)
        if kind == "expected.parquet":
            frame = pd.read_parquet(path)
        elif kind == "expected.jsonl":
            frame = pd.DataFrame(
                [json.loads(line) for line in re.split("[\r\n]+", raw.decode("utf-8-sig")) if line.strip()]
            )
        else:
            separator = "," if kind.endswith("csv") else "\t"
            frame = pd.read_csv(
                io.BytesIO(raw), sep=separator, dtype=str, keep_default_na=False, encoding="utf-8", index_col=False
            )
    except Exception:  # whatever a library says of a damaged file
        return None
    names = [re.sub(r"[\s-]+", "_", str(name).strip().casefold()) for name in frame.columns]
    roles = [{"query_id", "qid", "query"}, {"id", "_id", "doc_id", "corpus_id"}, {"grade", "score", "relevance", "rel"}]
    at = [next((position for position, name in enumerate(names) if name in known), None) for known in roles]
    if at[0] is None or at[1] is None:
        return None
    rows = frame.astype(object).to_numpy().tolist()
    return [(str(row[at[0]]), str(row[at[1]]), 1 if at[2] is None else row[at[2]]) for row in rows]


def number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def gathered(rows: Judged, kind: str) -> dict[str, dict[str, Decimal]] | str:
    """Return judgements by query and document, or why they must be refused."""
    found: dict[str, dict[str, Decimal]] = {}
    for query, name, value in rows:
        if query == REMARK:
            continue
        grade = number(value)
        query, name = (query.strip(), name.strip()) if kind == "beir" else (query, name)
        if grade is None or not grade.is_finite() or not query.strip() or not name.strip():
            return "no number, or no id"
        if kind == "run" and name in found.get(query, ()):
            return "twice in a list"
        if found.setdefault(query, {}).setdefault(name, grade) != grade:
            return "two grades"
    return found


@battery(400)
def test_judgements_are_those_of_an_independent_reader_or_refused(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kind, how = rng.choice(KINDS), rng.choice(HOWS)
    path = file_of(rng, tmp_path, kind, how)
    found, said = read_or_refused(lambda: read(path, kind), path)
    rows = independently(path.read_bytes(), path, kind)
    wanted = "an independent reader refuses it" if rows is None else gathered(rows, kind)
    if found is None:
        assert how not in PLAIN or (kind == "run" and how == "row twice"), said
        if how in ("two grades", "word", "no grade", "no id", "short", "huge", "key twice"):
            assert re.search(r"(line|row) \d|header", said)
        return
    read_as, notes = found
    assert not isinstance(wanted, str), f"read though {wanted}"
    fractions = any(grade != grade.to_integral_value() for names in wanted.values() for grade in names.values())
    assert kind == "run" or any("fraction" in note for note in notes) == fractions
    assert how != "key twice" or kind != "expected.jsonl"
    assert any("remark" in note for note in notes) == any(query == REMARK for query, _, _ in rows or ())
    assert {query for query in wanted if query in QUERIES} <= set(read_as)
    for query, names in read_as.items():
        assert {name: Decimal(str(value)) for name, value in names.items()} == pytest.approx(wanted[query])
