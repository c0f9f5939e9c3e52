"""Write constraints.txt from what is installed in this environment: every package, one exact version."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "constraints.txt"
HEAD = """\
# Every package that make installs, pinned. Written by 'make constraints'; not edited by hand.
# torch is installed first and alone (scripts/setup_env.py): unpinned it would bring gigabytes of CUDA packages.
"""
BUILD = {"hatchling", "editables", "pathspec", "trove-classifiers", "pluggy", "packaging"}
NOT_OURS = {"embdiff", "pip", "wheel", "uv"}


def pins() -> list[str]:
    """Return ``name==version`` lines, sorted; local version parts such as ``+cpu`` are left out."""
    found = {d.metadata["Name"].lower().replace("_", "-"): d.version.partition("+")[0] for d in distributions()}
    missing = BUILD - found.keys()
    if missing:
        raise SystemExit(f"Install the build requirements first: pip install {' '.join(sorted(missing))}")
    return sorted(f"{name}=={version}" for name, version in found.items() if name not in NOT_OURS)


if __name__ == "__main__":
    TARGET.write_text(HEAD + "\n".join(pins()) + "\n", encoding="utf-8")
