"""Every text form, read and written here alone: ``KIND:NAME?key=value&key=value`` and ``name(key=value,...)@k``.

Models, collections, servers and the cache are written in the first form, measures and indexes in the second.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from embdiff._names import refuse_unwritable
from embdiff._registry import nearest
from embdiff.errors import ParameterError, UnknownNameError

MODEL_KEYS = (
    *("revision", "dim", "max_tokens", "prompt", "query_prompt", "backend", "precision", "trust_remote_code"),
    *("size", "pooling", "top"),  # of models of images, and how tokens become one vector; of re-rankers
    *("vectors", "rescore"),  # of variants that come from full vectors
    *("queries", "vector", "id", "text"),  # of ready vectors
    *("base_url", "dimensions", "key_from", "batch", "temperature"),  # of services
)
SERVICES = ("openai", "ollama", "cohere", "voyage", "gemini")  # kinds of models that other hosts run
# Of collections that others made, read in the place of a model.
COLLECTION_KEYS = ("vector", "id", "text", "group", "encoder", "db")
MOST_DIMENSIONS = 32_768  # that Milvus stores


def read_options(
    text: str, what: str, known: Collection[str], *, may_be_empty: Collection[str] = (), secret: bool = False
) -> tuple[str, dict[str, str]]:
    """Split ``HEAD?key=value&key=value`` into the head and its options; their values may be percent-encoded.

    Parameters
    ----------
    text : str
        The tail is kept to its last blank: prompts often end in one.
    what : str
        What has the options, for messages: ``"a model"``.
    known, may_be_empty : collection of str
        Keys that there are, and those that may stand without a value.
    secret : bool
        Whether values may be secrets: no message shows them then.

    Raises
    ------
    UnknownNameError
        For an unknown key.
    ParameterError
        When an option is empty or given twice.
    """
    head, _, tail = text.partition("?")
    where = "" if secret else f" in {text!r}"
    options: dict[str, str] = {}
    for part in filter(None, tail.split("&")):
        key, equals, value = part.partition("=")
        if key not in known:
            shown = "part of an address" if secret and not re.fullmatch("[a-z_]{1,20}", key) else repr(key)
            raise UnknownNameError(
                f"An option of {what} must be one of {', '.join(known)}. Got {shown}{where}. {nearest(key, known)}"
            )
        if not equals or not (value or key in may_be_empty) or key in options:
            raise ParameterError(
                f"An option of {what} must be written key=value, once. Got {key if secret else part!r}{where}. "
                f"Write {key}=VALUE."
            )
        options[key] = unquote(value)
    return head, options


def is_reference(text: Any) -> bool:
    """Return whether a text names a collection in a store, and neither a model nor a file."""
    return isinstance(text, str) and re.match(r"(milvus|https?|lancedb|memory):[^?]*#", text) is not None


def split_alias(text: str) -> tuple[str, str]:
    """Split ``ALIAS=MODEL`` into the name a model goes under and its text form; without alias both are the text."""
    match = re.fullmatch(r"\s*([\w][\w.+-]*)=(\S.*)", text, re.DOTALL)
    return (match[1], match[2]) if match else (text, text)


def write_options(head: str, options: Mapping[str, str]) -> str:
    """Return the text that `read_options` reads."""
    tail = "&".join(f"{key}={quote(value, safe='/:,. ')}" for key, value in options.items())
    return f"{head}?{tail}" if tail else head


@dataclass(frozen=True)
class Parameter:
    """A number that a measure or an index takes, for example ``p`` of ``rbo(p=0.9)@10``; bounds are included."""

    default: float
    low: float
    high: float
    summary: str = ""
    whole: bool = False

    def read(self, text: str, key: str, name: str) -> float:
        """Return the value of the parameter ``key`` of ``name``.

        Raises
        ------
        ParameterError
            When it is no number, or out of range.
        """
        try:
            number = int(text) if self.whole else float(text)
        except ValueError:
            number = math.nan
        if not self.low <= number <= self.high:
            raise ParameterError(
                f"{key} of {name} must be {'an integer' if self.whole else 'a number'} between {self.low:g} and "
                f"{self.high:g}. Got {text!r}. Write {name}({key}={self.default:g})."
            )
        return number


def split_named(text: str) -> tuple[str, str, str | None]:
    """Split ``name(inside)@k`` into its parts: the name in lower case, "" for no inside, None for no ``@``.

    A text of another form comes back whole, as a name that nobody has.
    """
    head, at, after = text.strip().partition("@")
    match = re.fullmatch(r"\s*([A-Za-z0-9_-]+)\s*(?:\((.*)\))?\s*", head)
    return (match[1].lower(), match[2] or "", after if at else None) if match else (text, "", None)


def read_parameters(name: str, inside: str, known: Mapping[str, Parameter], text: str) -> dict[str, float]:
    """Return the parameters of ``name``, defaults filled in; ``inside`` is what `split_named` found of ``text``.

    Raises
    ------
    UnknownNameError
        For an unknown parameter.
    ParameterError
        For a value that is none, or out of range.
    """
    values = {key: parameter.default for key, parameter in known.items()}
    for part in (piece.strip() for piece in inside.split(",")) if inside.strip() else ():
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in known:
            hint = nearest(key, known) if known else f"{name} has no parameters."
            raise UnknownNameError(f"A parameter of {name} must be known. Got {part!r} in {text!r}. {hint}")
        values[key] = known[key].read(value, key, name)
    return values


def write_named(name: str, parameters: Mapping[str, float], k: int | None = None) -> str:
    """Return the text that `split_named` and `read_parameters` read."""
    inside = ",".join(f"{key}={value:.15g}" for key, value in parameters.items())
    return name + (f"({inside})" if inside else "") + ("" if k is None else f"@{k}")


@dataclass(frozen=True)
class ModelSpec:
    """A model in text form: ``KIND:NAME?key=value&key=value``.

    Parameters
    ----------
    kind : str
        Registered kind of encoder: ``st``, ``wordllama``, ``lsa``, ``toy``, ``minilm``...
    name : str
        What the kind makes of it: a hub name, a folder, a dimension; "" for kinds without one.
    options : mapping of str to str
        Keys of `MODEL_KEYS`, or of `COLLECTION_KEYS` for a collection (``milvus:FILE#NAME``).
    """

    kind: str
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> ModelSpec:
        """Read the text form.

        Raises
        ------
        ParameterError
            When the text is no spec or holds a secret, or an option is unknown, empty or given twice.
        """
        if re.match(r"https?:", text) and re.search(r"@|[?&]token=", text):  # an @ of an option is written %40
            raise ParameterError(
                "A collection on a server must be written without token or password: the text is kept with the run. "
                "Got one with a secret. Leave it out and set EMBDIFF_STORE_TOKEN."
            )
        refuse_unwritable("A model", text)
        kind, _, name = text.partition("?")[0].strip().partition(":")
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", kind):
            raise ParameterError(
                f"A model must be written KIND:NAME, for example st:BAAI/bge-small-en-v1.5. Got {text!r}. "
                "Put a kind in front (st: for Hugging Face names and folders); 'embdiff models' lists the kinds."
            )
        of_collection = kind in ("milvus", "http", "https", "lancedb") and "#" in name
        service = kind in SERVICES
        # An empty prompt switches a model's own one off.
        _, options = read_options(
            text,
            "a model",
            COLLECTION_KEYS if of_collection else MODEL_KEYS,
            may_be_empty=("prompt", "query_prompt"),
            secret=service,  # perhaps a key, which no message may show
        )
        if service:
            _refuse_secrets(kind, options)
        return cls(kind, name, options)

    def refuse_options(self, besides: Collection[str] = (), also: Collection[str] = ()) -> None:
        """Refuse options that this kind of model would silently ignore: all but these, and what was read before.

        Raises
        ------
        ParameterError
            Naming the option and those that the kind takes.
        """
        for key in self.options:
            if key not in besides:
                known = f"be one of {', '.join((*besides, *also))}" if besides else "not be given: it takes none"
                raise ParameterError(f"An option of {self.kind} must {known}. Got {key} in '{self}'. Leave {key} out.")

    def refuse_name(self) -> None:
        """Refuse a name where the kind is the whole model."""
        if self.name:
            raise ParameterError(
                f"The model {self.kind} must be written without a name. Got '{self}'. Write {self.kind}, or "
                f"st:{self.name} for a model of that name."
            )

    def dimension(self, text: str, what: str, lowest: int = 1, highest: int = MOST_DIMENSIONS) -> int:
        """Return ``text``, a part of the model called ``what``, as an integer; by default a dimension Milvus can store.

        Raises
        ------
        ParameterError
            When it is no integer, or out of range.
        """
        if re.fullmatch(r"[0-9]{1,9}", text) and lowest <= int(text) <= highest:
            return int(text)
        raise ParameterError(
            f"{what} must be an integer between {lowest} and {highest}. Got {text!r} in '{self}'. "
            "Write a number in that range."
        )

    def __str__(self) -> str:
        return write_options(f"{self.kind}:{self.name}" if self.name else self.kind, self.options)


def _refuse_secrets(kind: str, options: Mapping[str, str]) -> None:
    """Refuse the text of a service that may hold a key: it is kept with the run, and seen in lists of processes."""
    address, variable = options.get("base_url", ""), options.get("key_from", "A")
    if re.search(r"[@?#]", address):
        raise ParameterError(
            f"base_url of {kind} must be the plain address of a service, such as http://127.0.0.1:8000/v1: the text is "
            "kept with the run. Got one with a user, a query or a fragment. Put a key into an environment variable "
            "and name it: &key_from=VARIABLE."
        )
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", variable):
        raise ParameterError(
            f"key_from of {kind} must name the environment variable that has the key, in capitals. Got something else, "
            "which is not shown: it may be the key. Write key_from=OPENAI_API_KEY, for example."
        )


_NO_SECRETS = ("db", "patience")  # of the options of a server


def without_secrets(uri: str) -> str:
    """Return the text form of a store as it may be shown and kept: without user and password, without the token.

    Options of a server that are no secret stay, so that the text names the same place. Where a question mark may be
    part of a password, which has to be percent-encoded, nothing is shown but the kind.
    """
    head, _, tail = uri.partition("?")
    kind, colon, place = head.partition(":")
    slashes = "//" if place.startswith("//") else ""
    if kind in ("milvus", "lancedb") and not slashes:
        return uri  # a path
    options = [part.partition("=") for part in tail.split("&")]
    public = place.removeprefix(slashes).rpartition("@")[2]
    within = re.fullmatch(r"[\w.-]*(:[0-9]*)?/?", public) is None or any(
        "@" in value or not equals for key, equals, value in options if key != "token"
    )
    if "@" in tail and within:
        return f"{kind}{colon}{slashes}"
    kept = {key: unquote(value) for key, _, value in options if key in _NO_SECRETS}
    return write_options(f"{kind}{colon}{slashes}{public}", kept)
