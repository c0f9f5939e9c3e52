"""``make bench``: run every measurement, print the table, keep ``benchmarks/results.json``."""

from __future__ import annotations

from pathlib import Path

from benchmarks import tutorial
from benchmarks.report import keep


def main() -> None:
    """Measure everything."""
    figures = tutorial.main()
    path = Path(__file__).parent / "results.json"
    keep(figures, path)
    print(f"{sum(figure.holds for figure in figures)} of {len(figures)} bounds hold; written to {path.name}")


if __name__ == "__main__":
    main()
