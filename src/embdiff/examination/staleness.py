"""Whether vectors are of the texts beside them: by the digest on the stamp, a corpus, a model that encodes again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from embdiff.errors import DataError
from embdiff.examination.record import Finding, Notes, Place
from embdiff.examination.vectors import SHOWN, Sample
from embdiff.kept import VectorCache
from embdiff.measures.row_pairs import pair_similarity
from embdiff.records import UNPINNED, Corpus, FloatArray, Role
from embdiff.sources import Source

AGAIN = 200  # rows that a model encodes again
_ALIKE, _ROUGHLY = 1e-3, 0.05  # of a cosine below 1: one model in float32 again; one in lower precision
_ITS_OWN = 0.5  # of the rows: where fewer agree, it is another model altogether
_IMAGE = re.compile(r"\.(png|jpe?g|gif|webp|bmp|tiff?)$", re.IGNORECASE)
_PARTS = ("model", "revision", "prompt", "max_tokens", "precision", "backend", "preprocessing", "fitted_on")


class Freshness:
    """What the texts and vectors of collections are compared with.

    Parameters
    ----------
    corpus : Corpus or None
        The texts as they are now.
    model : Source or None
        Encodes a sample again.
    cache : VectorCache
    seed : int
    most_texts : int
        Of larger collections texts are not read.
    named : bool
        Whether the user named the collection, so that the model is taken for its own whatever its stamp says.

    Attributes
    ----------
    compared : int
        Collections whose vectors were compared with those of the model.
    """

    def __init__(
        self, corpus: Corpus | None, model: Source | None, cache: VectorCache, seed: int, most_texts: int,
        named: bool = False,
    ) -> None:  # fmt: skip
        self._corpus, self._model, self._cache, self._seed = corpus, model, cache, seed
        self._now = None if corpus is None else dict(zip(corpus.ids, corpus.items, strict=True))
        self.most_texts, self._certain, self.compared = most_texts, named, 0

    @property
    def model_named(self) -> bool:
        """Whether there is a model to encode again with."""
        return self._model is not None

    def wants_texts(self, source: Mapping[str, Any]) -> bool:
        """Return whether there is anything to compare the texts of a collection with."""
        return self._now is not None or "corpus" in source

    def compare_texts(
        self, where: str, ids: Sequence[str], rows: Sequence[int | None], texts: Sequence[str],
        groups: Sequence[str] | None, source: Mapping[str, Any], field_bytes: int | None, notes: Notes,
    ) -> None:  # fmt: skip
        """Note rows whose text is not the one that was encoded, as far as stamp and corpus tell.

        Parameters
        ----------
        where : str
        ids, texts, groups : sequence of str, length n
            As the collection holds them; groups None for collections of others.
        rows : sequence of int or None, length n
        source : mapping
            Of the stamp; empty without one.
        field_bytes : int or None
            Longest text that the database can hold.
        notes : Notes
        """
        cut = [_may_be_cut(text, field_bytes) for text in texts]
        changed = [] if self._now is None else list(self._changed(where, ids, rows, texts, cut))
        notes.found(changed)
        if "corpus" not in source:
            return
        if any(cut):
            notes.unseen.append(f"The digest of the texts of {where}: {sum(cut):,} were cut to fit the database.")
        elif (found := _digest(ids, rows, texts, groups)) is None:
            notes.unseen.append(f"The digest of the texts of {where}: ids or rows are there more than once.")
        elif found == source["corpus"]:
            notes.looked.append(
                f"{where}: the texts, ids and groups of all {len(texts):,} rows are those that were encoded."
            )
        elif (
            self._corpus is not None
            and self._corpus.digest() == source["corpus"]
            and not self._corpus.kinds <= {"text"}
        ):
            notes.looked.append(f"{where}: its images are those of the corpus.")
        elif all(_IMAGE.search(text) for text in texts[:100]):
            notes.unseen.append(f"Whether {where} is stale: its texts are names of images.")
        elif not changed:  # else the corpus has told which
            notes.found([_digest_differs(where, len(texts), self._now is not None)])

    def _changed(
        self, where: str, ids: Sequence[str], rows: Sequence[int | None], texts: Sequence[str], cut: Sequence[bool]
    ) -> Iterator[Finding]:
        """Yield rows whose text in the corpus is another one, and rows that either side lacks."""
        assert self._now is not None
        assert self._corpus is not None
        other = [
            at
            for at, (name, text) in enumerate(zip(ids, texts, strict=True))
            if name in self._now and not _same(text, str(self._now[name]), cut[at])
        ]
        if other:
            at = other[0]
            told = (
                f"Texts changed since they were encoded: {ids[at]!r} is {_short(texts[at])} here and "
                f"{_short(str(self._now[ids[at]]))} in {self._corpus.source}."
            )
            yield _about(where, "stale text", "wrong", told, _ENCODE, other, ids, rows, len(ids))
        here = set(ids)
        gone = [at for at, name in enumerate(ids) if name not in self._now]
        if gone:
            told = f"Rows are here that {self._corpus.source} no longer has."
            yield _about(
                where,
                "stale text",
                "wrong",
                told,
                "Delete them, or encode the corpus again.",
                gone,
                ids,
                rows,
                len(ids),
            )
        new = [name for name in self._corpus.ids if name not in here]
        if new:
            told = f"Rows of {self._corpus.source} have no vector here."
            yield _about(
                where,
                "rows missing",
                "wrong",
                told,
                _ENCODE,
                range(len(new)),
                new,
                (None,) * len(new),
                len(self._corpus),
            )

    def compare_vectors(self, sample: Sample, source: Mapping[str, Any], field_bytes: int | None, notes: Notes) -> None:
        """Encode some rows of a sample again, and note those whose vector is another one."""
        model = self._model
        if model is None or sample.texts is None or not self._concerns(source):
            return
        if "mapped" in source:
            self.compared += 1
            notes.unseen.append(
                f"Whether the vectors of {sample.where} are right: they were mapped, as its stamp says."
            )
            return
        if model.learns:
            notes.unseen.append(f"Whether the vectors are those of {model.spec}: it learns from its corpus.")
            return
        self.compared += 1
        usable = [
            row for row, text in enumerate(sample.texts)
            if text.strip() and not sample.null[row] and np.isfinite(sample.vectors[row]).all()
            and sample.vectors[row].any() and not _may_be_cut(text, field_bytes)
        ]  # fmt: skip
        if not usable:
            notes.unseen.append(
                f"Whether the vectors of {sample.where} are those of {model.spec}: no row can be encoded."
            )
            return
        rng = np.random.default_rng(self._seed)
        rows = np.sort(rng.choice(np.array(usable), min(AGAIN, len(usable)), replace=False)).tolist()
        role: Role = "query" if source.get("role") == "query" else "document"
        again = model.encode([sample.texts[row] for row in rows], role=role, cache=self._cache)
        notes.looked.append(
            f"{sample.where}: {len(rows):,} rows, drawn, were encoded again with {model.spec} and compared."
        )
        notes.found(_compared(sample, rows, again, model, source))

    def _concerns(self, source: Mapping[str, Any]) -> bool:
        """Return whether a collection says that it is of this model, or says nothing."""
        assert self._model is not None
        return self._certain or not source or self._model.learns or source.get("model") == self._model.stamp.model


_ENCODE = "Encode the corpus again: embdiff encode DATA -m MODEL -o STORE; what did not change comes from the cache."


def _compared(
    sample: Sample, rows: Sequence[int], again: FloatArray, model: Source, source: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yield in what the vectors of some rows differ from those that a model makes of their texts now."""
    stored = sample.vectors[rows]
    if stored.shape[1] != again.shape[1]:
        told = f"{model.spec} makes vectors of {again.shape[1]} dimensions, these have {stored.shape[1]}."
        yield sample.finding("other model", "wrong", told, rows, "Name the model that made them, or encode again.")
        return
    cosines = pair_similarity(stored, again, "cosine")
    now = model.stamp.to_dict()
    plain = now["precision"] == "float32" == source.get("precision", "float32") and now["revision"] != UNPINNED
    off = np.flatnonzero(~(cosines >= 1 - (_ALIKE if plain else _ROUGHLY)))
    if not off.size:
        return
    differs = [f"{key} is {_short(str(now[key]))} now and {_short(str(source[key]))} on the stamp"
               for key in _PARTS if key in source and source[key] != now.get(key)]  # fmt: skip
    why = f" ({'; '.join(differs[:2])})" if differs else ""
    worst = off[np.argsort(cosines[off])]
    if len(off) > (1 - _ITS_OWN) * len(rows):
        told = (
            f"{model.spec} makes other vectors of these texts: the median cosine is {np.median(cosines):.3f}{why}. "
            "Another model, revision, prompt or pooling made them."
        )
        mend = "Name the model that made them, or encode again with the one that asks."
        yield sample.finding("other model", "wrong", told, [rows[at] for at in worst], mend, len(off))
        return
    told = (
        f"Vectors are not those that {model.spec} makes of the texts beside them: the lowest cosine is "
        f"{cosines[worst[0]]:.3f}, while most rows have 1. Their texts changed since, or another model made them."
    )
    yield sample.finding("stale text", "wrong", told, [rows[at] for at in worst], _ENCODE, len(off))


