"""What a measure is, the table of all measures, and their text form.

To add a measure: write its function, describe it in a `Measure` beside it, and add its name to ``_BUILT_IN`` (another
package: one entry point in the group ``embdiff.measures``). The property tests and the documentation follow from that.
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Self

from embdiff._registry import Entry, Registry, nearest, unusable
from embdiff._settings import typed
from embdiff.errors import ParameterError, PluginError, PluginWarning, UnknownNameError
from embdiff.specs import Parameter as Parameter
from embdiff.specs import read_parameters, split_named, write_named

Needs = Literal[
    "two neighbors",
    "the same model again",
    "two ordered neighbors",
    "ranks in the other space",
    "two spaces + neighbors",
    "two spaces",
    "two neighbors of every row",
    "one space",
    "one space + neighbors",
    "neighbors of every row",
    "neighbors + own rows",
    "returned + exact neighbors",
    "neighbors + expected rows",
    "neighbors + groups",
    "neighbors + own group",
    "neighbors + qrels",
    "pairs + scores",
    "class labels",
    "parallel texts",
    "images + texts",
]


# Where a docstring in NumPy style says it; of ``summary`` the first line, less "Return, per query, the" and a formula.
_SAID = {
    "summary": r"\A(?:Return,? (?:per \w+, )?(?:the )?)?(.+?)(?:: ``.*)?\.?$",
    "formula": r"``(.+?)``",
    "undefined_when": r"\bNaN\s+when\s+(.+?)\.(?:\s|\Z)",
    "chance": r"^By chance,? (?:the )?(.+?)\.?(?:\n\n|\Z)",
    "reference": r"^References\n-+\n(.+?)\.?(?:\n\n|\Z)",
}


@cache
def _said(function: Callable[..., Any]) -> dict[str, str]:
    """Return what the name and the docstring of a function say of its measure; "" where they say nothing."""
    text = inspect.cleandoc(function.__doc__ or "")
    found = {part: re.search(pattern, text, re.DOTALL | re.MULTILINE) for part, pattern in _SAID.items()}
    said = {part: " ".join(match.group(1).split()) if match else "" for part, match in found.items()}
    return {"name": getattr(function, "__name__", ""), **said}


class _Said:
    """A text of a measure: as it was given, else what its function says."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, measure: Measure | None, owner: type) -> str:
        return "" if measure is None else vars(measure)[self._name] or _said(measure.function)[self._name]

    def __set__(self, measure: Measure, text: str) -> None:
        vars(measure)[self._name] = text


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Everything there is to say about a measure.

    Its texts need not be given where the docstring of its function, in NumPy style, says them.

    Parameters
    ----------
    function : callable
        Records and arrays in, one value per query (or a record) out.
    name : str
        As in the text form, without its parameters. By default that of the function.
    summary : str
        One line. By default the first one of the docstring, without "Return, per query, the".
    formula : str
        By default what stands first between double backticks.
    undefined_when : str
        When the value is NaN (``null`` in files). By default the sentence that follows "NaN when".
    chance : str
        The level that unrelated models reach. By default the paragraph that begins with "By chance".
    reference : str
        Where the definition comes from. By default the section "References".
    needs : str
        What the function takes, one of `Needs`.
    direction : str or None
        What a higher value means; None when neither way means anything.
    range : tuple of float
        Lowest and highest value possible.
    symmetric : bool
        Whether exchanging the two inputs changes nothing.
    invariances : tuple of str
        Changes of the vectors or lists that change nothing.
    cutoff : bool
        Whether it is taken at a ``@k``.
    parameters : mapping of str to Parameter
        Its other parameters.
    scorer : Scorer, optional
        Its chance level and its interval (`embdiff.measures.score`); the usual ones for what it needs when None.
    best : float, optional
        The value of two models that agree fully. None: it is not compared with shuffled rows.
    reported : bool
        Whether a comparison reports it where the data allow it, without being asked.
    exact_of : str, optional
        The measure that this one is, taken of exact neighbours: reported beside it where an index loses some.
    tail : callable, optional
        Returns, of the same lists, a record with ``value``, ``low`` and ``high``: what the unseen rest leaves open.
    usual_k : int
        Depth at which `evaluate` takes it.
    ties : bool
        Whether the function counts neighbours that are equally near with their chances to be listed. If not, it is
        averaged over orders of these drawn at random (`embdiff.measures.ties`).
    """

    function: Callable[..., Any] = field(repr=False)
    name: _Said = _Said()
    summary: _Said = _Said()
    formula: _Said = _Said()
    undefined_when: _Said = _Said()
    chance: _Said = _Said()
    reference: _Said = _Said()
    needs: Needs
    direction: str | None
    range: tuple[float, float]
    symmetric: bool
    invariances: tuple[str, ...]
    cutoff: bool = True
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    scorer: Any = field(default=None, repr=False)
    best: float | None = None
    reported: bool = True
    exact_of: str | None = None
    tail: Callable[..., Any] | None = field(default=None, repr=False)
    usual_k: int = 10
    ties: bool = False

    @property
    def defaults(self) -> dict[str, float]:
        """Every parameter at its default."""
        return {name: parameter.default for name, parameter in self.parameters.items()}

    def variant(self, **changes: Any) -> Self:
        """Return a measure like this one but for the changes; what docstrings say is what that of its function says."""
        return type(self)(**{**vars(self), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, for the documentation and the listings; a bound without limit is ``null``."""
        plain = {key: getattr(self, key) for key in _TOLD}
        plain["range"] = [bound if math.isfinite(bound) else None for bound in self.range]
        plain["invariances"] = list(self.invariances)
        return {**plain, "parameters": {name: vars(parameter) for name, parameter in self.parameters.items()}}


