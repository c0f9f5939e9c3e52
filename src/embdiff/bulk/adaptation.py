"""What adapting came to, and how it is told: the answer first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from embdiff._plain import Record
from embdiff.bulk.recovery import Recovery
from embdiff.measures.paired import PairedTest
from embdiff.records import Score
from embdiff.views.shown import Shown
from embdiff.views.table import Line, Part


@dataclass(frozen=True, repr=False)
class Adaptation(Shown, Record):
    """What `adapt` did.

    Parameters
    ----------
    collection : str
        The old one, with its store.
    rows : int
    from_model, to_model : str
    method : str
    fitted : int
        Rows that the map was fitted on.
    of_queries : bool
        Whether the map leads queries of the new model into the old collection.
    recovery : Recovery
    out : str or None
        Store of the mapped collection; None where none was written.
    mapped : str or None
        Its name.
    exported : str or None
        File of the map.
    reused : bool
        Whether the mapped collection was there already, whole.
    notes : tuple of str
    """

    collection: str
    rows: int
    from_model: str
    to_model: str
    method: str
    fitted: int
    of_queries: bool
    recovery: Recovery
    out: str | None = None
    mapped: str | None = None
    exported: str | None = None
    reused: bool = False
    notes: tuple[str, ...] = ()

    @property
    def as_model(self) -> str | None:
        """What one types to take the mapped collection as a model; None where there is none that is read so."""
        if self.out is None or not self.out.startswith(("milvus:", "http:", "https:")):
            return None
        place, _, options = self.out.partition("?")
        encoder = quote(self.to_model, safe="/:")
        return f"{place}#{self.mapped}?id=id&text=text&encoder={encoder}" + (f"&{options}" if options else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values, `as_model` among them."""
        return {**super().to_dict(), "as_model": self.as_model}

    def drawn(self, *, everything: bool = False) -> Iterator[Part]:
        """Yield whether mapped vectors are good enough, by which figures, and where they are."""
        del everything
        yield from _drawn(self)
        if self.as_model:
            yield Line(f"Use it as a model: -m '{self.as_model}'", whole=True)


def _drawn(done: Adaptation) -> Iterator[Part]:
    found = done.recovery
    yield Line(f"{found.verdict.capitalize()}: {_why(done)}", "bold")
    yield Line("")
    what = "Queries mapped into the old collection" if done.of_queries else "Mapped vectors"
    k = found.recovery.measure.partition("@")[2]
    yield Line(f"{what}: {_share(found.recovery)} of the {k} neighbours that a full re-encoding finds.")
    yield Line(f"Without a map, by {_old(done)} alone: {_share(found.staying)}.")
    if found.gain is not None:
        yield Line(f"Against staying with {_old(done)}, nDCG@10 changes by {_change(found.gain)}: {_told(found.gain)}.")
    for score in found.measures:
        name = {"new": f"made anew by {_new(done)}", "mapped": "mapped", "old": f"of {_old(done)}"}[score.models[0]]
        yield Line(f"{score.measure}, vectors {name}: {_share(score)}.")
    among = f"Measured among {found.rows:,} rows"
    if found.rows < done.rows:
        among += (
            f" of {done.rows:,}, drawn: among all of them neighbours are closer together, and a map recovers fewer "
            "(--sample measures more)"
        )
    yield Line(f"{among}; {done.method}, each row by maps fitted on the other four fifths of {done.fitted:,}.")
    yield Line("")
    yield from map(Line, _written(done))
    yield from map(Line, done.notes)


def _why(done: Adaptation) -> str:
    found = done.recovery
    if found.drop is not None:
        told = f"nDCG@10 changes by {_change(found.drop)} against a full re-encoding"
        return f"{told}; a fall of {found.margin:g} is allowed (--drop)."
    score, bar = found.recovery, f"at least {1 - found.margin:g} is wanted (--margin)"
    return f"the recovery is {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]; {bar}."


def _change(test: PairedTest) -> str:
    return f"{test.difference:+.3f} [{test.low:+.3f}, {test.high:+.3f}]"


def _told(test: PairedTest) -> str:
    """Return in words on which side of zero an interval lies."""
    if test.low > 0:
        return "mapping is worth more than doing nothing"
    return "mapping costs more than doing nothing" if test.high < 0 else "mapping and doing nothing are not told apart"


def _share(score: Score) -> str:
    return f"{score.value:.3f} (95 % {score.low:.3f} to {score.high:.3f}, chance {score.chance:.3f}, n = {score.n:,})"


def _old(done: Adaptation) -> str:
    return done.to_model if done.of_queries else done.from_model


def _new(done: Adaptation) -> str:
    return done.from_model if done.of_queries else done.to_model


def _written(done: Adaptation) -> Iterator[str]:
    """Yield what was written, and how it is used."""
    if done.exported is not None:
        yield f"The map is in {done.exported}; the page adapt.md has the ten lines that apply it."
    elif done.mapped is None:
        yield "Nothing was written (--dry-run)."
    else:
        how = "was there already, whole: nothing was done" if done.reused else f"has {done.rows:,} rows, mapped"
        yield f"{done.mapped} in {done.out} {how}; {done.collection} was not changed."
