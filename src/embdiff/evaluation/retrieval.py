"""Retrieval: which documents a model ranks first for judged queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embdiff.corpus.beir import Collection, read_beir
from embdiff.corpus.files import shown
from embdiff.corpus.trec import read_run
from embdiff.encoding import Texts
from embdiff.errors import DataError
from embdiff.evaluation.models import Scored, changes, few_again, lexical, rank, vectors_of, zero_notes
from embdiff.evaluation.outcome import ModelFacts, Outcome
from embdiff.evaluation.settings import Settings
from embdiff.evaluation.together import PROTOCOL, together
from embdiff.lexical import BM25
from embdiff.measures.judged import Judged, JudgedLists, grade, usual_measures
from embdiff.measures.noise import Change
from embdiff.measures.places import name_ranks, trec_order
from embdiff.measures.score import in_order
from embdiff.measures.score import scores as take
from embdiff.records import FloatArray, IntArray, Score
from embdiff.sources import Wanted

NOISE_DEPTH = 100  # of lists ranked again: more than ndcg@10 looks at, ties included

_List = dict[str, dict[str, float]]


@dataclass(frozen=True, eq=False)
class _Asked:
    """The judged queries: all of them count, those with a text are asked."""

    collection: Collection
    row_of: dict[str, int]
    queries: tuple[str, ...]
    places: IntArray
    wanted: Wanted
    judged: Judged
    name_rank: IntArray

    def scores(self, model: str, ordered: IntArray, judged: Judged, measures: Sequence[str], seed: int) -> list[Score]:
        """Return measures of the lists, best first, of judged queries."""
        lists = JudgedLists(grade(ordered, judged), (model,), len(self.collection.corpus))
        return list(take(measures, lists, seed=seed))


def evaluate_retrieval(folder: Path, settings: Settings) -> Outcome:
    """Read a BEIR folder, rank with every model, and score against the judgements."""
    collection = read_beir(folder, settings.qrels)
    corpus, seed = collection.corpus, settings.seed
    asked = _asked(collection)
    runs: dict[str, _List] = {}
    lists: dict[str, IntArray] = {}
    facts: list[ModelFacts] = []
    scores: list[Score] = []
    noise: list[Change] = []
    notes = _data_notes(asked)

    def add(about: ModelFacts, rows: IntArray, similarity: FloatArray) -> None:
        rows, similarity = _placed(asked, rows, similarity)
        lists[about.model] = trec_order(rows, similarity, asked.name_rank)
        scores.extend(asked.scores(about.model, lists[about.model], asked.judged, usual_measures(), seed))
        runs[about.model] = _as_run(asked, rows, similarity)
        facts.append(about)

    index = lexical(corpus.items, notes) if settings.baseline else None
    if index is not None:
        found = index.rank(asked.wanted.items, settings.depth, asked.name_rank)
        add(ModelFacts(BM25, None, about=index.about), *found)
    so = "such documents are never found, such queries find nothing."
    for name in settings.models:
        documents, queries, again, about = vectors_of(name, settings, Texts(corpus, asked.wanted, seed))
        add(about, *rank(queries, documents, settings.depth, settings.metric))
        notes += zero_notes(name, settings.metric, ((documents, "documents"), (queries, "queries")), so)
        few, score = few_again(documents, queries, again), _headline(name, asked, settings)
        noise += changes(score, documents, queries, few, what="queries", seed=seed)
    for path in settings.runs:
        add(*_given(path, asked))
    return Outcome(
        task="retrieval",
        source=str(folder),
        headline=f"{len(asked.queries):,} judged queries, {len(corpus):,} documents of {folder}",
        scores=in_order(scores),
        units=asked.queries,
        models=tuple(facts),
        protocol=_protocol(collection, settings),
        notes=tuple(notes),
        noise=tuple(noise),
        together=together(lists, asked.judged, asked.name_rank, documents=len(corpus), seed=seed),
        runs=runs,
        qrels=collection.qrels,
    )


def _asked(collection: Collection) -> _Asked:
    queries = tuple(collection.qrels.judgements)
    row_of = {name: row for row, name in enumerate(collection.corpus.ids)}
    rows = {name: row for row, name in enumerate(collection.queries.ids)}
    names = tuple(name for name in queries if name in rows)
    place = np.array([rows[name] for name in names], dtype=np.int64)
    texts = tuple(collection.queries.items[row] for row in place)
    return _Asked(
        collection=collection,
        row_of=row_of,
        queries=queries,
        places=np.array([place for place, name in enumerate(queries) if name in rows], dtype=np.int64),
        wanted=Wanted(texts, names, place, len(collection.queries), "queries"),
        judged=Judged.from_qrels(collection.qrels.judgements, queries, row_of),
        name_rank=name_ranks(collection.corpus.ids),
    )


def _placed(asked: _Asked, rows: IntArray, similarity: FloatArray) -> tuple[IntArray, FloatArray]:
    """Put the lists of the queries asked among all judged ones, whose lists stay empty."""
    if len(rows) == len(asked.queries):
        return rows, similarity
    all_rows = np.full((len(asked.queries), rows.shape[1]), -1, dtype=np.int64)
    all_similarity = np.full(all_rows.shape, np.nan, dtype=np.float32)
    all_rows[asked.places], all_similarity[asked.places] = rows, similarity
    return all_rows, all_similarity


def _headline(name: str, asked: _Asked, settings: Settings) -> Scored:
    """Return what scores the first measure for some of the queries asked."""

    def score(documents: FloatArray, queries: FloatArray, which: IntArray) -> Score:
        rows, similarity = rank(queries, documents, min(settings.depth, NOISE_DEPTH), settings.metric)
        names = [asked.queries[asked.places[place]] for place in which]
        judged = Judged.from_qrels(asked.collection.qrels.judgements, names, asked.row_of)
        ordered = trec_order(rows, similarity, asked.name_rank)
        return asked.scores(name, ordered, judged, usual_measures()[:1], settings.seed)[0]

    return score


def _given(path: Path, asked: _Asked) -> tuple[ModelFacts, IntArray, FloatArray]:
    """Read a run; documents that are not in the collection keep no place, as they cannot be relevant here."""
    run = read_run(path)
    unknown = sorted({name for found in run.values() for name in found if name not in asked.row_of})
    if unknown:
        raise DataError(
            f"Every document of a run must be in the collection. Got {shown(unknown, 5)} in {path}. "
            "Check that the run belongs to this collection."
        )
    if not set(run) & set(asked.queries):
        raise DataError(f"A run must answer judged queries. Got {shown(run, 5)} in {path}. Name another run.")
    depth = max(len(run.get(name, ())) for name in asked.queries)
    rows = np.full((len(asked.queries), depth), -1, dtype=np.int64)
    scores = np.full(rows.shape, np.nan, dtype=np.float32)
    for place, name in enumerate(asked.queries):
        found = run.get(name, {})
        rows[place, : len(found)] = [asked.row_of[document] for document in found]
        scores[place, : len(found)] = list(found.values())
    return ModelFacts(f"run:{path.name}", None, about=f"the run {path}"), rows, scores


def _as_run(asked: _Asked, rows: IntArray, similarity: FloatArray) -> _List:
    ids = asked.collection.corpus.ids
    return {
        name: {ids[row]: float(value) for row, value in zip(found, values, strict=True) if row >= 0}
        for name, found, values in zip(asked.queries, rows.tolist(), similarity, strict=True)
    }


def _protocol(collection: Collection, settings: Settings) -> dict[str, str]:
    return {
        "document": 'title + " " + text; text alone without a title',
        "judgements": f"{collection.qrels.source}; relevant from score 1, gains are the scores (linear)",
        "ranking": f"exact {settings.metric}, the first {settings.depth:,} documents of each list",
        "rules": "trec_eval -c: equal scores by document id descending, every judged query counts, a missing one as 0",
        "intervals": "95 %, queries resampled, documents held fixed",
        "chance": "all documents in random order (exact expectation)",
        "together": PROTOCOL,
    }


def _data_notes(asked: _Asked) -> list[str]:
    collection = asked.collection
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