# What documentation and listings say of a measure, in this order.
_TOLD = (
    "name", "summary", "formula", "needs", "direction", "range", "symmetric", "invariances", "undefined_when", "chance",
    "reference", "cutoff",
)  # fmt: skip


@dataclass(frozen=True)
class MeasureSpec:
    """A measure with its parameters; ``str`` gives the text form back.

    Parameters
    ----------
    measure : Measure
    k : int or None
        What stands after ``@``; None when nothing does (then the k of the run is meant).
    parameters : mapping of str to float
        Every parameter of the measure, defaults filled in.
    """

    measure: Measure
    k: int | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return write_named(self.measure.name, self.parameters, self.k)

    def check_rows(self, rows: int, *, left_out: bool) -> None:
        """Refuse a k that a corpus of ``rows`` rows cannot fill; ``left_out``: a query's own row is not returned."""
        highest = rows - left_out
        if self.k is not None and self.k > highest:
            kept = ", a query's own row left out" if left_out else ""
            raise ParameterError(
                f"k of {self} must be between 1 and {highest} (the corpus has {rows} rows{kept}). Got {self.k}. "
                "Lower k or add rows."
            )


# The modules of this room and their measures, in the order in which they are shown; each stands there in capitals.
_BUILT_IN = {
    "overlap": ("overlap", "jaccard", "exact_overlap", "exact_jaccard"),
    "noise": ("noise_index", "noise_float16", "noise_batch"),
    "rbo": ("rbo",),
    "rank": ("rank_similarity", "kendall_tau"),
    "spread": ("spread", "second_order_cosine"),
    "retrieval": ("self_retrieval", "index_recall", "expected_hit"),
    "same_group": ("same_group", "same_group_reached"),
    "mixing": ("mixing",),
    "groups": ("group_presence",),
    "ranking": ("ndcg", "map", "mrr", "rr", "recall", "precision", "hit"),
    "pairs": ("spearman", "pearson", "auc"),
    "classes": ("knn_accuracy", "probe_accuracy", "silhouette"),
    "bitext": ("bitext", "right_found", "left_found"),
    "cka": ("cka", "cka_biased", "cknna"),
    "rsa": ("rsa",),
    "cca": ("procrustes", "shape_angle", "svcca", "pwcca"),
    "shape_of_one": ("anisotropy", "first_component", "norm_spread", "uniformity"),
    "hubs": ("hubness", "orphans"),
    "dimension": ("intrinsic_dimension",),
    "modality": ("modality_gap",),
}
_ENTRIES = [
    Entry(name, f"embdiff.measures.{module}:{name.upper()}", "")
    for module, names in _BUILT_IN.items()
    for name in names
]
_REGISTRY = Registry("measure", "embdiff.measures", _ENTRIES)
_ADDED: dict[str, Measure] = {}


