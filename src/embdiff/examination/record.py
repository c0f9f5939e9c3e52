"""What an examination found: each finding with its place and its mend, what was looked at, and what could not be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from embdiff._plain import Record

Severity = Literal["wrong", "doubtful", "untidy"]
SEVERITIES: tuple[Severity, ...] = ("wrong", "doubtful", "untidy")
Kind = Literal["store", "run", "cache", "model"]
Fault = Literal[
    "damaged", "held", "left over", "no stamp", "mixed stamps", "unfinished", "rows missing", "rows twice", "dimension",
    "null", "not finite", "zero", "lengths", "metric", "index", "equal vectors", "collapsed", "stale text",
    "other model", "unsound model", "not repeatable", "version",
]  # fmt: skip


@dataclass(frozen=True)
class Place:
    """One row that a finding is about.

    Parameters
    ----------
    id : str
    row : int or None
        Its number, where rows have numbers.
    """

    id: str
    row: int | None = None

    def __str__(self) -> str:
        return f"{self.id!r}" if self.row is None else f"{self.id!r} (row {self.row})"


@dataclass(frozen=True)
class Finding(Record):
    """One fault.

    Parameters
    ----------
    fault : str
        Its kind, for scripts.
    severity : {"wrong", "doubtful", "untidy"}
        Answers are wrong, or will be; they may be, look; they are not, but something was left.
    where : str
        The collection, file, run or model.
    told : str
        What is wrong, a sentence.
    mend : str
        A command, or what to do in a sentence.
    rows, of : int
        How many rows have it, and of how many that were looked at; 0 where it is no matter of rows.
    places : tuple of Place
        The first of them.
    """

    fault: Fault
    severity: Severity
    where: str
    told: str
    mend: str
    rows: int = 0
    of: int = 0
    places: tuple[Place, ...] = ()


class Notes:
    """What an examination finds on its way.

    Attributes
    ----------
    findings : list of Finding
    looked, unseen : list of str
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.looked: list[str] = []
        self.unseen: list[str] = []

    def found(self, findings: Iterable[Finding]) -> None:
        """Take findings."""
        self.findings += findings
