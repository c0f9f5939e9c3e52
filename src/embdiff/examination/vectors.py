"""What can be wrong with vectors, whoever made them: each check looks at a sample of rows, and at nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embdiff import exact
from embdiff.examination.record import Fault, Finding, Place, Severity
from embdiff.measures.moments import Rows, check_space
from embdiff.measures.shape_of_one import anisotropy
from embdiff.records import BoolArray, FloatArray, IntArray
from embdiff.stores.collection import LONGEST, SHORTEST

SHOWN = 3  # rows that a finding names
_UNIT = 1e-3  # what a length of 1 may be off by, as `Space.normalized` has it
_EXACT_UNIT, _SOME_UNIT = 1e-4, 0.05  # so close to 1, in so large a share of the rows, is no coincidence
_MIXED_LENGTHS = 0.01  # of the mean length: a larger standard deviation decides who is near by inner product
_GAP, _GROUP = 1.5, 0.01  # between two groups of lengths, each with at least this share of the rows
NEAR = 1e-5  # of a cosine below 1: more than rounding leaves between two vectors of one text
_NEAR_ROWS = 5_000  # that are compared each with each
_COMMON = 0.01  # of the rows: so many with one vector are a fault whatever their texts are
_COLLAPSED, _DIRECTIONS, _FEWEST = 0.97, 2.0, 20  # mean cosine, effective dimension, different vectors


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows that are looked at.

    Parameters
    ----------
    where : str
        Collection, file or model.
    ids : sequence of str, length m
    rows : sequence of int or None, length m
        Their numbers, None where they have none.
    texts : sequence of str, length m, or None
        None where they are not known.
    vectors : ndarray of float32, shape (m, d)
        NaN where a vector is null or of another length.
    null : ndarray of bool, shape (m,)
    lengths : ndarray of int64, shape (m,)
        Numbers in each vector.
    metric : str
        That they are searched with; "" where it is not known.
    normalized : bool or None
        What the stamp says of their lengths.
    mend : str
        How such vectors are made again.
    """

    where: str
    ids: Sequence[str]
    rows: Sequence[int | None]
    texts: Sequence[str] | None
    vectors: FloatArray
    null: BoolArray
    lengths: IntArray
    metric: str = ""
    normalized: bool | None = None
    mend: str = "Encode these rows again."

    @classmethod
    def of(cls, where: str, ids: Sequence[str], texts: Sequence[str] | None, vectors: FloatArray) -> Sample:
        """Return a sample of vectors that are all there, numbered from 0."""
        none, lengths = np.zeros(len(vectors), dtype=np.bool_), np.full(len(vectors), vectors.shape[1])
        return cls(where, ids, range(len(ids)), texts, vectors, none, lengths)

    def __len__(self) -> int:
        return len(self.ids)

    def some(self, rows: BoolArray) -> Sample:
        """Return these rows (m,) alone."""
        at = np.flatnonzero(rows).tolist()
        return replace(
            self, ids=[self.ids[row] for row in at], rows=[self.rows[row] for row in at],
            texts=None if self.texts is None else [self.texts[row] for row in at],
            vectors=self.vectors[rows], null=self.null[rows], lengths=self.lengths[rows],
        )  # fmt: skip

    def finding(
        self, fault: Fault, severity: Severity, told: str, rows: Iterable[int], mend: str = "", count: int | None = None
    ) -> Finding:
        """Return a finding about rows of the sample, by their places in it."""
        at = [int(row) for row in rows]
        places = tuple(Place(self.ids[row], self.rows[row]) for row in at[:SHOWN])
        many = len(at) if count is None else count
        return Finding(fault, severity, self.where, told, mend or self.mend, many, len(self), places)


def examine(sample: Sample) -> Iterator[Finding]:
    """Yield what is wrong with the vectors of a sample; the later checks look only at what the first let through."""
    yield from _null_or_odd(sample)
    sample = sample.some(~sample.null & (sample.lengths == sample.vectors.shape[1]))
    if not len(sample) or not sample.vectors.shape[1]:
        return
    length = exact.norms(sample.vectors)
    yield from _unusable(sample, length)
    kept = np.isfinite(length) & (length < LONGEST) & (length >= SHORTEST)
    sample, length = sample.some(kept), length[kept]
    if len(sample):
        yield from _lengths(sample, length)
        yield from _equal(sample)
        yield from _collapsed(sample)


