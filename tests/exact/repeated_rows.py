"""Vectors in which rows repeat, made for tests."""

import numpy as np
from hypothesis import note
from hypothesis import strategies as st

ROWS = 90


@st.composite
def repeated_rows(draw):
    """Ninety rows of 12 to 70 kinds, float32 (90, 6), none zero: duplicates, ties, norms from 1e-6 to some 1e4.

    Small whole numbers times a power of ten tie; an offset brings the rows close to each other.
    """
    seed, kinds = draw(st.integers(0, 2**32 - 1)), draw(st.integers(12, 70))
    exponent, offset = draw(st.floats(-4, 4)), draw(st.sampled_from([0.0, 3.0, 100.0]))
    note(f"repeated rows: {seed=}, {kinds=}, {exponent=}, {offset=}")
    rng = np.random.default_rng(seed)
    base = rng.integers(-2, 3, (kinds, 6)) * 10.0**exponent + offset * rng.standard_normal(6)
    base *= 10.0 ** rng.integers(-2, 1, (kinds, 1))
    base[~base.any(axis=1), 0] = 1.0
    return base[rng.integers(0, kinds, ROWS)].astype(np.float32)
