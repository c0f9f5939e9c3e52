"""probe(): sentences are drawn, changed, encoded, and looked for; everything refused is refused before that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._settings import typed
from embdiff.corpus.columns import Columns
from embdiff.corpus.files import Form
from embdiff.corpus.read import corpus_from
from embdiff.encoded import Texts
from embdiff.encoding import refuse_early
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.kept import VectorCache
from embdiff.lexical import BM25
from embdiff.measures.noise import drawn
from embdiff.measures.paired import PairedTest, paired_tests
from embdiff.measures.statistics.quantiles import Doubles, holm, mean_known, mean_of_known
from embdiff.measures.statistics.resampling import interval
from embdiff.probing.changes import CHANGES, changed
from embdiff.probing.found import Example, Probe
from embdiff.probing.result import Probes
from embdiff.records import Corpus, FloatArray, IntArray
from embdiff.sources import Source, load_named, named_models
from embdiff.specs import is_reference, split_alias

SENTENCES, AMONG = 200, 5_000
FEWEST = 5  # changed sentences below which nothing is said
_TIE = 1e-6  # of a cosine: float32 vectors


@typed
def probe(
    data: Any,
    models: Sequence[Any],
    *,
    sample: int = SENTENCES,
    seed: int = 0,
    changes: Sequence[str] | None = None,
    text_column: str | int | None = None,
    id_column: str | int | None = None,
    group_column: str | int | None = None,
    group_empty: str | None = None,
    quotes: bool | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    empty: str = "refuse",
    cache: str | Path | None = None,
) -> Probes:
    """Change sentences of a corpus a little, and say how far each model goes along with it.

    Parameters
    ----------
    data : path, list of str, or anything `read_corpus` takes
        Texts, not images.
    models : sequence of str or Encoder
        Models that encode; not ready vectors or collections, which know no changed sentence, and not bm25.
    sample : int
        How many rows are changed, drawn at random; 5 or more.
    seed : int
        Of the draw, the changes, the intervals and the tests.
    changes : sequence of str, optional
        Some of typo, case, negation, number, order. Default: all.
    text_column, id_column, group_column, group_empty, quotes, header, encoding, empty, cache
        As for `read_corpus` and `compare`.

    Returns
    -------
    Probes

    Raises
    ------
    ParameterError
        For images, models that cannot encode a changed sentence, fewer than 5 rows, and changes that no row allows;
        before anything is encoded.
    UnknownNameError
        For a change or a model that there is not.
    DataError, EncoderError, CacheError
        As for `compare`.
    """
    wanted = _wanted(changes)
    columns = Columns(
        text_column, id_column, group_column, form=Form(quotes, header, encoding), group_empty=group_empty
    )
    corpus = corpus_from(data, columns, empty)
    names, objects = _models(models)
    _refuse_few(corpus, sample)
    rows = drawn(len(corpus), sample, seed=seed)
    among = np.union1d(rows, drawn(len(corpus), AMONG, seed=seed))
    texts = {name: [changed(name, corpus.items[row], seed=seed, row=int(row)) for row in rows] for name in wanted}
    _refuse_unchangeable(texts, corpus.source)
    vectors = VectorCache.at(cache)
    refuse_early(names, objects, Texts(corpus, None, seed), vectors)
    seen: dict[str, dict[str, _Seen]] = {
        name: _look(load_named(name, objects, vectors), vectors, corpus, rows, among, texts) for name in names
    }
    return Probes(
        source=corpus.source,
        rows=len(corpus),
        sampled=len(rows),
        among=len(among),
        seed=seed,
        models=names,
        unchanged={name: sum(text is None for text in each) for name, each in texts.items()},
        probes=tuple(_probe(change, name, seen[name][change], seed) for change in texts for name in names),
        tests=_tests(seen, tuple(texts), seed),
    )


def _wanted(changes: Sequence[str] | None) -> tuple[str, ...]:
    chosen = tuple(CHANGES) if changes is None else tuple(dict.fromkeys(changes))
    for name in chosen:
        if name not in CHANGES:
            raise UnknownNameError(f"A change must be one of {', '.join(CHANGES)}. Got {name!r}. Choose one of these.")
    if not chosen:
        raise ParameterError(f"At least one change must be named. Got none. Name some of {', '.join(CHANGES)}.")
    return chosen


def _models(models: Sequence[Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Name the models; refuse by name what encodes nothing."""
    for model in models if not isinstance(models, str) else ():
        form = split_alias(model)[1] if isinstance(model, str) else model.spec if isinstance(model, Source) else ""
        ready = isinstance(model, Source) and model.by_row
        if ready or form == BM25 or form.startswith("vectors:") or is_reference(form):
            what = "bm25, which has no vectors" if form == BM25 else f"{form}, whose vectors are ready"
            raise ParameterError(
                f"A probe needs models that encode sentences nobody has encoded before. Got {what}. Name the model "
                "that made them, or leave it out."
            )
    names, objects = named_models(models)
    if not names:
        raise ParameterError("A probe needs at least one model. Got none. Name models with -m (models=).")
    return names, objects


def _refuse_few(corpus: Corpus, sample: int) -> None:
    if "image" in corpus.kinds:
        raise ParameterError(
            f"A probe changes words. Got images in {corpus.source}. Give texts; for images 'embdiff compare' says how "
            "models differ."
        )
    if sample < FEWEST or len(corpus) < FEWEST:
        raise ParameterError(
            f"A probe needs {FEWEST} sentences or more. Got sample={sample} of {len(corpus):,} rows in "
            f"{corpus.source}. Add rows, or take a larger sample."
        )


