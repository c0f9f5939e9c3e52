"""``make bench``: run every measurement, print each figure, keep ``benchmarks/results.json``.

``python -m benchmarks NAME...`` runs only the modules named.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.report import Figure, keep

# Each has main() -> list[Figure], and prints its lines as it goes.
MODULES = ("tutorial",)


def main(names: Sequence[str]) -> None:
    """Measure everything, or the modules named."""
    figures: list[Figure] = []
    for name in names or MODULES:
        figures += import_module(f"benchmarks.{name}").main()
    path = Path(__file__).parent / "results.json"
    keep(figures, path)
    measured = [figure for figure in figures if figure.holds is not None]
    print(f"{sum(map(bool, (f.holds for f in measured)))} of {len(measured)} bounds hold; written to {path.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
