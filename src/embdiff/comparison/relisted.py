"""What the lists of a run say again: values per query, which no folder keeps, and lists of two runs side by side.

No model and no store is needed for it, so none is opened.
"""

from __future__ import annotations

from dataclasses import replace

from embdiff.comparison.agreement import of_pair
from embdiff.comparison.expected import judged_scores
from embdiff.comparison.own_groups import group_scores
from embdiff.comparison.settings import Inputs
from embdiff.comparison.work import Work
from embdiff.errors import DataError, ParameterError
from embdiff.kept import VectorCache
from embdiff.measures.base import MeasureSpec
from embdiff.measures.inputs import truncated
from embdiff.measures.judged import NEEDS as JUDGED
from embdiff.measures.same_group import NEEDS as GROUPED
from embdiff.records import Answer, Corpus, Score
from embdiff.runs import Run

LABELS = (JUDGED, GROUPED)
LISTS = ("two neighbors", "two ordered neighbors")  # what measures need that lists alone can give


def relisted(run: Run, then: Run | None = None, label: str = "") -> Work:
    """Return a run as work, as far as its lists go; with those of an earlier run, whose models are ``earlier(...)``.

    Raises
    ------
    DataError, ParameterError
        As `refuse_unlike`.
    """
    inputs = Inputs.of(run)
    work = Work(run.config, inputs, VectorCache.at("off"), answers=run.answers, beside=run.beside)
    if then is None:
        return work
    refuse_unlike(inputs, then, crossed=bool(run.config.query_models))
    k = min(run.config.k, then.config.k)
    old = [
        replace(each, model=earlier(each.model, label), query_model=earlier(each.model, label)) for each in then.answers
    ]
    config = run.config.model_copy(update={"k": k})
    return replace(work, config=config, answers=tuple(_cut(each, k) for each in (*run.answers, *old)), beside=())


def earlier(model: str, label: str) -> str:
    """Return what a model of an earlier run is called beside those of today."""
    return f"{model} in {label}"


def _cut(answer: Answer, k: int) -> Answer:
    k = min(k, answer.returned.k)
    if k == answer.returned.k:
        return answer
    returned, exact = (truncated(each, k) for each in (answer.returned, answer.exact))
    return replace(answer, returned=returned, exact=exact, is_self=answer.is_self[:, :k])


def refuse_unlike(inputs: Inputs, then: Run, *, crossed: bool = False) -> None:
    """Refuse an earlier run whose lists cannot be held against those of today.

    Raises
    ------
    DataError
        When its rows or its queries are others.
    ParameterError
        When a query's own row is left out of the lists of one run only, or models asked the collections of others.
    """
    for what, now, before in (("rows", inputs.corpus, then.corpus), ("queries", inputs.queries, then.queries)):
        if now.digest() != before.digest():
            raise DataError(
                f"Two runs must be of the same {what} to be held against each other. Got {_unlike(now, before)}. "
                f"Compare the {what} of the earlier run, or make that run again with these."
            )
    if inputs.own.drop != Inputs.of(then).own.drop:
        raise ParameterError(
            "Two runs must treat a query's own row alike to be held against each other. Got one that leaves it out and "
            "one that keeps it. Make one of them again with the --self of the other."
        )
    if crossed or then.config.query_models:
        raise ParameterError(
            "Runs are held against each other where each model asks its own collection. Got query models. Leave "
            "--query-model out, in both runs."
        )


def _unlike(now: Corpus, before: Corpus) -> str:
    """Say in what two corpora differ first."""
    if len(now) != len(before):
        return f"{len(now):,} now and {len(before):,} then"
    pairs = zip(now.ids, before.ids, now.items, before.items, strict=True)
    for row, (name, other, text, words) in enumerate(pairs):
        if name != other:
            return f"id {name!r} now and {other!r} then in row {row}"
        if text != words:
            return f"another text of id {name!r} (row {row}) now than then"
    return "other groups now than then"


def labelled_scores(work: Work, spec: MeasureSpec) -> list[Score]:
    """Return a labelled measure of every model, with its values per query; none where it cannot be had."""
    if spec.measure.needs == JUDGED:
        if work.inputs.expected is None:
            return []
        scores = judged_scores(work, work.inputs.expected, spec).scores
    else:
        scores, _ = group_scores(work, tested=False)
    return [each for each in scores if each.measure == str(spec)]


def list_scores(work: Work, spec: MeasureSpec, first: str, second: str) -> list[Score]:
    """Return a measure of the lists of two models, once for each query model that asked both."""
    crossed = bool(work.config.query_models)
    found = []
    for a in (each for each in work.answers if each.model == first):
        for b in (each for each in work.answers if each.model == second):
            if not crossed or a.query_model == b.query_model:
                found += of_pair(work, a, b, [spec])[str(spec)][:1]
    return found
