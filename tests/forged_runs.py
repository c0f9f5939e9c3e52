"""Run folders changed by somebody who knows how they are made: checksums are made anew, so that they hold."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w

from embdiff.runs import folder as files

Change = Callable[[Any], Any]  # of values, in place; or returns others


def forge(run: Path, manifest: Change = lambda told: None, **settings: Any) -> None:
    """Change settings and the manifest of a run, and write every checksum anew."""
    if settings:
        path = run / files.SETTINGS
        path.write_text(tomli_w.dumps({**tomllib.loads(path.read_text()), **settings}))
    told = json.loads((run / files.MANIFEST).read_text())
    sums = told.pop("files")
    told.pop("sha256")
    manifest(told)
    files.write_manifest(run, told, [name for name in sums if (run / name).is_file()])


def forge_json(run: Path, name: str, value: Any) -> None:
    """Put another value into a JSON file of a run, the manifest's checksums with it."""
    (run / name).write_text(json.dumps(value))
    if name != files.MANIFEST:
        forge(run)


def with_model(run: Path, spec: str) -> None:
    """Put another model in the place of the second one, in settings and manifest."""
    names = tomllib.loads((run / files.SETTINGS).read_text())["models"]

    def change(told: Any) -> None:
        told["models"][1]["model"] = spec
        told["models"][1]["collection"] = told["models"][1]["collection"] or {"name": "c", "reused": False}

    forge(run, change, models=[names[0], spec])
