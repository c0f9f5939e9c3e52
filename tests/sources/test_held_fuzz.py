"""Mutated files of vectors and documents: read, or refused in our words; nothing else ever comes out."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.corpus import read_corpus
from embdiff.sources import get_encoder
from mutations import damaged, read_or_refused

DOCUMENTS = {
    "a.md": b"---\ntitle: T\n---\n# One\n\ntext *with* [signs](x) `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<div>x</div>\n",
    "a.html": b"<html><head><title>T</title></head><body><main><h1>One</h1><p>text &amp; more<pre> x</pre></main></body>",
    "a.rst": b"Title\n=====\n\ntext *with* `signs`_ and :role:`x`\n\n.. note:: One\n\n.. unknown:: x\n\n   y\n\n* a\n* b\n",
    "a.txt": "text, naïve\r\n\r\nmore".encode(),
}
RUNS = 100


def pdf() -> bytes:
    from io import BytesIO

    writer = pytest.importorskip("pypdf").PdfWriter()
    writer.add_blank_page(100, 100)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("name", [*DOCUMENTS, "a.pdf"])
def test_mutated_documents(tmp_path: Path, name: str):
    rng, content, read = random.Random(1), DOCUMENTS.get(name) or pdf(), 0
    (tmp_path / "b.md").write_text("beside it")
    for _ in range(RUNS):
        (tmp_path / name).write_bytes(damaged(rng, content))
        corpus, _ = read_or_refused(lambda: read_corpus(tmp_path, chunk="heading:10", empty="drop"), tmp_path / name)
        read += corpus is not None
        assert corpus is None or corpus.parents
    assert read > 10 or name == "a.pdf"  # a page without text is refused, whatever stands around it


def vectors(path: Path, packed: bool) -> bytes:
    ids, table = np.array(["a", "b", "c"]), np.arange(6, dtype=np.float32).reshape(3, 2) + 1
    if path.suffix == ".npz":
        (np.savez_compressed if packed else np.savez)(path, ids=ids, vectors=table)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({"vectors": table}, path, metadata={"ids": '["a", "b", "c"]'})
    else:
        path.write_text('id,vector\na,"[1, 2]"\nb,"[3, 4]"\nc,"[5, 6]"\n')
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "packed"), [("a.npz", False), ("a.npz", True), ("a.safetensors", False), ("a.csv", False)]
)
def test_mutated_vectors(tmp_path: Path, name: str, packed: bool):
    rng, path, read = random.Random(2), tmp_path / name, 0
    content, corpus = vectors(path, packed), ed.read_corpus([{"id": key, "text": key} for key in "abc"])

    def joined() -> np.ndarray:
        source = get_encoder(f"vectors:{path}")
        source.prepare(corpus)
        return source.encode(corpus.items)

    for _ in range(RUNS):
        path.write_bytes(damaged(rng, content))
        found, _ = read_or_refused(joined, path)
        read += found is not None
        assert found is None or (len(found) == 3 and np.isfinite(found).all())
    assert read
