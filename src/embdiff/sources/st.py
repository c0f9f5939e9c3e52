"""``st:NAME`` and ``st:FOLDER``: any sentence-transformers model, in float32 by PyTorch unless told otherwise.

Options: ``revision`` (hub only), ``prompt`` (put before documents), ``query_prompt`` (put before queries), ``dim`` (cut
the vectors, for models trained to be cut), ``trust_remote_code``, ``backend`` (``torch``, ``onnx``, ``openvino``) and
``precision`` (``float32``; ``int8`` by onnx, ``bfloat16`` by openvino). Prompts that a model defines itself are used
unless an option replaces them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from embdiff.sources.engines import PRECISIONS, need
from embdiff.sources.hub import locate
from embdiff.sources.loading import device_for, load
from embdiff.sources.options import refuse_unused, whole_number
from embdiff.sources.remembered import Unloaded, versions
from embdiff.sources.replicas import Replicas, shared_out, threads_for_torch
from embdiff.errors import ParameterError
from embdiff.records import FloatArray, IntArray, Role, Stamp
from embdiff.specs import ModelSpec

OPTIONS = ("revision", "prompt", "query_prompt", "dim", "trust_remote_code", "precision", "backend")
LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch")
_PROMPT_NAMES: dict[Role, tuple[str, ...]] = {
    "document": ("document", "passage", "corpus"),
    "query": ("query",),
}
_NO_LIMIT = 1_000_000  # tokenizers without a limit say 10**30
_TOKENIZED_AT_ONCE = 2_000


@dataclass(frozen=True)
class Choices:
    """What the options of a spec ask for; None where they leave it to the model."""

    dim: int | None
    prompt: str | None
    query_prompt: str | None
    trust_remote_code: bool = False
    backend: str = "torch"
    precision: str = "float32"

    @classmethod
    def of(cls, spec: ModelSpec, used: Sequence[str] = OPTIONS) -> Choices:
        """Read the options.

        Raises
        ------
        ParameterError
            For an option that is not used, or a value that cannot be.
        """
        refuse_unused(spec, used)
        options = spec.options
        backend, precision = _engine(spec)
        trust = options.get("trust_remote_code", "false")
        if trust not in ("true", "false"):
            raise ParameterError(
                f"trust_remote_code must be true or false. Got {trust!r} in '{spec}'. Write trust_remote_code=true "
                "only after reading the code that the model brings along."
            )
        dim = whole_number(spec, options["dim"], "dim", 1, 32_768) if "dim" in options else None
        return cls(dim, options.get("prompt"), options.get("query_prompt"), trust == "true", backend, precision)


def _engine(spec: ModelSpec) -> tuple[str, str]:
    """Return backend and precision, once they fit each other and this machine."""
    backend, precision = spec.options.get("backend", "torch"), spec.options.get("precision", "float32")
    if backend not in PRECISIONS:
        raise ParameterError(
            f"backend of {spec.kind} must be one of {', '.join(PRECISIONS)}. Got {backend!r} in '{spec}'. Choose one "
            "of these, or leave backend out."
        )
    if precision not in PRECISIONS[backend]:
        able = " or ".join(f"backend={name}" for name, known in PRECISIONS.items() if precision in known)
        raise ParameterError(
            f"precision of {spec.kind} with backend={backend} must be {' or '.join(PRECISIONS[backend])}. Got "
            f"{precision!r} in '{spec}'. {f'Take {able} for it.' if able else 'Leave precision out.'}"
        )
    if backend != "torch":
        need(backend, precision, f"The model '{spec}'")
    return backend, precision


def made(model: Any, choices: Choices, spec: ModelSpec, name: str, revision: str) -> SentenceTransformers:
    """Return the backend that the choices ask for, around a loaded model."""
    if choices.backend == "torch":
        return SentenceTransformers(model, choices, spec, name, revision)
    from embdiff.sources.graph import Graph

    return Graph(model, choices, spec, name, revision)


def unloaded(
    spec: ModelSpec, choices: Choices, name: str, revision: str, model: Callable[[], Any], *libraries: str
) -> Unloaded:
    """Return a model that was found, for whoever loads it.

    Parameters
    ----------
    spec : ModelSpec
    choices : Choices
    name, revision : str
        For the stamp.
    model : callable
        Loads the sentence-transformers model.
    libraries : str
        Packages that it needs besides those of every such model.
    """
    engine = {"onnx": ("onnxruntime",), "openvino": ("openvino",)}.get(choices.backend, ())
    identity = {
        "name": name,
        "revision": revision,
        "choices": choices,
        "versions": versions(*LIBRARIES, *engine, *libraries),
    }
    return Unloaded(str(spec), identity, lambda: made(model(), choices, spec, name, revision))


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``st:NAME?options``.

    Raises
    ------
    ParameterError
        For options that do not hold.
    EncoderError
        When the model cannot be found; loading it raises EncoderError when it cannot be loaded.
    """
    choices = Choices.of(spec)
    source = locate(spec.name, spec.options.get("revision"), str(spec))
    name = f"st:{source.name}" + (" + mean of tokens" if source.bare else "")

    def model() -> Any:
        return load(source, spec, choices.trust_remote_code, device_for(choices.backend))

    return unloaded(spec, choices, name, source.revision, model)


