"""The rows that all files of vectors and all collections have, where they hold different ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from embdiff.corpus import rows_of
from embdiff.errors import ParameterError
from embdiff.records import Corpus
from embdiff.sources import load_named
from embdiff.sources.existing import Existing
from embdiff.sources.ready import ReadyVectors
from embdiff.specs import ModelSpec


def common_rows(corpus: Corpus, names: Iterable[str], objects: Mapping[str, Any]) -> Corpus:
    """Return the rows of a corpus of which every source that is read, not encoded, has a vector; a note counts them.

    Parameters
    ----------
    corpus : Corpus
    names : iterable of str
        The models of a comparison.
    objects : mapping of str to object
        Models that are no text forms, by the name they go under.

    Raises
    ------
    ParameterError
        When nothing is read, a source has no ids to go by, or no row is common.
    """
    kept, told = [True] * len(corpus), []
    for name in names:
        source = objects.get(name, name)
        if isinstance(source, str) and ModelSpec.parse(source).kind == "vectors":
            source = load_named(name, objects)
        if not isinstance(source, Existing | ReadyVectors):
            continue
        held = source.holds(corpus)
        told.append(f"{name} has {sum(held):,}")
        kept = [both and one for both, one in zip(kept, held, strict=True)]
    if not told or not any(kept):
        found = "; ".join(told) or "no such source among the models"
        raise ParameterError(
            f"The rows that all have must be some, of files of vectors (vectors:) or collections. Got {found}, of "
            f"{len(corpus):,} rows of {corpus.source}. Check the ids, or leave --common out (common=False)."
        )
    note = f"Compared are the {sum(kept):,} of {len(corpus):,} rows that all have (--common): {', '.join(told)}."
    common = rows_of(corpus, [row for row, yes in enumerate(kept) if yes])
    return replace(common, dropped=corpus.dropped, notes=(*corpus.notes, note))
