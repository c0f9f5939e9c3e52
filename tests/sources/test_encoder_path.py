"""The way from a text to its vector is short enough to be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "count_functions.py"


def test_three_texts_through_the_cache_enter_few_functions_in_few_files():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    functions, files = (int(word) for word in done.stdout.splitlines()[-1].split() if word.isdigit())
    # Two of the functions, and a file, are for what an item is: a text or an image.
    assert functions <= 22, done.stdout
    assert files <= 6, done.stdout
