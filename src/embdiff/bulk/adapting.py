"""One adaptation: a sample encoded by both models, the map fitted and measured, the mapped collection written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from embdiff import _files, _names
from embdiff._plain import plain, reader
from embdiff.alignment import Map, align, refuse_few
from embdiff.bulk.adaptation import Adaptation
from embdiff.bulk.mapfile import read_map, write_map
from embdiff.bulk.old import MappedRows, OldCollection
from embdiff.bulk.outputs import work_place
from embdiff.bulk.recovery import Recovery, Spaces, measure_recovery
from embdiff.errors import ParameterError
from embdiff.indexes import IndexSpec
from embdiff.kept import VectorCache
from embdiff.measures.row_pairs import pair_similarity
from embdiff.records import Corpus, FloatArray, Method, Qrels, Space
from embdiff.sources import Encoder
from embdiff.stores import get_store
from embdiff.stores.collection import Batch, CollectionSpec, collection_name, dense
from embdiff.stores.copying import copy_rows
from embdiff.stores.placing import is_whole
from embdiff.stores.store import Store

_PROBED, _ALIKE = 50, 0.05  # rows by which it is seen whose the vectors are, and what of a cosine may be rounding
_MAP = "map.npz"
_FLAT = IndexSpec.parse("flat")


@dataclass(frozen=True, eq=False)
class _Sample:
    """Rows that the map is fitted and measured on: as stored, and made anew."""

    rows: Batch
    texts: list[str]
    models: tuple[Encoder, Encoder]  # from, to
    vectors: tuple[FloatArray, FloatArray]
    of_queries: bool


@dataclass(frozen=True)
class Wish:
    """What was asked for, checked."""

    method: Method
    sample: int
    k: int
    margin: float
    drop: float
    seed: int


class Job:
    """One adaptation, from the sample to what is written."""

    def __init__(
        self, old: OldCollection, models: tuple[Encoder, Encoder], wish: Wish, out: str,
        asked: tuple[Corpus | None, Qrels | None], cache: VectorCache,
    ) -> None:  # fmt: skip
        self._old, self._models, self._wish, self._out = old, models, wish, out
        (self._queries, self._expected), self._cache = asked, cache
        self._to = cache.stamped(models[1].stamp)

    def measured(self, export: str | Path | None, dry_run: bool) -> Adaptation:
        """Fit and measure; write the map where it is wanted."""
        place = None if export is None else _names.place_for(Path(export), "map")
        sample = self._sample(of_queries=place is not None)
        by, unit, recovery = self._fitted(sample)
        if place is not None and not dry_run:
            with _files.told("A map", place, "and run the same command again"):
                write_map(place, by, unit, self._about(sample, recovery))
        written = None if dry_run or export is None else str(export)
        return self._told(sample.of_queries, len(sample.texts), recovery, exported=written)

    def written(self, name: str) -> Adaptation:
        """Fit, measure and write the mapped collection; or find it, or go on with it."""
        key = self._key()
        called = collection_name(f"{name[:40]}_mapped_{key[:8]}", self._models[1].spec, self._to.fingerprint())
        target = _names.place_for(work_place(self._out, None, "adapt"), "work")
        with get_store(self._out) as there, ExitStack() as stack:
            found = self._found(there, called, key)
            if found is not None:
                return found
            folder = stack.enter_context(_files.work_folder(target, key, _worth_keeping, "database"))
            if not (folder / _MAP).is_file():
                sample = self._sample(of_queries=False)
                by, unit, recovery = self._fitted(sample)
                write_map(folder / _MAP, by, unit, self._about(sample, recovery))
            by, unit, about = read_map(folder / _MAP)
            spec = self._spec(called, by, unit, about, key)
            copied = copy_rows(MappedRows(self._old, by, unit, spec), there, spec, doing="map")
            notes = (f"{copied.cut:,} texts or groups were cut to fit the store.",) if copied.cut else ()
            return replace(self._of(about), out=there.uri, mapped=called, notes=notes)

    def _found(self, there: Store, called: str, key: str) -> Adaptation | None:
        """Return what the stamp of the mapped collection tells, when it is there, whole."""
        stamp = there.stamp(called) if called in there.names() else None
        if stamp is None or not stamp.get("complete") or stamp["source"].get("job") != key:
            return None
        spec = CollectionSpec(called, stamp["dim"], self._old.metric, _FLAT, stamp["rows"], stamp["source"])
        if not is_whole(there, spec):
            return None
        return replace(self._of(stamp["source"]["mapped"]), out=there.uri, mapped=called, reused=True)

    def _of(self, about: Mapping[str, Any]) -> Adaptation:
        recovery: Recovery = reader(Recovery).validate_python(about["recovery"])
        return self._told(False, int(about["fitted"]), recovery)

    def _key(self) -> str:
        """Return what tells this work from other work: the same rows, models and settings find each other again."""
        told = {
            "collection": self._old.where, "rows": self._old.count, "stamp": dict(self._old.stamp),
            "models": [self._cache.stamped(model.stamp).to_dict() for model in self._models], "wish": vars(self._wish),
            "queries": None if self._queries is None else self._queries.digest(),
            "expected": None if self._expected is None else plain(self._expected.judgements),
        }  # fmt: skip
        return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]

    def _sample(self, *, of_queries: bool) -> _Sample:
        """Draw rows, those that are judged among them, encode them by both models, and see whose the vectors are."""
        order = np.random.default_rng(self._wish.seed).permutation(self._old.count).tolist()
        rows = self._old.rows(sorted({*order[: self._wish.sample], *self._judged_places()}))
        texts = self._old.texts_of(rows)
        kept = [at for at, text in enumerate(texts) if text.strip()]
        refuse_few(len(kept), "rows with a text", self._old.where)
        rows, texts = _some(rows, kept), [texts[at] for at in kept]
        made_by = self._made_by(rows, texts)
        if made_by == 1 and not of_queries:
            raise ParameterError(
                f"A collection to map must have vectors of the model --from. Got {self._old.where}, whose vectors are "
                f"those of {self._models[1].spec} already. To map queries into it, write --export FILE."
            )
        other = self._models[1 - made_by]
        anew = other.encode(texts, cache=self._cache)
        old = dense(rows.vectors)
        pair = (old, anew) if made_by == 0 else (anew, old)
        return _Sample(rows, texts, self._models, pair, made_by == 1)

    def _judged_places(self) -> list[int]:
        """Return the places of all documents that are judged; the whole collection is read for their ids."""
        if self._expected is None:
            return []
        names = {name for grades in self._expected.judgements.values() for name in grades}
        return [place for place, name in enumerate(self._old.ids()) if name in names]

    def _made_by(self, rows: Batch, texts: list[str]) -> int:
        """Return whose the vectors are: 0 for the model from, 1 for the model to.

        Raises
        ------
        ParameterError
            When they are of neither.
        """
        some, vectors = list(range(min(_PROBED, len(texts)))), dense(rows.vectors)
        told = []
        for number, model in enumerate(self._models):
            if model.stamp.dim != vectors.shape[1]:
                told.append(f"{model.spec} makes {model.stamp.dim} dimensions")
                continue
            made = model.encode([texts[at] for at in some], cache=self._cache)
            median = float(np.median(pair_similarity(vectors[some], made, "cosine")))
            if median >= 1 - _ALIKE:
                return number
            told.append(f"{model.spec} has a median cosine of {median:.3f} with them")
        raise ParameterError(
            f"The vectors of a collection to map must be those of the model --from. Got {self._old.where} of "
            f"{vectors.shape[1]} dimensions: {'; '.join(told)} ({len(some)} rows encoded again). Name the model "
            "that made them; 'embdiff doctor STORE --model MODEL' compares row by row."
        )

    def _fitted(self, sample: _Sample) -> tuple[Map, bool, Recovery]:
        """Return the map, whether its results are brought to length 1, and how good it is."""
        source, target = sample.vectors
        metric, wish = self._old.metric, self._wish
        names = self._models[0].spec, self._models[1].spec
        aligned = align(source, target, wish.method, metric=metric, k=wish.k, seed=wish.seed, models=names)
        unit = Space(self._models[1].spec, sample.rows.ids, target, self._models[1].stamp).normalized
        old, new = sample.vectors if not sample.of_queries else (target, source)
        models = self._models if not sample.of_queries else self._models[::-1]
        asking = None
        if self._queries is not None:
            one, other = (each.encode(self._queries.items, role="query", cache=self._cache) for each in models)
            asking = one, other
        spaces = Spaces(
            old, new, aligned, unit, sample.of_queries, asking, sample.rows.ids,
            self._queries.ids if self._queries is not None else (), self._expected,
        )  # fmt: skip
        recovery = measure_recovery(
            spaces, metric=metric, k=wish.k, margin=wish.margin, drop=wish.drop, seed=wish.seed,
            models=(models[0].spec, models[1].spec),
        )  # fmt: skip
        return aligned.whole, unit, recovery

    def _about(self, sample: _Sample, recovery: Recovery) -> dict[str, Any]:
        told = {"from": self._models[0].stamp.to_dict(), "to": self._to.to_dict(), "method": self._wish.method}
        more = {"fitted": len(sample.texts), "seed": self._wish.seed, "metric": self._old.metric}
        return {**told, **more, "recovery": _without_each(recovery)}

    def _spec(self, called: str, by: Map, unit: bool, about: Mapping[str, Any], key: str) -> CollectionSpec:
        numbers = b"".join(array.tobytes() for array in (by.matrix, by.source_centre, by.target_centre))
        told = {**about, "map": hashlib.sha256(numbers).hexdigest()}
        source = {**self._to.to_dict(), "normalized": unit, "role": "document", "job": key, "mapped": told}
        source |= {"corpus": self._old.stamp["corpus"]} if "corpus" in self._old.stamp else {}
        return CollectionSpec(called, by.matrix.shape[1], self._old.metric, _FLAT, self._old.count, source)

    def _told(self, of_queries: bool, fitted: int, recovery: Recovery, exported: str | None = None) -> Adaptation:
        return Adaptation(
            self._old.where, self._old.count, self._models[0].spec, self._models[1].spec, self._wish.method, fitted,
            of_queries, recovery, exported=exported,
        )  # fmt: skip


def _without_each(recovery: Recovery) -> dict[str, Any]:
    """Return a recovery as JSON, without the values of single queries."""
    found, staying = (replace(each, per_query=None) for each in (recovery.recovery, recovery.staying))
    measures = tuple(replace(each, per_query=None) for each in recovery.measures)
    return replace(recovery, recovery=found, staying=staying, measures=measures).to_dict()


def _worth_keeping(folder: Path, _error: BaseException) -> bool:
    """Return whether interrupted work is worth going on with: the map is there."""
    return (folder / _MAP).is_file()


def _some(rows: Batch, at: list[int]) -> Batch:
    return Batch(
        rows.rows[at], tuple(rows.ids[row] for row in at), tuple(rows.texts[row] for row in at),
        tuple(rows.groups[row] for row in at), dense(rows.vectors)[at],
    )  # fmt: skip
