"""The settings of a run, the text forms of models, indexes and stores, and every default, once."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embdiff._registry import nearest
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.records import Metric

MODEL_KEYS = ("revision", "dim", "prompt", "query_prompt", "backend", "precision", "trust_remote_code", "queries")
# Of collections that others made, read in the place of a model.
COLLECTION_KEYS = ("vector", "id", "text", "group", "encoder", "db")
_DATABASES = ("milvus", "http", "https")
_MAY_BE_EMPTY = ("prompt", "query_prompt")  # an empty prompt switches a model's own one off
METRICS: tuple[Metric, ...] = get_args(Metric)

SAMPLE_ABOVE = 20_000  # rows: above, ``all`` asks a random sample of them unless told otherwise
SAMPLE_SIZE = 5_000  # queries of such a sample: at worst within .014 of what every row would give
PILOT = 500  # queries that tell how many a half-width needs

Emptiness = Literal["refuse", "keep", "drop"]
SelfMatches = Literal["auto", "keep", "drop"]
Baseline = Literal["beside", "named", "none"]


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
        Keys of `MODEL_KEYS`, or of `COLLECTION_KEYS` for a collection (``milvus:FILE#NAME``); values may be
        percent-encoded in the text form.
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
            When the text is no spec, or an option is unknown, empty or given twice.
        """
        _refuse_secrets(text)
        head, _, tail = text.partition("?")  # the tail is kept to the last blank: prompts often end in one
        kind, _, name = head.strip().partition(":")
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", kind):
            raise ParameterError(
                f"A model must be written KIND:NAME, for example st:BAAI/bge-small-en-v1.5. Got {text!r}. "
                "Put a kind in front (st: for Hugging Face names and folders); 'embdiff models' lists the kinds."
            )
        options: dict[str, str] = {}
        for part in filter(None, tail.split("&")):
            key, equals, value = part.partition("=")
            known = COLLECTION_KEYS if kind in _DATABASES and "#" in name else MODEL_KEYS
            if key not in known:
                raise UnknownNameError(
                    f"An option of a model must be one of {', '.join(known)}. "
                    f"Got {key!r} in {text!r}. {nearest(key, known)}"
                )
            if not equals or (not value and key not in _MAY_BE_EMPTY) or key in options:
                raise ParameterError(
                    f"An option of a model must be written key=value, once. Got {part!r} in {text!r}. "
                    f"Write {key}=VALUE."
                )
            options[key] = unquote(value)
        return cls(kind, name, options)

    def __str__(self) -> str:
        head = f"{self.kind}:{self.name}" if self.name else self.kind
        tail = "&".join(f"{key}={quote(value, safe='/:,. ')}" for key, value in self.options.items())
        return f"{head}?{tail}" if tail else head


def _refuse_secrets(text: str) -> None:
    """Refuse a server's address with a token or a password: models are written into run folders."""
    if re.match(r"https?:", text) and re.search(r"//[^/?#]*@|[?&]token=", text):
        raise ParameterError(
            "A collection on a server must be written without token or password: the text is kept with the run. Got "
            "one with a secret. Leave it out and set EMBDIFF_STORE_TOKEN."
        )


# name → {parameter: (default, lowest, highest)}; the bounds are those Milvus documents for each index.
INDEXES: Mapping[str, Mapping[str, tuple[int, int, int]]] = {
    "flat": {},
    "ivf_flat": {"nlist": (128, 1, 65_536), "nprobe": (8, 1, 65_536)},
    "ivf_sq8": {"nlist": (128, 1, 65_536), "nprobe": (8, 1, 65_536)},
    "hnsw": {"M": (16, 2, 2_048), "efConstruction": (200, 8, 4_096), "ef": (64, 1, 32_768)},
    "autoindex": {},
}
SEARCH_PARAMETERS = ("nprobe", "ef")


