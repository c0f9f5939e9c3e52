"""Reading labelled texts: a folder with train.* and test.*, or one file that is split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embdiff.corpus import rows_of
from embdiff.corpus.columns import NONE, Columns
from embdiff.corpus.files import EXTENSIONS, FOUND, Form, extension_of, reading, shown
from embdiff.corpus.images import ARCHIVE, image_table
from embdiff.corpus.read import corpus_from
from embdiff.errors import DataError
from embdiff.records import Corpus, IntArray

TEST_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Labelled:
    """Texts to learn from and texts to classify.

    Parameters
    ----------
    train, test : Corpus
        The groups are the labels.
    classes : tuple of str
        All labels, sorted.
    train_labels, test_labels : ndarray of int64
        Numbers of classes.
    split : str
        Where the two parts come from.
    whole : Corpus or None
        The one file that both are from; their ids are its row numbers. None where each has its own.
    parts : tuple of str, optional
        Of each test text the value of the column by which scores are told.
    """

    train: Corpus
    test: Corpus
    classes: tuple[str, ...]
    train_labels: IntArray
    test_labels: IntArray
    split: str
    whole: Corpus | None = None
    parts: tuple[str, ...] | None = None


def is_classes(folder: Path) -> bool:
    """Return whether a folder has a train and a test file, or images in folders of these names."""
    return all(_parts(folder, name) for name in ("train", "test"))


def read_classes(
    path: Path,
    *,
    seed: int,
    text_column: str | int | None = None,
    label_column: str | int | None = None,
    by: str | int | None = None,
    form: Form = FOUND,
    fewest: int = 2,
) -> Labelled:
    """Read labelled texts.

    Parameters
    ----------
    path : Path
        A folder with ``train.*`` and ``test.*``, one of images in sub-folders, or one file.
    seed : int
        Of the stratified split of one file: a quarter of each class, rounded, at least one text, is tested; a class
        with one text is only learned from.
    text_column, label_column : str or int, optional
        Name or 0-based position; by default found by usual names.
    by : str or int, optional
        The column by which scores are told.
    form : Form, optional
        How the files are written, where they do not say so themselves.
    fewest : int
        Classes to learn from.

    Raises
    ------
    DataError
        When a file is missing, has no labels, or all texts have one label.
    """
    if path.is_dir() and (is_classes(path) or image_table(path) is None):
        train, test = (_labelled(_one(path, name), text_column, label_column, form) for name in ("train", "test"))
        split = f"{Path(train.source).name} to learn from, {Path(test.source).name} to test on"
        whole, parts = None, _values(Path(test.source), text_column, by, form)
    else:
        whole = _labelled(path, text_column, label_column, form)
        tested = stratified(_numbered(whole)[1], seed)
        train, test = (rows_of(whole, np.flatnonzero(chosen).tolist()) for chosen in (~tested, tested))
        every = _values(path, text_column, by, form)
        parts = None if every is None else tuple(every[row] for row in np.flatnonzero(tested))
        split = f"one file, stratified: {TEST_SHARE:.0%} of each class (at least one text) to test on, by seed {seed}"
        if not len(test):
            raise DataError(
                f"At least one class must have two texts, one to learn from and one to test on. Got {len(whole)} texts "
                f"of as many classes in {path}. Add texts."
            )
    learned = set(train.groups or ())
    if len(learned) < fewest:
        raise DataError(
            f"There must be two classes or more to learn from. Got only {shown(learned)} in {path}. "
            "Add texts of other classes, or name another column with --label-column."
        )
    classes, labels = _numbered(train, test)
    return Labelled(train, test, classes, labels[: len(train)], labels[len(train) :], split, whole, parts)


def _numbered(*parts: Corpus) -> tuple[tuple[str, ...], IntArray]:
    """Return the labels that there are, sorted, and the number of that of each text, part after part."""
    labels = [label for part in parts for label in part.groups or ()]
    classes, numbers = np.unique(np.array(labels, dtype=object), return_inverse=True)
    return tuple(classes.tolist()), numbers.astype(np.int64)


def stratified(labels: IntArray, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return which texts are tested: a quarter of each class, at least one, none of a class with one text; (n,)."""
    order = np.random.default_rng(seed).permutation(len(labels))
    counts = np.bincount(labels)
    wanted = np.where(counts > 1, np.maximum(1, np.rint(counts * TEST_SHARE)), 0).astype(np.int64)
    tested = np.zeros(len(labels), dtype=bool)
    tested[order] = place_in_class(labels[order]) < wanted[labels[order]]
    return tested


def place_in_class(labels: IntArray) -> IntArray:
    """Return how many earlier texts have the same label; (n,)."""
    order = np.argsort(labels, kind="stable")
    places = np.empty(len(labels), dtype=np.int64)
    places[order] = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])
    return places


def _parts(folder: Path, name: str) -> list[Path]:
    files = [each for each in folder.glob(f"{name}.*") if extension_of(each) in (*EXTENSIONS, ARCHIVE)]
    for inside in (folder, folder / "data"):  # as data sets are downloaded
        files += inside.glob(f"{name}-?????-of-?????.parquet")
    return sorted([*files, *([folder / name] if (folder / name).is_dir() else [])])


def _one(folder: Path, name: str) -> Path:
    with reading(folder):
        found = _parts(folder, name)
    if len(found) != 1:
        what = shown([each.name for each in found]) if found else f"no file {name}.*"
        raise DataError(
            f"A folder of labelled texts must have one {name} file ({', '.join(EXTENSIONS)}). Got {what} in {folder}. "
            "Keep one, or name a single file, which is split."
        )
    return found[0]


def _values(path: Path, text_column: str | int | None, by: str | int | None, form: Form) -> tuple[str, ...] | None:
    """Return of each text the value of the column by which scores are told; None where none was named."""
    if by is None:
        return None
    return corpus_from(path, Columns(text_column, NONE, by, form=form, group_called="by"), "keep").groups


def _labelled(path: Path, text_column: str | int | None, label_column: str | int | None, form: Form) -> Corpus:
    columns = Columns(text_column, NONE, label_column, form=form, group_called="label")
    corpus = corpus_from(path, columns, "keep")
    if corpus.groups is None:
        raise DataError(
            "Labelled texts must have a column of labels, named like label, category, class or intent, and images "
            f"sub-folders. Got none in {path}. Name it with --label-column NAME (or a position from 0)."
        )
    return corpus
