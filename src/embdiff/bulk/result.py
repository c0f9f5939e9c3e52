"""What encoding a corpus came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Encoding:
    """What `encode_corpus` did.

    Parameters
    ----------
    out : str
        File, folder or store, without secrets.
    kind : {"file", "folder", "store"}
    model : str
        As typed.
    role : {"document", "query"}
    fingerprint : str
        Of the model's stamp.
    dim, rows, parts : int
    parts_found : int
        Parts that were there from an interrupted call.
    reused : bool
        Whether the output was there already, whole, and nothing was done.
    seconds : float
        Wall time of this call.
    encoding : mapping
        As a run's manifest has it (`embdiff.sources.tally.figures`), of all calls that made the parts. ``seconds`` are
        of all workers together, so that rates are of one; the peak of memory is that of the largest process.
    engine : str
    workers : int
    variant : mapping or None
        Of a model in lower precision, how far it is from float32: as `embdiff.variants.measure_variant` returns it.
    collection : str or None
        Name of the collection in a store.
    cut : int
        Texts and groups that were cut to fit the store's fields; the vectors were made from the whole text.
    dropped : int
        Rows without text that were left out, as asked for.
    dropped_ids : tuple of str
        Ids of the first of them.
    notes : tuple of str
    """

    out: str
    kind: str
    model: str
    role: str
    fingerprint: str
    dim: int
    rows: int
    parts: int
    parts_found: int
    reused: bool
    seconds: float
    encoding: Mapping[str, Any]
    engine: str
    workers: int
    variant: Mapping[str, Any] | None = None
    collection: str | None = None
    cut: int = 0
    dropped: int = 0
    dropped_ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values, `as_model` among them."""
        return {**asdict(self), "as_model": self.as_model}

    @property
    def as_model(self) -> str | None:
        """What one types to take the vectors as a model of a comparison; None for stores that are not read so."""
        if self.kind != "store":
            return f"vectors:{self.out}"
        if not self.out.startswith(("milvus:", "http:", "https:")):
            return None
        place, _, options = self.out.partition("?")
        return f"{place}#{self.collection}?id=id&text=text" + (f"&{options}" if options else "")
