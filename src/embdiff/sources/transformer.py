"""A sentence-transformers model that is loaded: texts to vectors by PyTorch, tokens counted, prompts put before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np

from embdiff.corpus.decoding import rgb_of
from embdiff.errors import ParameterError
from embdiff.records import FloatArray, IntArray, Kind, Picture, Role, Stamp
from embdiff.sources.batches import IMAGES, TEXTS, Model
from embdiff.sources.items import by_kind, each_one
from embdiff.sources.loading import Loaded
from embdiff.sources.prompts import AUTO, advice, automatic
from embdiff.sources.streams import Replicas, shared_out, threads_for_torch
from embdiff.specs import ModelSpec

_PROMPT_NAMES: dict[Role, tuple[str, ...]] = {
    "document": ("document", "passage", "corpus"),
    "query": ("query",),
}
_NO_LIMIT = 1_000_000  # tokenizers without a limit say 10**30
_TOKENIZED_AT_ONCE = 2_000
_IMAGES_AT_ONCE = 16


@dataclass(frozen=True)
class Choices:
    """What the options of a spec ask for; None where they leave it to the model."""

    prompt: str | None
    query_prompt: str | None
    trust_remote_code: bool = False
    backend: str = "torch"
    precision: str = "float32"
    max_tokens: int | None = None
    pooling: str | None = None

    @property
    def prompted(self) -> bool:
        """Whether prompts were asked for, an empty one included: then nobody needs advice."""
        return self.prompt is not None or self.query_prompt is not None


class SentenceTransformers(Model):
    """A loaded sentence-transformers model.

    Parameters
    ----------
    loaded : Loaded
    choices : Choices
    spec : ModelSpec
        For messages.
    revision : str
        For the stamp.

    Raises
    ------
    ParameterError
        When ``max_tokens`` is more than the model has.
    """

    batch_items = 1024

    def __init__(self, loaded: Loaded, choices: Choices, spec: ModelSpec, revision: str) -> None:
        self._model = model = loaded.model
        self.unit = type(model[-1]).__name__ == "Normalize"
        self._prompts = _prompts(loaded, choices, spec)
        told = None if choices.prompted else advice(loaded.name, self._prompts)
        self._assumed = (*loaded.assumed, *_left_out(model, choices, self._prompts), *([told] if told else []))
        on_cpu = model.device.type == "cpu"
        # Padded tokens in one batch: on a CPU what stays in its cache, on a GPU what keeps it busy.
        self.batch_budget = 1_024 if on_cpu else 32_768
        self._replicas = Replicas(model)
        self.same_roles = self._one_role()
        self.reads = _reads(model)
        self._named = str(spec)
        # Counting tokens by a slow tokenizer would cost more than it saves: lengths are characters then.
        tokenizer = getattr(model, "tokenizer", None)
        self.counts_tokens = tokenizer is not None and hasattr(tokenizer, "is_fast") and bool(tokenizer.is_fast)
        most = cut_at(model, choices, spec)
        self.length_limit = most if self.counts_tokens else None
        self._stamp = Stamp(
            model=loaded.name,
            revision=revision,
            dim=int(model.get_embedding_dimension()),
            prompt=self._prompts["document"],
            query_prompt=self._prompts["query"],
            max_tokens=most,
            precision=choices.precision,
            backend=None if choices.backend == "torch" else choices.backend,
            preprocessing=_preprocessing(model) if self.reads != TEXTS else None,
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
        """Return the model's vectors, shape (n, dim): those of its own encode_document and encode_query.

        Images are given as PIL has them, and without a prompt.
        """
        if any(isinstance(item, Picture) for item in items):
            return by_kind(items, self._of_images, lambda texts: self.encode(texts, role=role))
        with self._replicas.borrowed() as model:
            encode = model.encode_query if role == "query" else model.encode_document
            try:
                vectors: FloatArray = encode(
                    list(items),
                    prompt=self._prompts[role],
                    batch_size=len(items),
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
            except IndexError as error:  # PyTorch's word for a row that a table does not have
                most = self._stamp.max_tokens
                raise IndexError(
                    f"{error}: the model has no place for a token or for its position. The longest of these texts has "
                    f"{self.lengths(items, role).max():,} tokens, cut at {most or 'none'}; max_tokens= cuts earlier"
                ) from error
        return vectors

    def _of_images(self, items: Sequence[str]) -> FloatArray:
        with self._replicas.borrowed() as model:
            vectors: FloatArray = model.encode(
                [rgb_of(item, self._named) for item in items],
                batch_size=_IMAGES_AT_ONCE,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return vectors

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the tokens of each text, prompt included; its characters where counting tokens would be slow.

        An image counts as one.
        """
        if any(isinstance(item, Picture) for item in items):
            return by_kind(items, each_one, lambda texts: self.lengths(texts, role))
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
        """The device and the threads that the model runs on, and what was assumed of it."""
        device = str(self._model.device)
        told = {"assumed": list(self._assumed)} if self._assumed else {}
        return {"device": device, "threads": threads_for_torch() if device == "cpu" else None, **told}

    def stamp(self) -> Stamp:
        """Return the provenance."""
        return self._stamp


