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

import numpy as np

from benchmarks.calibration import lists, nulls, spaces
from benchmarks.calibration.family import Family, coverage, simulate
from benchmarks.calibration.page import PAGE, RESULTS, page

FAMILIES: tuple[type[Family], ...] = (
    spaces.Two,
    spaces.One,
    spaces.Labelled,
    spaces.Pairs,
    lists.Lists,
    lists.Found,
    lists.Classified,
    lists.Judgements,
    spaces.Unrelated,
)
SIZES = (50, 200, 1_000)
REPETITIONS, TESTS = 2_000, 10_000
PIECES = 20  # each of a share of the repetitions of everything: a run cut off has some of all
CACHE = Path(".calibration")


def _kept(family: Family, n: int, piece: int) -> dict[str, np.ndarray]:
    path = CACHE / f"{family.name.replace(' ', '_')}-{n}-{piece}.npz"
    if not path.exists():
        start, count = time.perf_counter(), REPETITIONS // PIECES
        drawn = simulate(family, n, count, first=piece * count)
        np.savez(path, **drawn)
        print(f"{family.name}, n = {n}, piece {piece + 1}: {time.perf_counter() - start:.0f} s", flush=True)
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def _rejected(name: str, piece: int) -> int:
    path = CACHE / "nulls.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    key = f"{name}: {piece}"
    if key not in known:
        start, count = time.perf_counter(), TESTS // PIECES
        # The test of absence reports its progress; ten thousand reports help nobody.
        with contextlib.redirect_stderr(io.StringIO()):
            known[key] = nulls.rejections(nulls.NULLS[name], count, first=piece * count)
        path.write_text(json.dumps(known))
        print(f"{name}, piece {piece + 1}: {time.perf_counter() - start:.0f} s", flush=True)
    return int(known[key])


def _gathered(families: list[Family], pieces: int) -> dict[str, object]:
    table = []
    for family in families:
        for n in SIZES:
            parts = [_kept(family, n, piece) for piece in range(pieces)]
            whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            for measure, row in coverage(family, n, whole).items():
                count = len(whole[measure])
                table.append({"family": family.name, "measure": measure, "n": n, **row, "repetitions": count})
    count = pieces * (TESTS // PIECES)
    tests = [
        {"test": name, "rejected": sum(_rejected(name, piece) for piece in range(pieces)), "repetitions": count}
        for name in nulls.NULLS
    ]
    return {"families": {family.name: family.about for family in families}, "coverage": table, "tests": tests}


def main() -> None:
    """Simulate piece by piece; after each, write what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=PIECES, help=f"of {PIECES}: fewer for a first look")
    wanted = parser.parse_args().pieces
    CACHE.mkdir(exist_ok=True)
    families = [family() for family in FAMILIES]
    for pieces in range(1, wanted + 1):
        found = _gathered(families, pieces)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(), encoding="utf-8")
    print(f"written to {PAGE.name}")


if __name__ == "__main__":
    main()