def _null_or_odd(sample: Sample) -> Iterator[Finding]:
    null = np.flatnonzero(sample.null)
    if null.size:
        yield sample.finding("null", "wrong", "Rows have no vector (null): no search finds them.", null)
    dim = sample.vectors.shape[1]
    odd = np.flatnonzero(~sample.null & (sample.lengths != dim))
    if odd.size:
        told = f"Rows have vectors of another dimension than {dim}, for example {sample.lengths[odd[0]]}."
        yield sample.finding("dimension", "wrong", told, odd)


def _unusable(sample: Sample, length: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Iterator[Finding]:
    wrong = np.flatnonzero(~np.isfinite(length))
    if wrong.size:
        told = "Vectors hold NaN or infinity: what is near them has no meaning."
        yield sample.finding("not finite", "wrong", told, wrong)
    long = np.flatnonzero(np.isfinite(length) & (length >= LONGEST))
    if long.size:
        told = f"Vectors are {LONGEST:g} long or more: databases square lengths in float32 and leave such rows out."
        yield sample.finding("not finite", "wrong", told, long)
    zero = np.flatnonzero(length < SHORTEST)
    if zero.size:
        grave: Severity = "wrong" if sample.metric in ("cosine", "") else "doubtful"
        told = (
            "Vectors are zero: they have no direction, and a search by cosine never finds them or finds them anywhere."
        )
        yield sample.finding("zero", grave, told, zero)


def _lengths(sample: Sample, length: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Iterator[Finding]:
    """Yield what does not fit of the lengths: to the stamp, to each other, to the metric."""
    off = np.flatnonzero(np.abs(length - 1.0) >= _UNIT)
    unit = float(np.mean(np.abs(length - 1.0) < _EXACT_UNIT))
    grave: Severity = "wrong" if sample.metric in ("ip", "l2") else "doubtful"
    again = "Normalise these rows, or encode them again with the model that made the others."
    groups = _two_groups(length)
    mixed = ""
    if off.size and sample.normalized:
        mixed = f"The stamp says that all vectors have length 1; these have lengths from {_range(length[off])}."
    elif off.size and unit >= _SOME_UNIT:
        mixed = f"Of the vectors {unit:.0%} have length 1, these have lengths from {_range(length[off])}."
    if mixed:
        yield sample.finding("lengths", grave, f"{mixed} Two tools or two models may have written here.", off, again)
    elif groups is not None:
        low, high = groups
        few = np.flatnonzero(length <= low if (length <= low).mean() <= 0.5 else length >= high)
        told = (
            f"Lengths fall into two groups, up to {low:.3g} and from {high:.3g}, with nothing between: two tools or "
            "two models may have written here."
        )
        yield sample.finding("lengths", grave, told, few, again)
    spread = float(length.std() / length.mean())
    if sample.metric == "ip" and spread > _MIXED_LENGTHS:
        told = (
            f"The metric is the inner product, and lengths differ ({_range(length)}): long vectors stand first "
            "whatever is asked."
        )
        mend = "Use the metric cosine, or normalise; leave it only if the model was trained for inner products."
        yield sample.finding("metric", "doubtful", told, np.argsort(-length), mend, len(length))


def _range(length: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return f"{length.min():.3g} to {length.max():.3g}"


def _two_groups(length: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float] | None:
    """Return the ends of the gap between two groups of lengths; None where there are none."""
    ordered = np.sort(length)
    edge = max(5, int(np.ceil(_GROUP * len(ordered))))
    if len(ordered) < 4 * edge:
        return None
    ratios = ordered[edge : len(ordered) - edge + 1] / ordered[edge - 1 : len(ordered) - edge]
    at = int(np.argmax(ratios))
    return (float(ordered[edge - 1 + at]), float(ordered[edge + at])) if ratios[at] > _GAP else None


def _equal(sample: Sample) -> Iterator[Finding]:
    """Yield vectors that are equal, or equal but for rounding, although their texts hold different words."""
    codes = np.unique(sample.vectors, axis=0, return_inverse=True)[1].reshape(-1)
    most = int(np.argmax(np.bincount(codes)))
    common = np.flatnonzero(codes == most)
    if sample.texts is None:
        if len(common) >= max(10, _COMMON * len(sample)):
            told = f"{len(common):,} rows have one and the same vector; their texts are not known."
            yield sample.finding("equal vectors", "doubtful", told, common, _SAME)
        return
    letters = [_letters(text) for text in sample.texts]
    groups: dict[int, list[int]] = {}
    for row, code in enumerate(codes.tolist()):
        groups.setdefault(code, []).append(row)
    equal = [rows for rows in groups.values() if len({letters[row] for row in rows}) > 1]
    if equal:
        rows = [row for group in sorted(equal, key=len, reverse=True) for row in group]
        one, other = _differing(equal[0], letters)
        told = (
            f"Rows of different words share a vector ({len(equal):,} such vectors): for example "
            f"{_short(sample.texts[one])} and {_short(sample.texts[other])}."
        )
        yield sample.finding("equal vectors", "wrong", told, rows, _SAME)
        return
    yield from _nearly_equal(sample, letters)


_SAME = (
    "Look at these texts: were they cut to the same beginning, does the tokenizer know their words, was one vector "
    "written to many rows? Encode them again."
)


def _nearly_equal(sample: Sample, letters: Sequence[str]) -> Iterator[Finding]:
    """Yield pairs whose cosine is 1 but for rounding, of the first rows; those that are equal were told."""
    part = sample.some(np.arange(len(sample)) < _NEAR_ROWS)
    first = np.unique(part.vectors, axis=0, return_index=True)[1]
    if len(first) < 2 or part.texts is None:
        return
    rows = np.sort(first)
    found = exact.Index(part.vectors[rows], "cosine").search(part.vectors[rows], 1, leave_out=np.arange(len(rows)))
    other = rows[found.rows[:, 0]]
    close = [
        (int(one), int(two))
        for one, two, near in zip(rows, other, found.similarity[:, 0] >= 1 - NEAR, strict=True)
        if near and letters[one] != letters[two]
    ]
    if close:
        one, two = close[0]
        told = (
            f"Rows of different words have vectors that are equal but for rounding: for example "
            f"{_short(part.texts[one])} and {_short(part.texts[two])}."
        )
        yield sample.finding(
            "equal vectors", "doubtful", told, dict.fromkeys(row for pair in close for row in pair), _SAME
        )


def _letters(text: str) -> str:
    """Return the letters and digits of a text, by size.

    Models that add up vectors of word pieces give their order no part in it: 15 and 51 are the same pieces to them.
    Texts of other letters are other pieces to any model.
    """
    return "".join(sorted(filter(str.isalnum, text.casefold())))


def _differing(rows: Sequence[int], letters: Sequence[str]) -> tuple[int, int]:
    return rows[0], next(row for row in rows if letters[row] != letters[rows[0]])


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _collapsed(sample: Sample) -> Iterator[Finding]:
    """Yield a space in which nearly everything points one way, or that varies along hardly one direction."""
    distinct = np.unique(sample.vectors, axis=0)
    if len(distinct) < _FEWEST:
        if len(sample) >= _FEWEST and len(distinct) == 1:
            told = "All vectors are one and the same."
            yield sample.finding("collapsed", "wrong", told, range(len(sample)), _CHECK_MODEL)
        return
    cosine, directions = anisotropy(distinct), effective_dimension(distinct)
    if cosine > _COLLAPSED or (directions < _DIRECTIONS and distinct.shape[1] > 4):
        told = (
            f"The space has collapsed: the mean cosine of two rows is {cosine:.3f}, and they vary along "
            f"{directions:.1f} directions of {distinct.shape[1]} (effective dimension)."
        )
        yield sample.finding("collapsed", "doubtful", told, range(len(sample)), _CHECK_MODEL)


_CHECK_MODEL = "Check the model, its pooling and its prompt: 'embdiff doctor MODEL'. Then encode again."


def effective_dimension(vectors: FloatArray) -> float:
    """Return along how many directions rows (n, d) vary: the participation ratio ``(tr C)^2 / tr(C^2)``, C = Xc'Xc.

    References
    ----------
    Gao, Trautmann, Yu et al. 2017, bioRxiv 214262.
    """
    scatter = Rows.of(check_space(vectors)).sums().centred
    size = float((scatter * scatter).sum())
    return float(np.trace(scatter)) ** 2 / size if size > 0 else 0.0
