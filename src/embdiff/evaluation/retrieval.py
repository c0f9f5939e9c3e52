"""Retrieval: which documents a model ranks first for judged queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.corpus import rows_of, self_rows
from embdiff.corpus.beir import Collection, read_beir
from embdiff.corpus.columns import Columns
from embdiff.corpus.files import shown
from embdiff.corpus.queries import same_ids
from embdiff.corpus.read import chunking
from embdiff.corpus.trec import read_run
from embdiff.encoded import Texts
from embdiff.errors import DataError
from embdiff.evaluation.outcome import ModelFacts
from embdiff.evaluation.settings import Settings, chosen, refuse_deeper
from embdiff.evaluation.task import Walk
from embdiff.evaluation.together import PROTOCOL, UNION, together
from embdiff.lexical import BM25
from embdiff.measures.base import MeasureSpec
from embdiff.measures.judged import NEEDS, Judged, JudgedLists, grade, usual_measures
from embdiff.measures.pages import Pages
from embdiff.measures.places import across_the_end, name_ranks, ties_by_id, trec_order
from embdiff.measures.score import scores as take
from embdiff.own_rows import OwnRows, without_own
from embdiff.records import Corpus, FloatArray, IntArray, Neighbors, Score
from embdiff.search import nearest_rows
from embdiff.sources import Wanted
from embdiff.ties import among_others, of_queries

NOISE_DEPTH = 100  # of lists ranked again: more than ndcg@10 looks at, ties included


class Retrieval(Walk):
    """Judged queries on the documents of a BEIR folder: those that are among the queries are asked, and count."""

    task = "retrieval"
    ranked = "documents"
    so = "such documents are never found, such queries find nothing."

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.measures = chosen(settings, NEEDS, usual_measures(), self.task)
        refuse_deeper(self.measures, settings.depth)
        columns = Columns(settings.text_column, form=settings.form, chunk=chunking(settings.chunk))
        self.collection = collection = read_beir(folder, settings.qrels, columns, settings.by)
        _refuse_mostly_missing(collection, settings.missing)
        rows = {name: row for row, name in enumerate(collection.queries.ids)}
        zero = settings.missing == "zero"
        units = tuple(name for name in collection.qrels.judgements if zero or name in rows)
        self.places = np.flatnonzero([name in rows for name in units])
        row = np.array([rows[units[place]] for place in self.places], dtype=np.int64)
        asked = rows_of(collection.queries, row.tolist())
        own = [np.zeros(0, dtype=np.int64)] * len(units)
        for place, found in zip(self.places.tolist(), self_rows(asked, None, collection.whole), strict=True):
            own[place] = found
        self.own = OwnRows(own, drop=settings.self_matches == "drop")
        self.own.check_k(1, len(collection.whole))
        wanted = Wanted(asked.items, asked.ids, row, len(rows), "queries")
        parents = collection.corpus.parents
        self.pages = None if parents is None else Pages.of(parents)
        super().__init__(
            settings,
            str(folder),
            _about(collection, zero, str(folder)),
            units,
            Texts(collection.corpus, wanted, settings.seed),
            self._deep(settings.depth),
        )
        self.ids = collection.documents
        self.row_of = {name: row for row, name in enumerate(self.ids)}
        self.name_rank = name_ranks(self.ids)
        self.judged = self._judged(np.arange(len(units)))
        self.documents = np.zeros(len(units), dtype=np.int64)  # that a query can find: one not asked finds none
        self.documents[self.places] = len(self.row_of)
        self.documents -= np.array([len(each) for each in own]) * self.own.drop
        groups = collection.queries.groups
        if groups is not None:  # a query that is not among them has none
            self.divide([groups[rows[name]] if name in rows else "(not among the queries)" for name in units])
        self.lists: dict[str, IntArray] = {}
        self.ragged = {BM25}
        self.runs: dict[str, dict[str, dict[str, float]]] = {}
        self.notes += [*_data_notes(collection, zero), *self._own_notes(asked)]
        self.protocol = self._protocol(zero)

    def _protocol(self, zero: bool) -> dict[str, str]:
        settings = self.settings
        return {
            "document": self.collection.corpus.notes[-1],  # which columns were used
            "judgements": f"{self.collection.qrels.source}; relevant above score 0, gains are the scores (linear)",
            "ranking": f"exact {settings.metric}, the first {settings.depth:,} documents of each list"
            + ("" if self.pages is None else ", each where its best chunk is (MaxP, Dai & Callan 2019)"),
            "rules": "trec_eval: equal scores by document id descending; "
            + ("every judged query counts, a missing one as 0 (-c)" if zero else "every judged query asked counts"),
            "intervals": "95 %, of other queries, documents held fixed",
            "chance": "all documents in random order (exact expectation)",
            "together": PROTOCOL,
        }

    def _own_notes(self, asked: Corpus) -> list[str]:
        """Say how many queries stand among the documents, and what became of that."""
        documents, notes = self.collection.whole, []
        themselves = [asked.ids[at] for at, place in enumerate(self.places.tolist()) if len(self.own.rows[place])]
        if themselves:
            then = (
                "left out of their lists (--self drop)"
                if self.own.drop
                else "they find themselves first; BEIR and MTEB leave them out: --self drop"
            )
            notes.append(
                f"{len(themselves):,} of {len(asked):,} queries are themselves documents, by text: {then} "
                f"({_first(themselves)})."
            )
        others = [
            asked.ids[at] for at, row in same_ids(asked, documents).items() if row not in self.own.rows[self.places[at]]
        ]
        if others:
            notes.append(
                f"{len(others):,} of {len(asked):,} queries have the id of a document with another text: not taken for "
                f"it ({_first(others)})."
            )
        if self.own.drop:
            judged = Judged.from_qrels(self.collection.qrels.judgements, self.units, self.row_of)
            gone = int(np.count_nonzero(judged.document != self.judged.document))
            if gone:
                notes.append(f"{gone:,} judgements are of the query itself, which is left out: never found.")
        return notes

    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the queries asked."""
        measure = self.measures[0]
        depth = self._deep(max(NOISE_DEPTH, measure.k)) if measure.k else self.depth
        units = self.places[which]
        found = nearest_rows(asking[which], there, min(self.depth, depth), self.settings.metric)
        found = self._without_own(found, units)
        return self._scores(model, found, self._judged(units), [measure], self.documents[units])[0]

    def _deep(self, depth: int) -> int:
        """Return how many rows a list must have, so that it surely has so many documents without the query itself."""
        depth += self.own.dropped
        return depth if self.pages is None else self.pages.deep(depth)

    def _without_own(self, found: Neighbors, units: IntArray) -> Neighbors:
        """Return the documents in the lists of some queries, these themselves left out; ties stand by id."""
        if self.pages is not None:
            found = self.pages.best(found, self.name_rank, self.settings.depth + self.own.dropped)
        return self._of_documents(found, units)

    def _of_documents(self, found: Neighbors, units: IntArray) -> Neighbors:
        kept = without_own(found, self._own(units), min(self.settings.depth, found.k))
        return ties_by_id(kept, self.name_rank)

    def _own(self, units: IntArray) -> OwnRows:
        return replace(self.own, rows=[self.own.rows[unit] for unit in units])

    def more(self) -> dict[str, Any]:
        """Add the runs given, and return all lists, alone and in pairs."""
        for path in self.settings.runs:
            self.facts.append(ModelFacts(f"run:{path.name}", None, about=f"the run {path}"))
            self._add(f"run:{path.name}", self._of_documents(self._given(path), np.arange(len(self.units))))
        whole = min(UNION, len(self.row_of) - self.own.dropped)
        short = [model for model, rows in self.lists.items() if rows.shape[1] < whole and model not in self.ragged]
        if short and len(self.lists) > 1:
            self.notes.append(
                f"The lists of {', '.join(short)} are cut at fewer than {whole:,} documents: what they and another "
                "model reach together is not said."
            )
        lists = {model: rows for model, rows in self.lists.items() if model not in short}
        gains = together(lists, self.judged, self.name_rank, documents=self.documents, seed=self.settings.seed)
        return {"together": gains, "runs": self.runs, "qrels": self.collection.qrels}

    def _judged(self, units: IntArray) -> Judged:
        """Return the judgements of some of the units; of documents that are left out as the query itself: not there."""
        names = [self.units[unit] for unit in units]
        judged = Judged.from_qrels(self.collection.qrels.judgements, names, self.row_of)
        return judged.lost(self._own(units).hold(judged.query, judged.document)) if self.own.drop else judged

    def _scores(
        self, model: str, found: Neighbors, judged: Judged, measures: Sequence[MeasureSpec], documents: IntArray
    ) -> list[Score]:
        """Return measures of the lists of judged queries."""
        ordered = trec_order(found.rows, found.similarity, self.name_rank)
        lists = JudgedLists(grade(ordered, judged), (model,), documents, tied=across_the_end(found))
        return take(measures, lists, seed=self.settings.seed)

    def _add(self, model: str, found: Neighbors) -> None:
        """Add the lists of all units."""
        self.lists[model] = trec_order(found.rows, found.similarity, self.name_rank)
        self.scores += self._scores(model, found, self.judged, self.measures, self.documents)
        self.add_parts(
            lambda which: self._scores(
                model, of_queries(found, which), self._judged(which), self.measures, self.documents[which]
            )
        )
        ids = self.ids
        self.runs[model] = {
            name: {ids[row]: float(value) for row, value in zip(rows, values, strict=True) if row >= 0}
            for name, rows, values in zip(self.units, found.rows.tolist(), found.similarity, strict=True)
        }

    def add_lists(self, model: str, found: Neighbors) -> None:
        """Put the lists of the queries asked among all units; those of queries that are missing stay empty."""
        found = self._without_own(found, self.places)
        self._add(model, among_others(found, self.places, None, (len(self.units), found.k)))

    def _given(self, path: Path) -> Neighbors:
        """Read a run; documents that are not in the collection keep no place, as they cannot be relevant here."""
        run = read_run(path, self.settings.encoding, self.notes)
        unknown = sorted({name for found in run.values() for name in found if name not in self.row_of})
        if unknown:
            raise DataError(
                f"Every document of a run must be in the collection. Got {shown(unknown, 5)} in {path}. "
                "Check that the run belongs to this collection."
            )
        if not set(run) & set(self.units):
            raise DataError(f"A run must answer judged queries. Got {shown(run, 5)} in {path}. Name another run.")
        lengths = np.array([len(run.get(name, ())) for name in self.units], dtype=np.int64)
        self.notes += self._short(path, lengths)
        if len(np.unique(lengths[lengths > 0])) > 1 or 2 * lengths.max() >= len(self.row_of):
            self.ragged.add(f"run:{path.name}")  # as of a search by words, which lists what it finds
        rows = np.full((len(self.units), int(lengths.max())), -1, dtype=np.int64)
        scores = np.full(rows.shape, np.nan, dtype=np.float32)
        for place, name in enumerate(self.units):
            found = run.get(name, {})
            rows[place, : len(found)] = [self.row_of[document] for document in found]
            scores[place, : len(found)] = list(found.values())
        tied = int((np.diff(np.sort(scores, axis=1), axis=1) == 0.0).any(axis=1).sum())
        if tied:
            self.notes.append(
                f"run:{path.name}: {tied:,} of {len(rows):,} lists have equal scores: those documents stand by id "
                "descending, as trec_eval orders them, whatever their places in the file."
            )
        return Neighbors(rows, scores, "ip", "run")

    def _short(self, path: Path, lengths: IntArray) -> list[str]:
        """Say how many queries a run has no list for, and which of its lists end before the measures do."""
        name, queries, notes = f"run:{path.name}", len(lengths), []
        empty = [unit for unit, length in zip(self.units, lengths, strict=True) if not length]
        if empty:
            notes.append(
                f"{name}: {len(empty):,} of {queries:,} queries have no list: they count as 0 ({_first(empty)})."
            )
        deepest = min(max((each.k or self.settings.depth for each in self.measures), default=0), len(self.row_of))
        shorter = lengths[(lengths > 0) & (lengths < deepest)]
        if len(shorter):
            cut = ", ".join(str(each) for each in self.measures if (each.k or deepest) > shorter.min())
            notes.append(
                f"{name}: {len(shorter):,} of {queries:,} lists have fewer than {deepest:,} documents (the longest has "
                f"{lengths.max():,}): what is not listed counts as not found in {cut}."
            )
        return notes


