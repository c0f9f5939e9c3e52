"""Judgements as rows of a table; TREC's files: judgements (qrels) and runs, read and written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from embdiff import _files, _names
from embdiff.corpus.files import read_text, refuse_missing
from embdiff.corpus.tables import Table, as_name, as_number, of_rows
from embdiff.errors import DataError
from embdiff.records import Qrels

Run = dict[str, dict[str, float]]
BEIR_QRELS = ("query_id", "corpus_id", "score")  # the columns of its judgements
_QRELS_FORM = "query, iteration, document, grade (for example: 301 0 FT911-3 1)"
# As trec_eval has it: other white space than ASCII's may be part of an id.
_FIELD = re.compile(r"[^ \t\v\f]+")
_LINE_END = re.compile(r"\r\n|\n|\r")
_RUN_FORM = "query, Q0, document, rank, score, tag (for example: 301 Q0 FT911-3 1 9.5 minilm)"


def judged_rows(table: Table, *, ordinary: bool) -> list[tuple[str, str, float]]:
    """Return what each row of a table of query id, document id and grade says.

    Parameters
    ----------
    table : Table
    ordinary : bool
        Whether it is qrels as TREC and BEIR have them, where a grade may be negative.

    Raises
    ------
    DataError
        When an id is missing, or a grade is no such number.
    """
    names = table.columns

    def ids(position: int) -> list[str]:
        must = f"Every judgement must have a {names[position]}."
        return table.checked(position, as_name, must, "Fill it in or delete the row.")

    must = f"A {names[2]} must be a number, {'above 0 for relevant' if ordinary else '0 or more'}."
    way_out = "Correct it" + ("." if ordinary else "; without the column grade every row counts 1.")
    grades = table.checked(2, partial(_as_grade, ordinary=ordinary), must, way_out, words=repr)
    return list(zip(ids(0), ids(1), grades, strict=True))


def _as_grade(value: object, ordinary: bool) -> float | None:
    """Return a grade, whole numbers as such; text is written 1, 1.0 or 0.5."""
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?([0-9]{1,9}(\.[0-9]*)?|\.[0-9]+)\s*", value):
        return None
    number = None if isinstance(value, (bool, np.bool_)) else as_number(value)
    if number is None or abs(number) >= 1e9 or (number < 0 and not ordinary):
        return None
    return int(number) if number.is_integer() else number


def told_fractions(judgements: Mapping[str, Mapping[str, float]], source: str) -> tuple[str, ...]:
    """Say how grades that are fractions count; nothing where there are none."""
    grades = [grade for judged in judgements.values() for grade in judged.values()]
    parts = sum(not float(grade).is_integer() for grade in grades)
    if not parts:
        return ()
    return (
        f"{parts:,} of {len(grades):,} grades of {source} are fractions: every one above 0 is relevant, gains are the "
        "grades (trec_eval itself reads whole numbers only).",
    )


def gathered(
    table: Table, rows: Sequence[tuple[str, str, float]], at: Sequence[int] | None = None
) -> dict[str, dict[str, float]]:
    """Return judgements as query id → {document id → grade}, in the order of the rows; equal rows count once.

    Parameters
    ----------
    table : Table
        Where the rows stand, for the message.
    rows : sequence of (str, str, float)
        Query id, document id, grade.
    at : sequence of int, optional
        The row of the table of each; by default its own number.

    Raises
    ------
    DataError
        When a document has two grades for one query.
    """
    judged: dict[str, dict[str, float]] = {}
    for row, (query, document, grade) in zip(range(len(rows)) if at is None else at, rows, strict=True):
        before = judged.setdefault(query, {}).setdefault(document, grade)
        if before != grade:
            must = f"A query and a document must have one {table.columns[2]}."
            found = f"{before} and {grade} for {query!r} and {document!r}, the second"
            raise table.refusal(row, must, found, "Keep one of them.")
    return judged


def read_qrels(path: str | Path, encoding: str | None = None) -> Qrels:
    """Read judgements: one a line, four fields between white space.

    A line that begins with # is a remark where it has another number of fields, as an id may begin so, too.

    Returns
    -------
    Qrels
        Query id → {document id → grade}, in the order of the file. Grades of 0 or below are not relevant.

    Raises
    ------
    DataError
        When a line has other fields, a grade is no number, or a document has two grades for one query.
    """
    told: list[str] = []
    lines = dict(_fields(Path(path), 4, _QRELS_FORM, encoding, told))
    if not lines:
        raise DataError(f"A qrels file must have at least one judgement. Got none in {path}. Name another file.")
    columns = [(query, document, grade) for query, _, document, grade in lines.values()]
    table = of_rows(columns, str(path), list(lines))
    judged = gathered(table, judged_rows(table, ordinary=True))
    return Qrels(judged, str(path), (*told, *told_fractions(judged, str(path))))


def write_qrels(qrels: Qrels, path: str | Path) -> None:
    """Write judgements as TREC qrels.

    Raises
    ------
    DataError
        When an id holds white space, which separates the fields.
    ParameterError
        When no such file can be written, or a device stands there.
    """
    lines = (
        f"{_word(query)} 0 {_word(document)} {grade}\n"
        for query, judged in qrels.judgements.items()
        for document, grade in judged.items()
    )
    _files.write_text(_names.place_for(Path(path), "file of judgements"), "".join(lines))


def read_run(path: str | Path, encoding: str | None = None, told: list[str] | None = None) -> Run:
    """Read a run: one result a line, six fields between white space; remarks as in `read_qrels`.

    As in trec_eval, the rank is not looked at, nor what follows the tag: order comes from the scores, equal ones by
    document id descending.

    Parameters
    ----------
    path : str or Path
    encoding : str, optional
        By default UTF-8.
    told : list of str, optional
        What was guessed in reading is added to it, a sentence each.

    Returns
    -------
    dict
        Query id → {document id → score}.

    Raises
    ------
    DataError
        When a line has other fields, a score is no number, or a document is twice in one list.
    """
    run: Run = {}
    notes: list[str] = [] if told is None else told
    for number, fields in _fields(Path(path), 6, _RUN_FORM, encoding, notes, open_end=True):
        query, document, text, place = fields[0], fields[2], fields[4], f"line {number} of {path}"
        score = as_number(text)
        if score is None:
            raise DataError(f"The fifth field of a run must be a finite number. Got {text!r} at {place}. Mend it.")
        found = run.setdefault(query, {})
        if document in found:
            raise DataError(
                f"A document must be once in the list of a query. Got {document!r} twice for {query!r}, "
                f"the second time at {place}. Delete one of the lines."
            )
        found[document] = score
    if not run:
        raise DataError(f"A run must have at least one result. Got none in {path}. Name another file.")
    return run


def write_run(run: Mapping[str, Mapping[str, float]], path: str | Path, *, tag: str) -> None:
    """Write a run, each list in trec_eval's order: score descending, then document id descending.

    Parameters
    ----------
    run : mapping
        Query id → {document id → score}. Scores are written so that they come back the same.
    path : str or Path
    tag : str
        Name of the run; white space in it becomes ``_``.

    Raises
    ------
    DataError
        When an id holds white space.
    ParameterError
        When no such file can be written, or a device stands there.
    """
    name = "_".join(tag.split()) or "run"
    lines = []
    for query, found in run.items():
        ordered = sorted(found.items(), key=lambda entry: (entry[1], entry[0]), reverse=True)
        for rank, (document, score) in enumerate(ordered, start=1):
            lines.append(f"{_word(query)} Q0 {_word(document)} {rank} {float(score)!r} {name}\n")
    _files.write_text(_names.place_for(Path(path), "run of TREC"), "".join(lines))


def _fields(
    path: Path, count: int, form: str, encoding: str | None, told: list[str], *, open_end: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that has any; add to ``told`` how many were taken for remarks."""
    refuse_missing(path, "file")
    remarks = []
    for number, line in enumerate(_LINE_END.split(read_text(path, encoding)), start=1):
        fields = _FIELD.findall(line)
        wrong = len(fields) < count or (len(fields) > count and not open_end)
        if fields and fields[0].startswith("#") and (wrong or _is_prose(fields, count)):
            remarks.append(number)  # an id may begin with #, too
        elif fields and wrong:
            raise DataError(
                f"Every line must have {count} fields between white space: {form}. "
                f"Got {len(fields)} on line {number} of {path}: {line.strip()[:80]!r}. Correct it."
            )
        elif fields:
            yield number, fields
    if remarks:
        told.append(
            f"{len(remarks):,} lines of {path} begin with # and were passed over as remarks (the first is line "
            f"{remarks[0]})."
        )


def _is_prose(fields: Sequence[str], count: int) -> bool:
    """Return whether a line that begins with # has no number in its place, and its # stands alone or more follows."""
    number = fields[3] if count == 4 else fields[4]
    return (fields[0] == "#" or len(fields) > count) and as_number(number) is None


def _word(name: str) -> str:
    if not name or name.split() != [name]:
        raise DataError(
            f"An id in a TREC file must be without white space, which separates the fields. Got {name!r}. Rename it."
        )
    return name