def _digest(
    ids: Sequence[str], rows: Sequence[int | None], texts: Sequence[str], groups: Sequence[str] | None
) -> str | None:
    """Return the digest of the rows as a corpus, in the order of their numbers; None where they are no corpus."""
    order = sorted(range(len(ids)), key=lambda at: rows[at] or 0)
    given = tuple(groups[at] for at in order) if groups is not None and any(groups) else None
    try:
        return Corpus(tuple(texts[at] for at in order), tuple(ids[at] for at in order), given).digest()
    except DataError:
        return None


def _digest_differs(where: str, count: int, told_which: bool) -> Finding:
    told = (
        f"Texts, ids or groups changed since the rows were encoded: the digest of all {count:,} is not the one on the "
        "stamp."
    )
    which = "" if told_which else " Which rows: name the texts (--corpus DATA) or the model (--model MODEL)."
    return Finding("stale text", "wrong", where, told, f"{_ENCODE}{which}")


def _about(
    where: str, fault: Any, severity: Any, told: str, mend: str, at: Sequence[int], ids: Sequence[str],
    rows: Sequence[int | None], of: int,
) -> Finding:  # fmt: skip
    places = tuple(Place(ids[each], rows[each]) for each in list(at)[:SHOWN])
    return Finding(fault, severity, where, told, mend, len(at), of, places)


def _may_be_cut(text: str, field_bytes: int | None) -> bool:
    """Return whether a text is as long as the field allows, so that the rest of it may be gone."""
    return field_bytes is not None and 4 * len(text) > field_bytes - 4 and len(text.encode()) > field_bytes - 4


def _same(stored: str, now: str, cut: bool) -> bool:
    return now.startswith(stored) if cut else stored == now


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
