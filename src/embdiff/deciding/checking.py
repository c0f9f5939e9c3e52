"""check(): do models keep to rules? Pass, fail, or inconclusive, each on its interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embdiff._settings import typed
from embdiff.comparison import compare, load
from embdiff.comparison.relisted import refuse_unlike
from embdiff.comparison.settings import Inputs
from embdiff.deciding.earlier import Earlier, looked_at
from embdiff.deciding.measured import Measured
from embdiff.deciding.pairing import pairs, refuse_settings, refuse_unfit
from embdiff.decision import Check, worst
from embdiff.errors import ParameterError
from embdiff.measures.rules import Rule, read_rule
from embdiff.measures.statistics.power import ALPHA
from embdiff.runs import Run, is_run
from embdiff.views.decided import checked
from embdiff.views.shown import Shown
from embdiff.views.table import Part
from embdiff.views.words import title


class Checked(Shown, Check):
    """Whether models keep to rules; see `embdiff.decision.Check`. Shown it is what the terminal says."""

    def drawn(self, *, everything: bool = False) -> Sequence[Part]:
        """Return what a terminal shows: on one screen, or everything."""
        return checked(self, everything=everything)


@typed
def check(
    data: Any,
    models: Sequence[Any] | None = None,
    *,
    fail_if: Sequence[str],
    against: str | Path | None = None,
    current: str | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> Checked:
    """Say whether models keep to rules: pass, fail, or inconclusive, and how many more queries would tell.

    Parameters
    ----------
    data : path, list of str, or anything `compare` takes
        A corpus, which is compared first; or a run folder, whose lists are there.
    models : sequence of str or Encoder, optional
        As for `compare`; of a run folder all of its models.
    fail_if : sequence of str
        Rules that are broken where they hold: ``"overlap@10 < 0.6"``, ``"ndcg@10 drop > 0.02"``. A drop is the mean
        difference on the same queries.
    against : path, optional
        An earlier run of the same rows and queries, whose models these are held against.
    current : str, optional
        The model that the others are held against. By default the first; of an earlier run the one of the same name.
    out : path, optional
        Run folder to write.
    **options
        As for `compare`.

    Returns
    -------
    Check

    Raises
    ------
    EmbdiffError
        For rules that the data cannot be held to, before anything is encoded, and whatever `compare` raises.

    Notes
    -----
    A rule is broken, or kept, where its interval lies on one side of the limit as a whole. The level of the intervals
    follows from Holm's method over all rules and models: the chance that any ruling is wrong is at most 5 %.
    """
    rules = read_rules(fail_if)
    earlier = None if against is None else Earlier.at(against)
    then, label = (earlier.run, earlier.label) if earlier else (None, "")
    run = _run(data, models, rules, earlier, current, out, options)
    with run.origin.reading():
        found = Measured(run, then, label, current)
        rulings = found.rulings([rule.at(found.work.config.k) for rule in rules], error=ALPHA)
    besides = f", against {label}" if then else ""
    notes = tuple(dict.fromkeys(f"{each.rule}: {each.reason}." for each in rulings if each.reason))
    return Checked(worst(rulings), title(run) + besides, ALPHA, rulings, notes)


def read_rules(texts: Sequence[str]) -> list[Rule]:
    """Return the rules, each once.

    Raises
    ------
    ParameterError
        When there is none, or one twice.
    """
    if isinstance(texts, str):
        raise ParameterError(f"Rules must be a list. Got the text {texts[:60]!r}. Write [{texts[:60]!r}].")
    if not texts:
        raise ParameterError(
            'A check needs a rule. Got none. Write one with --fail-if (fail_if=), for example "overlap@10 < 0.6".'
        )
    rules = [read_rule(str(text)) for text in texts]
    twice = [str(rule) for at, rule in enumerate(rules) if rule in rules[:at]]
    if twice:
        raise ParameterError(f"Every rule must stand once. Got {twice[0]} twice. Drop one.")
    return rules


def _run(
    data: Any, models: Any, rules: Sequence[Rule], earlier: Earlier | None, current: str | None,
    out: str | Path | None, options: dict[str, Any],
) -> Run:  # fmt: skip
    """Return the run that is checked; what cannot be is refused before anything is encoded."""
    if isinstance(data, str | Path) and is_run(Path(data)):
        refuse_settings({**options, "models": models, "out": out}, data)
        run = load(data).run
        _refuse(rules, Inputs.of(run), run.config.models, run.config.k, bool(run.config.query_models), earlier, current)
        return run
    config, inputs = looked_at(data, models, options)
    _refuse(rules, inputs, config.models, config.k, bool(config.query_models), earlier, current)
    return compare(data, models, out=out, **options).run


def _refuse(
    rules: Sequence[Rule], inputs: Inputs, models: Sequence[str], k: int, crossed: bool, earlier: Earlier | None,
    current: str | None,
) -> None:  # fmt: skip
    if earlier:
        refuse_unlike(inputs, earlier.run, crossed=crossed)
        k = min(k, earlier.run.config.k)
        found = pairs(models, earlier.run.config.models, earlier.label, current)
    else:
        found = pairs(models, None, "", current)
    others = any(other is not None for _, other in found)
    refuse_unfit(rules, inputs, k, others=others, then=earlier is not None)
