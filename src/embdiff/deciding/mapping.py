"""Whether the vectors of the model in use can be kept under another, mapped: held to the rules, and offered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from embdiff import exact
from embdiff.alignment import align
from embdiff.bulk.adapted import SAMPLE
from embdiff.bulk.old import scaled
from embdiff.comparison.relisted import labelled_scores, list_scores, relisted
from embdiff.comparison.work import Work
from embdiff.deciding.changing import model_of
from embdiff.deciding.choosing import drop_words, limit
from embdiff.deciding.measured import fall, ruling
from embdiff.decision import Action, Mapped, Reason, Ruling
from embdiff.errors import ParameterError
from embdiff.measures.base import get_measure
from embdiff.measures.rules import Rule, read_rule
from embdiff.measures.ruling import Settled, of_differences, of_score, settled, zone_of
from embdiff.own_rows import without_own
from embdiff.records import Answer, ElsewhereRows, FloatArray, Space
from embdiff.runs import Run
from embdiff.views.facts import Model

_ROWS, _SIMILARITIES = 50_000, 200_000_000  # more are left to `adapt`, which draws a sample: here it takes seconds
_FEW = 500  # rows for a map
_OPENING = {"pass": "The old vectors can be kept", "fail": "The old vectors cannot be kept"}
_BESIDE = {"pass": "no drop of more than", "fail": "more than"}


def mapped_old(run: Run, work: Work, current: str, model: str, rules: Sequence[Rule], error: float) -> Mapped | None:
    """Measure how well old vectors, mapped, stand in for encoding again; None where that takes long or has no map.

    Queries of the new model ask the old rows, each led over by a map that did not see it, and what they find is held
    against what they find among the rows encoded again: by the rules, each at the level 1 - error / m. Rows that may be
    asked as they are, in one space with the new ones, need no map; where both is looked at, each has half the error.

    Parameters
    ----------
    run, work : Run, Work
        The run, and the same with its vectors.
    current, model : str
        Whose vectors are there, and whose space they are led into.
    rules : sequence of Rule
        Of what labels say, or of the lists of two models.
    error : float
    """
    vectors = [work.encoded[name].documents for name in (current, model) if name in work.encoded]
    n, q = len(run.corpus), len(run.queries)
    if len(vectors) < 2 or not all(isinstance(each, np.ndarray) for each in vectors):
        return None
    if n > _ROWS or n * q > _SIMILARITIES:
        return None
    old, new = (np.asarray(each) for each in vectors)
    one_space = old.shape[1] == new.shape[1]
    held = partial(_held, run, work, (current, model), rules, error / (2 if one_space else 1))
    if one_space and (found := held(old, 0)).outcome == "pass":
        return found
    try:
        led, fitted = _led(old, new, run, (current, model))
    except ParameterError:  # too few rows, or one without a direction
        return None
    if Space(model, run.corpus.ids, new, work.encoded[model].stamp).normalized:
        led = scaled(led)
    return held(led, fitted)


def _held(
    run: Run, work: Work, models: tuple[str, str], rules: Sequence[Rule], error: float, rows: FloatArray, fitted: int
) -> Mapped:
    """Return what the queries of the second model find among other vectors of the rows, held to the rules."""
    current, model = models
    anew = next(each for each in run.answers if each.model == model)
    beside = _asked(work, rows, anew, f"{current} mapped" if fitted else f"{current} as it is")
    lists = replace(relisted(run), answers=(anew, beside), beside=())
    shared = list_scores(lists, get_measure(f"overlap@{run.config.k}"), model, beside.model)[0]
    found = tuple(_ruled(lists, rule, (beside.model, model), error / len(rules)) for rule in rules)
    return Mapped(models, fitted, run.config.k, shared.value, shared.low, shared.high, found)


def _led(old: FloatArray, new: FloatArray, run: Run, models: tuple[str, str]) -> tuple[FloatArray, int]:
    """Return the old vectors in the space of the new model, (n, e), and how many rows the map was fitted on."""
    rows = np.sort(np.random.default_rng(run.config.seed).permutation(len(old))[:SAMPLE])
    found = align(old[rows], new[rows], "ridge", metric=run.config.metric, seed=run.config.seed, models=models)
    led = found.whole(old)
    led[rows] = found.map(old[rows], np.arange(len(rows)))
    return led, len(rows)


def _asked(work: Work, rows: FloatArray, anew: Answer, name: str) -> Answer:
    """Return what the queries of a model find among other vectors of the rows, exactly."""
    own, k = work.inputs.own, work.config.k
    index = exact.Index(rows, work.config.metric)
    lists = without_own(index.search(work.asking(anew.model, anew.model), k + own.dropped), own, k)
    nothing = np.empty((len(lists.rows), 0), dtype=np.int64)
    none = ElsewhereRows(nothing, nothing, np.empty(nothing.shape, dtype=np.float32))
    return replace(
        anew, model=name, query_model=name, returned=lists, exact=lists, is_self=own.marked(lists.rows), elsewhere=none
    )


def _ruled(lists: Work, rule: Rule, models: tuple[str, str], error: float) -> Ruling:
    name, model = models
    if rule.drop:
        scores = {each.models[0]: each for each in labelled_scores(lists, rule.spec)}
        estimate = of_differences(fall(scores[model], scores[name]), rule.width, seed=lists.config.seed)
    else:
        estimate = of_score(list_scores(lists, rule.spec, model, name)[0])
    return ruling(rule, models, None, settled([estimate], [(rule.limit,)], error=error)[0])


def mapped_before(run: Run, current: str, model: str, rules: Sequence[Rule], error: float) -> Mapped | None:
    """Return what an earlier decision of the run measured of it, held to the rules of today; None where it did not."""
    changes = run.decision.changes if run.decision else ()
    found = next((each.mapped for each in changes if each.models == (current, model)), None)
    if found is None:
        return None
    before = [replace(read_rule(each.rule), limit=0.5) for each in found.rulings]
    levels = [1 - error / looks / len(rules) for looks in (1, 2)]
    if before != [replace(rule, limit=0.5) for rule in rules] or found.rulings[0].level not in levels:
        return None
    again = zip(rules, found.rulings, strict=True)
    return replace(found, rulings=tuple(_again(rule, each) for rule, each in again))


def _again(rule: Rule, each: Ruling) -> Ruling:
    if read_rule(each.rule) == rule:
        return each
    zone = zone_of(each.low, each.high, (rule.limit,))
    told = Settled(
        zone=zone, value=each.value, low=each.low, high=each.high, level=each.level, n=each.n, reason=each.reason
    )
    return ruling(rule, each.models, each.query_model, told)


def kept_words(found: Mapped) -> Reason:
    """Say whether the old vectors can be kept, and by which figures."""
    how = f"mapped into the space of {found.models[1]}" if found.fitted else f"asked by {found.models[1]} as they are"
    told = [f"{how}, they find {_shared(found)}"]
    for each in found.rulings:
        rule = read_rule(each.rule)
        beside = _BESIDE.get(each.outcome, "about the limit of")
        told.append(
            f"{drop_words(each)}, {beside} {limit(each)}" if rule.drop else f"{found.k * rule.limit:.3g} are wanted"
        )
    told += (
        [f"{found.fitted:,} rows are few to fit a map on"] if found.fitted < _FEW and found.outcome != "pass" else []
    )
    opening = _OPENING.get(found.outcome, "Whether the old vectors can be kept cannot be told")
    return Reason(f"{opening}: {'; '.join(told)}.", "mapped")


def _shared(found: Mapped) -> str:
    value, low, high = (found.k * each for each in (found.shared, found.low, found.high))
    within = "" if math.isnan(low) else f" (95 % {low:.1f} to {high:.1f})"
    return f"{value:.1f} of the {found.k} neighbours that encoding again finds{within}"


def _encodes_any_text(told: Model) -> bool:
    done, stamp = told.encoding, told.stamp
    return done is not None and done.joined is None and stamp is not None and stamp.fitted_on is None


def adapting(run: Run, current: str, model: str, found: Mapped | None) -> list[Action]:
    """Offer to keep the old vectors where that is good enough, or to measure it where it was not.

    Vectors that came from a file or a collection, and models that learn from the corpus, encode no sample, which
    `adapt` needs.
    """
    if found is not None and not found.fitted:
        return [Action("Or keep the old vectors as they are, and ask them with it.")]
    if not all(_encodes_any_text(model_of(run, name)) for name in (current, model)):
        return []
    names = [run.config.aliases.get(name, name) for name in (current, model)]
    command = f"embdiff adapt STORE --from {names[0]} --to {names[1]}"
    if found is None:
        told = "Or see whether the old vectors, mapped, would do (STORE: your collection)."
        return [Action(told, f"{command} --dry-run")]
    if found.outcome != "pass":
        return []
    told = (
        "Or keep the old vectors, mapped (STORE: your collection): only a sample is encoded again. Cut-offs are others."
    )
    return [Action(told, command)]
