"""Pairs: two texts and a number a row, read; does their similarity follow the number that people gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from embdiff.corpus.columns import KNOWN, position_of, same_name
from embdiff.corpus.files import FOUND, Form, shown
from embdiff.corpus.readers import read_table
from embdiff.corpus.tables import Table, as_number, as_text, held
from embdiff.encoding import Texts
from embdiff.errors import DataError, ParameterError
from embdiff.evaluation.outcome import ModelFacts
from embdiff.evaluation.settings import Settings, chosen
from embdiff.evaluation.task import Walk
from embdiff.lexical import BM25
from embdiff.measures.base import measures_for
from embdiff.measures.noise import BATCH, drawn
from embdiff.measures.pairs import NEEDS, ScoredPairs, pair_similarity
from embdiff.measures.score import score as score_of
from embdiff.measures.score import scores as take
from embdiff.measures.statistics.kinds import Kinds, kinds_of
from embdiff.records import Corpus, FloatArray, IntArray, Score
from embdiff.sources import Source

_T = TypeVar("_T")
_NO_VECTORS = "bm25 ranks documents for a query; it has no similarity that can be compared between pairs"
_ALL_PAIRS = "95 %, on Fisher's z, from the influence of each pair or from leaving it out (jackknife)"
_BY_KIND = (
    f"{_ALL_PAIRS}; a variance for each kind of pairs and Satterthwaite's degrees of freedom; for auc, and for "
    "spearman, which is a multiple of it here, DeLong's on the logit"
)
_MOSTLY = 0.5  # a table without known names is pairs when more of its third column are numbers: others are mistakes


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of texts with a number each.

    Parameters
    ----------
    left, right : tuple of str, length n
    score : ndarray of float64, shape (n,)
    how : str
        Which columns were taken.
    notes : tuple of str
        What was guessed in reading, a sentence each.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    score: npt.NDArray[np.float64]
    how: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.left)

    @property
    def kinds(self) -> Kinds | None:
        """Which pairs are positive where there are exactly two different numbers; else None."""
        return kinds_of(self.score)


def pair_table(path: Path, form: Form = FOUND) -> Table:
    """Read a file as a table; line 1 of a .csv or .tsv is a header when none of its cells is a number."""
    return read_table(path, lambda cells, _surely: not any(as_number(cell) is not None for cell in cells), form)


def pair_columns(table: Table, *, sure: bool = False) -> tuple[int, int, int] | None:
    """Return the positions of the two texts and the number: by known names, else the three columns there are.

    ``sure``: the third column is taken for the numbers, whatever it holds (its cells are then checked one by one).
    Otherwise ids or numbers among the first two columns say that these are not two texts: id, text, label.
    """
    if table.plain:
        return None
    left, right, score = (position_of(table.columns, role) for role in ("left", "right", "score"))
    if left is not None and right is not None and score is not None:
        return left, right, score
    if len(table.columns) == 3 and (sure or _two_texts_and_numbers(table)):
        return 0, 1, 2
    return None


def _two_texts_and_numbers(table: Table) -> bool:
    if not {same_name(name) for name in table.columns[:2]}.isdisjoint(KNOWN["id"]):
        return False
    first, second, third = (
        sum(as_number(cell) is not None for cell in table.column(position)) / max(1, table.size)
        for position in range(3)
    )
    return max(first, second) <= _MOSTLY < third


def read_pairs(path: Path, form: Form = FOUND) -> Pairs:
    """Read pairs.

    Raises
    ------
    DataError
        When the columns are not found, or a cell is not what its column needs; the message names the line.
    """
    table = pair_table(path, form)
    columns = pair_columns(table, sure=True)
    if columns is None:
        raise DataError(
            "A file of pairs must have two columns of text and then one of numbers, or columns named sentence1, "
            f"sentence2 and score. Got {shown(table.columns) or 'plain lines'} in {path}. Rename or reorder them."
        )
    if table.size < 2:
        raise DataError(f"A file of pairs must have two pairs or more. Got {table.size} in {path}. Add pairs.")
    left, right = (
        _cells(table, position, _text, "Both texts of a pair must hold text.", "Fill it in or delete the row.")
        for position in columns[:2]
    )
    way_out = "Write it like 3.5, or delete the row."
    score = np.array(_cells(table, columns[2], as_number, "The score of a pair must be a number.", way_out))
    names = ", ".join(table.columns[position] for position in columns)
    how = "three columns without a header: text, text, number" if table.headerless else f"columns {names}"
    return Pairs(tuple(left), tuple(right), score, how, table.notes)


def _cells(table: Table, position: int, read: Callable[[object], _T | None], must: str, way_out: str) -> list[_T]:
    name = table.columns[position]
    return table.checked(position, read, must, way_out, words=lambda cell: f"{held(cell)} in column {name!r}")


def _text(value: object) -> str | None:
    text = as_text(value)
    return text if text is not None and text.strip() else None


class PairsWalk(Walk):
    """Pairs of texts, whose similarity is held against their numbers."""

    task = "pairs"

    def __init__(self, path: Path, settings: Settings) -> None:
        self.pairs = pairs = read_pairs(path, settings.form)
        texts = tuple(dict.fromkeys((*pairs.left, *pairs.right)))
        place = {text: row for row, text in enumerate(texts)}
        self.left, self.right = (np.array([place[text] for text in side]) for side in (pairs.left, pairs.right))
        self.few = drawn(len(pairs), BATCH // 2, seed=settings.seed)
        again = np.unique(np.concatenate([self.left[self.few], self.right[self.few]])).astype(np.int64)
        corpus = Corpus(texts, tuple(map(str, range(len(texts)))), source=str(path))
        headline, units = f"{len(pairs):,} pairs of texts of {path}", tuple(map(str, range(len(pairs))))
        super().__init__(settings, str(path), headline, units, Texts(corpus, None, settings.seed, again=again))
        self.notes += pairs.notes
        # auc compares two kinds of pairs; the first measure is that of the same model again.
        wanted, self.kinds = sorted(measures_for(NEEDS), key=lambda each: each.symmetric), pairs.kinds
        binary = self.kinds is not None
        usual = [each.name for each in wanted if binary or each.symmetric]
        self.measures = chosen(settings, NEEDS, usual, self.task)
        kinds_only = [str(each) for each in self.measures if not each.measure.symmetric]
        if kinds_only and not binary:
            raise ParameterError(
                f"{', '.join(kinds_only)} must be of two kinds of pairs. Got {len(np.unique(pairs.score)):,} different "
                f"scores in {path}. Choose spearman or pearson."
            )
        low, high = float(pairs.score.min()), float(pairs.score.max())
        kinds = f"two kinds of pairs, {low:g} and {high:g} (the positive ones)" if binary else f"{low:g} to {high:g}"
        self.protocol = {
            "columns": pairs.how,
            "scores": kinds,
            "similarity": f"{settings.metric} of the two vectors, both encoded as documents",
            "intervals": _BY_KIND if binary else _ALL_PAIRS,
            "differences": "tests on the pseudo-values of the pairs (value + influence), whose mean is the number"
            + ("; Student's, the variance the sum of those of both kinds" if binary else ""),
        }

    def add_words(self) -> None:
        """Add that bm25 has no such numbers."""
        self.scores += [Score.undefined(measure, (BM25,), _NO_VECTORS) for measure in self.measures]
        self.facts.append(ModelFacts(BM25, None))

    def check(self, name: str, source: Source) -> None:
        """Refuse ready vectors that are not found by text: the texts stand in no file as they are encoded here."""
        if source.by_row and not source.by_text:
            raise ParameterError(
                "Ready vectors of pairs must be found by their texts: Parquet with a column text. Got "
                f"'{name}', without. Encode the texts of the pairs with 'embdiff encode', or name a model."
            )

    def add(self, model: str, there: FloatArray, asking: FloatArray) -> None:
        """Add what the similarities of a model are worth."""
        self.scores += take(self.measures, self._scored(model, asking, np.arange(len(self.pairs))))

    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the pairs."""
        return score_of(self.measures[0], self._scored(model, asking, which))

    def _scored(self, model: str, vectors: FloatArray, which: IntArray) -> ScoredPairs:
        left, right = (vectors[side[which]] for side in (self.left, self.right))
        return ScoredPairs(pair_similarity(left, right, self.settings.metric), self.pairs.score[which], (model,))
