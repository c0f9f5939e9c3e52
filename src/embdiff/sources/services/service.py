"""``openai:MODEL``, ``ollama:MODEL``, ``cohere:``, ``voyage:``, ``gemini:``: models that another host runs.

Options: ``base_url`` (where the service is), ``key_from`` (the environment variable of its key), ``dimensions`` (asked
of the service), ``prompt`` and ``query_prompt`` (put before documents and queries), ``batch`` (most texts of a
request).

What a service runs is known by its answers alone. Whenever a model is named, one fixed text is sent: its vector pins
down, with the name that the service gives its model, what the other vectors were made by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff.errors import EncoderError, ParameterError
from embdiff.kept import Kept
from embdiff.records import FloatArray, IntArray, Role, Stamp
from embdiff.sources.batches import Model, TextRefused
from embdiff.sources.remembered import Unloaded
from embdiff.sources.services.address import address_of, url_of
from embdiff.sources.services.client import Client, Refused
from embdiff.sources.services.interfaces import INTERFACES, Interface, as_array
from embdiff.specs import ModelSpec

PROBE = "embdiff asks every service for the vector of this sentence, to know its model again."
SAME = (
    1e-4  # 1 - cosine of two probes up to which they are of one model: float32 differs by 1e-7, half precision by 1e-6
)
_DECIMALS = 2  # of the probe's vector, at length 1, that its digest is taken of
WHAT = "services"
_OPTIONS = ("base_url", "key_from", "dimensions", "prompt", "query_prompt", "batch")
_LETTERS = 4  # of ASCII that are taken for a token


@dataclass(frozen=True)
class Probed:
    """What was learnt of a service when it was asked.

    Parameters
    ----------
    stamp : Stamp
    vector : ndarray of float32, shape (d,)
        Of the probe.
    """

    stamp: Stamp
    vector: FloatArray


class Named(Unloaded):
    """A service that was named and not asked yet."""

    def through(self, kept: Kept) -> Model:
        """Ask the service for its probe; where it is that of a model known already, give it the stamp of that one."""
        model = self.load()
        assert isinstance(model, Service)
        known: Probed | None = kept.get(WHAT, self.identity)
        if known is None or not model.goes_on_as(known):
            kept.put(WHAT, self.identity, model.probed)
            if known is not None:
                kept.notes.append(
                    f"{self.spec} has another model than when it was asked before ({model.stamp().model}, "
                    f"{model.stamp().revision}; before {known.stamp.model}, {known.stamp.revision}). What is kept of "
                    "that one was not used."
                )
        return model


def from_spec(spec: ModelSpec) -> Named:
    """Find a service; loading it asks it for the probe.

    Raises
    ------
    ParameterError
        For a missing name, options that do not hold, a missing key.
    MissingDependencyError
        When the extra ``service`` is not installed.
    """
    interface = interface_of(spec)
    address = address_of(spec, interface.home, interface.variable)
    client = Client(str(spec), address, interface.headers(address.key))
    return Named(str(spec), identity_of(spec), lambda: Service(spec, interface, client, address.url))


def identity_of(spec: ModelSpec) -> dict[str, Any]:
    """Return what a service is known by before it was asked."""
    decides = {key: value for key, value in spec.options.items() if key not in ("key_from", "batch")}
    return {"kind": spec.kind, "model": spec.name, **decides, "base_url": url_of(spec, INTERFACES[spec.kind].home)}


def interface_of(spec: ModelSpec) -> Interface:
    """Return how the service of a text form is asked.

    Raises
    ------
    ParameterError
        For a missing name, and options that do not hold.
    """
    spec.refuse_options(_OPTIONS)
    if not spec.name:
        raise ParameterError(f"A model of {spec.kind} must have a name. Got '{spec}'. Write {spec.kind}:MODEL.")
    kind, options = INTERFACES[spec.kind], spec.options
    dimensions = spec.dimension(options["dimensions"], "dimensions") if "dimensions" in options else None
    interface = kind(spec.name, dimensions, url_of(spec, kind.home) == kind.home)
    interface.prompts = {"document": options.get("prompt", ""), "query": options.get("query_prompt", "")}
    if "batch" in options:
        interface.batch = spec.dimension(options["batch"], "batch")
    return interface


class Service(Model):
    """A model that another host runs.

    Parameters
    ----------
    spec : ModelSpec
    interface : Interface
    client : Client
    url : str
        Where it is.

    Raises
    ------
    EncoderError
        When the service cannot be reached, does not know the model, or its vectors are not what was asked for.
    """

    paid = True

    def __init__(self, spec: ModelSpec, interface: Interface, client: Client, url: str) -> None:
        self._spec, self._interface, self._client, self._url = spec, interface, client, url
        self.same_roles = interface.same_roles
        self.batch_items, self.batch_budget = interface.batch, interface.tokens
        self._width, self._name = 0, ""
        self.probed = self._probe()

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Ask for one batch; of texts that are refused together each half is asked for by itself.

        Raises
        ------
        TextRefused
            For one that is refused alone.
        EncoderError
            As `Client.post`.
        """
        return self._asked(self._interface.prompted(items, role), role, 0)

    def stamp(self) -> Stamp:
        """Return the provenance: the model that the service names, and the digest of its probe."""
        return self.probed.stamp

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the tokens of each text as `estimated_tokens` guesses them."""
        return estimated_tokens(self._interface.prompted(items, role))

    @property
    def about(self) -> dict[str, Any]:
        """Where the service is and what it was asked so far."""
        told = {"address": self._url, "model": self._name or None, "truncation": self._interface.truncation}
        return {"service": {**told, "requests": self._client.asked, "again": self._client.again}}

    def goes_on_as(self, known: Probed) -> bool:
        """Take the stamp of what was known before where the probe is the same but for rounding; return whether it is.

        A digest alone would change with the last bit of a number that is rounded up or down.
        """
        mine, other = self.probed, known
        if mine.stamp.dim != other.stamp.dim or mine.stamp.model != other.stamp.model:
            return False
        a, b = (each.vector.astype(np.float64) for each in (mine, other))
        if 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) > SAME:
            return False
        self.probed = known
        return True

    def _asked(self, texts: Sequence[str], role: Role, before: int, first: bool = False) -> FloatArray:
        """Return the vectors of texts that stand behind ``before`` others in their batch."""
        interface = self._interface

        def read(answer: Any) -> tuple[FloatArray, str]:
            told = answer if isinstance(answer, dict) else {}
            return as_array(interface.rows(told, len(texts)), self._width), interface.named(told)

        try:
            vectors, name = self._client.post(interface.path, interface.body(texts, role), read, first=first)
        except Refused as error:
            if len(texts) == 1:
                raise TextRefused(before, str(error)) from None
            half = len(texts) // 2
            parts = [
                self._asked(texts[:half], role, before),
                self._asked(texts[half:], role, before + half),
            ]
            return np.concatenate(parts)
        if name != self._name and not first:
            raise EncoderError(
                f"The service of '{self._spec}' must run one model. Got answers of {self._name!r} first and of "
                f"{name!r} now. Find out what it serves; run again to go on with that."
            )
        self._name = name
        return vectors

    def _probe(self) -> Probed:
        try:
            vector = self._asked([PROBE], "document", 0, first=True)[0]
        except TextRefused as error:
            raise EncoderError(
                f"The service of '{self._spec}' must give a short sentence a vector. Got {error.reason}, "
                f"from {self._url}. Check the model's name, and that it is a model of embeddings."
            ) from None
        wanted, length = self._interface.dimensions, float(np.linalg.norm(vector.astype(np.float64)))
        if wanted is not None and len(vector) != wanted:
            raise EncoderError(
                f"The service of '{self._spec}' must make vectors of the dimensions that it is asked for. Got "
                f"{len(vector)} where {wanted} were asked for: it ignores them. Leave dimensions out."
            )
        if not length:
            raise EncoderError(
                f"The service of '{self._spec}' must give a sentence a vector with a direction. Got a zero vector of "
                f"{len(vector)} dimensions. Check what it serves."
            )
        self._width = len(vector)
        digest = digest_of_probe(vector)
        return Probed(
            Stamp(
                model=f"{self._spec.kind}:{self._name or self._spec.name}",
                revision=f"probe {digest}, long texts {self._interface.truncation}",
                dim=len(vector),
                prompt=self._interface.prompts["document"],
                query_prompt=self._interface.prompts["query"],
                backend=self._url,
            ),
            vector,
        )


def digest_of_probe(vector: FloatArray) -> str:
    """Return 16 hex digits of the SHA-256 of a vector (d,), brought to length 1 and rounded to two decimals."""
    unit = vector.astype(np.float64) / np.linalg.norm(vector.astype(np.float64))
    rounded = np.round(unit * 10**_DECIMALS).astype("<i2")
    return hashlib.sha256(rounded.tobytes()).hexdigest()[:16]


def estimated_tokens(texts: Sequence[str]) -> IntArray:
    """Return about how many tokens a service counts in each text, int64 (n,): no tokenizer is asked.

    Four characters of ASCII are taken for a token, and every other character for one. Of English, Chinese, Japanese and
    Russian that is within a tenth of what MiniLM's tokenizer counts; of German, Dutch or Polish it is two thirds.
    """
    counts = []
    for text in texts:
        plain = len(text.encode("ascii", "ignore"))
        counts.append(-(-plain // _LETTERS) + len(text) - plain)
    return np.array(counts, dtype=np.int64)
