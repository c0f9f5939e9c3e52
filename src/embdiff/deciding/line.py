"""decide(): from data and models to a verdict by rules, with its reasons and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from embdiff._settings import typed
from embdiff.comparison import Comparison, load
from embdiff.comparison.line import walk
from embdiff.comparison.settings import Inputs
from embdiff.comparison.work import Work
from embdiff.deciding import changing, mapping
from embdiff.deciding.choosing import Chosen, choose, interval_words, measure
from embdiff.deciding.earlier import looked_at
from embdiff.deciding.pairing import pairs, refuse_settings, refuse_unfit
from embdiff.deciding.table import Rules, read_table
from embdiff.decision import Action, Change, Decision, Mapped, Reason
from embdiff.errors import ParameterError
from embdiff.runs import Run, is_run
from embdiff.settings import RunConfig
from embdiff.sources.services.planning import prices_of
from embdiff.views.decided import decided
from embdiff.views.markdown import decision_markdown
from embdiff.views.shown import Shown
from embdiff.views.table import Part
from embdiff.views.words import title

_TOLD, _ALIKE = 3, {"pass": "are the same", "fail": "are not the same"}
_JUDGED, _DEPTH = 20, 5  # what `embdiff judge` asks of unless told otherwise


@dataclass(frozen=True, eq=False, repr=False)
class Decided(Shown):
    """What `decide` found: the decision, and the comparison that it rests on. Shown it is the decision."""

    decision: Decision
    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as JSON-able values, with its paragraph."""
        return {**self.decision.to_dict(), "paragraph": self.decision.paragraph}

    def to_markdown(self) -> str:
        """Return the decision as Markdown, for the summary of a CI job or a ticket."""
        return decision_markdown(self.decision, title(self.comparison.run))

    def drawn(self, *, everything: bool = False) -> Sequence[Part]:
        """Return what a terminal shows: on one screen, or everything."""
        return decided(self.decision, everything=everything)


@dataclass(frozen=True)
class Asked:
    """What is asked of a decision besides the comparison."""

    rules: Rules
    current: str | None
    at: float | None
    prices: Mapping[str, float]
    place: Path | None


