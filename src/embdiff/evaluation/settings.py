"""What an evaluation is asked to do, checked before anything is read or encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from embdiff._registry import nearest
from embdiff.config import check_metric
from embdiff.encoders import named_models
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.kept import VectorCache
from embdiff.lexical import BM25
from embdiff.records import Metric

Task = Literal["retrieval", "pairs", "classes"]
TASKS: tuple[Task, ...] = get_args(Task)
DEPTH = 1_000  # as MTEB and BEIR cut their lists
VOTERS = 5


@dataclass(frozen=True)
class Settings:
    """The arguments of `evaluate`, checked.

    Parameters
    ----------
    models : tuple of str
        Names as typed, ``bm25`` left out.
    objects : dict
        The models that came as objects, by the name they go under.
    baseline : bool
        Whether bm25 stands beside the models.
    k : int or None
        Depth of the ranked lists (retrieval), or neighbours that vote (classes); None means the default.
    metric : {"cosine", "ip", "l2"}
    seed : int
    shots : int
        Training texts per class and draw of the probe; 0 means all of them, once.
    draws : int
    runs : tuple of Path
        TREC runs to score beside the models.
    text_column, label_column : str, int or None
    cache : VectorCache
    """

    models: tuple[str, ...]
    objects: dict[str, Any] = field(compare=False)
    baseline: bool
    k: int | None
    metric: Metric
    seed: int
    shots: int
    draws: int
    runs: tuple[Path, ...]
    text_column: str | int | None
    label_column: str | int | None
    cache: VectorCache = field(compare=False)

    @property
    def depth(self) -> int:
        """Depth of ranked lists."""
        return DEPTH if self.k is None else self.k

    @property
    def columns_named(self) -> bool:
        """Whether a column of labelled texts was named."""
        return self.text_column is not None or self.label_column is not None

    @property
    def voters(self) -> int:
        """Neighbours that vote for a class."""
        return VOTERS if self.k is None else self.k


def check(models: Sequence[Any], given: dict[str, Any]) -> Settings:
    """Return the settings.

    Parameters
    ----------
    models : sequence of str or Encoder or object with ``encode``
    given : dict
        The other fields of `Settings`.

    Raises
    ------
    ParameterError
        When a setting does not hold.
    """
    names, objects = named_models(models or (), besides=(BM25,))
    runs = tuple(Path(run) for run in given["runs"] or ())
    if not names and not runs:
        raise ParameterError(
            "An evaluation needs at least one model. Got none. Name models with -m (models=), for example "
            "-m minilm -m wordllama:256."
        )
    for name, least, example in (("k", 1, 10), ("seed", 0, 0), ("shots", 0, 8), ("draws", 1, 10)):
        value = given[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise ParameterError(f"{name} must be an integer from {least}. Got {value!r}. Write for example {example}.")
    return Settings(
        models=tuple(name for name in names if name != BM25),
        objects=objects,
        baseline=bool(given["baseline"]) or BM25 in names,
        k=given["k"],
        metric=check_metric(given["metric"]),
        seed=given["seed"],
        shots=given["shots"],
        draws=given["draws"],
        runs=runs,
        text_column=given["text_column"],
        label_column=given["label_column"],
        cache=VectorCache.at(given["cache"]),
    )


def refuse_strangers(settings: Settings, task: Task) -> None:
    """Refuse arguments that the task has no use for: runs where nothing is ranked, columns where none is looked for."""
    if settings.runs and task != "retrieval":
        raise ParameterError(f"Runs can be scored for the task retrieval only. Got {task}. Leave --run out.")
    if settings.columns_named and task != "classes":
        raise ParameterError(
            f"Columns of texts and labels can be named for the task classes only. Got {task}. Leave --text-column and "
            "--label-column out, or name the task."
        )


def check_task(task: str | None) -> Task | None:
    """Return a task by name; None stays None.

    Raises
    ------
    UnknownNameError
        For another name.
    """
    if task is None:
        return None
    for known in TASKS:
        if task == known:
            return known
    raise UnknownNameError(f"A task must be one of {', '.join(TASKS)}. Got {task!r}. {nearest(task, TASKS)}")