def register(measure: Measure) -> Measure:
    """Add a measure to this process and return it.

    Raises
    ------
    ParameterError
        When the name is taken, or cannot be written in a text form.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", measure.name):
        raise ParameterError(
            f"The name of a measure must be lower-case letters, digits and _. Got {measure.name!r}. Rename it."
        )
    if measure.name in _ADDED or measure.name in _REGISTRY:
        raise ParameterError(f"The name of a measure must be new. Got {measure.name!r}, which exists. Rename it.")
    _ADDED[measure.name] = measure
    return measure


def list_measures() -> tuple[Measure, ...]:
    """Return every measure, sorted by name; those of other packages that cannot be used are left out with a warning."""
    return tuple(_usable(sorted(_names())))


def is_built_in(measure: Measure) -> bool:
    """Return whether a measure comes with embdiff: another package's code is not vouched for by embdiff's own."""
    return any(entry.name == measure.name for entry in _ENTRIES)


def measures_for(*needs: str) -> tuple[Measure, ...]:
    """Return the measures that need one of these, in the order in which they are shown: built-in ones come first."""
    return tuple(measure for measure in _usable(_names()) if measure.needs in needs)


def _usable(names: Iterable[str]) -> Iterator[Measure]:
    """Yield measures; one of another package that cannot be used ends nothing that does not ask for it."""
    for name in names:
        try:
            yield _load(name)
        except PluginError as error:
            _tell_once(f"A measure is left out. {error}")


@cache  # Python's own memory of warnings is lost whenever a library catches some
def _tell_once(text: str) -> None:
    warnings.warn(text, PluginWarning, stacklevel=2)


@typed
def get_measure(text: str) -> MeasureSpec:
    """Read the text form ``name``, ``name@k`` or ``name(parameter=value)@k``.

    Raises
    ------
    UnknownNameError
        For a measure or parameter that nobody registered.
    ParameterError
        For a k that is no integer from 1, a k where none is taken, or a parameter out of range.
    """
    name, inside, k = split_named(text)
    if not (name in _ADDED or name in _REGISTRY):
        raise UnknownNameError(
            f"A measure must be one of the registered names, for example overlap@10. Got {text!r}. "
            f"{nearest(name, _names())}"
        )
    measure = _load(name)
    parameters = read_parameters(measure.name, inside, measure.parameters, text)
    return MeasureSpec(measure, None if k is None else _cutoff(measure, k, text), parameters)


def _names() -> dict[str, None]:
    return dict.fromkeys((*_REGISTRY.entries(), *_ADDED))


def _load(name: str) -> Measure:
    measure = _ADDED[name] if name in _ADDED else _REGISTRY.load(name)
    if not isinstance(measure, Measure):
        raise unusable("measure", _REGISTRY.entry(name), f"{type(measure).__name__}, no embdiff.measures.Measure")
    return measure


def _cutoff(measure: Measure, value: str, text: str) -> int:
    if not measure.cutoff:
        raise ParameterError(f"{measure.name} must be written without @k. Got {text!r}. Write {measure.name}.")
    if not re.fullmatch(r"\s*0*[1-9][0-9]{0,8}\s*", value):
        raise ParameterError(
            f"k of {text} must be an integer from 1. Got {value!r}. Write for example {measure.name}@10."
        )
    return int(value)