class SentenceTransformers:
    """A loaded sentence-transformers model.

    Parameters
    ----------
    model : SentenceTransformer
        Its linear layers are made faster here: change no weights afterwards.
    choices : Choices
    spec : ModelSpec
        For messages.
    name, revision : str
        For the stamp.

    Raises
    ------
    ParameterError
        When ``dim`` is more than the model has.
    """

    batch_items = 1024

    def __init__(self, model: Any, choices: Choices, spec: ModelSpec, name: str, revision: str) -> None:
        self._model, self._name, self._revision = model, name, revision
        self._backend, self._precision = choices.backend, choices.precision
        whole = int(_dimension(model))
        if choices.dim is not None and choices.dim > whole:
            raise ParameterError(
                f"dim must be at most {whole}, the dimension of the model. Got {choices.dim} in '{spec}'. Lower dim."
            )
        self._dim = choices.dim or whole
        # A model that ends in a Normalize layer promises unit vectors: cutting must not break the promise.
        self._renormalize = self._dim < whole and type(model[-1]).__name__ == "Normalize"
        self._prompts = _prompts(model, choices)
        on_cpu = model.device.type == "cpu"
        # Padded tokens in one batch: on a CPU what stays in its cache, on a GPU what keeps it busy.
        self.batch_budget = 1_024 if on_cpu else 32_768
        self._replicas = Replicas(model)
        self._prepare()

    def _prepare(self) -> None:
        """Make the layers fast."""
        if self._model.device.type == "cpu":
            from embdiff.sources.fused import fuse_steps
            from embdiff.sources.packed import pack_linear_layers

            self._model.train(False)  # its encode does that only when it is first called
            pack_linear_layers(self._model)
            fuse_steps(self._model)

    @property
    def streams(self) -> int:
        """How many batches are encoded at the same time, by the threads that PyTorch may use now."""
        return self._replicas.streams

    def sharing(self, streams: int) -> AbstractContextManager[Callable[[], None] | None]:
        """Share the threads out between so many batches; afterwards PyTorch's setting is as it was.

        Returns
        -------
        context manager
            Of what gives the thread that calls it its share.
        """
        return shared_out(streams)

    @property
    def same_roles(self) -> bool:
        """Whether queries are encoded as documents are: one prompt, and no layer that tells the two apart."""
        one_prompt = self._prompts["query"] == self._prompts["document"]
        first = self._model[0]
        one_length = getattr(first, "query_length", None) == getattr(first, "document_length", None)
        return one_prompt and one_length and not any(type(m).__name__ in ("Router", "Asym") for m in self._model)

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the model's vectors, shape (n, dim): those of its own encode_document and encode_query."""
        with self._replicas.borrowed() as model:
            encode = model.encode_query if role == "query" else model.encode_document
            vectors: FloatArray = encode(
                list(items),
                prompt=self._prompts[role],
                batch_size=len(items),
                truncate_dim=self._dim,
                normalize_embeddings=self._renormalize,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return vectors

    @property
    def counts_tokens(self) -> bool:
        """Whether lengths are tokens; they are characters where counting tokens would be slow."""
        return bool(getattr(getattr(self._model, "tokenizer", None), "is_fast", False))

    @property
    def length_limit(self) -> int | None:
        """Most tokens that the model sees; None without limit, or where lengths are characters."""
        return self._max_tokens if self.counts_tokens else None

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the tokens of each text, prompt included; its characters where counting tokens would be slow."""
        if not self.counts_tokens:
            return np.array([len(text) for text in items], dtype=np.int64)
        prompt = self._prompts[role]
        counts: list[int] = []
        for start in range(0, len(items), _TOKENIZED_AT_ONCE):
            some = [prompt + text for text in items[start : start + _TOKENIZED_AT_ONCE]]
            counts.extend(map(len, self._counter.encode_batch_fast(some)))
        return np.array(counts, dtype=np.int64)

    @cached_property
    def _counter(self) -> Any:
        """A tokenizer like the model's, but of the whole text: the model's own keeps its truncation to itself."""
        import tokenizers

        counter = tokenizers.Tokenizer.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        counter.no_truncation()
        counter.no_padding()
        return counter

    @property
    def about(self) -> dict[str, Any]:
        """The device and the threads that the model runs on."""
        device = str(self._model.device)
        return {"device": device, "threads": threads_for_torch() if device == "cpu" else None}

    def stamp(self) -> Stamp:
        """Return the provenance."""
        return Stamp(
            model=self._name,
            revision=self._revision,
            dim=self._dim,
            prompt=self._prompts["document"],
            query_prompt=self._prompts["query"],
            max_tokens=self._max_tokens,
            precision=self._precision,
            backend=None if self._backend == "torch" else self._backend,
        )

    @property
    def _max_tokens(self) -> int | None:
        limit = self._model.max_seq_length
        return None if limit is None or limit > _NO_LIMIT else int(limit)


def _dimension(model: Any) -> int:
    # Renamed in version 6; the old name still works there, with a warning in the log.
    ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return int(ask())


def _prompts(model: Any, choices: Choices) -> dict[Role, str]:
    """Return the prompt of each role: the option, else the model's prompt of that name, else its default prompt.

    The default prompt counts only where the model names no prompt for either role, as in sentence-transformers.
    """
    known = {name: text for name, text in (model.prompts or {}).items() if text}
    own = {role: next((known[n] for n in names if n in known), "") for role, names in _PROMPT_NAMES.items()}
    if not any(own.values()):
        own = dict.fromkeys(own, known.get(model.default_prompt_name or "", ""))
    asked: dict[Role, str | None] = {"document": choices.prompt, "query": choices.query_prompt}
    return {role: own[role] if text is None else text for role, text in asked.items()}