def _about(collection: Collection, zero: bool, folder: str) -> str:
    judged, missing = len(collection.qrels.judgements), len(collection.without_text)
    queries = f"{judged:,} judged queries"
    if missing and zero:
        queries += f" ({missing:,} of them are not among the queries and count as 0)"
    elif missing:
        queries = f"{judged - missing:,} of {queries} ({missing:,} are not among the queries and are left out)"
    chunks = "" if collection.corpus.parents is None else f" in {len(collection.corpus):,} chunks"
    return f"{queries}, {len(collection.documents):,} documents{chunks} of {folder}"


def _refuse_mostly_missing(collection: Collection, missing: str) -> None:
    without, judged = collection.without_text, len(collection.qrels.judgements)
    if missing == "auto" and 2 * len(without) > judged:
        raise DataError(
            f"Most judged queries must be among the queries. Got {len(without):,} of {judged:,} that are not in "
            f"{collection.queries.source} ({_first(without)}). Check that judgements and queries belong together; then "
            "--missing drop leaves them out, and --missing zero counts them as 0 (trec_eval -c)."
        )


def _data_notes(collection: Collection, zero: bool) -> list[str]:
    pairs = sum(len(grades) for grades in collection.qrels.judgements.values())
    missing = "they count as 0" if zero else "left out"
    listed: Sequence[tuple[Sequence[object], str]] = (
        (collection.empty_documents, "documents are empty; they stay in the collection"),
        (collection.dangling, f"of {pairs:,} judgements name documents that are not in the collection: not found"),
        (collection.without_text, f"judged queries are not among the queries: {missing}"),
        (collection.unjudged, "queries have no judgement: they are left out"),
    )
    read = dict.fromkeys((*collection.corpus.notes[:-1], *collection.queries.notes, *collection.qrels.notes))
    return [*read, *(f"{len(which):,} {words} ({_first(which)})." for which, words in listed if which)]


def _first(which: Sequence[object]) -> str:
    named = ["/".join(each) if isinstance(each, tuple) else each for each in which]
    return shown(named, 5)
