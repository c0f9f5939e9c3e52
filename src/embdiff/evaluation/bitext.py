"""Parallel texts: two sides that say the same, row by row; does a model bring together what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embdiff.corpus import rows_of
from embdiff.corpus.columns import NONE, ColumnName, Columns, column_of, known_column
from embdiff.corpus.files import EXTENSIONS, extension_of, lines_of, read_text, refuse_missing, shown
from embdiff.corpus.read import corpus_of
from embdiff.corpus.readers import table_of
from embdiff.corpus.tables import Table, plain
from embdiff.encoded import Texts
from embdiff.errors import DataError
from embdiff.evaluation.pair_files import pair_table
from embdiff.evaluation.settings import Settings, chosen
from embdiff.evaluation.task import TextPairs, Walk
from embdiff.lexical import BM25, Bm25
from embdiff.measures.base import measures_for
from embdiff.measures.bitext import NEEDS, Sides
from embdiff.measures.score import score as score_of
from embdiff.measures.score import scores as take
from embdiff.records import Corpus, FloatArray, IntArray, Neighbors, Score
from embdiff.search import nearest_rows


class Bitext(Walk):
    """Pairs of texts that say the same; each text looks for the nearest one of the other side."""

    task = "bitext"
    ranked = "texts"
    so = "they find nothing and are not found."

    def __init__(self, paths: Sequence[Path], settings: Settings) -> None:
        self.measures = chosen(settings, NEEDS, [each.name for each in measures_for(NEEDS)], self.task)
        data = read_sides(paths, settings)
        self.pairs = pairs = TextPairs.of(data.left, data.right, seed=settings.seed)
        self.few = pairs.few
        source = " and ".join(map(str, paths))
        corpus = Corpus(pairs.texts, tuple(map(str, range(len(pairs.texts)))), source=source)
        super().__init__(
            settings,
            source,
            f"{len(data.left):,} pairs of texts of {source}",
            tuple(map(str, range(len(data.left)))),
            Texts(corpus, None, settings.seed, again=pairs.again),
        )
        self.notes += data.notes
        self.divide(data.parts)
        self.protocol = {
            "sides": data.how,
            "found": f"the nearest text of the other side by exact {settings.metric}; of texts equally near, each "
            "counts with its share; equal texts of a side are one, and each of its partners is right",
            "roles": "both sides are encoded as documents",
            "intervals": "95 %, of other pairs, the texts to choose from held fixed",
            "chance": "a text of the other side at random (exact)",
        }

    def add_words(self) -> None:
        """Add what bm25 finds: words that both languages share, such as names."""
        sides = [[self.pairs.texts[row] for row in rows] for rows in (self.pairs.lefts, self.pairs.rights)]
        index = self.words(sides[1])
        if index is not None:
            self._add(BM25, index.rank(sides[0], 1), Bm25(sides[0]).rank(sides[1], 1))

    def add_ranked(self, name: str) -> None:
        """Add what a model finds that ranks texts without a dense vector of them, both ways."""
        sides = [rows_of(self.texts.corpus, rows.tolist()) for rows in (self.pairs.lefts, self.pairs.rights)]
        there, back = (self.ranked_by(name, side) for side in (sides[1], sides[0]))
        self._add(name, there.ranking.rank(sides[0].items, 1), back.ranking.rank(sides[1].items, 1))
        self.tell(there)

    def add(self, model: str, there: FloatArray, asking: FloatArray) -> None:
        """Add what is found by the vectors of a model, both ways; zero vectors are told."""
        self._add(model, *self._nearest(asking))
        self.tell_lost(model, ((there, self.ranked),))

    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the pairs, among all texts."""
        return score_of(self.measures[0], self._sides(model, *self._nearest(asking), which))

    def _nearest(self, vectors: FloatArray) -> tuple[Neighbors, Neighbors]:
        left, right = vectors[self.pairs.lefts], vectors[self.pairs.rights]
        metric = self.settings.metric
        return nearest_rows(left, right, 1, metric), nearest_rows(right, left, 1, metric)

    def _add(self, model: str, forth: Neighbors, back: Neighbors) -> None:
        every = np.arange(len(self.units), dtype=np.int64)
        self.scores += self._scored(model, forth, back, every)
        self.add_parts(lambda which: self._scored(model, forth, back, which))

    def _scored(self, model: str, forth: Neighbors, back: Neighbors, which: IntArray) -> list[Score]:
        return take(self.measures, self._sides(model, forth, back, which), seed=self.settings.seed)

    def _sides(self, model: str, forth: Neighbors, back: Neighbors, which: IntArray) -> Sides:
        left = np.searchsorted(self.pairs.lefts, self.pairs.left[which])
        right = np.searchsorted(self.pairs.rights, self.pairs.right[which])
        return Sides(forth, back, left, right, (model,))


