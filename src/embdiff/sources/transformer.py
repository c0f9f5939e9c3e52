"""A sentence-transformers model that is loaded: texts to vectors by PyTorch, tokens counted, prompts put before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from embdiff.errors import ParameterError
from embdiff.records import FloatArray, IntArray, Role, Stamp
from embdiff.sources.batches import Model
from embdiff.sources.streams import Replicas, shared_out, threads_for_torch
from embdiff.specs import ModelSpec

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


class SentenceTransformers(Model):
    """A loaded sentence-transformers model.

    Parameters
    ----------
    model : SentenceTransformer
        As `embdiff.sources.hub.load` returns it.
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
        self._model = model
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
        self.same_roles = self._one_role()
        # Counting tokens by a slow tokenizer would cost more than it saves: lengths are characters then.
        tokenizer = getattr(model, "tokenizer", None)
        self.counts_tokens = tokenizer is not None and hasattr(tokenizer, "is_fast") and bool(tokenizer.is_fast)
        limit = model.max_seq_length
        most = None if limit is None or limit > _NO_LIMIT else int(limit)
        self.length_limit = most if self.counts_tokens else None
        self._stamp = Stamp(
            model=name,
            revision=revision,
            dim=self._dim,
            prompt=self._prompts["document"],
            query_prompt=self._prompts["query"],
            max_tokens=most,
            precision=choices.precision,
            backend=None if choices.backend == "torch" else choices.backend,
        )

    @property
    def streams(self) -> int:  # type: ignore[override] # it follows the threads there are now
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

    def _one_role(self) -> bool:
        """Return whether queries are encoded as documents are: one prompt, and no layer that tells the two apart."""
        one_prompt = self._prompts["query"] == self._prompts["document"]
        first = vars(self._model[0])
        one_length = first.get("query_length") == first.get("document_length")
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

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the tokens of each text, prompt included; its characters where counting tokens would be slow."""
        if not self.counts_tokens:
            return super().lengths(items, role)
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
        return self._stamp


def _dimension(model: Any) -> int:
    if hasattr(model, "get_embedding_dimension"):
        return int(model.get_embedding_dimension())
    return int(model.get_sentence_embedding_dimension())  # before version 6


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
