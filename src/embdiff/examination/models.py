"""A model: whether it loads whole, and whether its vectors of some texts mean something; and vectors in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from embdiff.corpus.read import sample
from embdiff.errors import DataError, EncoderError, UnsoundModelError
from embdiff.examination.record import Finding, Notes
from embdiff.examination.vectors import Sample, examine
from embdiff.measures.row_pairs import pair_similarity
from embdiff.records import Corpus, FloatArray
from embdiff.sources import Source, get_encoder
from embdiff.sources.columns import ColumnTable
from embdiff.sources.table import open_table
from embdiff.specs import ModelSpec

_TRIED = 500  # texts that a model encodes
_REPEATABLE = 1e-3  # of a cosine below 1: what another batch may change


def examine_model(text: str, corpus: Corpus | None, rows: int, seed: int, notes: Notes) -> None:
    """Look at a model, or at vectors that are ready.

    Parameters
    ----------
    text : str
        Text form.
    corpus : Corpus or None
        Texts to try it on; by default the bundled sample.
    rows : int
        Most rows of ready vectors.
    seed : int
    notes : Notes

    Raises
    ------
    EncoderError, ParameterError, MissingDependencyError
        When there is no such model, or its package is missing.
    """
    spec = ModelSpec.parse(text)
    if spec.kind == "vectors":
        _examine_file(spec, rows, seed, notes)
        return
    try:
        model = get_encoder(text)
    except UnsoundModelError as error:
        told, _, mend = str(error).rpartition(". ")
        notes.found([Finding("unsound model", "wrong", text, f"{told}.", mend)])
        return
    texts = sample() if corpus is None else corpus
    if len(texts) > _TRIED:
        places = np.sort(np.random.default_rng(seed).choice(len(texts), _TRIED, replace=False)).tolist()
        texts = Corpus(
            tuple(texts.items[at] for at in places), tuple(texts.ids[at] for at in places), source=texts.source
        )
    model.prepare(texts)
    try:
        vectors = model.encode(texts.items)
    except EncoderError as error:
        told, _, mend = str(error).rpartition(". ")
        notes.found([Finding("unsound model", "wrong", text, f"{told}.", mend)])
        return
    stamp = model.stamp
    about = f"revision {stamp.revision[:40]}, {stamp.dim} dimensions, {stamp.precision}"
    notes.looked.append(f"{text}: {about}; {len(texts):,} texts of {texts.source} encoded twice, in batches and alone.")
    notes.unseen += [f"{text}: {each}." for each in model.about.get("assumed", ())]
    notes.found(examine(Sample.of(text, texts.ids, texts.items, vectors)))
    notes.found(_repeated(model, texts, vectors))


def _repeated(model: Source, texts: Corpus, vectors: FloatArray) -> Iterator[Finding]:
    """Yield that a text has another vector when it is encoded again, or alone."""
    few = texts.items[:50]
    again = [("encoded again", model.encode(texts.items), vectors)]
    alone = model.encode_singly(few)
    if alone is not None:
        again.append(("encoded alone, not in a batch", alone, vectors[: len(few)]))
    for how, other, first in again:
        cosines = pair_similarity(first, other, "cosine")
        off = np.flatnonzero(cosines < 1 - _REPEATABLE)
        if off.size:
            told = f"Texts have other vectors when they are {how}: the lowest cosine is {cosines[off].min():.3f}."
            mend = "Switch dropout off before the model is saved, and check how padding is masked."
            found = Sample.of(model.spec, texts.ids, None, first)
            yield found.finding("not repeatable", "wrong", told, off[np.argsort(cosines[off])], mend)


def _examine_file(spec: ModelSpec, rows: int, seed: int, notes: Notes) -> None:
    path, text = Path(spec.name), str(spec)
    given = {key: value for key, value in spec.options.items() if key in ("vector", "id", "text")}
    try:
        table = open_table(path, text, given)
    except DataError as error:
        if not path.exists():
            raise
        told, _, mend = str(error).rpartition(". ")
        notes.found([Finding("damaged", "wrong", text, f"{told}.", mend)])
        return
    count = len(table)
    drawn = np.arange(count)
    if count > rows:
        drawn = np.sort(np.random.default_rng(seed).choice(count, rows, replace=False))
        notes.unseen.append(f"{count - rows:,} of the {count:,} rows: --rows looks at more.")
    try:
        vectors = table.read(drawn)
    except EncoderError as error:
        told, _, mend = str(error).rpartition(". ")
        notes.found([Finding("not finite", "wrong", text, f"{told}.", mend)])
        return
    ids, texts = _named(table, drawn)
    notes.looked.append(f"{text}: {len(drawn):,} of {count:,} rows, {table.dim} dimensions.")
    found = Sample.of(text, ids, texts, vectors)
    label = table.label
    if not label:
        notes.unseen.append(f"{text} carries no stamp: which model made its vectors is not known.")
    notes.found(examine(Sample(
        found.where, ids, drawn.tolist(), texts, vectors, found.null, found.lengths, normalized=label.get("normalized"),
    )))  # fmt: skip


def _named(
    table: object, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> tuple[Sequence[str], Sequence[str] | None]:
    """Return ids and texts of these rows, numbers and None where there are none."""
    numbers = [str(row) for row in rows.tolist()]
    if not isinstance(table, ColumnTable):
        return numbers, None
    ids = [str(name) for name in table.ids()] if table.fields.id is not None else None
    texts = list(table.texts()) if table.fields.text is not None else None
    return (
        numbers if ids is None else [ids[row] for row in rows.tolist()],
        None if texts is None else [texts[row] for row in rows.tolist()],
    )