def _refuse_unchangeable(texts: Mapping[str, Sequence[str | None]], source: str) -> None:
    if all(text is None for each in texts.values() for text in each):
        raise ParameterError(
            f"Some sentence must allow a change. Got {', '.join(texts)} and no sentence in {source} that can be "
            "changed so. Choose other changes (--change), or other sentences."
        )


class _Seen:
    """One change as one model sees it: arrays (s,) over the sentences drawn, NaN where there is nothing to see.

    ``drop``, ``found``, and behind the first its ``same``, ``changed`` and ``random`` cosines; ``unchanged``: whether a
    sentence as it is finds itself. ``example`` is of the sentence that went farthest.
    """

    def __init__(self, count: int) -> None:
        self.drop, self.found, self.same, self.changed, self.random, self.unchanged = np.full((6, count), np.nan)
        self.example: Example | None = None


def _look(
    source: Source, cache: VectorCache, corpus: Corpus, rows: IntArray, among: IntArray,
    texts: Mapping[str, Sequence[str | None]],
) -> dict[str, _Seen]:  # fmt: skip
    """Encode with one model what is asked and what is looked through, and let it go."""
    source.prepare(corpus)
    documents = _directed(source.encode([corpus.items[row] for row in among], role="document", cache=cache))
    asked = [corpus.items[row] for row in rows]
    before = _directed(source.encode(asked, role="query", cache=cache)) @ documents.T
    number = {text: at for at, text in enumerate(dict.fromkeys(corpus.items[row] for row in among))}
    kind = np.array([number[corpus.items[row]] for row in among])
    own = kind[None, :] == np.array([number[text] for text in asked])[:, None]
    found: dict[str, _Seen] = {}
    for name, given in texts.items():
        at = np.array([place for place, text in enumerate(given) if text is not None], dtype=np.int64)
        seen = found[name] = _Seen(len(rows))
        if not at.size:
            continue
        after = _directed(source.encode([str(given[place]) for place in at], role="query", cache=cache)) @ documents.T
        seen.same[at], seen.changed[at] = _to_own(before[at], own[at]), _to_own(after, own[at])
        seen.random[at] = mean_of_known(np.where(own[at], np.nan, before[at]).T)
        way = mean_known(seen.same) - mean_known(seen.random)
        if way > 0:
            seen.drop[at] = (seen.same[at] - seen.changed[at]) / way
        seen.found[at], seen.unchanged[at] = _finds(after, own[at]), _finds(before[at], own[at])
        seen.example = _example(seen, at, after, own, corpus, rows, among, given)
    return found


def _directed(vectors: FloatArray) -> Doubles:
    """Return vectors of length 1, float64; NaN where one has no direction."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    out: Doubles = np.divide(wide, lengths, out=np.full_like(wide, np.nan), where=lengths > 0)
    return out


def _to_own(similarity: Doubles, own: npt.NDArray[np.bool_]) -> Doubles:
    """Return the similarity (m,) of each sentence to its own text."""
    found: Doubles = np.where(own, similarity, -np.inf).max(axis=1)
    return np.where(np.isfinite(found), found, np.nan)


def _finds(similarity: Doubles, own: npt.NDArray[np.bool_]) -> Doubles:
    """Return the chance (m,) that a sentence finds its own text first: rows as near as that come in any order."""
    mine = _to_own(similarity, own)
    others = np.where(own, -np.inf, np.nan_to_num(similarity, nan=-np.inf))
    nearer = (others > mine[:, None] + _TIE).any(axis=1)
    tied = (np.abs(others - mine[:, None]) <= _TIE).sum(axis=1)
    return np.where(np.isnan(mine), np.nan, np.where(nearer, 0.0, 1.0 / (1 + tied)))


def _example(
    seen: _Seen, at: IntArray, after: Doubles, own: npt.NDArray[np.bool_], corpus: Corpus, rows: IntArray,
    among: IntArray, given: Sequence[str | None],
) -> Example | None:  # fmt: skip
    drops = np.nan_to_num(seen.drop[at], nan=-np.inf)
    place = int(drops.argmax())
    if not np.isfinite(drops[place]):
        return None
    sentence = int(at[place])
    best = int(np.nan_to_num(after[place], nan=-np.inf).argmax())
    first = None if own[sentence, best] else corpus.ids[among[best]]
    text = str(given[sentence])
    return Example(corpus.ids[rows[sentence]], corpus.items[rows[sentence]], text, float(drops[place]), first)


def _probe(change: str, model: str, seen: _Seen, seed: int) -> Probe:
    known = ~np.isnan(seen.drop)
    n = int(known.sum())

    def mean(values: Doubles) -> float:
        return float(values[known].mean()) if n else float("nan")

    nothing = (float("nan"), float("nan"))
    drop = interval(seen.drop[known], seed=seed, bounds=None)[:2] if n >= FEWEST else nothing
    found = interval(seen.found[known], seed=seed)[:2] if n >= FEWEST else nothing
    return Probe(
        change, model, n, mean(seen.drop), *drop, mean(seen.same), mean(seen.changed), mean(seen.random),
        mean(seen.found), *found, mean(seen.unchanged), seen.example,
    )  # fmt: skip


def _tests(seen: Mapping[str, Mapping[str, _Seen]], changes: Sequence[str], seed: int) -> tuple[PairedTest, ...]:
    """Compare every two models on the same sentences; Holm over changes, measures and pairs."""
    tests = [
        test
        for change in changes
        for name in ("drop", "found")
        for test in paired_tests(
            {model: getattr(each[change], name) for model, each in seen.items()}, measure=f"{name}: {change}", seed=seed
        )
        if test.n >= FEWEST
    ]
    adjusted = holm([test.p for test in tests])
    return tuple(replace(test, p_holm=float(p)) for test, p in zip(tests, adjusted, strict=True))