@dataclass(frozen=True)
class TwoSides:
    """Parallel texts as read.

    Parameters
    ----------
    left, right : tuple of str, length n
    how : str
        What they were joined by.
    notes : tuple of str
    parts : tuple of str, optional
        Of each pair the value of the column by which scores are told.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    how: str
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] | None = None


def read_sides(paths: Sequence[Path], settings: Settings) -> TwoSides:
    """Read parallel texts: two files, joined by ids where both have some, else by row; or two columns of one file.

    Raises
    ------
    DataError
        When there are more files, they do not go together, or a text is empty; the message names file and row.
    """
    if len(paths) > 2:
        raise DataError(
            f"Parallel texts must be in two files, one for each side, or in two columns of one file. Got {len(paths)} "
            "files. Evaluate each two by themselves."
        )
    if len(paths) == 1:
        return _two_columns(paths[0], settings)
    one, other = _file(paths[0], settings, settings.by), _file(paths[1], settings)
    notes = (*one.notes, *other.notes)
    if one.ids_given and other.ids_given:
        return _joined(one, other, notes, _parts(one, settings))
    if len(one) != len(other):
        raise DataError(
            f"Two files of parallel texts must have as many rows, since row and row say the same. Got {len(one):,} in "
            f"{one.source} and {len(other):,} in {other.source}. Add what is missing, or give both a column of ids."
        )
    return TwoSides(one.items, other.items, "two files, joined by row", notes, _parts(one, settings))


def _parts(side: Corpus, settings: Settings) -> tuple[str, ...] | None:
    return None if settings.by is None else side.groups


def _file(path: Path, settings: Settings, by: ColumnName = None) -> Corpus:
    """Read one side; a file whose extension says nothing is a text a line."""
    refuse_missing(path, "file")
    columns = Columns(settings.text_column, group=by, form=settings.form, group_called="by")
    if path.is_file() and extension_of(path) not in EXTENSIONS:
        lines = lines_of(read_text(path, settings.encoding))
        return _side(plain(lines[: len(lines) - (not lines[-1])], str(path), range(1, len(lines) + 1)), columns)
    return _side(table_of(path, columns), columns)


def _side(table: Table, columns: Columns) -> Corpus:
    return corpus_of(table, columns, empty_ways_out="Fill them in, or delete the rows of both sides.")


def _two_columns(path: Path, settings: Settings) -> TwoSides:
    """Read both sides from columns of one file: as named, else by known names."""
    table = pair_table(path, settings.form, settings.pair_columns)
    at = []
    for role in ("left", "right"):
        place = column_of(table, role, settings.pair_columns.get(role))
        place = known_column(table, role) if place is None and not table.plain else place
        if place is None:
            raise DataError(
                "Parallel texts must be in two files, one for each side, or in two columns of one file that are named "
                f"(--left-column, --right-column). Got one file, {path}, and no {role} column. Name it, or a second "
                "file."
            )
        at.append(place)
    if at[0] == at[1]:
        raise DataError(
            f"The two sides must be two columns. Got {table.columns[at[0]]!r} of {path} for both. Name two different "
            "ones."
        )
    groups = NONE if settings.by is None else settings.by
    left, right = (_side(table, Columns(place, NONE, groups, form=settings.form, group_called="by")) for place in at)
    notes = tuple(dict.fromkeys(left.notes + right.notes))
    return TwoSides(left.items, right.items, "two columns of one file", notes, _parts(left, settings))


def _joined(one: Corpus, other: Corpus, notes: tuple[str, ...], parts: tuple[str, ...] | None) -> TwoSides:
    place = {name: row for row, name in enumerate(other.ids)}
    missing = [name for name in one.ids if name not in place]
    more = sorted(set(place) - set(one.ids))
    if missing or more:
        where, what = (other.source, missing) if missing else (one.source, more)
        raise DataError(
            f"Both files of parallel texts must have the same ids. Got none like {shown(what, 5)} in {where} "
            f"({len(missing) + len(more):,} ids are in one file only). Add them, or delete them from the other file."
        )
    right = tuple(other.items[place[name]] for name in one.ids)
    return TwoSides(one.items, right, "two files, joined by id", notes, parts)
