"""``make bench``: run every measurement, print each figure, keep it in ``benchmarks/results.json``.

``python -m benchmarks NAME...`` runs only the modules named, and leaves what others measured as it is; ``--full`` adds
what takes too long for every day; ``--page`` measures nothing and writes the table in docs/benchmarks.md from what is
kept; ``--help`` prints this and what each module measures.
"""

from __future__ import annotations

import ast
import inspect
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks import LONG, MODULES
from benchmarks.kept import Run, keep
from benchmarks.report import Figure, failed
from benchmarks.table import write_page

RESULTS = Path(__file__).parent / "results.json"


def main(arguments: Sequence[str]) -> int:
    """Measure everything, or the modules named; return the exit status: 1 when a module failed, 130 when cut short."""
    if {"--help", "-h"} & set(arguments):
        print(__doc__, *map(_about, (*MODULES, *LONG)), sep="\n")
        return 0
    if "--page" in arguments:
        write_page(RESULTS)
        return 0
    full = "--full" in arguments
    chosen = [name for name in arguments if name != "--full"]
    run = Run(" ".join(["python -m benchmarks", *arguments]) if chosen else f"make bench{'-full' if full else ''}")
    figures: list[Figure] = []
    status = 0
    for name in chosen or (*MODULES, *(LONG if full else ())):
        try:
            with run.measuring(name):
                figures += _measured(name, full)
        except KeyboardInterrupt:
            print(f"{name}: cut short; the figures so far are kept", flush=True)
            status = 130
            break
        except Exception as error:  # one broken measurement must not cost the others
            traceback.print_exc()
            figures.append(failed(name, error))
            print(figures[-1].line(), flush=True)
            status = 1
        keep(figures, RESULTS, run)
    if not (chosen or full or status):
        figures.append(run.total(figures))
        print(figures[-1].line(), flush=True)
    keep(figures, RESULTS, run)
    measured = [figure for figure in figures if figure.holds is not None]
    print(f"{sum(map(bool, (f.holds for f in measured)))} of {len(measured)} bounds hold; kept in {RESULTS.name}")
    print(f"{run.asked} took {run.seconds / 60:.1f} minutes")
    return status


def _about(name: str) -> str:
    """Return what a module says of itself, read and not run."""
    return f"{name}: {ast.get_docstring(ast.parse((Path(__file__).parent / f'{name}.py').read_text()))}\n"


def _measured(name: str, full: bool) -> list[Figure]:
    run = import_module(f"benchmarks.{name}").main
    figures: list[Figure] = run(full=full) if "full" in inspect.signature(run).parameters else run()
    return figures


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
