"""Run folders changed by somebody who knows how they are made: checksums are made anew, so that they hold."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w


def forge(run: Path, change: Callable[[Any], None] = lambda told: None, **settings: Any) -> None:
    """Change settings (None leaves one out) and the manifest of a run, and write every checksum anew."""
    if settings:
        path = run / "run.toml"
        told = {**tomllib.loads(path.read_text()), **settings}
        path.write_text(tomli_w.dumps({key: value for key, value in told.items() if value is not None}))
    manifest = json.loads((run / "manifest.json").read_text())
    change(manifest)
    forge_manifest(run, manifest)


def forge_json(run: Path, name: str, value: Any) -> None:
    """Put another value into a JSON file of a run."""
    if name == "manifest.json":
        forge_manifest(run, value)
    else:
        (run / name).write_text(json.dumps(value))
        forge(run)


def forge_manifest(run: Path, manifest: Any) -> None:
    """Write a manifest with checksums that hold, where it is one that can have them."""
    if isinstance(manifest, dict):
        manifest.pop("sha256", None)
        if isinstance(manifest.get("files"), dict):
            there = [name for name in manifest["files"] if (run / name).is_file()]
            manifest["files"] = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in there}
        manifest["sha256"] = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (run / "manifest.json").write_text(json.dumps(manifest))


def with_model(run: Path, spec: str) -> None:
    """Put another model in the place of the second one, in settings and manifest."""
    names = tomllib.loads((run / "run.toml").read_text())["models"]

    def change(told: Any) -> None:
        told["models"][1]["model"] = spec
        told["models"][1]["collection"] = told["models"][1]["collection"] or {"name": "c", "reused": False}

    forge(run, change, models=[names[0], spec])
