"""What an evaluation is asked to do, checked before anything is read or encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict

from embdiff.corpus.files import Form
from embdiff.errors import ParameterError
from embdiff.kept import VectorCache
from embdiff.lexical import BM25
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
    def form(self) -> Form:
        """How the files are written."""
        return Form(self.quotes, self.header, self.encoding)

    @property
    def columns_named(self) -> bool:
        """Whether a column of labelled texts was named."""
        return self.text_column is not None or self.label_column is not None


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
    names, objects = named_models(models or (), besides=(BM25,))
    known = {key: value for key, value in given.items() if value is not None}
    config = EvaluationConfig.checked(models=[name for name in names if name != BM25], **known)
    if not names and not config.runs:
        raise ParameterError(
            "An evaluation needs at least one model. Got none. Name models with -m (models=), for example "
            "-m minilm -m wordllama:256."
        )
    settings = {**dict(config), "baseline": config.baseline or BM25 in names, "cache": VectorCache.at(config.cache)}
    return Settings(**settings, objects=objects)


def refuse_strangers(settings: Settings, task: Task) -> None:
    """Refuse arguments that the task has no use for: runs where nothing is ranked, columns where none is looked for."""
    if settings.runs and task != "retrieval":
        raise ParameterError(f"Runs can be scored for the task retrieval only. Got {task}. Leave --run out.")
    named = settings.label_column is not None if task == "retrieval" else settings.columns_named
    if named and task != "classes":
        raise ParameterError(
            f"Columns of texts and labels can be named for the task classes only. Got {task}. Leave --text-column and "
            "--label-column out, or name the task."
        )
