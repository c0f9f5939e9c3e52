"""Queries typed on the live page that are to be judged later, kept as a file of queries."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path


class Todo:
    """A growing jsonl file of queries, one object ``{"id", "text"}`` a line; each text once.

    Parameters
    ----------
    path : Path
        Made when the first query is added; compare takes it as ``--queries``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, text: str) -> int:
        """Add a text if it is new, safely on disk, and return how many there are."""
        with self._lock:
            known = self._texts()
            if text not in known:
                line = json.dumps({"id": f"live-{len(known) + 1}", "text": text}, ensure_ascii=False)
                with self.path.open("a", encoding="utf-8", newline="\n") as handle:
                    handle.write(line + "\n")
                    handle.flush()
                    os.fsync(handle.fileno())
                known.append(text)
            return len(known)

    def _texts(self) -> list[str]:
        if not self.path.is_file():
            return []
        return [json.loads(line)["text"] for line in self.path.read_text(encoding="utf-8").splitlines() if line]
