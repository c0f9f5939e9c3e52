"""What an evaluation is asked to do, checked before anything is read or encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict

from embdiff.corpus.files import Form
from embdiff.errors import ParameterError
from embdiff.forms import expanded, ranks
from embdiff.kept import VectorCache
from embdiff.lexical import BM25
from embdiff.measures.base import MeasureSpec, Needs, get_measure, measures_for
from embdiff.settings import EvaluationConfig, Task
from embdiff.sources import named_models


class Settings(EvaluationConfig):
    """The arguments of `evaluate`, checked; ``bm25`` is not among the models.

    Parameters
    ----------
    objects : dict
        The models that came as objects, by the name they go under.
    cache : VectorCache
        Opened.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    objects: dict[str, Any]
    cache: VectorCache  # type: ignore[assignment]

    @property
    def depth(self) -> int:
        """Depth of ranked lists, as MTEB and BEIR cut them unless told otherwise."""
        return 1_000 if self.k is None else self.k

    @property
    def voters(self) -> int:
        """Neighbours that vote for a class."""
        return 5 if self.k is None else self.k

    @property
    def nearest(self) -> int:
        """Which of the nearest texts tells what is out of scope."""
        return 1 if self.k is None else self.k

    @property
    def ranking(self) -> list[str]:
        """The models that rank texts without a dense vector of them."""
        return [name for name in self.models if ranks(str(self.objects.get(name, name)))]

    @property
    def form(self) -> Form:
        """How the files are written."""
        return Form(self.quotes, self.header, self.encoding)

    @property
    def columns_named(self) -> bool:
        """Whether a column of labelled texts was named."""
        return self.text_column is not None or self.label_column is not None

    @property
    def labelled(self) -> dict[str, Any]:
        """How labelled texts are to be read."""
        columns = {"text_column": self.text_column, "label_column": self.label_column}
        return {**columns, "by": self.by, "form": self.form}

    @property
    def pair_columns(self) -> dict[str, str]:
        """The columns of pairs that were named."""
        given = {"left": self.left_column, "right": self.right_column, "score": self.score_column}
        return {role: name for role, name in given.items() if name is not None}


def check(models: Sequence[Any], given: dict[str, Any]) -> Settings:
    """Return the settings.

    Parameters
    ----------
    models : sequence of str or Encoder or object with ``encode``
    given : dict
        The other arguments of `evaluate`; None means not given.

    Raises
    ------
    ParameterError
        When a setting does not hold.
    """
    names, objects = named_models(expanded(models or ()), besides=(BM25,))
    known = {key: value for key, value in given.items() if value is not None}
    config = EvaluationConfig.checked(models=[name for name in names if name != BM25], **known)
    if not names and not config.runs:
        raise ParameterError(
            "An evaluation needs at least one model. Got none. Name models with -m (models=), for example "
            "-m minilm -m wordllama:256."
        )
    settings = {**dict(config), "baseline": config.baseline or BM25 in names, "cache": VectorCache.at(config.cache)}
    return Settings(**settings, objects=objects)


def chosen(
    settings: Settings, needs: Needs, usual: Sequence[str], task: str, *, k: int | None = None
) -> tuple[MeasureSpec, ...]:
    """Return the measures of a task: those asked for, else the usual ones; without ``@k`` at k, or their usual depth.

    Raises
    ------
    ParameterError
        When a measure needs something else, or is named twice.
    UnknownNameError
        For a measure that there is not.
    """
    specs = [get_measure(text) for text in settings.measures or usual]
    for spec in specs:
        if spec.measure.needs != needs:
            there = ", ".join(each.name for each in measures_for(needs))
            raise ParameterError(
                f"A measure of the task {task} must be of {needs}: {there}. Got {spec}, which needs "
                f"{spec.measure.needs}. Choose another with --measure."
            )
    full = [replace(spec, k=spec.k or ((k or spec.measure.usual_k) if spec.measure.cutoff else None)) for spec in specs]
    twice = sorted({str(spec) for spec in full if full.count(spec) > 1})
    if twice:
        raise ParameterError(f"Every measure must be named once. Got {', '.join(twice)} more than once. Drop one.")
    return tuple(full)


def refuse_deeper(specs: Sequence[MeasureSpec], depth: int) -> None:
    """Refuse measures that look deeper than the lists are: ``recall@100`` of lists of five is another number."""
    deeper = [str(spec) for spec in specs if spec.k is not None and spec.k > depth]
    if deeper:
        raise ParameterError(
            f"k of a measure must be at most the depth of the lists, {depth} (-k). Got {', '.join(deeper)}. Leave -k "
            f"out, or name measures that fit: --measure ndcg@{depth} --measure recall@{depth}."
        )


def refuse_strangers(settings: Settings, task: Task) -> None:
    """Refuse arguments that the task has no use for, such as runs where nothing is ranked."""
    if settings.runs and task != "retrieval":
        raise ParameterError(f"Runs can be scored for the task retrieval only. Got {task}. Leave --run out.")
    if task != "retrieval" and (settings.missing != "auto" or settings.self_matches != "keep"):
        raise ParameterError(f"Judged queries are of the task retrieval. Got {task}. Leave --missing and --self out.")
    if settings.chunk is not None and task != "retrieval":
        raise ParameterError(
            f"--chunk cuts the documents of a retrieval collection. Got the task {task}. Leave one out."
        )
    for given, of, option in ((settings.positive, "pairs", "positive"), (settings.outside, "scope", "outside")):
        if given and task != of:
            raise ParameterError(f"--{option} names labels of the task {of}. Got {task}. Leave it out.")
    pair_columns = [role for role in settings.pair_columns if task != "bitext" or role == "score"]
    if pair_columns and task != "pairs":
        names = ", ".join(f"--{role}-column" for role in pair_columns)
        raise ParameterError(f"Columns of two texts and a score are of the task pairs. Got {task}. Leave {names} out.")
    texts_too = task in ("retrieval", "bitext")  # of which a text column may be named
    named = settings.label_column is not None if texts_too else settings.columns_named
    if named and task not in ("classes", "scope"):
        raise ParameterError(
            f"Columns of texts and labels can be named for the tasks classes and scope only. Got {task}. Leave "
            "--text-column and --label-column out, or name the task."
        )