@dataclass(frozen=True)
class IndexSpec:
    """An index in text form: ``flat``, ``ivf_flat(nlist=4,nprobe=2)``, ``hnsw(M=16,ef=64)``.

    Parameters
    ----------
    name : str
        A key of `INDEXES`.
    params : mapping of str to int
        Every parameter of the index, defaults filled in.
    """

    name: str
    params: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> IndexSpec:
        """Read the text form, fill in defaults, and check every bound.

        Raises
        ------
        UnknownNameError
            For an unknown index or parameter.
        ParameterError
            For a parameter that is no integer, or out of range.
        """
        match = re.fullmatch(r"\s*([A-Za-z0-9_]+)\s*(?:\((.*)\))?\s*", text)
        name = match.group(1).lower() if match else text
        if match is None or name not in INDEXES:
            raise UnknownNameError(
                f"An index must be one of {', '.join(INDEXES)}. Got {text!r}. {nearest(name, INDEXES)}"
            )
        known = INDEXES[name]
        params = {key: bounds[0] for key, bounds in known.items()}
        for part in filter(None, (piece.strip() for piece in (match.group(2) or "").split(","))):
            key, _, value = (piece.strip() for piece in part.partition("="))
            if key not in known:
                hint = nearest(key, known) if known else f"{name} has no parameters."
                raise UnknownNameError(f"A parameter of {name} must be known. Got {part!r} in {text!r}. {hint}")
            params[key] = _bounded(name, key, value, known[key])
        if "nprobe" in params and params["nprobe"] > params["nlist"]:
            raise ParameterError(
                f"nprobe of {name} must be at most nlist. Got nprobe={params['nprobe']} and nlist={params['nlist']}. "
                "Lower nprobe or raise nlist."
            )
        return cls(name, params)

    def check_rows(self, rows: int, k: int) -> None:
        """Refuse parameters that do not fit a corpus of ``rows`` rows searched for ``k`` neighbours."""
        if self.params.get("nlist", 0) > rows:
            raise ParameterError(
                f"nlist of {self.name} must be at most the number of rows. Got nlist={self.params['nlist']} for "
                f"{rows} rows. Lower nlist or use the index flat."
            )
        if self.params.get("ef", k) < k:
            raise ParameterError(
                f"ef of {self.name} must be at least the number of neighbours searched. "
                f"Got ef={self.params['ef']} for {k} neighbours. Raise ef or lower k."
            )

    @property
    def build_params(self) -> dict[str, int]:
        """The parameters that shape the index when it is built."""
        return {key: value for key, value in self.params.items() if key not in SEARCH_PARAMETERS}

    @property
    def search_params(self) -> dict[str, int]:
        """The parameters given with each search."""
        return {key: value for key, value in self.params.items() if key in SEARCH_PARAMETERS}

    def __str__(self) -> str:
        inside = ",".join(f"{key}={value}" for key, value in self.params.items())
        return f"{self.name}({inside})" if inside else self.name


def _bounded(index: str, key: str, value: str, bounds: tuple[int, int, int]) -> int:
    _, low, high = bounds
    if re.fullmatch(r"[+-]?\d+", value) and low <= int(value) <= high:
        return int(value)
    raise ParameterError(
        f"{key} of {index} must be an integer between {low} and {high}. Got {value!r}. Write {index}({key}={low})."
    )


def check_metric(name: str) -> Metric:
    """Return the metric called ``name`` ("dot" means ip), or raise `UnknownNameError`."""
    wanted = {"dot": "ip"}.get(name.lower(), name.lower())
    for metric in METRICS:
        if metric == wanted:
            return metric
    raise UnknownNameError(f"A metric must be one of {', '.join(METRICS)}. Got {name!r}. {nearest(name, METRICS)}")


def worst_case(queries: int, rows: int) -> float:
    """Return the half-width of the 95 % interval of a mean in [0, 1] over ``queries`` of ``rows``, at the very worst.

    No value in [0, 1] has a standard deviation above 1/2.
    """
    return 1.959964 * 0.5 / math.sqrt(queries) * math.sqrt(max(0.0, 1.0 - queries / rows))


def worst_case_queries(half_width: float, rows: int) -> int:
    """Return the fewest queries of ``rows`` whose `worst_case` is at most ``half_width``."""
    endless = (1.959964 * 0.5 / half_width) ** 2
    return min(rows, math.ceil(endless / (1.0 + endless / rows)))


