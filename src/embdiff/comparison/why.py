"""Why the lists of two models differ: every cause that the run can see, looked for at each neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from embdiff.causes import CAUSES, Name, Seen, Why, explained
from embdiff.causes import texts as of_texts
from embdiff.causes.units import Units, decided_otherwise, hubs, listed_in, tied, units_of
from embdiff.comparison.work import Work
from embdiff.lexical import BM25
from embdiff.measures.noise import FLOAT16, drawn
from embdiff.own_rows import contains
from embdiff.records import Answer, BoolArray, IntArray, Stamp
from embdiff.search import compared_pairs

_LANGUAGE = ("language", "lang", "locale", "language_code", "lang_code")
_SETTINGS: dict[Name, tuple[str, ...]] = {
    "truncated": ("max_tokens",),
    "prompt": ("prompt", "query_prompt"),
    "precision": ("precision", "backend"),
    "shortened": ("dim",),
}  # what alone may differ between two stamps of one model
_KINDS: tuple[Name, ...] = ("duplicate", "number", "negation", "entity")
_IMAGES = "images have no words"
_QUARTERS = ("shortest quarter", "second quarter", "third quarter", "longest quarter")


def why(work: Work) -> tuple[Why, ...]:
    """Say of every two models that were asked alike why their neighbours differ.

    At most 1,000 queries are looked at, those that the noise floor takes. Nothing is encoded for it.

    Parameters
    ----------
    work : Work
    """
    pairs = compared_pairs(work.answers)
    if not pairs:
        return ()
    looking = _Looking(work)
    return tuple(looking.at(a, b) for a, b in pairs)


class _Looking:
    """What all pairs of a run share, made once."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._queries = drawn(len(work.inputs.queries), FLOAT16, seed=work.config.seed)
        self._words = "image" not in work.inputs.corpus.kinds | work.inputs.queries.kinds

    def at(self, a: Answer, b: Answer) -> Why:
        """Look at one pair."""
        units = units_of(a, b, self._queries)
        seen: dict[Name, Seen | str] = {
            "hub": Seen(hubs(a, b, len(self._work.inputs.corpus), units)),
            "index": self._index(a, b, units),
            "tie": Seen(tied(a.returned, b.returned, units)),
            **{name: self._otherwise(a, b, units, name) for name in _SETTINGS},
            **self._of_texts(a, b, units),
        }
        told = {name: seen[name] for name in CAUSES if name in seen}
        asked = b.query_model if self._work.config.query_models else None
        return explained(
            a, b, self._queries, units, told, self._slices, seed=self._work.config.seed, query_model=asked
        )  # fmt: skip

    def _truncated(self, a: Answer, b: Answer, units: Units) -> Seen | str:
        """Look where the two models read different lengths of a text."""
        inputs, encoded = self._work.inputs, self._work.encoded
        read = np.zeros((2, len(units)), dtype=np.int64)
        for side, answer in enumerate((a, b)):
            for model, role, of, count in (
                (answer.model, "document", units.row, len(inputs.corpus)),
                (answer.query_model, "query", units.query, len(inputs.queries)),
            ):
                limit = encoded[model].stamp.max_tokens or 0
                read[side] += (1 + limit) * self._cut(model, role, count)[of]
        if not read.any():
            return "no text is cut by either model, as far as they count tokens"
        return Seen(np.asarray(read[0] != read[1]))

    def _cut(self, model: str, role: str, count: int) -> BoolArray:
        """Return which rows of the corpus, or queries, a model reads the beginning of only."""
        inputs, found = self._work.inputs, np.zeros(count, dtype=bool)
        told = dict[str, IntArray](self._work.encoded[model].tally.truncated)
        rows = inputs.query_rows
        if role == "query" and "query" not in told and rows is not None:  # encoded once, as rows
            return self._cut(model, "document", len(inputs.corpus))[np.array(rows, dtype=np.int64)]
        cut = told.get(role, np.zeros(0, dtype=np.int64))
        found[cut[cut < count]] = True
        return found

    def _index(self, a: Answer, b: Answer, units: Units) -> Seen | str:
        if all(np.array_equal(each.returned.rows, each.exact.rows) for each in (a, b)):
            return "no index lost anything: the lists are exact"
        return Seen(
            decided_otherwise(a.returned.rows, a.exact.rows, units)
            | decided_otherwise(b.returned.rows, b.exact.rows, units)
        )

    def _otherwise(self, a: Answer, b: Answer, units: Units, name: Name) -> Seen | str:
        """Look where the same model with one other setting, if it is in the run, decides otherwise."""
        twins = [(here, twin) for here in (a, b) for twin in self._twins(here, name)]
        if twins:
            told = [decided_otherwise(here.returned.rows, twin.returned.rows, units) for here, twin in twins]
            return Seen(np.any(told, axis=0))
        if name == "truncated":
            return self._truncated(a, b, units)
        return "no model is in this run a second time with another one"

    def _twins(self, answer: Answer, name: Name) -> list[Answer]:
        """Return the answers of the same model that differs in one setting only, asked alike."""
        stamps = {model: each.stamp for model, each in self._work.encoded.items()}
        crossed = bool(self._work.config.query_models)
        return [
            other
            for other in self._work.answers
            if other.model != answer.model
            and (other.query_model == answer.query_model if crossed else other.query_model == other.model)
            and _differ_in(stamps[answer.model], stamps[other.model]) == name
        ]

    def _of_texts(self, a: Answer, b: Answer, units: Units) -> dict[Name, Seen | str]:
        if not self._words:
            return dict.fromkeys(("script", "length", *_KINDS, "words"), _IMAGES)
        corpus = self._work.inputs.corpus
        script, known = of_texts.other_value(*self._scripts, units)
        found: dict[Name, Seen | str] = {
            "script": Seen(script, known),
            "language": self._language(units),
            "length": Seen(of_texts.far_out(corpus.items, units)),
            "words": self._by_words(units),
        }
        only = [
            np.where(contains(here.returned.rows, there.returned.rows), -1, there.returned.rows)
            for here, there in ((a, b), (b, a))
        ]
        looked, place, asked = self._looked
        copies = of_texts.swapped(looked, place, units, only)
        for name in _KINDS:
            instead: IntArray = getattr(copies, name)
            has = instead >= 0
            if name != "duplicate":
                has |= of_texts.differs_from_query(looked, name, place[units.row], asked[units.query])
            found[name] = Seen(has, instead=instead)
        return found

    def _by_words(self, units: Units) -> Seen | str:
        found, told = next((each for each in self._work.beside if each.model == BM25), None), self._work.words
        if found is None:
            return str(told["left_out"]) if told and told.get("left_out") else "bm25 was not asked"
        best, scores = found.returned.rows, np.nan_to_num(found.returned.similarity)
        good = np.where(scores >= scores[:, :1] / 2, best, -1)  # of little in common the best is little, too
        return Seen(listed_in(good, units))

    def _language(self, units: Units) -> Seen | str:
        corpus, queries = self._work.inputs.corpus, self._work.inputs.queries
        for name in corpus.columns:
            if name.strip().casefold() in _LANGUAGE and name in queries.columns:
                here, asked = (np.array(each.columns[name], dtype=object) for each in (corpus, queries))
                return Seen(*of_texts.other_value(here, asked, units))
        return f"no column of corpus and queries is called {', '.join(_LANGUAGE[:3])}"

    @cached_property
    def _listed(self) -> IntArray:
        """Rows of the corpus that any list of the queries looked at holds, ascending."""
        lists = [each.returned.rows[self._queries].ravel() for each in self._work.answers]
        rows = np.unique(np.concatenate(lists))
        return np.asarray(rows[rows >= 0], dtype=np.int64)

    @cached_property
    def _scripts(self) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
        corpus, queries = self._work.inputs.corpus, self._work.inputs.queries
        out = []
        for texts, which in ((corpus.items, self._listed), (queries.items, self._queries)):
            names = np.full(len(texts), "", dtype=object)
            names[which] = [of_texts.script_of(texts[at]) for at in which]
            out.append(names)
        return out[0], out[1]

    @cached_property
    def _looked(self) -> tuple[of_texts.Texts, IntArray, IntArray]:
        """Return the texts looked at, and where each row and each query stands among them (-1: nowhere)."""
        corpus, queries = self._work.inputs.corpus, self._work.inputs.queries
        texts = [corpus.items[row] for row in self._listed] + [queries.items[query] for query in self._queries]
        place, asked = np.full(len(corpus), -1, dtype=np.int64), np.full(len(queries), -1, dtype=np.int64)
        place[self._listed] = np.arange(len(self._listed))
        asked[self._queries] = len(self._listed) + np.arange(len(self._queries))
        return of_texts.looked_at(texts), place, asked

    @cached_property
    def _slices(self) -> dict[str, Sequence[str]]:
        """Return what the queries looked at can be sliced by."""
        queries, which = self._work.inputs.queries, self._queries.tolist()
        found: dict[str, Sequence[str]] = {}
        groups = queries.groups
        if groups is not None:
            found["group"] = [groups[at] for at in which]
        if self._words:
            sizes = np.array([len(queries.items[at]) for at in which])
            ends = np.quantile(sizes, [0.25, 0.5, 0.75])
            found["length"] = [_QUARTERS[at] for at in np.searchsorted(ends, sizes, side="left")]
            found["script"] = self._scripts[1][self._queries].tolist()
        for name, values in queries.columns.items():
            found.setdefault(name, [values[at] for at in which])
        return found


def _differ_in(one: Stamp, other: Stamp) -> Name | None:
    """Return in which setting two stamps of one model differ, if in one alone."""
    here, there = one.to_dict(), other.to_dict()
    differ = {key for key in here if here[key] != there[key]}
    return next((name for name, keys in _SETTINGS.items() if differ and differ <= set(keys)), None)
