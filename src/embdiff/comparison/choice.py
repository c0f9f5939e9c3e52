"""Which measures a comparison reports, and whether bm25 stands beside the models: checked before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from embdiff._optional import require
from embdiff.errors import ParameterError
from embdiff.lexical import BM25
from embdiff.measures import MeasureSpec, get_measure
from embdiff.measures.base import measures_for
from embdiff.settings import Baseline

AGREEMENT_NEEDS = ("two neighbors", "two ordered neighbors", "ranks in the other space", "two spaces + neighbors")
_EVALUATE = "It belongs to labelled data: use 'embdiff evaluate'."
_BY_ITSELF = "Leave it out: a comparison reports it by itself where the data allow it."
_WHERE = {
    "neighbors + qrels": "Give expected results as well (--expected), or use 'embdiff evaluate'.",
    "pairs + scores": _EVALUATE,
    "class labels": _EVALUATE,
}


def chosen_measures(texts: Sequence[Any], k: int, *, expected: bool) -> tuple[str, ...]:
    """Return the text forms of the measures, defaults of their parameters filled in.

    Parameters
    ----------
    texts : sequence of str
        As typed, by default every registered measure of agreement; without ``@k`` one is taken at the k of the run.
    k : int
        Of the run.
    expected : bool
        Whether there are expected results: measures of judged documents can be had then.

    Raises
    ------
    ParameterError
        When a measure cannot be had in a comparison, is taken deeper than the run searches, or is named twice.
    UnknownNameError
        For an unknown measure or parameter.
    """
    specs = [get_measure(str(text)) for text in texts or _usual()]
    for spec in specs:
        _check(spec, k, expected)
    resolved = [str(MeasureSpec(spec.measure, spec.k or k, spec.parameters)) for spec in specs]
    twice = sorted({text for text in resolved if resolved.count(text) > 1})
    if twice:
        raise ParameterError(f"Every measure must be named once. Got {', '.join(twice)} more than once. Drop one.")
    return tuple(map(str, specs))


def _usual() -> list[str]:
    """Return what a comparison says of two neighbour lists, in the order in which it is shown."""
    measures = [each for each in measures_for(*AGREEMENT_NEEDS) if each.reported]
    return [str(MeasureSpec(each, None, each.defaults)) for each in measures]


def _check(spec: MeasureSpec, k: int, expected: bool) -> None:
    needs = spec.measure.needs
    if needs not in AGREEMENT_NEEDS and not (expected and needs == "neighbors + qrels"):
        where = _WHERE.get(needs, _BY_ITSELF)
        raise ParameterError(
            f"A measure chosen for a comparison must be of two models' neighbours. Got {spec}, which needs {needs}. "
            f"{where}"
        )
    if spec.k is not None and spec.k > k:
        raise ParameterError(
            f"k of a measure must be at most the k of the run, {k}. Got {spec}. Raise the k of the run (-k), or lower "
            "that of the measure."
        )


def chosen_baseline(given: Any, named: bool) -> Baseline:
    """Return whether bm25 stands beside the models.

    Parameters
    ----------
    given : bool, str of `embdiff.settings.Baseline`, or None
        As asked; None means not given.
    named : bool
        Whether bm25 is among the models.

    Raises
    ------
    ParameterError
        When it is named and left out at once, or for any other word.
    MissingDependencyError
        When it is named and not installed.
    """
    if given is not None and given not in (True, False, *get_args(Baseline)):
        raise ParameterError(
            f"baseline must be True, False, or one of {', '.join(get_args(Baseline))}. Got {given!r:.60}. Take one."
        )
    if named and given in (False, "none"):
        raise ParameterError(
            "bm25 must be either among the models or left out. Got both. Drop -m bm25 or --no-baseline."
        )
    if named or given == "named":
        require("bm25s", BM25, "The model bm25")
        return "named"
    return "none" if given in (False, "none") else "beside"
