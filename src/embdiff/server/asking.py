"""One typed query, asked of every model of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embdiff import exact
from embdiff._plain import plain
from embdiff._progress import silent
from embdiff.comparison.again import ModelAgain
from embdiff.encoded import directed
from embdiff.errors import ParameterError
from embdiff.indexes import check_metric
from embdiff.rankings import Ranking
from embdiff.records import FloatArray, IntArray, Metric, Neighbors
from embdiff.runs import Run
from embdiff.search import rows_only_elsewhere
from embdiff.sources.ready import ReadyVectors
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.store import Store
from embdiff.views.drawn import drawn_rows
from embdiff.views.packing import TEXT_LIMIT
from embdiff.views.words import DISTANCE_WORDS, harmless

LONGEST_TEXT = 10_000  # characters
MOST_NEIGHBORS = 100
MOST_FOUND = 20  # rows listed of those with the letters looked for
EXACT = "exact"


class Asker:
    """Models, vectors and collections of a run, to be asked one query at a time.

    Parameters
    ----------
    run : Run
    models : mapping of str to ModelAgain
        Those of `models_again`.
    store : Store or None
        Where the run's collections are; None when only exact search can be had.
    specs : mapping of str to CollectionSpec
        The collection of each model in ``store``.
    rankings : mapping of str to Ranking
        Those of `rankings_again`.
    """

    def __init__(
        self, run: Run, models: Mapping[str, ModelAgain], store: Store | None, specs: Mapping[str, CollectionSpec],
        rankings: Mapping[str, Ranking],
    ) -> None:  # fmt: skip
        self._run, self._models, self._store, self._specs, self._rankings = run, models, store, specs, rankings
        self._drawn = drawn_rows(run)

    @property
    def indexes(self) -> tuple[str, ...]:
        """What can be searched with: the exact answer, and the run's index where its collections are there."""
        return (EXACT,) if self._store is None else (EXACT, self._run.config.index)

    def ask(self, text: str, *, k: int | None = None, metric: str | None = None, index: str = EXACT) -> dict[str, Any]:
        """Return every model's answer to a text, as the page draws it.

        Parameters
        ----------
        text : str
            1 to 10,000 characters.
        k : int, optional
            1..100 and no more than the corpus has rows; the run's by default.
        metric : {"cosine", "ip", "l2"}, optional
            The run's by default; another one can be had by exact search only.
        index : str
            ``exact``, or the run's index.

        Raises
        ------
        ParameterError
            When one of these does not hold.
        EncoderError
            When a model fails on the text.
        """
        answer, answers = self._asked(text, k, metric, index)
        told: dict[str, Any] = harmless(plain({**answer, "more": self._placed(answers), "answers": answers}))
        return told

    def _asked(
        self, text: str, k: int | None, metric: str | None, index: str
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return what was asked, and every model's answer by the numbers of rows in the corpus."""
        run = self._run
        k, wanted = self._checked(text, run.config.k if k is None else k, metric, index)
        with silent():
            vectors = {name: self._vector(each, text) for name, each in self._models.items()}
            found = {name: self._search(name, vectors[name], k, wanted, index) for name in self._models}
            found |= {name: each.rank([self._text(text)], k) for name, each in self._rankings.items()}
            answers = [self._answer(name, vectors[name], found, wanted) for name in self._models]
            answers += [self._ranked(name, text, found) for name in self._rankings]
        return {"text": text, "k": k, "metric": wanted, "index": index}, answers

    def _placed(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows that the page does not hold; in the answers they are numbered after its own."""
        drawn, corpus = self._drawn, self._run.corpus
        if drawn.rows is None:
            return []
        lists = [each for answer in answers for each in (answer, answer["elsewhere"])]
        every = np.unique(np.concatenate([each["rows"] for each in lists]))
        absent = every[drawn.places(every) == len(drawn.rows)]
        for each in lists:
            places = drawn.places(each["rows"])
            later = len(drawn.rows) + np.searchsorted(absent, each["rows"])
            each["rows"] = np.where(places == len(drawn.rows), later, places)
        groups = corpus.groups
        return [
            {"id": corpus.ids[row], "text": corpus.items[row][:TEXT_LIMIT], "group": groups[row] if groups else None}
            for row in absent.tolist()
        ]

    def find(self, text: str) -> dict[str, Any]:
        """Return the rows of the whole corpus with these letters in id or text, the first 20, and how many there are.

        ``ask`` is what is typed to ask with the row: its text, or its id where vectors are ready.

        Raises
        ------
        ParameterError
            When nothing is looked for.
        """
        wanted, corpus = text.strip().casefold(), self._run.corpus
        if not wanted:
            raise ParameterError("A search must have at least one letter. Got none. Type some of an id or a text.")
        found = [
            row for row, pair in enumerate(zip(corpus.ids, corpus.items, strict=True))
            if any(wanted in each.casefold() for each in pair)
        ]  # fmt: skip
        ready = any(isinstance(each.encoder, ReadyVectors) for each in self._models.values())
        asked_by = corpus.ids if ready else corpus.items
        rows = [
            {"id": corpus.ids[row], "text": corpus.items[row][:TEXT_LIMIT], "ask": asked_by[row]}
            for row in found[:MOST_FOUND]
        ]
        told: dict[str, Any] = harmless({"count": len(found), "rows": rows})
        return told

    def _vector(self, model: ModelAgain, text: str) -> FloatArray:
        """Return the vector of a query, (1, d): encoded, or where vectors are ready that of the row it names."""
        if not isinstance(model.encoder, ReadyVectors):
            return model.encoder.encode([text], role="query")
        corpus = self._run.corpus
        for names in (corpus.ids, corpus.items):
            if text in names:
                return model.vectors[[names.index(text)]]
        raise ParameterError(
            f"Where vectors are ready, a query must be the id or the text of a row, as nothing encodes others "
            f"({model.model}). Got {text[:100]!r}. Type one of these, or compare models that encode."
        )

    def _text(self, text: str) -> str:
        """Return the text of the row that is asked with by its id, where vectors are ready; else what was typed."""
        corpus = self._run.corpus
        by_id = any(isinstance(each.encoder, ReadyVectors) for each in self._models.values()) and text in corpus.ids
        return corpus.items[corpus.ids.index(text)] if by_id else text

    def lists(self, text: str) -> dict[str, list[str]]:
        """Return the ids that each model returns to a text, as the run itself searched: to be judged.

        Raises
        ------
        ParameterError, EncoderError
            As for `ask`.
        """
        ids, index = self._run.corpus.ids, self.indexes[-1]
        _, answers = self._asked(text, None, None, index)
        return {each["model"]: [ids[row] for row in each["rows"].tolist() if row >= 0] for each in answers}

    def _checked(self, text: str, k: int, metric: str | None, index: str) -> tuple[int, Metric]:
        run = self._run
        if not text.strip() or len(text) > LONGEST_TEXT:
            raise ParameterError(
                f"A query must have 1 to {LONGEST_TEXT:,} characters. Got {len(text):,}. Shorten or write it."
            )
        most = min(MOST_NEIGHBORS, len(run.corpus))
        if not 1 <= k <= most:
            raise ParameterError(f"k must be between 1 and {most}. Got {k}. Choose one in that range.")
        wanted = check_metric(run.config.metric if metric is None else metric)
        if index not in self.indexes:
            raise ParameterError(
                f"The index must be one of {', '.join(self.indexes)}. Got {index!r}. Choose one of these."
            )
        if index != EXACT and wanted != run.config.metric:
            raise ParameterError(
                f"The run's index knows the metric {run.config.metric} only. Got {wanted}. Search exactly for another."
            )
        return k, wanted

    def _search(self, name: str, query: FloatArray, k: int, metric: Metric, index: str) -> Neighbors:
        if index != EXACT and self._store is not None:
            kept = self._specs[name].dim > query.shape[1]  # zero vectors
            return self._store.search(self._specs[name], directed(query, "query") if kept else query, k)
        return exact.search(*self._compared(name, query, metric), k, metric)

    def _compared(self, name: str, query: FloatArray, metric: Metric) -> tuple[FloatArray, FloatArray]:
        """Return query and documents as the metric can compare them: with zero vectors kept as in the run."""
        documents = self._models[name].vectors
        if metric != "cosine" or self._run.config.zero != "keep":
            return query, documents
        return directed(query, "query"), directed(documents, "document")

    def _answer(self, name: str, query: FloatArray, found: Mapping[str, Neighbors], metric: Metric) -> dict[str, Any]:
        (query, vectors), only_there = self._compared(name, query, metric), _only_elsewhere(name, found)
        ranks = exact.ranks(query, vectors, only_there, metric)
        elsewhere = Neighbors(only_there, exact.similarity(query, vectors, only_there, metric), metric)
        return _told(name, found[name], elsewhere, ranks, DISTANCE_WORDS[metric], beside=False)

    def _ranked(self, name: str, text: str, found: Mapping[str, Neighbors]) -> dict[str, Any]:
        ranking, only_there = self._rankings[name], _only_elsewhere(name, found)
        _, (ranks, scores) = ranking.rank_and_place([self._text(text)], 1, only_there)
        elsewhere = Neighbors(only_there, scores, "ip")
        return _told(name, found[name], elsewhere, ranks, DISTANCE_WORDS[ranking.kind], beside=True)


def _only_elsewhere(name: str, found: Mapping[str, Neighbors]) -> IntArray:
    return rows_only_elsewhere(found[name].rows, [there.rows for other, there in found.items() if other != name])


def _told(
    name: str, here: Neighbors, elsewhere: Neighbors, ranks: IntArray, word: str, *, beside: bool
) -> dict[str, Any]:
    """Return the answer of a model, as the page draws it; rows that are not ranked are left out."""
    listed = here.rows[0] >= 0
    return {
        "model": name,
        "beside": beside,
        "distance_word": word,
        "rows": here.rows[0][listed],
        "distance": here.distance[0][listed],
        "elsewhere": {"rows": elsewhere.rows[0], "ranks": ranks[0], "distance": elsewhere.distance[0]},
    }