class RunConfig(BaseModel):
    """All settings of one comparison; ``run.toml`` is this and nothing else.

    Parameters
    ----------
    data : str or None
        File the corpus was read from; None when it was given as a Python list.
    models : tuple of str
        Models with a collection each, as typed.
    query_models : tuple of str
        Models whose vectors query every collection; empty when each model queries its own only.
    queries : str
        ``all`` (every row, itself left out), ``every`` (every row as a given query), ``first:N``, ``rows:3,7``,
        a file, or ``list`` when given from Python.
    k : int
        Neighbours per query.
    metric, index, store : str
        Text forms; ``store=""`` is Milvus Lite in the run folder.
    self_matches : {"auto", "keep", "drop"}
        Whether a query's own row stays in its result. ``auto``: dropped by row when every row queries, kept and
        marked for given queries.
    empty : {"refuse", "keep", "drop"}
        What to do with rows without text.
    text_column, id_column, group_column : str or None
        Name or 0-based position of a column.
    groups : str or None
        ``list`` when groups were given from Python.
    expected : str or None
        File of expected results, ``list`` when given from Python.
    sample : str
        How many rows query when all are to: ``all``, a number, or ``auto``: all of up to 20,000, else 5,000.
    memory : str or None
        What vectors may take, for example ``4GiB``: half of it to keep vectors in, half to search in those that stay
        in their files (``vectors:``). None for no limit.
    half_width : float or None
        Half-width of the 95 % interval of overlap that the sample is made large enough for.
    measures : tuple of str
        Measures of agreement in their text form; without @k, the k of the run is meant.
    baseline : {"beside", "named", "none"}
        Whether bm25 stands beside the models: where it is installed, because it was named among the models, or not.
    permutations : int
        Permutations of the group test.
    calibrate : int
        Random orders of the rows that agreement and geometry are compared with; 0 for none.
    seed : int
        Seed of every random number.
    cache : str
        Where vectors are kept, as typed; "" is the default.
    layout : {"pca", "umap", "none"}
        How the maps of the report are made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str | None = None
    models: tuple[str, ...] = ()
    query_models: tuple[str, ...] = ()
    queries: str = "all"
    k: int = Field(default=10, ge=1)
    metric: str = "cosine"
    index: str = "flat"
    store: str = ""
    self_matches: SelfMatches = "auto"
    empty: Emptiness = "refuse"
    text_column: str | None = None
    id_column: str | None = None
    group_column: str | None = None
    groups: Literal["list"] | None = None
    expected: str | None = None
    sample: str = Field(default="auto", pattern=r"^(auto|all|[1-9][0-9]{0,11})$")
    memory: str | None = None
    half_width: float | None = Field(default=None, ge=0.001, lt=0.5)
    measures: tuple[str, ...] = ()
    baseline: Baseline = "beside"
    permutations: int = Field(default=9_999, ge=99, le=1_000_000)
    calibrate: int = Field(default=0, ge=0, le=100_000)
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    cache: str = ""
    layout: Literal["pca", "umap", "none"] = "pca"

    @classmethod
    def checked(cls, **settings: Any) -> RunConfig:
        """Build a configuration; say in one message all that is wrong.

        Raises
        ------
        ParameterError
            When a setting is unknown, of the wrong type or out of range.
        """
        try:
            return cls(**settings)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}, got {item['input']!r}" for item in error.errors()
            )
            raise ParameterError(f"Settings must be valid. Got {wrong}. Mend these and run again.") from None

    def to_toml(self) -> str:
        """Return the text of ``run.toml``; settings that are None are left out."""
        import tomli_w

        return tomli_w.dumps({key: value for key, value in self.model_dump(mode="json").items() if value is not None})

    @classmethod
    def from_toml(cls, path: Path) -> RunConfig:
        """Read a ``run.toml``.

        Raises
        ------
        DataError
            When the file is missing or no TOML.
        ParameterError
            When a setting in it does not hold.
        """
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"The configuration must exist. Got {path}, which does not. Check the path.") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError(f"A configuration must be a UTF-8 TOML file. Got {path}: {error}. Mend the file.") from None
        return cls.checked(**settings)
