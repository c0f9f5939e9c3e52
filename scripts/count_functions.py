"""Print every function of embdiff that encoding three texts enters, with the toy model and an empty cache.

How far one has to read to follow a text to its vector: functions that are defined, comprehensions included, and the
files that they stand in. What opens the cache and loads the model is left out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import FrameType

import embdiff
from embdiff.kept import VectorCache
from embdiff.sources import get_encoder

ROOT = Path(embdiff.__file__).parent


def entered() -> list[tuple[str, str]]:
    """Return the file and name of each function, in the order in which they are first entered."""
    found: dict[tuple[str, str, int], None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)):
            name = Path(code.co_filename).relative_to(ROOT).as_posix()
            found.setdefault((name, code.co_qualname, code.co_firstlineno))

    with tempfile.TemporaryDirectory() as folder:
        encoder, cache = get_encoder("toy:8"), VectorCache.at(folder)
        sys.setprofile(note)
        try:
            encoder.encode(["a", "b", "c"], cache=cache)
        finally:
            sys.setprofile(None)
    return [(name, function) for name, function, _ in found]


if __name__ == "__main__":
    functions = entered()
    for name, function in functions:
        print(f"{name:24} {function}")
    print(f"{len(functions)} functions in {len({name for name, _ in functions})} files")
