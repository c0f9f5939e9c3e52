"""A run and the judgements of it, opened together: the next question, the answer, the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embdiff import _names
from embdiff._plain import plain
from embdiff._settings import typed
from embdiff.errors import ParameterError
from embdiff.judging.book import Book, Judgement, TypedQueries, qrels_beside
from embdiff.judging.pool import Pool, PooledQuery, Question, pool_run, with_typed
from embdiff.judging.scoring import JudgedScores, score_judgements
from embdiff.judging.second import Combined, SecondJudge, of_all_queries, second_judge
from embdiff.records import Score
from embdiff.runs import Run
from embdiff.views.agreement_tables import is_again

VERSION = 1
Pair = tuple[str, str]


@dataclass(eq=False)
class Judging(AbstractContextManager["Judging"]):
    """Judgements under way. Use it in a ``with`` block, or call `close`.

    Parameters
    ----------
    book : Book
    pool : Pool
    latest : dict of (str, str) to Judgement
        (query, document) to what was answered before.
    set_aside : int
        Judgements in the file that are of other queries, documents or texts than those of this run.
    seed : int
    left_out : int
        Typed queries that could not be pooled: other models or rows than those of this run.
    noise : sequence of Score
        What the same model again changes of the neighbours of this run, to stand beside the differences.
    models : dict of str to dict of (str, str) to Judgement
        By judge model what it answered before.
    """

    book: Book
    pool: Pool
    latest: dict[Pair, Judgement]
    set_aside: int
    seed: int
    left_out: int = 0
    noise: Sequence[Score] = ()
    models: dict[str, dict[Pair, Judgement]] = field(default_factory=dict)
    _again: Pair | None = field(default=None, init=False)
    _note: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.latest and self.book.writing:
            self._write_qrels()  # a session that was killed may have left one out

    def next(self) -> Question | None:
        """Return the next question: the one gone back to, else the first that has no answer; None when all have."""
        if self._again is not None:
            return self.pool.question(*self._again)
        for query in self.pool.queries[: self.pool.asked]:
            for document in query.documents:
                if (query.id, document) not in self.latest:
                    return self.pool.question(query.id, document)
        return None

    def record(self, question: Question, grade: int | None, *, judge: str = "judge") -> None:
        """Save an answer at once; a later one to the same question replaces it.

        Parameters
        ----------
        question : Question
        grade : int or None
            0 (not relevant) to 9; None is "cannot say": the document is left out of all lists.
        judge : str
            Who says so.

        Raises
        ------
        ParameterError
            For another grade, or when the judgements were opened to read.
        """
        asked, found = (question.query, question.query_text), (question.document, question.document_text)
        pair = (question.query, question.document)
        made = self.book.add(asked, found, grade, judge)
        self.latest.pop(pair, None)  # the newest stands last
        self.latest[pair] = made
        self._again = None
        self._write_qrels()

    def unlabelled(self, model: str) -> list[Question]:
        """Return the questions that a judge model has no answer to, in the order in which people are asked."""
        known = self.models.get(model, {})
        asked = [(each.id, name) for each in self.pool.queries[: self.pool.asked] for name in each.documents]
        return [self.pool.question(*pair) for pair in asked if pair not in known]

    def label(self, question: Question, grade: int | None, *, model: str) -> None:
        """Save an answer of a judge model at once; beside those of people, never in their place.

        Parameters
        ----------
        question : Question
        grade : int or None
            None where it gave none.
        model : str

        Raises
        ------
        ParameterError
            As for `record`.
        """
        asked, found = (question.query, question.query_text), (question.document, question.document_text)
        made = self.book.add(asked, found, grade, model, model=True)
        self.models.setdefault(model, {})[question.query, question.document] = made

    def second(self) -> tuple[SecondJudge, ...]:
        """Say of every judge model how far it agrees with the people, and what their labels give together."""
        person = _grades(self.latest)
        return tuple(second_judge(name, self.pool, person, _grades(found)) for name, found in self.models.items())

    def of_all_queries(self) -> tuple[Combined, ...]:
        """Return what the people say of all queries of the run, where disputed ones were drawn rather; else nothing."""
        return of_all_queries(self.pool, _grades(self.latest))

    def _write_qrels(self) -> None:
        self._note = self.book.write_qrels(self.latest.values())

    def back(self) -> Question | None:
        """Go back to the answer before, of this session or an earlier one; None when there is none.

        What was said there (`said`) stays until another answer is recorded.
        """
        pooled = {(query.id, document) for query in self.pool.queries for document in query.documents}
        answered = [pair for pair in self.latest if pair in pooled]
        before = len(answered) if self._again is None else answered.index(self._again)
        if before == 0:
            return None
        self._again = answered[before - 1]
        return self.pool.question(*self._again)

    def said(self, question: Question) -> Judgement | None:
        """Return what was answered to a question."""
        return self.latest.get((question.query, question.document))

    def add_query(self, query: PooledQuery, texts: dict[str, str]) -> None:
        """Ask about one more query, after the others (see `pooled_query`); ``texts`` holds those of its documents."""
        self.pool = self.pool.with_query(query, texts)

    @property
    def answered(self) -> int:
        """Questions with an answer."""
        return len(self.latest)

    def score(self) -> JudgedScores:
        """Score the models by what was judged so far."""
        return score_judgements(self.pool, _grades(self.latest), seed=self.seed)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known beside the scores: of the TREC file, and of typed queries."""
        found = [self._note] if self._note else []
        if self.left_out:
            found.append(
                f"{self.left_out:,} typed queries are left out: their lists are of other models or rows than this "
                "run's."
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return the scores, and how far the judgements are, as JSON-able values."""
        verdict = self.score()
        found = verdict.to_dict()
        return {
            **found,
            "judging": VERSION,
            "headline": verdict.headline.to_dict(),
            "run": self.book.path.name,
            "qrels": str(self.book.path),
            "log": str(self.book.log),
            "depth": self.pool.depth,
            "order": self.pool.order,
            "available": self.pool.available,
            "judges": list(dict.fromkeys(each.judge for each in self.latest.values())),
            "of_all_queries": [each.to_dict() for each in self.of_all_queries()],
            "judge_models": [each.to_dict() for each in self.second()],
            "set_aside": self.set_aside,
            "noise": plain(self.noise),
            "notes": [*found["notes"], *self.notes],
        }

    def close(self) -> None:
        """Let others add judgements."""
        self.book.close()

    def __exit__(self, *_error: object) -> None:
        self.close()


def _grades(labels: Mapping[Pair, Judgement]) -> dict[Pair, int | None]:
    return {pair: each.grade for pair, each in labels.items()}


@typed
def open_judging(
    run: Run | str | Path,
    *,
    out: str | Path | None = None,
    queries: int = 20,
    depth: int | None = None,
    order: str = "disputed",
    seed: int = 0,
    baseline: bool = True,
    write: bool = True,
) -> Judging:
    """Open the judgements of a run, made so far or none yet.

    Parameters
    ----------
    run : Run or path
        A run folder, or its records (then ``out`` must be given).
    out : path, optional
        File of TREC qrels; the log stands beside it, with ``.jsonl`` added. By default beside the run folder, under
        its name with ``.qrels`` added, as a repeated run replaces the folder.
    queries : int
        How many to ask about, at least 1.
    depth : int, optional
        Results of each model that are pooled; by default 5, or k of the run if that is smaller.
    order : {"disputed", "random", "weighted"}
        Most disputed first; a random sample of the queries of the run; or one in which disputed queries are drawn up to
        four times as often, with known probabilities.
    seed : int
        Of the blind order of the documents, and of the order of queries that are disputed alike.
    baseline : bool
        Whether the results of bm25, if the run has them, are judged too.
    write : bool
        Whether answers will be recorded.

    Raises
    ------
    EmbdiffError
        Its subclasses name what must hold, what was got and what to do.
    """
    if isinstance(run, Run):
        if out is None:
            raise ParameterError("Judgements must have a file. Got a run without a folder. Name a file with out=.")
        records, path, typed = run, Path(out), []
    else:
        folder = _names.place_for(Path(run), "run")
        records, typed = Run.read(Path(run)), TypedQueries.beside(run).read()
        path = qrels_beside(folder) if out is None else Path(out)
    wanted: dict[str, Any] = {"queries": queries, "depth": depth, "seed": seed, "order": order, "baseline": baseline}
    with records.origin.reading():
        pool_run(records, **wanted)  # refused before a file is made
    book = Book(path, write=write)
    try:
        asked, texts = (dict(zip(part.ids, part.items, strict=True)) for part in (records.queries, records.corpus))
        asked |= {each.id: each.text for each in typed}
        latest = book.latest(asked, texts)
        models = {name: book.latest(asked, texts, model=name) for name in book.models}
        pool = pool_run(records, **wanted, also={query for found in (latest, *models.values()) for query, _ in found})
        unasked = {each.model for each in records.beside}
        pool, left_out = with_typed(pool, typed, texts, seed=seed, unasked=unasked)
        set_aside = len({(each.query, each.document) for each in book.entries if not each.model} - latest.keys())
        noise = [score for score in records.scores if is_again(score)]
        return Judging(book, pool, latest, set_aside, seed, left_out, noise, models)
    except BaseException:
        book.close()
        raise
