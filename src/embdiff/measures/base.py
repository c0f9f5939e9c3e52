"""What a measure is, the table of all measures, and their text form.

To add a measure: write its function, describe it in a `Measure` beside it, and add one line to ``_BUILT_IN`` (another
package: one entry point in the group ``embdiff.measures``). The property tests and the documentation follow from that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from embdiff._registry import Entry, Registry, nearest
from embdiff.errors import ParameterError, UnknownNameError

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
    "neighbors + qrels",
    "pairs + scores",
    "class labels",
]


@dataclass(frozen=True)
class Parameter:
    """A number that a measure takes in its text form, for example ``p`` of ``rbo(p=0.9)@10``; bounds are included."""

    default: float
    low: float
    high: float
    summary: str = ""


@dataclass(frozen=True)
class Measure:
    """Everything there is to say about a measure.

    Parameters
    ----------
    name : str
        As in the text form, without its parameters.
    function : callable
        Records and arrays in, one value per query (or a record) out.
    summary, formula : str
        One line each.
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
    undefined_when : str
        When the value is NaN (``null`` in files).
    chance : str
        The level that unrelated models reach.
    reference : str
        Where the definition comes from.
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
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    summary: str
    formula: str
    needs: Needs
    direction: str | None
    range: tuple[float, float]
    symmetric: bool
    invariances: tuple[str, ...]
    undefined_when: str
    chance: str
    reference: str
    cutoff: bool = True
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    scorer: Any = field(default=None, repr=False)
    best: float | None = None
    reported: bool = True
    exact_of: str | None = None
    tail: Callable[..., Any] | None = field(default=None, repr=False)
    usual_k: int = 10

    @property
    def defaults(self) -> dict[str, float]:
        """Every parameter at its default."""
        return {name: parameter.default for name, parameter in self.parameters.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, for the documentation and the listings; a bound without limit is ``null``."""
        plain = {key: value for key, value in vars(self).items() if key in _TOLD}
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
        inside = ",".join(f"{key}={value:.15g}" for key, value in self.parameters.items())
        return self.measure.name + (f"({inside})" if inside else "") + ("" if self.k is None else f"@{self.k}")

    def check_rows(self, rows: int, *, left_out: bool) -> None:
        """Refuse a k that a corpus of ``rows`` rows cannot fill; ``left_out``: a query's own row is not returned."""
        highest = rows - left_out
        if self.k is not None and self.k > highest:
            kept = ", a query's own row left out" if left_out else ""
            raise ParameterError(
                f"k of {self} must be between 1 and {highest} (the corpus has {rows} rows{kept}). Got {self.k}. "
                "Lower k or add rows."
            )


_BUILT_IN = (
    Entry("overlap", "embdiff.measures.overlap:OVERLAP", "share of the k neighbours that two lists have in common"),
    Entry("jaccard", "embdiff.measures.overlap:JACCARD", "common neighbours over all neighbours in either list"),
    Entry("exact_overlap", "embdiff.measures.overlap:EXACT_OVERLAP", "overlap of the exact neighbours"),
    Entry("exact_jaccard", "embdiff.measures.overlap:EXACT_JACCARD", "jaccard of the exact neighbours"),
    Entry("noise_index", "embdiff.measures.noise:NOISE_INDEX", "the same model again: returned against exact"),
    Entry("noise_float16", "embdiff.measures.noise:NOISE_FLOAT16", "the same model again: half precision"),
    Entry("noise_batch", "embdiff.measures.noise:NOISE_BATCH", "the same model again: queries encoded one by one"),
    Entry("rbo", "embdiff.measures.rbo:RBO", "rank-biased overlap: agreement at every depth, early ones weighing most"),
    Entry("rank_similarity", "embdiff.measures.rank:RANK_SIMILARITY", "how close the places of the common rows are"),
    Entry("kendall_tau", "embdiff.measures.rank:KENDALL_TAU", "whether the common rows stand in the same order"),
    Entry("spread", "embdiff.measures.spread:SPREAD", "how far the neighbours of one model went in the other"),
    Entry(
        "second_order_cosine",
        "embdiff.measures.second_order:SECOND_ORDER_COSINE",
        "cosine of the similarities to all neighbours in either list",
    ),
    Entry("self_retrieval", "embdiff.measures.retrieval:SELF_RETRIEVAL", "share of queries whose own row comes first"),
    Entry("index_recall", "embdiff.measures.retrieval:INDEX_RECALL", "share of the exact neighbours an index returned"),
    Entry("expected_hit", "embdiff.measures.retrieval:EXPECTED_HIT", "share of queries with an expected result"),
    Entry("mixing", "embdiff.measures.groups:MIXING", "which groups appear among the results of which"),
    Entry("group_presence", "embdiff.measures.absence:GROUP_PRESENCE", "how often a group is returned to other groups"),
    Entry("ndcg", "embdiff.measures.ranking:NDCG", "gain of the first k, discounted by place, over the best possible"),
    Entry("map", "embdiff.measures.ranking:MAP", "precision at the place of each relevant document, averaged"),
    Entry("mrr", "embdiff.measures.ranking:MRR", "1 / place of the first relevant document within k"),
    Entry("rr", "embdiff.measures.ranking:RR", "1 / place of the first relevant document"),
    Entry("recall", "embdiff.measures.ranking:RECALL", "share of the relevant documents among the first k"),
    Entry("precision", "embdiff.measures.ranking:PRECISION", "share of the first k that are relevant"),
    Entry("hit", "embdiff.measures.ranking:HIT", "share of queries with a relevant document among the first k"),
    Entry("spearman", "embdiff.measures.pairs:SPEARMAN", "rank correlation of similarity and score of pairs"),
    Entry("pearson", "embdiff.measures.pairs:PEARSON", "linear correlation of similarity and score of pairs"),
    Entry("auc", "embdiff.measures.pairs:AUC", "chance that a positive pair is more similar than a negative one"),
    Entry(
        "knn_accuracy", "embdiff.measures.classes:KNN_ACCURACY", "share of texts whose k neighbours vote their class"
    ),
    Entry(
        "probe_accuracy", "embdiff.measures.classes:PROBE_ACCURACY", "share that a logistic regression classifies right"
    ),
    Entry("silhouette", "embdiff.measures.classes:SILHOUETTE", "own class nearer than the nearest other class"),
    Entry("cka", "embdiff.measures.cka:CKA", "debiased linear CKA: how alike two spaces are, 0 for unrelated ones"),
    Entry("cka_biased", "embdiff.measures.cka:CKA_BIASED", "linear CKA as first published, high for few rows"),
    Entry("cknna", "embdiff.measures.cknna:CKNNA", "kernel alignment counted over shared neighbours only"),
    Entry("rsa", "embdiff.measures.rsa:RSA", "rank correlation of the distances in two spaces"),
    Entry("procrustes", "embdiff.measures.alignment_distance:PROCRUSTES", "distance left after the closest rotation"),
    Entry("shape_angle", "embdiff.measures.alignment_distance:SHAPE_ANGLE", "angle between two spaces as shapes"),
    Entry("svcca", "embdiff.measures.cca:SVCCA", "mean canonical correlation of the principal components"),
    Entry("pwcca", "embdiff.measures.cca:PWCCA", "canonical correlations weighted by the first space"),
    Entry("anisotropy", "embdiff.measures.shape_of_one:ANISOTROPY", "mean cosine of all pairs of rows"),
    Entry(
        "first_component", "embdiff.measures.shape_of_one:FIRST_COMPONENT", "share of the variance on the first axis"
    ),
    Entry("norm_spread", "embdiff.measures.shape_of_one:NORM_SPREAD", "how much the lengths of the rows vary"),
    Entry("uniformity", "embdiff.measures.shape_of_one:UNIFORMITY", "how evenly directions fill the sphere"),
    Entry("hubness", "embdiff.measures.hubs:HUBNESS", "skewness of how often a row is a neighbour of others"),
    Entry("orphans", "embdiff.measures.hubs:ORPHANS", "share of rows that are a neighbour of no other"),
    Entry(
        "intrinsic_dimension", "embdiff.measures.dimension:INTRINSIC_DIMENSION", "directions that the rows fill (TwoNN)"
    ),
)
_REGISTRY = Registry("measure", "embdiff.measures", _BUILT_IN)
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
    """Return every measure, sorted by name."""
    everything = {**_REGISTRY.load_all(), **_ADDED}
    return tuple(_checked(name, everything[name]) for name in sorted(everything))


def is_built_in(measure: Measure) -> bool:
    """Return whether a measure comes with embdiff: another package's code is not vouched for by embdiff's own."""
    return any(entry.name == measure.name for entry in _BUILT_IN)


def measures_for(*needs: str) -> tuple[Measure, ...]:
    """Return the measures that need one of these, in the order in which they are shown: built-in ones come first."""
    names = dict.fromkeys((*_REGISTRY.entries(), *_ADDED))
    return tuple(measure for measure in map(_load, names) if measure.needs in needs)


def get_measure(text: str) -> MeasureSpec:
    """Read the text form ``name``, ``name@k`` or ``name(parameter=value)@k``.

    Raises
    ------
    UnknownNameError
        For a measure or parameter that nobody registered.
    ParameterError
        For a k that is no integer from 1, a k where none is taken, or a parameter out of range.
    """
    head, at, after = text.strip().partition("@")
    match = re.fullmatch(r"\s*([A-Za-z0-9_-]+)\s*(?:\((.*)\))?\s*", head)
    name = match.group(1).lower() if match else head
    if match is None or not (name in _ADDED or name in _REGISTRY):
        raise UnknownNameError(
            f"A measure must be one of the registered names, for example overlap@10. Got {text!r}. "
            f"{nearest(name, {*_REGISTRY.entries(), *_ADDED})}"
        )
    measure = _load(name)
    return MeasureSpec(
        measure, _cutoff(measure, after, text) if at else None, _parameters(measure, match.group(2) or "", text)
    )


def _load(name: str) -> Measure:
    if name in _ADDED:
        return _ADDED[name]
    return _checked(name, _REGISTRY.load(name))


def _checked(name: str, measure: Any) -> Measure:
    if not isinstance(measure, Measure):
        raise ParameterError(
            f"The entry of the measure {name!r} must be an embdiff.measures.Measure. "
            f"Got {type(measure).__name__}. Mend its entry point."
        )
    return measure


def _cutoff(measure: Measure, value: str, text: str) -> int:
    if not measure.cutoff:
        raise ParameterError(f"{measure.name} must be written without @k. Got {text!r}. Write {measure.name}.")
    if not re.fullmatch(r"\s*[0-9]+\s*", value) or int(value) < 1:
        raise ParameterError(
            f"k of {text} must be an integer from 1. Got {value!r}. Write for example {measure.name}@10."
        )
    return int(value)


def _parameters(measure: Measure, inside: str, text: str) -> dict[str, float]:
    values = measure.defaults
    for part in filter(None, (piece.strip() for piece in inside.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in values:
            hint = nearest(key, values) if values else f"{measure.name} has no parameters."
            raise UnknownNameError(f"A parameter of {measure.name} must be known. Got {part!r} in {text!r}. {hint}")
        values[key] = _bounded(measure, key, value)
    return values


def _bounded(measure: Measure, key: str, value: str) -> float:
    parameter = measure.parameters[key]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not parameter.low <= number <= parameter.high:
        raise ParameterError(
            f"{key} of {measure.name} must be a number between {parameter.low:g} and {parameter.high:g}. "
            f"Got {value!r}. Write {measure.name}({key}={parameter.default:g})."
        )
    return number