def _reads(model: Any) -> frozenset[Kind]:
    """Return what a model says that it reads; what is neither text nor image is left aside."""
    said = getattr(model, "modalities", ["text"])
    return frozenset(kind for kind in (*TEXTS, *IMAGES) if kind in said) or TEXTS


def _preprocessing(model: Any) -> str | None:
    """Return what the model's processor does with an image, as far as it tells; by Pillow or by torchvision."""
    processor = getattr(model, "processor", None)
    of_images = getattr(processor, "image_processor", processor)
    told = getattr(of_images, "to_dict", None)
    return f"{type(of_images).__name__} {json.dumps(told(), sort_keys=True, default=str)}" if callable(told) else None


def cut_at(model: Any, choices: Choices, spec: ModelSpec) -> int | None:
    """Let the model cut texts at the tokens asked for, never beyond its positions; return where it does, if it does.

    sentence-transformers takes the number of rows of a model's table of positions for their number, but models of
    RoBERTa's kind begin to count behind the padding: a text in between would be looked up outside the table.
    """
    limit = model.max_seq_length
    own = None if limit is None or limit > _NO_LIMIT else int(limit)
    places = _positions(model)
    if choices.max_tokens is not None and choices.max_tokens > min(places or _NO_LIMIT, _NO_LIMIT):
        raise ParameterError(
            f"max_tokens must be at most {places:,}, the positions of the model. Got {choices.max_tokens:,} in "
            f"'{spec}'. Lower max_tokens."
        )
    wanted = choices.max_tokens or own
    most = min(filter(None, (wanted, places)), default=None)
    if most != own:
        model.max_seq_length = most
    if choices.max_tokens is not None and model.max_seq_length != most:
        raise ParameterError(
            f"max_tokens must be of a model that counts tokens. Got one that does not, in '{spec}'. Leave it out."
        )
    return most


def _positions(model: Any) -> int | None:
    """Return how many tokens of a text the model has places for, where a table of positions tells."""
    tables = [m for name, m in model.named_modules() if name.endswith(".position_embeddings") and hasattr(m, "weight")]
    padded = [getattr(table, "padding_idx", None) for table in tables]
    found = [len(table.weight) - (0 if pad is None else pad + 1) for table, pad in zip(tables, padded, strict=True)]
    return min((count for count in found if count > 0), default=None)


def _prompts(loaded: Loaded, choices: Choices, spec: ModelSpec) -> dict[Role, str]:
    """Return the prompt of each role: the option, else what the library's encode_document and encode_query put before.

    That is the model's first prompt of these names, an empty one too; only a model that names none has its default.
    """
    model = loaded.model
    known: dict[str, str] = model.prompts or {}
    default = known.get(model.default_prompt_name or "", "")
    own = {role: next((known[n] for n in names if n in known), default) for role, names in _PROMPT_NAMES.items()}
    if choices.prompt == AUTO:
        own = automatic(loaded.name, known, {role: text or "" for role, text in own.items()}, spec)
    of_documents = None if choices.prompt == AUTO else choices.prompt
    asked: dict[Role, str | None] = {"document": of_documents, "query": choices.query_prompt}
    return {role: own[role] or "" if text is None else text for role, text in asked.items()}


def _left_out(model: Any, choices: Choices, used: dict[Role, str]) -> Iterator[str]:
    """Yield which prompts of the model the library puts before neither documents nor queries, though they look so."""
    meant = (*_PROMPT_NAMES["document"], model.default_prompt_name)
    for name, text in (model.prompts or {}).items():
        if name in meant and text and text not in used.values() and choices.prompt is None:
            yield (
                f"its prompt {name!r} is not put before documents, as sentence-transformers leaves it out there; "
                f"prompt={quote(text)} puts it there"
            )
