"""Install embdiff into the environment of the running interpreter: torch first and alone, then the rest, pinned.

Used by the Makefile. Settings come from the environment:

TORCH        ``none`` leaves torch out: static and lexical models only. ``cuda`` takes what pip finds, CUDA included.
TORCH_INDEX  an index to take torch from, for example PyTorch's own index of CPU builds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
TORCH_PIN = "torch==2.13.0"
GPU_PACKAGES = ("nvidia-", "cuda-", "triton")
EXTRAS = {True: "minilm,wordllama,lsa,bm25,conse,hf-image", False: "static,bm25,images"}


def pip(*arguments: str, constraints: Path) -> subprocess.CompletedProcess[str]:
    """Run pip of this interpreter with the constraints in force for build environments, too."""
    environment = {**os.environ, "PIP_CONSTRAINT": str(constraints), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


def install(*arguments: str, constraints: Path = CONSTRAINTS) -> None:
    """Install, or end with pip's own words."""
    print("pip install", *arguments, flush=True)
    done = pip("install", "--quiet", *arguments, constraints=constraints)
    if done.returncode:
        sys.exit(f"pip could not install {' '.join(arguments)}:\n{done.stderr.strip()}")


def reason_to_leave_torch_out(pin: str = TORCH_PIN, constraints: Path = CONSTRAINTS) -> str | None:
    """Return why torch should not be installed here, or None when it should.

    A plain PyPI on Linux answers the same pin with a build that pulls gigabytes of CUDA packages. Whoever wants
    those names an index; everybody else goes on without torch and is told how to get it.
    """
    if os.environ.get("TORCH", "").strip().lower() == "none":
        return "TORCH=none was asked for"
    if torch_index() or os.environ.get("TORCH", "").strip().lower() == "cuda":
        return None
    told = ("--dry-run", "--ignore-installed", "--report", "-")
    done = pip("install", "--quiet", *told, pin, constraints=constraints)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        return f"pip finds no {pin} ({lines[-1]})"
    names = [item["metadata"]["name"].lower() for item in json.loads(done.stdout)["install"]]
    gpu = [name for name in names if name.startswith(GPU_PACKAGES)]
    return f"pip would bring {len(gpu)} CUDA packages that nobody asked for" if gpu else None


def torch_index() -> str:
    """Return the index that torch is to be taken from, or "" for pip's own."""
    return os.environ.get("TORCH_INDEX", "").strip()


def install_torch(pin: str = TORCH_PIN, constraints: Path = CONSTRAINTS) -> None:
    """Install torch alone. An index of torch builds rarely has the pinned versions of what torch needs.

    Those come with everything else, from pip's own index.
    """
    install(pin, *(("--no-deps", "--index-url", torch_index()) if torch_index() else ()), constraints=constraints)


def main() -> None:
    """Install torch if that is sensible, then embdiff with the extras that work with it."""
    reason = reason_to_leave_torch_out()
    if reason is None:
        install_torch()
    else:
        print(
            f"Going on without torch: {reason}. Static and lexical models work; for the others run "
            "'make clean setup TORCH_INDEX=URL' with the index that has the build you want.",
            flush=True,
        )
    install("-e", f"{ROOT}[{EXTRAS[reason is None]}]")


if __name__ == "__main__":
    main()
