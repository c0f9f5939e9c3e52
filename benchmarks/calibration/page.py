"""``docs/calibration.md`` from what was simulated: the table of coverage and the table of false rejections."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "calibration.md"
REPETITIONS, TESTS = 2_000, 10_000
COVERED, REJECTED = (0.93, 0.97), (0.04, 0.06)

_INTRO = """<!-- Written by 'python -m benchmarks.calibration' from what it simulated; edit the code, not this page. -->

# How far the intervals and tests can be trusted

    python -m benchmarks.calibration

draws samples from laws whose true value is known, scores them with the functions that `compare` and `evaluate` use, and
counts. Seeds are fixed by law, n and number of the repetition. It takes hours on two cores, keeps what it has under
`.calibration` and goes on there; delete that folder after a change of the code.

## Intervals

A 95 % interval should hold the true value in 93 to 97 % of 2,000 repetitions. What the true value is:

- **Measures per query** (lists, what was found, judgements, paired differences, accuracy): queries or texts are drawn
  from a population of 50,000, the corpus and the training texts are held fixed. The truth is the mean over the
  population. Intervals speak of other queries on this corpus.
- **Pairs** (spearman, pearson, auc): the value of 2,000,000 pairs.
- **Spaces**: all rows are drawn anew. For measures that the number of rows does not bias (cka, rsa, anisotropy,
  norm_spread, uniformity) the truth is the value of 400,000 rows or more; 0 for cka and rsa of unrelated spaces. The
  others change with n whatever the models are (cka_biased, procrustes, shape_angle, svcca, pwcca, cknna,
  first_component, hubness, orphans, intrinsic_dimension, silhouette): their interval is for the expectation at this n,
  the mean of the value over the repetitions. Compare such values between equal n only, beside their chance level.

`exact_overlap` and `exact_jaccard` are overlap and jaccard of other lists. `mixing` and `group_presence` have no
interval. Missed below: the whole interval lies below the truth. Where some repetitions have no interval, the shares are
of the others; n/a: none has one ([why](measures.md)). Lists of neighbours hold 10 rows, of fewer than 30 rows a third
of them. Where one kind or class is rare, n is that of the rare one, and the rest is as it says.
"""
_TESTS = """
## Tests

Where nothing differs, 4 to 6 % of 10,000 repetitions should be rejected at 5 %.

- Paired tests: the two models are exchangeable on every query. The bootstrap rejects when its interval leaves out 0.
- Permutation calibration: two independent spaces of Gaussian rows.
- Absence of a group: labels that mean nothing over the 10 nearest rows of Gaussian rows in 20 dimensions; the first
  group is looked at, the one-sided p-value is the larger of two (see `embdiff.measures.groups`), so that it rejects
  5 % at most, and less for a large group among smaller ones; the one of labels shuffled and recounted, which is exact
  here, is listed beside it.
- Where few sums are possible, a test that counts ties whole cannot reject just 5 %: of differences in tenths {levels}
  at n = 15, 50 and 200, as the next p-value that occurs is above 5 %. Ties therefore count half (mid-p).
"""


def page() -> str:
    """Return the page; every figure is read from ``results.json``."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    parts = [_INTRO]
    for family, about in found["families"].items():
        rows = [row for row in found["coverage"] if row["family"] == family]
        parts.append(f"\n### {family.capitalize()}\n\n{about[0].upper()}{about[1:]}.\n\n" + _coverage(rows))
    parts.append(_outside(found["coverage"]))
    levels = ", ".join(f"{found['attainable'][n]:.2%}" for n in ("15", "50", "200"))
    parts.append(_TESTS.format(levels=levels) + "\n| test | rejected | repetitions |\n|---|---|---|\n")
    parts += [f"| {row['test']} | {_share(row, 'rejected')} | {row['repetitions']:,} |\n" for row in found["tests"]]
    parts.append(_outside_tests(found["tests"]))
    return "".join(parts)


def _coverage(rows: Sequence[dict[str, Any]]) -> str:
    sizes = sorted({row["n"] for row in rows})
    lines = [
        "| measure | n | truth | held | missed below | missed above | mean width | repetitions |",
        "|---|" + "---|" * 7,
    ]
    for measure in dict.fromkeys(row["measure"] for row in rows):
        for n in sizes:
            found = [row for row in rows if (row["measure"], row["n"]) == (measure, n)]
            if not found:
                continue
            row = found[0]
            if row["held"] is None:
                lines.append(f"| `{measure}` | {n:,} |" + " n/a |" * 5 + f" {row['repetitions']:,} |")
                continue
            without = row.get("without", 0.0)
            some = f" (without: {without:.1%})" if without else ""
            lines.append(
                f"| `{measure}` | {n:,} | {row['true']:.3f} | **{row['held']:.1%}** | {row['below']:.1%} | "
                f"{row['above']:.1%} | {row['width']:.3f} | {row['repetitions']:,}{some} |"
            )
    return "\n".join(lines) + "\n"


def _outside(rows: Sequence[dict[str, Any]]) -> str:
    cells = [
        (f"`{row['measure']}` ({row['family']}), n = {row['n']:,}", row["held"], row["repetitions"])
        for row in rows
        if row["held"] is not None
    ]
    sides = "too narrow", "too wide: on the safe side"
    return "\n### Outside 93 to 97 %\n\n" + _listed(cells, COVERED, sides, 0.95, REPETITIONS)


def _outside_tests(rows: Sequence[dict[str, Any]]) -> str:
    cells = [(row["test"], row["rejected"] / row["repetitions"], row["repetitions"]) for row in rows]
    return "\n### Outside 4 to 6 %\n\n" + _listed(cells, REJECTED, ("on the safe side", "too often"), 0.05, TESTS)


def _listed(
    cells: Sequence[tuple[str, float, int]],
    bounds: tuple[float, float],
    sides: tuple[str, str],
    nominal: float,
    wanted: int,
) -> str:
    """List the cells that are out by more than two standard errors of the simulation; count those that may be."""
    lines, unsettled = [], 0
    for name, share, repetitions in cells:
        out = max(bounds[0] - share, share - bounds[1])
        if out > 2 * error(nominal, repetitions):
            lines.append(f"- {name}: {share:.1%}, {sides[share > bounds[1]]}")
        elif out > 1e-9:
            unsettled += 1
    few = sum(repetitions < wanted for _, _, repetitions in cells)
    return (
        f"By more than two standard errors of the simulation: {len(lines)} of {len(cells)} cells. {unsettled} more are "
        f"outside by less. {few} cells have fewer than {wanted:,} repetitions so far: run the command above to go on."
        "\n\n" + ("\n".join(lines) if lines else "None.") + "\n"
    )


def error(share: float, repetitions: int) -> float:
    """Return the standard error of a simulated share."""
    return math.sqrt(share * (1 - share) / repetitions)


def _share(row: dict[str, Any], name: str) -> str:
    return f"**{row[name] / row['repetitions']:.2%}**"
