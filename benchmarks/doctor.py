"""The doctor on a collection of 100,000 rows in Milvus Lite, against reading all of its rows once.

It looks at the keys and texts of all rows, and at the vectors of 10,000 that are drawn; the peer reads everything,
2,000 rows a call, and looks at nothing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.report import Figure, in_turn

COUNT, DIM, STEP = 100_000, 384, 2_000
BOUND = 0.75
ROWS = {
    "doctor_100k": f"embdiff doctor on {COUNT:,} rows of {DIM} numbers in Milvus Lite: time over reading all rows once",
}


def filled(folder: Path) -> str:
    """Make the collection; return its store."""
    from embdiff.indexes import IndexSpec
    from embdiff.records import Corpus
    from embdiff.stores import get_store
    from embdiff.stores.collection import CollectionSpec
    from embdiff.stores.placing import place

    vectors = np.random.default_rng(0).standard_normal((COUNT, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    corpus = Corpus(tuple(f"text of row {row}" for row in range(COUNT)), tuple(map(str, range(COUNT))), ids_given=True)
    stamp = {"model": "any", "corpus": corpus.digest(), "normalized": True}
    uri = f"milvus:{folder / 'vectors.db'}"
    with get_store(uri) as store:
        place(store, CollectionSpec("rows", DIM, "cosine", IndexSpec.parse("flat"), COUNT, stamp), corpus, vectors)
    return uri


def main() -> list[Figure]:
    """Measure both in turn."""
    import embdiff as ed
    from embdiff.stores import get_store

    with tempfile.TemporaryDirectory() as name:
        uri = filled(Path(name))

        def read() -> None:
            with get_store(uri) as store:
                assert sum(len(store.read("rows", at, at + STEP)) for at in range(0, COUNT, STEP)) == COUNT

        def look() -> None:
            assert ed.doctor(uri).sound

        runs = in_turn({"read": read, "doctor": look})
    spent = {way: [seconds for seconds, _ in each] for way, each in runs.items()}
    figure = Figure(
        "doctor_100k", median(spent["doctor"]) / median(spent["read"]), BOUND, "of reading all", spent, at_most=True
    )
    print(figure.line(), flush=True)
    return [figure]


if __name__ == "__main__":
    main()
