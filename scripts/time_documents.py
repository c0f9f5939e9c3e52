"""150 articles of TIME as a folder of Markdown files, with the questions and what they should find by file name.

    python scripts/time_documents.py BEIR_FOLDER OUT

``BEIR_FOLDER`` holds the collection in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/test.tsv); nothing is fetched.
Judged articles are taken first, so that every question kept can be answered.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

COUNT = 150


def write(source: Path, folder: Path, count: int = COUNT) -> None:
    """Write ``folder/corpus/N/ID.md``, ``folder/queries.jsonl`` and ``folder/qrels/test.tsv``."""
    articles = [json.loads(line) for line in (source / "corpus.jsonl").open(encoding="utf-8")]
    told = (source / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    judged = [line.split("\t") for line in told]
    wanted = {name for _, name, _ in judged}
    chosen = sorted(articles, key=lambda each: each["_id"] not in wanted)[:count]
    names = {each["_id"]: f"{int(each['_id']) // 100}/{each['_id']}.md" for each in chosen}
    for each in chosen:
        text = each["text"]
        half = text.find(". ", len(text) // 2) + 2
        page = f"# Article {each['_id']}\n\n{text[:half]}\n\n## The other half\n\n{text[half:]}\n"
        _write(folder / "corpus" / names[each["_id"]], page)
    lines = [f"{query}\t{names[name]}\t{grade}\n" for query, name, grade in judged if name in names]
    _write(folder / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\n" + "".join(lines))
    asked = {line.split("\t")[0] for line in lines}
    queries = (source / "queries.jsonl").open(encoding="utf-8")
    _write(folder / "queries.jsonl", "".join(line for line in queries if json.loads(line)["_id"] in asked))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
