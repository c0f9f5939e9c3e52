"""The record of one comparison, and its folder: everything that one holds, the other does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff import _files
from embdiff._plain import plain, reader
from embdiff.alignment import Reach
from embdiff.causes import Why
from embdiff.clusters import NO_PARTS, Parts
from embdiff.decision import Decision
from embdiff.errors import EmbdiffError, ParameterError, in_one_line
from embdiff.headline import UNTOLD, Headline
from embdiff.layouts import Layout
from embdiff.lexical import BM25
from embdiff.measures import GroupTest, Mixing
from embdiff.measures.calibration import Calibration
from embdiff.measures.differences import Differences
from embdiff.measures.noise import Change
from embdiff.measures.rbo import Tail
from embdiff.measures.similarities import Distribution, Similarities
from embdiff.records import Answer, Corpus, Qrels, Score
from embdiff.runs import folder as files
from embdiff.runs import tables
from embdiff.runs.fits import misfits
from embdiff.runs.origin import Origin
from embdiff.search import disputing_pairs
from embdiff.settings import RunConfig

_TABLES = (files.CORPUS, files.QUERIES, files.ARRAYS, files.NEIGHBORS)
_NEEDED = (files.SETTINGS, files.CORPUS, files.QUERIES, files.ARRAYS, files.SCORES)


@dataclass(frozen=True, eq=False)
class Run:
    """Everything one comparison found; the run folder holds exactly this.

    Parameters
    ----------
    config : RunConfig
    corpus, queries : Corpus
        Queries taken from the corpus keep their corpus id.
    query_rows : tuple of int or None
        Corpus rows of the queries, None when they came from elsewhere.
    answers : tuple of Answer
        One for each query model and collection.
    scores : tuple of Score
    mixings : mapping of str to Mixing
        Group mixing by model; empty without groups.
    tests : tuple of (str, GroupTest)
        Model and its test, for every group and model.
    expected : Qrels or None
    manifest : dict
        Versions, stamps, timings, what was cut or dropped.
    similarities : tuple of Similarities
        What cut-offs need, for each model with vectors.
    distributions : tuple of Distribution
    calibrations : tuple of Calibration
        Empty unless asked for.
    layouts : tuple of Layout
        Maps of the models' spaces, to look at; empty when none were asked for.
    beside : tuple of Answer
        Of models that rank texts without a collection, and of bm25, last, where it stood beside the models.
    curves : tuple of Score
        Agreement at several depths up to k.
    tails : tuple of Tail
        What the unseen tail leaves open of each rbo.
    differences : tuple of (str or None, Differences)
        With expected results or groups: the query model, and how the collections differ in a measure.
    changes : tuple of (str or None, Change)
        With expected results: the query model, and what the same model again changes of their first measure.
    headline : Headline
        What was found, in a sentence.
    parts : Parts
        The groups of the corpus, or its suggested clusters.
    reaches : tuple of Reach
        How far each query model reaches in the collections of others.
    decision : Decision or None
        Which model to take, where that was asked.
    why : tuple of Why
        Why the neighbours of every two models that were asked alike differ.
    origin : Origin
        Who named its models and its store: the user, or the folder that it was read from. Not written.
    unseen : tuple of str
        Parts of its folder that were missing or changed, and what is not shown for it. Not written.
    """

    config: RunConfig
    corpus: Corpus
    queries: Corpus
    query_rows: tuple[int, ...] | None
    answers: tuple[Answer, ...]
    scores: tuple[Score, ...]
    mixings: Mapping[str, Mixing] = field(default_factory=dict)
    tests: tuple[tuple[str, GroupTest], ...] = ()
    expected: Qrels | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    similarities: tuple[Similarities, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    layouts: tuple[Layout, ...] = ()
    beside: tuple[Answer, ...] = ()
    curves: tuple[Score, ...] = ()
    tails: tuple[Tail, ...] = ()
    differences: tuple[tuple[str | None, Differences], ...] = ()
    changes: tuple[tuple[str | None, Change], ...] = ()
    headline: Headline = UNTOLD
    parts: Parts = NO_PARTS
    reaches: tuple[Reach, ...] = ()
    decision: Decision | None = None
    why: tuple[Why, ...] = ()
    origin: Origin = field(default=Origin(), repr=False)
    unseen: tuple[str, ...] = field(default=(), repr=False)

    @property
    def baseline(self) -> Answer | None:
        """The answer of bm25, if there is one."""
        return next((each for each in self.beside if each.model == BM25), None)

    @property
    def named(self) -> tuple[Answer, ...]:
        """The answers of what was named and ranks texts without a collection: models, and bm25 where it was."""
        return tuple(each for each in self.beside if each.model != BM25 or self.config.baseline == "named")

    @property
    def shown(self) -> tuple[Answer, ...]:
        """The answers whose lists are shown: of the models, and of bm25 where it was named among them."""
        return (*self.answers, *self.named)

    @property
    def disputing(self) -> list[tuple[Answer, Answer]]:
        """The pairs by which queries and rows count as disputed, as `disputing_pairs` has them."""
        return disputing_pairs(self.answers, self.named, self.beside)

    def neighbor_columns(self, answers: Sequence[Answer]) -> tables.Columns:
        """Return the lists as columns, one row for each (answer, query, rank), padding left out."""
        query_ids, ids = (np.array(each.ids, dtype=object) for each in (self.queries, self.corpus))
        found = [np.nonzero(answer.returned.rows >= 0) for answer in answers]
        queries, places = (np.concatenate(each) for each in zip(*found, strict=True))
        lengths = [len(rows) for rows, _ in found]

        def named(names: Sequence[str]) -> npt.NDArray[Any]:
            return np.repeat(np.array(names, dtype=object), lengths)

        def joined(values: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
            return np.concatenate([each[place] for each, place in zip(values, found, strict=True)])

        return {
            "query_id": query_ids[queries],
            "query_model": named([answer.query_model for answer in answers]),
            "model": named([answer.model for answer in answers]),
            "rank": places + 1,
            "id": ids[joined(answer.returned.rows for answer in answers)],
            "distance": joined(answer.returned.apart for answer in answers),
            "similarity": joined(answer.returned.similarity for answer in answers),
            "self": joined(answer.is_self for answer in answers),
        }

    def similarity_columns(self) -> dict[str, Any]:
        """Return the similarities as columns, one row for each line of `Similarities`."""
        found = self.similarities
        models = np.repeat(np.arange(len(found)), [len(each.place) for each in found])
        queries = np.concatenate([each.queries[each.place] for each in found])
        return {
            "model": tables.coded([each.model for each in found], models),
            "query_id": tables.coded(self.queries.ids, queries),
            "similarity": np.concatenate([each.similarity for each in found]),
            "count": np.concatenate([each.count for each in found]),
            "binned": np.concatenate([each.binned for each in found]),
            "expected": np.concatenate([each.expected for each in found]),
        }

    def write(self, folder: Path) -> None:
        """Write the run into an existing folder, the manifest with the checksums of all other files last."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        _files.write_text(folder / files.SETTINGS, self.config.to_toml())
        state: dict[str, Any] = {
            "query_rows": self.query_rows,
            "corpus": tables.write_corpus(self.corpus, folder / files.CORPUS),
            "queries": tables.write_corpus(self.queries, folder / files.QUERIES),
            "answers": self.answers,
            "beside": self.beside,
            "layouts": self.layouts,
            "reaches": self.reaches,
        }
        distributions = [each.to_dict() for each in self.distributions]
        documents: dict[str, Any] = {
            files.SCORES: self.scores,
            files.AGREEMENT: {"curves": self.curves, "tails": self.tails, "changes": self.changes},
            files.EXPECTED: {"expected": self.expected, "differences": self.differences},
            files.GROUPS: {"mixings": self.mixings, "tests": self.tests, "parts": self.parts},
            files.CALIBRATION: self.calibrations,
            files.HEADLINE: {"headline": self.headline, "decision": self.decision},
            files.WHY: {"why": self.why},
            files.DISTRIBUTIONS: {"distributions": distributions, "similarities": self.similarities},
            files.MANIFEST: {**self.manifest, "state": state},
        }
        written = {name: plain(each, arrays) for name, each in documents.items()}
        tables.write_arrays(arrays, folder / files.ARRAYS)
        tables.write_table(self.neighbor_columns(self.answers), folder / files.NEIGHBORS)
        if self.similarities:
            tables.write_table(self.similarity_columns(), folder / files.SIMILARITIES)
        manifest = written.pop(files.MANIFEST)
        for name, each in written.items():
            _files.write_json(folder / name, each)
        tables_there = (*_TABLES, *([files.SIMILARITIES] if self.similarities else []))
        files.write_manifest(folder, manifest, (files.SETTINGS, *written, *tables_there))

    @classmethod
    def read(cls, folder: Path, *, damaged: bool = False, trusted: bool = False) -> Run:
        """Read a run folder.

        Parameters
        ----------
        folder : Path
        damaged : bool
            Whether to open it without the parts that are missing or changed, as far as it can be (`unseen`).
        trusted : bool
            Whether models, stores and files that it names may be used whatever they are; see `Origin`.

        Raises
        ------
        DataError
            When the folder is no whole run, one of another format, or damaged: the message names the parts.
        """
        manifest = files.read_manifest(folder)
        parts = files.broken(folder, manifest.pop("files"), _NEEDED, manifest.get("store"))
        if parts and not (damaged and parts.keys() <= files.NOT_SHOWN.keys()):
            raise files.damaged(folder, parts)
        try:
            run = cls._read(folder, manifest, parts)
        except Exception as error:  # whatever a file from elsewhere makes a reader stumble over
            if isinstance(error, ParameterError) or not isinstance(error, EmbdiffError):
                told = f"holds what cannot be read ({in_one_line(error)})"
                raise files.damaged(folder, {str(folder.name): told}) from None
            raise
        unseen = tuple(f"{name} {wrong}. Not shown: {files.NOT_SHOWN[name]}." for name, wrong in parts.items())
        return replace(run, origin=Origin(folder, trusted), unseen=unseen)

    @classmethod
    def _read(cls, folder: Path, manifest: dict[str, Any], parts: Collection[str]) -> Run:
        """Read what a run is made of but for these parts; the files are as they were written."""
        state = manifest.pop("state")
        found = {
            **state,
            "config": RunConfig.from_toml(folder / files.SETTINGS),
            "corpus": {**state["corpus"], **tables.read_corpus(folder / files.CORPUS)},
            "queries": {**state["queries"], **tables.read_corpus(folder / files.QUERIES)},
            "manifest": manifest,
            "scores": files.read_json(folder / files.SCORES),
        }
        if files.CALIBRATION not in parts:
            found["calibrations"] = files.read_json(folder / files.CALIBRATION)
        for name in (files.AGREEMENT, files.EXPECTED, files.GROUPS, files.DISTRIBUTIONS, files.HEADLINE, files.WHY):
            if name not in parts:
                found = {**found, **files.read_json(folder / name)}
        for name in ("origin", "unseen"):  # no file says where it comes from
            found.pop(name, None)
        run: Run = reader(cls).validate_python(found, context=tables.read_arrays(folder / files.ARRAYS))
        if run.config.k > len(run.corpus):  # room is made for so many
            raise ValueError(f"k = {run.config.k} and {len(run.corpus)} rows do not fit together")
        told = (run.query_rows, (*run.answers, *run.beside), run.layouts, run.similarities, run.mixings, run.parts)
        for misfit in misfits(len(run.corpus), len(run.queries), *told, run.why):
            raise ValueError(f"{misfit} do not fit together")
        return run

    def same_as(self, other: Run) -> bool:
        """Return whether two runs hold the same, wherever they are stored."""
        here, there = (
            replace(run, manifest={key: value for key, value in run.manifest.items() if key != "store"})
            for run in (self, other)
        )
        return same(here, there)


def same(a: Any, b: Any) -> bool:
    """Compare records by what is written of them; undefined numbers equal each other."""
    here, there = dict[str, npt.NDArray[Any]](), dict[str, npt.NDArray[Any]]()
    return plain(a, here) == plain(b, there) and all(
        np.array_equal(here[name], there[name], equal_nan=here[name].dtype.kind == "f") for name in here
    )
