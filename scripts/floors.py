"""Install embdiff with the lowest version of every package that pyproject.toml allows, and what its tests need.

Used by 'make test-floors', in an environment of its own, without constraints.txt: packages that ours need besides are
the newest that fit. TORCH_INDEX names an index to take torch from, and TORCH=cuda takes pip's own build with all that
it brings (gigabytes), as in 'make setup'.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from setup_env import ROOT, install, install_torch, reason_to_leave_torch_out

EXTRAS = ("bm25", "classes", "lancedb", "lsa", "minilm", "notebook", "ray", "serve", "service", "wordllama")
TESTS = ("httpx", "hypothesis", "psutil", "pytest", "pytest-xdist")
LOWEST = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?>=(?P<version>[\w.]+)")


def floors() -> Iterator[str]:
    """Yield ``name==version`` for everything that embdiff or one of the extras needs itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in (*EXTRAS, "st"):
        wanted += project["optional-dependencies"][extra]
    for requirement in sorted(set(wanted)):
        if not requirement.startswith("embdiff["):
            found = LOWEST.fullmatch(requirement)
            if found is None:
                sys.exit(f"A requirement must name its lowest version as NAME>=VERSION. Got {requirement!r}.")
            yield f"{found['name']}=={found['version']}"


def main() -> None:
    """Install torch first and alone, then the rest."""
    lowest = list(floors())
    with TemporaryDirectory() as folder:
        constraints = Path(folder) / "floors.txt"
        constraints.write_text("\n".join(lowest) + "\n", encoding="utf-8")
        torch = next(pin for pin in lowest if pin.startswith("torch=="))
        if reason := reason_to_leave_torch_out(torch, constraints):
            way = "Name an index that has the build, TORCH_INDEX=URL, or say TORCH=cuda"
            sys.exit(f"The floors need {torch}, but {reason}. {way}.")
        install_torch(torch, constraints)
        install("-e", f"{ROOT}[{','.join(EXTRAS)}]", *TESTS, constraints=constraints)


if __name__ == "__main__":
    main()
