"""TREC's files: relevance judgements (qrels) and runs, read and written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from embdiff import _files
from embdiff.corpus.files import exists, read_text
from embdiff.errors import DataError
from embdiff.records import Qrels

Run = dict[str, dict[str, float]]
_QRELS_FORM = "query, iteration, document, grade (for example: 301 0 FT911-3 1)"
_RUN_FORM = "query, Q0, document, rank, score, tag (for example: 301 Q0 FT911-3 1 9.5 minilm)"


def gathered(
    rows: Iterable[tuple[str, str, int]], place: Callable[[int], str], word: str = "grade"
) -> dict[str, dict[str, int]]:
    """Return judgements as query id → {document id → grade}, in the order of the rows; equal rows count once.

    Parameters
    ----------
    rows : iterable of (str, str, int)
        Query id, document id, grade.
    place : callable
        Number of a row, from 0 → where it stands, for the message.
    word : str
        What the file calls a grade.

    Raises
    ------
    DataError
        When a document has two grades for one query.
    """
    judged: dict[str, dict[str, int]] = {}
    for row, (query, document, grade) in enumerate(rows):
        if judged.setdefault(query, {}).setdefault(document, grade) != grade:
            raise DataError(
                f"A query and a document must have one {word}. Got {judged[query][document]} and {grade} for "
                f"{query!r} and {document!r}, the second at {place(row)}. Keep one of them."
            )
    return judged


def read_qrels(path: str | Path) -> Qrels:
    """Read judgements: one a line, four fields between white space; lines that begin with # are remarks.

    Returns
    -------
    Qrels
        Query id → {document id → grade}, in the order of the file. Grades below 1, negative ones too, are not relevant.

    Raises
    ------
    DataError
        When a line has other fields, a grade is no integer, or a document has two grades for one query.
    """
    rows, places = [], []
    for place, (query, _, document, text) in _fields(Path(path), 4, _QRELS_FORM):
        try:
            rows.append((query, document, int(text)))
        except ValueError:
            raise DataError(
                f"The fourth field of a qrels file must be an integer grade. Got {text!r} at {place}. Correct it."
            ) from None
        places.append(place)
    if not rows:
        raise DataError(f"A qrels file must have at least one judgement. Got none in {path}. Name another file.")
    return Qrels(gathered(rows, places.__getitem__), str(path))


def write_qrels(qrels: Qrels, path: str | Path) -> None:
    """Write judgements as TREC qrels.

    Raises
    ------
    DataError
        When an id holds white space, which separates the fields.
    """
    lines = (
        f"{_word(query)} 0 {_word(document)} {grade}\n"
        for query, judged in qrels.judgements.items()
        for document, grade in judged.items()
    )
    _files.write_text(Path(path), "".join(lines))


def read_run(path: str | Path) -> Run:
    """Read a run: one result a line, six fields between white space.

    As in trec_eval, the rank is not looked at, nor what follows the tag: order comes from the scores, equal ones by
    document id descending.

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
    for place, fields in _fields(Path(path), 6, _RUN_FORM, open_end=True):
        query, document, text = fields[0], fields[2], fields[4]
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if math.isnan(score):
            raise DataError(f"The fifth field of a run must be a number, the score. Got {text!r} at {place}. Mend it.")
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
    """
    name = "_".join(tag.split()) or "run"
    lines = []
    for query, found in run.items():
        ordered = sorted(found.items(), key=lambda entry: (entry[1], entry[0]), reverse=True)
        for rank, (document, score) in enumerate(ordered, start=1):
            lines.append(f"{_word(query)} Q0 {_word(document)} {rank} {float(score)!r} {name}\n")
    _files.write_text(Path(path), "".join(lines))


def _fields(path: Path, count: int, form: str, *, open_end: bool = False) -> Iterator[tuple[str, list[str]]]:
    if not exists(path) or path.is_dir():
        raise DataError(f"The file must exist. Got {path}, which does not, or is a folder. Check the path.")
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) < count or (len(fields) > count and not open_end):
            raise DataError(
                f"Every line must have {count} fields between white space: {form}. "
                f"Got {len(fields)} on line {number} of {path}: {line.strip()[:80]!r}. Correct it."
            )
        yield f"line {number} of {path}", fields


def _word(name: str) -> str:
    if not name or name.split() != [name]:
        raise DataError(
            f"An id in a TREC file must be without white space, which separates the fields. Got {name!r}. Rename it."
        )
    return name
