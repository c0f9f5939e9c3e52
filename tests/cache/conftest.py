"""An empty cache of vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from embdiff.kept import VectorCache


@pytest.fixture
def cache(tmp_path: Path) -> VectorCache:
    return VectorCache.at(tmp_path / "kept")
