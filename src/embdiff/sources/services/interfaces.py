"""What each service is asked, and where its answer has the vectors: the published interfaces, one class each.

They were run against servers of our own; `Cohere`, `Voyage` and `Gemini` never against the service itself.
"""

from __future__ import annotations

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from embdiff.records import FloatArray, Role
from embdiff.sources.services.client import Malformed

Truncation = Literal["refused", "unknown"]
OWN = 32  # texts in a request to a server of which nothing is known: what TEI takes unless told otherwise


class Interface(ABC):
    """How one kind of service is asked.

    Parameters
    ----------
    model : str
    dimensions : int or None
        Asked of the service; None for what the model has.
    own : bool
        Whether the service itself is asked, and not a server that speaks like it.

    Attributes
    ----------
    home : str
        The service's own address.
    variable : str
        The environment variable of its key; "" where it needs none.
    batch, tokens : int
        Most texts, and most estimated tokens, of one request.
    truncation : {"refused", "unknown"}
        What becomes of texts that are too long: ``unknown`` where the interface has no switch.
    roles : bool
        Whether queries are asked for in another way than documents.
    prompts : dict
        By role what is put before a text.
    """

    home: ClassVar[str]
    variable: ClassVar[str] = ""
    truncation: Truncation = "refused"
    batch: int = OWN
    tokens: int = 100_000
    roles: bool = False

    def __init__(self, model: str, dimensions: int | None, own: bool) -> None:
        self.model, self.dimensions = model, dimensions
        self.prompts: dict[Role, str] = {"document": "", "query": ""}

    @property
    def same_roles(self) -> bool:
        """Whether a text has the same vector as a query and as a document."""
        return not self.roles and self.prompts["document"] == self.prompts["query"]

    def prompted(self, items: Sequence[str], role: Role) -> list[str]:
        """Return the texts as they are sent."""
        return [self.prompts[role] + item for item in items]

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that have the key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    @property
    @abstractmethod
    def path(self) -> str:
        """What stands behind the address."""

    @abstractmethod
    def body(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """Return what is sent."""

    @abstractmethod
    def rows(self, answer: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Return the vectors of an answer in the order of the texts, as they are written there."""

    def named(self, answer: Mapping[str, Any]) -> str:
        """Return the model that an answer names; "" where it names none."""
        name = answer.get("model")
        return name if isinstance(name, str) else ""

    def _dimensions(self, key: str) -> dict[str, int]:
        return {} if self.dimensions is None else {key: self.dimensions}


class OpenAI(Interface):
    """``POST /embeddings`` of OpenAI and all who speak like it: vLLM, TEI, Ollama, LM Studio, infinity, Jina.

    OpenAI refuses texts that are too long; of other servers some cut them, and the interface has no switch for that.
    """

    home = "https://api.openai.com/v1"
    variable = "OPENAI_API_KEY"
    path = "/embeddings"

    def __init__(self, model: str, dimensions: int | None, own: bool) -> None:
        super().__init__(model, dimensions, own)
        if own:  # of 2,048 texts and 300,000 tokens: an estimate may be two thirds of what is counted
            self.batch, self.tokens = 1_024, 180_000
        else:
            self.truncation = "unknown"

    def body(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """Return what is sent; numbers are asked for as numbers, as base64 is misread and refused by some."""
        wanted = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        return {**wanted, **self._dimensions("dimensions")}

    def rows(self, answer: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Return ``data[].embedding``, by ``index``."""
        return by_index(answer.get("data"), count)


class Ollama(Interface):
    """``POST /api/embed`` of Ollama, on this machine unless told otherwise."""

    home = "http://127.0.0.1:11434"
    path = "/api/embed"
    batch = 64

    def body(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """Return what is sent: texts that are too long are to be refused."""
        return {"model": self.model, "input": list(texts), "truncate": False, **self._dimensions("dimensions")}

    def rows(self, answer: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Return ``embeddings``, which are in order."""
        return in_order(answer.get("embeddings"), count)


class Cohere(Interface):
    """``POST /v2/embed`` of Cohere, after its published interface; not run against the service."""

    home = "https://api.cohere.com/v2"
    variable = "CO_API_KEY"
    path = "/embed"
    batch = 96
    roles = True

    def body(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """Return what is sent: what texts are is said, and those that are too long are to be refused."""
        return {
            "model": self.model,
            "texts": list(texts),
            "input_type": "search_query" if role == "query" else "search_document",
            "embedding_types": ["float"],
            "truncate": "NONE",
            **self._dimensions("output_dimension"),
        }

    def rows(self, answer: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Return ``embeddings.float``, which are in order."""
        found = answer.get("embeddings")
        return in_order(found.get("float") if isinstance(found, dict) else found, count)


class Voyage(Interface):
    """``POST /v1/embeddings`` of Voyage AI, after its published interface; not run against the service."""

    home = "https://api.voyageai.com/v1"
    variable = "VOYAGE_API_KEY"
    path = "/embeddings"
    batch = 128
    roles = True

    def body(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """Return what is sent: what texts are is said, and those that are too long are to be refused."""
        wanted = {"model": self.model, "input": list(texts), "input_type": role, "truncation": False}
        return {**wanted, "output_dtype": "float", **self._dimensions("output_dimension")}

    def rows(self, answer: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Return ``data[].embedding``, by ``index``."""
        return by_index(answer.get("data"), count)


class Gemini(Interface):
    """``batchEmbedContents`` of Gemini, after its published interface; not run against the service.

    A request for each text, as texts in one list may come back as one vector. What is longer than the model's limit
    may be cut: the interface has no switch. Models of the second generation are told what a text is in the text itself
    (``prompt``, ``query_prompt``) and not by ``taskType``.
    """

    home = "https://generativelanguage.googleapis.com/v1beta"
    variable = "GEMINI_API_KEY"
    batch = 100
    truncation = "unknown"

    def __init__(self, model: str, dimensions: int | None, own: bool) -> None:
        super().__init__(model.removeprefix("models/"), dimensions, own)
        self.roles = not self.model.startswith("gemini-embedding-2")

    def headers(self, key: str) -> dict[str, str]:
        """Return the header that has the key."""
        return {"x-goog-api-key": key} if key else {}

    @property
    def path(self) -> str:
        """What stands behind the address: the model's name is part of it."""
        return f"/models/{self.model}:batchEmbedContents"

    def body(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """Return what is sent: a request for each text."""
        task = {"taskType": "RETRIEVAL_QUERY" if role == "query" else "RETRIEVAL_DOCUMENT"} if self.roles else {}
        more = {**task, **self._dimensions("outputDimensionality")}
        name = f"models/{self.model}"
        return {"requests": [{"model": name, "content": {"parts": [{"text": text}]}, **more} for text in texts]}

    def rows(self, answer: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Return ``embeddings[].values``, which are in order."""
        found = answer.get("embeddings")
        values = [each.get("values") if isinstance(each, dict) else None for each in found or ()]
        return in_order(values if isinstance(found, list) else found, count)


INTERFACES: Mapping[str, type[Interface]] = {
    "openai": OpenAI, "ollama": Ollama, "cohere": Cohere, "voyage": Voyage, "gemini": Gemini,
}  # fmt: skip


def in_order(found: Any, count: int) -> Sequence[Any]:
    """Return a list of one entry per text; Malformed where it is none."""
    if not isinstance(found, list) or len(found) != count:
        got = f"{len(found)} vectors" if isinstance(found, list) else "no list of vectors"
        raise Malformed(f"{got} for {count} texts")
    return found


def by_index(found: Any, count: int) -> Sequence[Any]:
    """Return the vectors of a list of ``{"index": i, "embedding": ...}``, sorted; Malformed where one is missing."""
    entries = in_order(found, count)
    places = {each.get("index"): each.get("embedding") for each in entries if isinstance(each, dict)}
    if set(places) != set(range(count)):
        raise Malformed(f"vectors of which the numbers are not 0 to {count - 1}, each once")
    return [places[number] for number in range(count)]


def as_array(rows: Sequence[Any], width: int) -> FloatArray:
    """Return vectors as float32 (n, d); numbers, or base64 of little-endian float32.

    Parameters
    ----------
    rows : sequence
    width : int
        Of the vectors seen so far; 0 before the first.

    Raises
    ------
    Malformed
        For anything but finite vectors of that width.
    """
    try:
        read = [
            np.frombuffer(base64.b64decode(row, validate=True), dtype="<f4") if isinstance(row, str) else row
            for row in rows
        ]
        with np.errstate(over="ignore"):
            vectors = np.array(read, dtype=np.float64).astype(np.float32)
    except (ValueError, TypeError, binascii.Error, OverflowError):
        raise Malformed("vectors that are no numbers, or of different lengths") from None
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise Malformed(f"vectors of shape {vectors.shape}")
    if width and vectors.shape[1] != width:
        raise Malformed(f"vectors of {vectors.shape[1]} dimensions where there were {width}")
    if not np.isfinite(vectors).all():
        raise Malformed("vectors with NaN or infinity in them")
    return vectors
