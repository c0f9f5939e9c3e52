"""``python -m benchmarks.calibration``: simulate what is missing, keep ``results.json``, write ``docs/calibration.md``.

Seeds are fixed by family, n and number of the repetition. Repetitions are kept in pieces under ``.calibration`` in the
working directory, so that a run that was cut off goes on where it was; delete the folder after a change of the code.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import lists, nulls, spaces
from benchmarks.calibration.family import Family, coverage, simulate
from benchmarks.calibration.page import PAGE, REPETITIONS, RESULTS, TESTS, page

FAMILIES: tuple[type[Family], ...] = (
    spaces.Two,
    spaces.One,
    spaces.Labelled,
    spaces.RareClass,
    spaces.Pairs,
    spaces.RareKind,
    lists.Lists,
    lists.Found,
    lists.Classified,
    lists.Judgements,
    spaces.Unrelated,
)
PIECES = 20  # each of a share of the repetitions of everything: a run cut off has some of all
CACHE = Path(".calibration")
_TESTS = CACHE / "nulls.json"


def _path(family: Family, n: int, piece: int) -> Path:
    return CACHE / f"{family.name.replace(' ', '_')}-{n}-{piece}.npz"


def _simulate(family: Family, n: int, piece: int) -> None:
    if _path(family, n, piece).exists():
        return
    start, count = time.perf_counter(), REPETITIONS // PIECES
    np.savez(_path(family, n, piece), **simulate(family, n, count, first=piece * count))
    print(f"{family.name}, n = {n}, piece {piece + 1}: {time.perf_counter() - start:.0f} s", flush=True)


def _kept(family: Family, n: int) -> dict[str, np.ndarray]:
    """Return the values of all pieces that are there."""
    parts = []
    for path in filter(Path.exists, (_path(family, n, piece) for piece in range(PIECES))):
        with np.load(path) as stored:
            parts.append({name: stored[name] for name in stored.files})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _truth(family: Family, n: int) -> dict[str, float | None]:
    path, key = CACHE / "truth.json", f"{family.name}: {n}"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if key not in known:
        known[key] = family.truth(n)
        path.write_text(json.dumps(known), encoding="utf-8")
    truth: dict[str, float | None] = known[key]
    return truth


def _counted() -> dict[str, int]:
    return json.loads(_TESTS.read_text(encoding="utf-8")) if _TESTS.exists() else {}


def _test(name: str, piece: int) -> None:
    known, key = _counted(), f"{name}: {piece}"
    if key in known:
        return
    start, count = time.perf_counter(), TESTS // PIECES
    # The test of absence reports its progress; ten thousand reports help nobody.
    with contextlib.redirect_stderr(io.StringIO()):
        known[key] = nulls.rejections(nulls.NULLS[name], count, first=piece * count)
    _TESTS.write_text(json.dumps(known), encoding="utf-8")
    print(f"{name}, piece {piece + 1}: {time.perf_counter() - start:.0f} s", flush=True)


def _attainable() -> dict[str, float]:
    """Return the level that the exact test of coarse differences can reach, by number of differences."""
    path = CACHE / "attainable.json"
    if not path.exists():
        found = {str(n): nulls.attainable(nulls.COARSE, n, TESTS) for n in (15, 50, 200)}
        path.write_text(json.dumps(found), encoding="utf-8")
    known: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return known


def _gathered(families: list[Family]) -> dict[str, object]:
    table, tests, counted = [], [], _counted()
    for family in families:
        for n in family.sizes:
            whole = _kept(family, n)
            if not whole:
                continue
            for measure, row in coverage(_truth(family, n), whole).items():
                count = len(whole[measure])
                table.append({"family": family.name, "measure": measure, "n": n, **row, "repetitions": count})
    for name in nulls.NULLS:
        pieces = [counted[key] for key in (f"{name}: {piece}" for piece in range(PIECES)) if key in counted]
        if pieces:
            count = len(pieces) * (TESTS // PIECES)
            tests.append({"test": name, "rejected": sum(pieces), "repetitions": count})
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"coverage": [], "tests": []}
    return {
        "families": {family.name: family.about for family in families},
        "coverage": _besides(known["coverage"], table, "family", "n"),
        "tests": _besides(known["tests"], tests, "test"),
        "attainable": _attainable(),
    }


def _besides(known: list[dict[str, Any]], found: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Return what was simulated now, and of earlier what was not: a family by itself leaves the others on the page."""
    new = {tuple(row[name] for name in names) for row in found}
    return [*(row for row in known if tuple(row[name] for name in names) not in new), *found]


def main() -> None:
    """Simulate piece by piece; after each, write what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of families to simulate now; 'tests' for the tests")
    parser.add_argument("--sizes", nargs="*", type=int, help="of samples to simulate now")
    parser.add_argument("--pieces", type=int, default=PIECES, help=f"of {PIECES}: fewer for a first look, 0 to write")
    asked = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    families = [family() for family in FAMILIES]
    wanted = asked.only if asked.only is not None else [*(family.name for family in families), "tests"]
    for piece in range(asked.pieces):
        for family in families:
            for n in family.sizes if family.name in wanted else ():
                if not asked.sizes or n in asked.sizes:
                    _simulate(family, n, piece)
        for name in nulls.NULLS if "tests" in wanted else ():
            _test(name, piece)
    RESULTS.write_text(json.dumps(_gathered(families), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written to {PAGE.name}")


if __name__ == "__main__":
    main()
