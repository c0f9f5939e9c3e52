"""The dialogue: a query, one document at a time, an answer; at a terminal or from lines piped in."""

from __future__ import annotations

from collections.abc import Callable

from embdiff._visible import visible
from embdiff.judging.book import HIGHEST
from embdiff.judging.line import Judging
from embdiff.judging.pool import Question

LONG = 1_200  # characters of a document shown at first
HELP = (
    f"  0-{HIGHEST}  grade: 0 is not relevant, 1 is relevant, 2 and above are more so\n"
    "  y    yes, relevant: the same as 1\n"
    "  n    no, not relevant: the same as 0\n"
    "  s    skip: you cannot say; the document counts neither for nor against a model\n"
    "  b    back to the answer before\n"
    "  m    more of a long text\n"
    "  q    quit; every answer is saved, and the same command goes on here"
)
_PROMPT = f"0-{HIGHEST} grade, y relevant, n not relevant, s skip, b back, m more, q quit, ? help > "
_GRADES = {"s": None, "y": 1, "n": 0} | {str(grade): grade for grade in range(HIGHEST + 1)}


def run_session(judging: Judging, *, judge: str, read: Callable[[], str | None], write: Callable[[str], None]) -> int:
    """Ask until there are no questions, or the judge leaves.

    Parameters
    ----------
    judging : Judging
    judge : str
    read : callable
        Returns a line, or None at the end of the input, which means quit.
    write : callable
        Takes text to show; what comes from the data has lost its control characters.

    Returns
    -------
    int
        How many answers were saved.
    """
    saved, before = 0, ""
    write(HELP + "\n\n")
    while (question := judging.next()) is not None:
        if question.query != before:
            write(_query(question))
            before = question.query
        write(_document(judging, question))
        answer = _answer(question, read, write)
        if answer == "q":
            break
        if answer == "b":
            if judging.back() is None:
                write("  There is nothing before this.\n")
            continue
        judging.record(question, _GRADES[answer], judge=judge)
        saved += 1
    return saved


def _query(question: Question) -> str:
    place = f"Query {question.query_place} of {question.queries} (id {_safe(question.query)})"
    return f"\n{place}: {_safe(question.query_text)}\n"


def _document(judging: Judging, question: Question) -> str:
    text = question.document_text
    said = judging.said(question)
    before = "" if said is None else f" (you said: {'skip' if said.grade is None else said.grade})"
    shown = _safe(text[:LONG]) or "(empty)"
    more = f"\n  ... {len(text) - LONG:,} more characters (m)" if len(text) > LONG else ""
    place = f"Document {question.place} of {question.documents} (id {_safe(question.document)})"
    return f"\n  {place}{before}\n  {shown}{more}\n"


def _answer(question: Question, read: Callable[[], str | None], write: Callable[[str], None]) -> str:
    """Ask until an answer can be understood; return a digit, y, n, s, b or q."""
    while True:
        write(_PROMPT)
        line = read()
        answer = "q" if line is None else line.strip().lower()
        if answer in ("b", "q") or answer in _GRADES:
            return answer
        if answer == "m":
            write(f"  {_safe(question.document_text)}\n")
        elif answer == "?":
            write(HELP + "\n")
        else:
            write(f"  An answer must be 0-{HIGHEST}, y, n, s, b, m, q or ?. Got {visible(answer[:20])!r}. Try again.\n")


def _safe(text: str) -> str:
    """Return text in which nothing acts on a terminal and nothing fails to be printed, its lines kept."""
    lines = (visible(line).encode("utf-8", "replace").decode("utf-8").strip() for line in text.splitlines())
    return "\n  ".join(line for line in lines if line)
