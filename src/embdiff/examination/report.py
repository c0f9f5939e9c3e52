"""A diagnosis, and how it is told: what was found first, then what was looked at and what was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embdiff._plain import Record
from embdiff.examination.record import SEVERITIES, Finding, Kind, Notes
from embdiff.views.shown import Shown
from embdiff.views.table import Line, Part, one_line, plain_text

_WIDTH = 80
_ROOM, _HEADS = 20, 4  # lines of findings in full, and of others by their heads: all of it is a screen


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown, Record):
    """What `embdiff.doctor` found.

    Parameters
    ----------
    target : str
        What was examined, without secrets.
    kind : {"store", "run", "cache", "model"}
    findings : tuple of Finding
        The gravest first.
    looked : tuple of str
        What was looked at, a sentence each.
    unseen : tuple of str
        What could not be looked at, and why.
    """

    target: str
    kind: Kind
    findings: tuple[Finding, ...]
    looked: tuple[str, ...]
    unseen: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def drawn(self, *, everything: bool = False) -> Iterator[Part]:
        """Yield what a terminal shows: on one screen, or all of it."""
        yield from _drawn(self, everything)


def diagnosis(notes: Notes, target: str, kind: Kind) -> Diagnosis:
    """Return all that was found, the gravest first."""
    ordered = sorted(notes.findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return Diagnosis(target, kind, tuple(ordered), tuple(notes.looked), tuple(dict.fromkeys(notes.unseen)))


def _drawn(found: Diagnosis, everything: bool) -> Iterator[Part]:
    yield Line(_headline(found), "bold")
    whole = [list(_in_full(finding)) for finding in found.findings]
    full = len(whole) if everything else max(_fitting(whole), min(1, len(whole)))
    for parts in whole[:full]:
        yield from parts
    rest = found.findings[full:]
    if rest:
        yield Line("")
    for finding in rest[:_HEADS]:
        yield Line(one_line(_head(finding), _WIDTH), "bold")
    if rest:
        yield Line(f"{len(rest[_HEADS:]):,} more; all of them in full: --all" if rest[_HEADS:] else "In full: --all")
    yield Line("")
    most = 1 if found.findings else 4
    for title, told in (("Looked at", found.looked), ("Not looked at", found.unseen)):
        few = told if everything else told[:most]
        for each in few:
            yield Line(f"{title}: {each}", "dim")
        if len(told) > len(few):
            yield Line(f"{title}: {len(told) - len(few):,} more (--all).", "dim")


def _fitting(whole: Sequence[Sequence[Part]]) -> int:
    """Return how many findings have room in full."""
    lines = 0
    for count, parts in enumerate(whole):
        lines += len(plain_text(parts, _WIDTH).splitlines())
        if lines > _ROOM:
            return count
    return len(whole)


def _in_full(finding: Finding) -> Iterator[Line]:
    yield Line("")
    yield Line(_head(finding), "bold")
    yield Line(f"  {finding.told}")
    if finding.places:
        yield Line(f"  For example {', '.join(map(str, finding.places))}.")
    yield Line(f"  Mend: {finding.mend}")


def _head(finding: Finding) -> str:
    rows = f": {finding.rows:,} of {finding.of:,} rows" if finding.of else ""
    return f"{finding.severity}: {finding.fault}, {finding.where}{rows}"


def _headline(found: Diagnosis) -> str:
    if found.sound:
        return f"Nothing wrong was found with {found.target}."
    counts = {severity: sum(each.severity == severity for each in found.findings) for severity in SEVERITIES}
    told = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    many = f"{len(found.findings)} findings" if len(found.findings) > 1 else "1 finding"
    return f"{many} in {found.target}: {told}."
