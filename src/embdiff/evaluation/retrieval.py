"""Retrieval: which documents a model ranks first for judged queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.corpus.beir import Collection, read_beir
from embdiff.corpus.files import shown
from embdiff.corpus.trec import read_run
from embdiff.encoding import Texts
from embdiff.errors import DataError
from embdiff.evaluation.outcome import ModelFacts
from embdiff.evaluation.settings import Settings
from embdiff.evaluation.task import Walk, rank
from embdiff.evaluation.together import PROTOCOL, together
from embdiff.measures.judged import Judged, JudgedLists, grade, usual_measures
from embdiff.measures.places import name_ranks, trec_order
from embdiff.measures.score import scores as take
from embdiff.records import FloatArray, IntArray, Score
from embdiff.sources import Wanted

NOISE_DEPTH = 100  # of lists ranked again: more than ndcg@10 looks at, ties included


class Retrieval(Walk):
    """Judged queries on the documents of a BEIR folder: all of them count, those with a text are asked."""

    task = "retrieval"
    ranked = "documents"
    so = "such documents are never found, such queries find nothing."

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.collection = collection = read_beir(folder, settings.qrels)
        queries = tuple(collection.qrels.judgements)
        rows = {name: row for row, name in enumerate(collection.queries.ids)}
        self.places = np.flatnonzero([name in rows for name in queries])
        names = [queries[place] for place in self.places]
        row = np.array([rows[name] for name in names], dtype=np.int64)
        wanted = Wanted([collection.queries.items[at] for at in row], names, row, len(rows), "queries")
        headline = f"{len(queries):,} judged queries, {len(collection.corpus):,} documents of {folder}"
        texts = Texts(collection.corpus, wanted, settings.seed)
        super().__init__(settings, str(folder), headline, queries, texts, settings.depth)
        self.row_of = {name: row for row, name in enumerate(collection.corpus.ids)}
        self.judged = self._judged(queries)
        self.name_rank = name_ranks(collection.corpus.ids)
        self.lists: dict[str, IntArray] = {}
        self.runs: dict[str, dict[str, dict[str, float]]] = {}
        self.notes += _data_notes(collection)
        self.protocol = {
            "document": 'title + " " + text; text alone without a title',
            "judgements": f"{collection.qrels.source}; relevant from score 1, gains are the scores (linear)",
            "ranking": f"exact {settings.metric}, the first {settings.depth:,} documents of each list",
            "rules": "trec_eval -c: equal scores by document id descending, every judged query counts, "
            "a missing one as 0",
            "intervals": "95 %, queries resampled (shares, and fewer than 50 queries: Wilson's), documents held fixed",
            "chance": "all documents in random order (exact expectation)",
            "together": PROTOCOL,
        }

    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the queries asked."""
        rows, similarity = rank(asking[which], there, min(self.depth, NOISE_DEPTH), self.settings.metric)
        judged = self._judged([self.units[place] for place in self.places[which]])
        return self._scores(model, trec_order(rows, similarity, self.name_rank), judged, usual_measures()[:1])[0]

    def more(self) -> dict[str, Any]:
        """Add the runs given, and return all lists, alone and in pairs."""
        for path in self.settings.runs:
            self.facts.append(ModelFacts(f"run:{path.name}", None, about=f"the run {path}"))
            self._add(f"run:{path.name}", *self._given(path))
        documents, seed = len(self.row_of), self.settings.seed
        gains = together(self.lists, self.judged, self.name_rank, documents=documents, seed=seed)
        return {"together": gains, "runs": self.runs, "qrels": self.collection.qrels}

    def _judged(self, queries: Sequence[str]) -> Judged:
        return Judged.from_qrels(self.collection.qrels.judgements, queries, self.row_of)

    def _scores(self, model: str, ordered: IntArray, judged: Judged, measures: Sequence[str]) -> list[Score]:
        """Return measures of the lists, best first, of judged queries."""
        lists = JudgedLists(grade(ordered, judged), (model,), len(self.row_of))
        return take(measures, lists, seed=self.settings.seed)

    def _add(self, model: str, rows: IntArray, similarity: FloatArray) -> None:
        """Add the lists of all judged queries."""
        self.lists[model] = trec_order(rows, similarity, self.name_rank)
        self.scores += self._scores(model, self.lists[model], self.judged, usual_measures())
        ids = self.collection.corpus.ids
        self.runs[model] = {
            name: {ids[row]: float(value) for row, value in zip(found, values, strict=True) if row >= 0}
            for name, found, values in zip(self.units, rows.tolist(), similarity, strict=True)
        }

    def add_lists(self, model: str, rows: IntArray, similarity: FloatArray) -> None:
        """Put the lists of the queries asked among all judged ones, whose lists stay empty."""
        all_rows = np.full((len(self.units), rows.shape[1]), -1, dtype=np.int64)
        all_similarity = np.full(all_rows.shape, np.nan, dtype=np.float32)
        all_rows[self.places], all_similarity[self.places] = rows, similarity
        self._add(model, all_rows, all_similarity)

    def _given(self, path: Path) -> tuple[IntArray, FloatArray]:
        """Read a run; documents that are not in the collection keep no place, as they cannot be relevant here."""
        run = read_run(path)
        unknown = sorted({name for found in run.values() for name in found if name not in self.row_of})
        if unknown:
            raise DataError(
                f"Every document of a run must be in the collection. Got {shown(unknown, 5)} in {path}. "
                "Check that the run belongs to this collection."
            )
        if not set(run) & set(self.units):
            raise DataError(f"A run must answer judged queries. Got {shown(run, 5)} in {path}. Name another run.")
        depth = max(len(run.get(name, ())) for name in self.units)
        rows = np.full((len(self.units), depth), -1, dtype=np.int64)
        scores = np.full(rows.shape, np.nan, dtype=np.float32)
        for place, name in enumerate(self.units):
            found = run.get(name, {})
            rows[place, : len(found)] = [self.row_of[document] for document in found]
            scores[place, : len(found)] = list(found.values())
        return rows, scores


def _data_notes(collection: Collection) -> list[str]:
    pairs = sum(len(grades) for grades in collection.qrels.judgements.values())
    listed: Sequence[tuple[Sequence[object], str]] = (
        (collection.empty_documents, "documents are empty; they stay in the collection"),
        (collection.dangling, f"of {pairs:,} judgements name documents that are not in the collection: not found"),
        (collection.without_text, "judged queries are not in queries.jsonl: they count as 0"),
        (collection.unjudged, "queries have no judgement: they are left out"),
    )
    return [f"{len(which):,} {words} ({_first(which)})." for which, words in listed if which]


def _first(which: Sequence[object]) -> str:
    named = ["/".join(each) if isinstance(each, tuple) else each for each in which]
    return shown(named, 5)