@typed
def decide(
    data: Any,
    models: Sequence[Any] | None = None,
    *,
    current: str | None = None,
    at: float | None = None,
    prices: Sequence[str | float] = (),
    rules: str | Path | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> Decided:
    """Say which model to take, or whether to change the one in use, by rules on intervals of paired differences.

    Parameters
    ----------
    data : path, list of str, or anything `compare` takes
        A corpus, which is compared first; or a run folder.
    models : sequence of str or Encoder, optional
        Two or more, as for `compare`.
    current : str, optional
        The model in use. Then the verdict is switch, stay, or undecided; without it which to take.
    at : float, optional
        A cut-off of the model in use, a cosine similarity: what it becomes is said.
    prices : sequence of str or float, optional
        Of encoding a million tokens: ``0.02`` for every model, ``MODEL=0.13`` for one.
    rules : path, optional
        Table of rules; by default that which ``embdiff decide --rules`` prints.
    out : path, optional
        Run folder to write; its report begins with the decision.
    **options
        As for `compare`; ``expected`` and ``queries`` above all.

    Returns
    -------
    Decided

    Raises
    ------
    EmbdiffError
        For what cannot be decided, before anything is encoded, and whatever `compare` raises.

    Notes
    -----
    By judgements, else by groups, a model is out where a loss of more than the limit is shown, and may be had where
    such a loss is ruled out (non-inferiority). Where nothing tells which is better the verdict is at most that two
    models are the same for these data. The chance that any ruling is wrong is at most that of the table, by Holm's
    method.
    """
    rules_read = read_table(rules)
    if isinstance(data, str | Path) and is_run(Path(data)):
        refuse_settings({**options, "models": models, "out": out}, data)
        comparison = load(data)
        run = comparison.run
        asked = _asked(run.config, Inputs.of(run), rules_read, current, at, prices, Path(data))
        with run.origin.reading():
            return Decided(decision_of(run, asked), comparison)
    config, inputs = looked_at(data, models, options)
    asked = _asked(config, inputs, rules_read, current, at, prices, None if out is None else Path(out))
    comparison = walk(data, models, out=out, finish=partial(_with_decision, asked=asked), **options)
    assert comparison.run.decision is not None
    return Decided(comparison.run.decision, comparison)


def _with_decision(run: Run, work: Work, *, asked: Asked) -> Run:
    return replace(run, decision=decision_of(run, asked, work))


def _asked(
    config: RunConfig, inputs: Inputs, rules: Rules, current: str | None, at: float | None,
    prices: Sequence[str | float], place: Path | None,
) -> Asked:  # fmt: skip
    """Check what is asked against what is to be compared."""
    if len(config.models) < 2:
        raise ParameterError(
            f"A decision takes two models. Got {', '.join(config.models)}. Name another with -m (models=)."
        )
    if config.query_models:
        raise ParameterError(
            "Models are decided between where each asks its own collection. Got query models. Leave --query-model out."
        )
    pairs(config.models, None, "", current)
    if at is not None and current is None:
        raise ParameterError(
            f"A cut-off must be of the model in use. Got --at {at:g} and no --current. Name that model with --current."
        )
    if at is not None and not -1.0 <= at <= 1.0:
        raise ParameterError(
            f"A cut-off must be a cosine similarity, a number between -1 and 1. Got {at:g}. Write for example 0.7."
        )
    groups = inputs.corpus.groups is not None and inputs.queries.groups is not None
    basis = "judgements" if inputs.expected is not None else "groups" if groups else "agreement"
    held = [*rules.of(basis), *(rules.mapped if current else ())]
    refuse_unfit([rule.at(config.k) for rule in held], inputs, config.k, others=True, then=False)
    return Asked(rules, current, at, prices_of(prices, config.models, "a model of the run"), place)


def decision_of(run: Run, asked: Asked, work: Work | None = None) -> Decision:
    """Return what is decided of the models of a run; with its vectors (``work``) also whether old ones can be kept."""
    chosen = choose(run, asked.rules, asked.current)
    reasons, actions = _among(run, chosen), list[Action]()
    changes: tuple[Change, ...] = ()
    if asked.current is not None:
        others = [name for name in run.config.models if name != asked.current]
        changes = tuple(changing.change(run, asked.current, name) for name in others)
        subject = chosen.model if chosen.model not in (None, asked.current) else _leading(run, chosen, others)
        assert subject is not None
        changes = tuple(sorted(changes, key=lambda each: each.models[1] != subject))  # the one that is spoken of first
        if chosen.verdict != "stay":
            changes = (replace(changes[0], mapped=_mapped(run, asked, chosen, subject, work)), *changes[1:])
        more, actions = _of_change(run, asked, subject, changes[0])
        reasons += more
        if chosen.verdict not in ("switch", "same"):
            actions = []
    else:
        reasons += changing.causes(run, *[*chosen.left, *chosen.out][:2])
        reasons += changing.losses(run, None, chosen.left)
    actions += _next(run, chosen, asked.place)
    return Decision(
        chosen.verdict, chosen.model, asked.current, chosen.basis, chosen.sentence, tuple(reasons), tuple(actions),
        chosen.out, chosen.left, chosen.rulings, asked.rules.error, changes,
    )  # fmt: skip


def _leading(run: Run, chosen: Chosen, others: Sequence[str]) -> str:
    """Return the model whose change is told: of those that are not out the best, else the best."""
    open_ = [name for name in others if name in chosen.left] or list(others)
    order = [each.model for each in run.headline.standings if each.model in open_]
    return order[0] if order else open_[0]


def _among(run: Run, chosen: Chosen) -> list[Reason]:
    """Say which models are out, which are open, and what that rests on."""
    found = []
    shown = [name for name in chosen.out if name not in chosen.sentence]
    if shown:
        found.append(Reason(f"Out by the same rules: {', '.join(shown)}.", "rulings"))
    if chosen.basis == "agreement":
        found += [
            Reason(f"{' and '.join(each.models)} {is_}: {measure(each)} {interval_words(each)}.", "rulings")
            for each in chosen.rulings[:_TOLD]
            if (is_ := _ALIKE.get(each.outcome)) and not all(name in chosen.sentence for name in each.models)
        ]
    elif chosen.verdict == "undecided" and len(chosen.left) > 2:
        found.append(Reason(f"Not told apart: {', '.join(chosen.left)}.", "rulings"))
    rough = [each for each in chosen.rulings if each.outcome == "inconclusive" and each.reason]
    found += [Reason(f"{each.about}: {each.reason}.", "rulings") for each in rough[:1]]
    if chosen.basis == "groups":
        found.append(Reason("Groups are weak labels: a neighbour of another group need not be wrong.", "answer"))
    return found


def _of_change(run: Run, asked: Asked, model: str, found: Change) -> tuple[list[Reason], list[Action]]:
    """Say what a change to one model means."""
    assert asked.current is not None
    reasons = [changing.users(found), *changing.causes(run, asked.current, model)]
    cost = changing.costs(run, model, asked.prices.get(model))
    actions = [
        Action(f"Encode the corpus again with {model}."),
        *mapping.adapting(run, asked.current, model, found.mapped),
    ]
    if asked.at is not None:
        reason, acts = changing.cutoffs(run, asked.current, model, asked.at)
        reasons, actions = [*reasons, reason], [*actions, *acts]
    reasons.append(changing.price_words(model, cost, asked.prices.get(model)))
    reasons += [mapping.kept_words(found.mapped)] if found.mapped else []
    reasons += changing.losses(run, asked.current, [model])
    return reasons, actions


def _mapped(run: Run, asked: Asked, chosen: Chosen, model: str, work: Work | None) -> Mapped | None:
    """Return whether old vectors can be kept: measured now, or when the run was decided before."""
    assert asked.current is not None
    rules = asked.rules.judgements if chosen.basis == "judgements" else asked.rules.mapped
    told = asked.current, model, [rule.at(run.config.k) for rule in rules], asked.rules.error
    return mapping.mapped_before(run, *told) if work is None else mapping.mapped_old(run, work, *told)


def _next(run: Run, chosen: Chosen, place: Path | None) -> list[Action]:
    """Say what would settle what is open, the cheapest first."""
    if chosen.verdict != "undecided":
        return []
    judge, asked = f"embdiff judge {place or 'RUN'} --order random", len(run.queries)
    by_model = Action(
        "Or let a judge model label further questions; yours say what its labels are worth. This says what it costs:",
        f"{judge} --queries {asked} --judge openai:MODEL --dry-run",
    )
    if chosen.basis != "judgements":
        count = min(_JUDGED, asked)
        results = changing.pooled(run, count, _DEPTH)
        return [
            Action(
                f"Judge {count} questions, about {results:,} results, blind; it then says how many more it takes.",
                judge,
            ),
            *([by_model] if asked > count else []),
            Action(f"Decide again by these judgements: --expected {place or 'RUN'}.qrels."),
        ]
    counts = [each.expected - each.n for each in chosen.rulings if each.outcome == "inconclusive" and each.expected]
    if not counts:
        return [
            Action(
                "More questions would not tell: the loss is about the limit. Say how much of a loss you would take.",
                "embdiff decide --rules",
            ),
        ]
    more = Action(f"Add about {min(counts):,} judged questions to --queries and --expected, then decide again.")
    return [more, by_model] if asked > max(each.n for each in chosen.rulings) else [more]
