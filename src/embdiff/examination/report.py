"""A diagnosis at a terminal: what was found first, then what was looked at and what was not."""

from __future__ import annotations

from collections.abc import Iterator

from embdiff.examination.record import SEVERITIES, Diagnosis, Finding
from embdiff.views.table import Line, Part, show

_FEW = 6  # findings that are told in full
_LINES = 4  # of what was looked at, and of what was not


def show_diagnosis(found: Diagnosis, everything: bool) -> None:
    """Print a diagnosis on stdout; with ``everything`` all findings in full."""
    show(*_drawn(found, everything))


def _drawn(found: Diagnosis, everything: bool) -> Iterator[Part]:
    yield Line(_headline(found), "bold")
    for finding in found.findings[: None if everything else _FEW]:
        yield Line("")
        yield Line(f"{finding.severity}: {finding.fault}, {finding.where}{_rows_of(finding)}", "bold")
        yield Line(f"  {finding.told}")
        if finding.places:
            yield Line(f"  For example {', '.join(map(str, finding.places))}.")
        yield Line(f"  Mend: {finding.mend}")
    left = len(found.findings) - _FEW
    if left > 0 and not everything:
        yield Line(f"\n{left} more: --all".strip())
    yield Line("")
    for title, told in (("Looked at", found.looked), ("Not looked at", found.unseen)):
        few = told if everything else told[:_LINES]
        for each in few:
            yield Line(f"{title}: {each}", "dim")
        if len(told) > len(few):
            yield Line(f"{title}: {len(told) - len(few)} more (--all).", "dim")


def _headline(found: Diagnosis) -> str:
    if found.sound:
        return f"Nothing wrong was found with {found.target}."
    counts = {severity: sum(each.severity == severity for each in found.findings) for severity in SEVERITIES}
    told = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    return f"{len(found.findings)} findings in {found.target}: {told}."


def _rows_of(finding: Finding) -> str:
    return f": {finding.rows:,} of {finding.of:,} rows" if finding.of else ""
