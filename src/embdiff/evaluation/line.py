"""evaluate(): from labelled data, whose task is found from the files, to an Evaluation, in one place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from embdiff._settings import done_by
from embdiff.corpus.beir import is_beir
from embdiff.corpus.files import FOUND, Form, refuse_missing, shown
from embdiff.corpus.hub import place_of
from embdiff.corpus.images import ARCHIVE, image_table
from embdiff.corpus.tables import Table, kind_of
from embdiff.errors import DataError
from embdiff.evaluation.bitext import Bitext
from embdiff.evaluation.class_files import is_classes
from embdiff.evaluation.classes import Classes
from embdiff.evaluation.pair_files import pair_columns, pair_table
from embdiff.evaluation.pairs import PairsWalk
from embdiff.evaluation.result import Evaluation, evaluation_folder
from embdiff.evaluation.retrieval import Retrieval
from embdiff.evaluation.scope import Scope
from embdiff.evaluation.settings import Settings, check, refuse_strangers
from embdiff.evaluation.task import Walk
from embdiff.measures.differences import between_models
from embdiff.records import Role
from embdiff.settings import Task
from embdiff.sources.services.planning import Plan, Planning

_ALONE = {each.task: each for each in (Retrieval, Classes, Scope)}
_SEVERAL = {each.task: each for each in (PairsWalk, Bitext)}  # of which there may be several files


@done_by(lambda **asked: _walk(**asked))
def evaluate(  # type: ignore[empty-body]  # what is given goes to the walk, by name
    data: str | Path | Sequence[str | Path],
    models: Sequence[Any] = (),
    *,
    task: str | None = None,
    qrels: str = "test",
    k: int | None = None,
    measures: Sequence[str] = (),
    metric: str = "cosine",
    missing: str = "auto",
    self_matches: str = "keep",
    seed: int = 0,
    out: str | Path | None = None,
    baseline: bool = True,
    shots: int = 8,
    draws: int = 10,
    runs: Sequence[str | Path] = (),
    text_column: str | int | None = None,
    label_column: str | int | None = None,
    left_column: str | int | None = None,
    right_column: str | int | None = None,
    score_column: str | int | None = None,
    positive: Sequence[str] = (),
    outside: Sequence[str] = (),
    by: str | int | None = None,
    quotes: bool | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    chunk: str | int | None = None,
    cache: str | Path | None = None,
) -> Evaluation:
    """Score models on labelled data: judged queries, scored pairs, classes, parallel texts, or texts out of scope.

    Parameters
    ----------
    data : str or path, or sequence of them
        A folder in BEIR's layout, in which ``corpus`` may be a folder of documents (retrieval); a file of two texts and
        a number a row, or several, each scored and all pooled (pairs); a file of texts and labels, or a folder with
        ``train.*`` and ``test.*`` (classes); two files whose rows say the same, joined by their ids where both have
        some, or two columns of one file (bitext).
    models : sequence of str or Encoder
        Text forms as ``embdiff models`` lists them, or objects with ``encode``.
    task : {"retrieval", "pairs", "classes", "bitext", "scope"}, optional
        By default found from the data; bitext only where it is asked for, scope where ``outside`` is given.
    qrels : str
        Name of the judgements in the folder ``qrels``, or a file of them.
    k : int, optional
        Retrieval: depth of the ranked lists (1,000). Classes: neighbours that vote (5). Scope: which nearest text
        tells (1).
    measures : sequence of str
        Text forms, such as ``hit@1``; by default the usual ones of the task.
    metric : {"cosine", "ip", "l2"}
    missing : {"auto", "drop", "zero"}
        Retrieval, judged queries that are not among the queries: left out, or counted as 0 (``trec_eval -c``). ``auto``
        leaves them out and refuses when most are missing.
    self_matches : {"keep", "drop"}
        Retrieval: whether documents that are the query itself, by text, stay in its list.
    seed : int
        Of intervals, tests, the split and the draws; results are identical for a seed.
    out : path, optional
        Folder to write: evaluation.json, values.csv, and for retrieval the judgements and runs in TREC's formats.
    baseline : bool
        Whether bm25 stands beside the models.
    shots, draws : int
        Training texts per class in a draw of the probe (0: all of them, one fit), and number of draws.
    runs : sequence of path
        TREC runs to score beside the models (retrieval).
    text_column, label_column : str or int, optional
        Columns of labelled texts: name or 0-based position. For retrieval and classes text_column may be a template,
        ``"{title} {text}"``, which is what is taken by default where there are both.
    left_column, right_column, score_column : str or int, optional
        Columns of pairs, or of the two sides of parallel texts: name or 0-based position.
    positive : sequence of str
        Pairs whose scores are labels: those that mean alike (``["entailment"]``); all others do not.
    outside : sequence of str
        Labels of texts that are of no known class: can a model tell them (scope)?
    by : str or int, optional
        A column by whose values the scores are told, too (a language, a topic): of the queries, the pairs, the texts to
        classify, or the left side of parallel texts.
    quotes, header : bool, optional
        Whether quotes in csv and tsv files hold cells together, and whether line 1 names the columns.
    encoding : str, optional
        Encoding of text files. Default UTF-8.
    chunk : str or int, optional
        Retrieval: cut each document into chunks of at most so many tokens, ``200`` or ``"heading:200"``; a document is
        found where its best chunk is. Default: each is whole.
    cache : str or path, optional
        Where vectors are kept and found again: ``off``, a folder, or ``DIR?precision=float16``. Default: EMBDIFF_CACHE,
        else the user's cache folder.

    Returns
    -------
    Evaluation

    Raises
    ------
    EmbdiffError
        Its subclasses name what must hold, what was got and what to do (`embdiff.errors`).

    Examples
    --------
    >>> evaluate("data/cranfield", ["minilm", "wordllama:256"])  # doctest: +SKIP
    """


def _walk(data: Any, models: Sequence[Any] = (), *, out: str | Path | None = None, **given: Any) -> Evaluation:
    """See `evaluate`."""
    settings = check(models, given)
    paths, found, how = _task_of(data, settings)
    refuse_strangers(settings, found)
    with nullcontext() if out is None else evaluation_folder(Path(out)) as part:
        walk = _opened(paths, found, settings)
        outcome = walk.outcome()
        differences = between_models(outcome.scores, seed=settings.seed, kinds=walk.kinds)
        result = Evaluation(outcome, differences, how, settings.seed)
        if part is not None:
            result.write(part)
    return result


def _opened(paths: list[Path], task: Task, settings: Settings) -> Walk:
    """Read the data; nothing is encoded."""
    several = _SEVERAL.get(task)
    return several(paths, settings) if several else _ALONE[task](paths[0], settings)


def plan(
    data: Any,
    models: Sequence[Any] = (),
    *,
    out: str | Path | None = None,
    prices: Sequence[str | float] = (),
    **given: Any,
) -> Plan:
    """Say what `evaluate`, with the same arguments, would send to services.

    Parameters
    ----------
    data, models, out, **given
        As for `evaluate`.
    prices : sequence of str or float
        Of a million tokens: ``0.02`` for every service, ``MODEL=0.13`` for one.

    Raises
    ------
    EmbdiffError
        For data and settings that `evaluate` would refuse; keys, and whether a service answers, are not looked at.
    """
    settings = check(models, given)
    planning = Planning(settings.models, settings.objects, prices)
    paths, found, _ = _task_of(data, settings)
    refuse_strangers(settings, found)
    texts = _opened(paths, found, settings).texts
    asking = () if texts.queries is None else texts.queries.items
    wanted: dict[Role, list[str]] = {"document": list(texts.corpus.items)}
    wanted.setdefault(texts.role, []).extend(asking)
    source = ", ".join(map(str, paths))
    return planning.plan(source, len(texts.corpus), len(asking), lambda _name: wanted, settings.cache)


def _task_of(data: Any, settings: Settings) -> tuple[list[Path], Task, str]:
    """Return the files, the task, and in words how it was found; several files must be of pairs."""
    several = isinstance(data, (list, tuple))
    if several and not data:
        raise DataError("The data to evaluate must be at least one path. Got none. Name a folder or files.")
    told = "pairs" if settings.pair_columns or settings.positive else "scope" if settings.outside else None
    task: Task | None = settings.task or told  # type: ignore[assignment]
    found = [
        find_task(each, task, columns_named=settings.columns_named, form=settings.form)
        for each in (data if several else [data])
    ]
    others = [f"{path} ({each})" for path, each, _ in found if each not in _SEVERAL]
    if len(found) > 1 and others:
        raise DataError(
            "Several files must all be of pairs, whose numbers are pooled, or two of parallel texts (--task bitext). "
            f"Got {shown(others)}. Name one folder or file of retrieval or of labelled texts."
        )
    how = "what was named is of this task" if task != settings.task else found[0][2]
    return [path for path, _, _ in found], found[0][1], how


def find_task(
    data: object, task: Task | None, *, columns_named: bool = False, form: Form = FOUND
) -> tuple[Path, Task, str]:
    """Return the path, the task, and in words how it was found.

    Parameters
    ----------
    data : str or path
    task : Task or None
        As asked; None means to look.
    columns_named : bool
        Whether a column of labelled texts was named, which tells a file of them.
    form : Form, optional
        How the file is written, where it does not say so itself.

    Raises
    ------
    DataError
        When the path does not exist, or fits no task.
    """
    path = _path(data)
    if task is not None:
        return path, task, "as asked"
    if path.is_dir():
        if is_beir(path):
            return path, "retrieval", "the folder holds corpus and queries"
        if is_classes(path):
            return path, "classes", "the folder holds a train and a test file"
        if image_table(path):
            return path, "classes", "the sub-folders of the images are their labels"
        inside = shown(sorted(each.name for each in path.iterdir()), 6)
        raise DataError(
            "A folder must hold corpus.jsonl, queries.jsonl and qrels/ (retrieval), train.* and test.*, or images in "
            "sub-folders (classes). "
            f"Got {path} with {inside or 'nothing'}. Name another folder, or one file of pairs or of labelled texts."
        )
    if path.suffix.lower() == ARCHIVE:
        return path, "classes", "the folders of the images in the archive are their labels"
    if columns_named:
        return path, "classes", "columns of labelled texts were named"
    table = pair_table(path, form)
    columns = pair_columns(table)
    if columns is not None:
        return path, "pairs", "the file has two columns of text and one of numbers"
    if table.plain or len(table.columns) < 2:
        raise DataError(
            "A file must hold pairs (two texts and a number a row) or labelled texts (a text and a label a row). "
            f"Got {'plain lines' if table.plain else 'one column'} in {path}. {_tabs(table)}Add the numbers or the "
            "labels."
        )
    return path, "classes", "the file has no pairs of texts with a number, so its rows are labelled texts"


def _tabs(table: Table) -> str:
    """Say of plain lines that are a table all the same what to do."""
    lines = [str(line) for line in table.column(0)[:100]] if table.plain else []
    tabs = {line.count("\t") for line in lines}
    if len(tabs) != 1 or tabs == {0}:
        return ""
    return f"Every line has {min(tabs)} tabs, as a table does: give the file the extension .tsv. "


def _path(data: object) -> Path:
    if not isinstance(data, (str, os.PathLike)):
        raise DataError(f"The data to evaluate must be a path. Got {kind_of(data)}. Write the data to files first.")
    path = place_of(data).single
    refuse_missing(path, "data")
    return path
