"""Anisotropy, first component, norms, uniformity, hubness, orphans, intrinsic dimension and CKNNA."""

import math

import numpy as np
import pytest
from neighbor_lists import listed
from scipy.spatial.distance import pdist
from scipy.stats import skew, special_ortho_group

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import hubs
from embdiff.measures import shape_of_one as one
from embdiff.measures.cka import cknna
from embdiff.measures.dimension import intrinsic_dimension
from embdiff.records import Neighbors


def found(vectors, k=10, metric="cosine"):
    vectors = np.asarray(vectors, dtype=np.float32)
    return exact.search(vectors, vectors, k, metric, leave_out=np.arange(len(vectors)))


def test_anisotropy_is_the_mean_cosine_of_all_pairs():
    x = np.random.default_rng(0).standard_normal((40, 6)) + 0.5
    assert one.anisotropy(x) == pytest.approx(1 - pdist(x, "cosine").mean(), abs=1e-12)
    assert one.anisotropy([[2.0, 0], [0, 3], [0, 0]]) == pytest.approx(0.0)
    assert one.anisotropy([[1.0, 0], [-2, 0]]) == pytest.approx(-1.0)
    assert one.anisotropy(np.ones((9, 3), dtype=np.float32)) == pytest.approx(1.0)
    assert math.isnan(one.anisotropy([[1.0, 0], [0, 0]]))


def test_first_component_by_hand_and_by_singular_values():
    assert one.first_component([[3.0, 0], [-3, 0], [0, 1], [0, -1]]) == pytest.approx(0.9)
    x = np.random.default_rng(1).standard_normal((30, 8)) + 4
    sizes = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    assert one.first_component(x) == pytest.approx(sizes[0] / sizes.sum(), abs=1e-12)
    assert math.isnan(one.first_component(np.full((5, 3), 0.1)))


def test_norm_spread_by_hand():
    assert one.norm_spread([[3.0, 4], [0, 1]]) == pytest.approx(math.sqrt(8) / 3)
    assert one.norm_spread([[0.6, 0.8], [0, 1]]) == pytest.approx(0.0)
    assert math.isnan(one.norm_spread([[1.0, 0]]))
    assert math.isnan(one.norm_spread(np.zeros((3, 2))))


def test_uniformity_by_hand_and_on_a_sphere():
    assert one.uniformity([[1.0, 0], [0, 5]]) == pytest.approx(-4.0)
    assert one.uniformity([[1.0, 0], [-1, 0]]) == pytest.approx(-8.0)
    assert one.uniformity([[1.0, 0], [3, 0]]) == pytest.approx(0.0)
    assert math.isnan(one.uniformity([[1.0, 0], [0, 0]]))
    for dim in (2, 3, 40):
        x = np.random.default_rng(2).standard_normal((1_500, dim))
        assert one.uniformity(x, pairs=10**7) == pytest.approx(one.even_potential(dim), abs=0.02)
    # In three dimensions the cosine is even on [-1, 1]: E exp(4c - 4) = (1 - exp(-8)) / 8.
    assert one.even_potential(3) == pytest.approx(math.log((1 - math.exp(-8)) / 8))


def test_hubness_and_orphans_by_hand():
    """Rows 1, 2 and 3 name row 0, row 0 names row 1: counts 3, 1, 0, 0."""
    lists = listed([[1], [0], [0], [0]])
    assert hubs.occurrences(lists.rows, 4).tolist() == [3, 1, 0, 0]
    assert hubs.hubness(lists) == pytest.approx(skew([3, 1, 0, 0]))
    assert hubs.orphans(lists) == 0.5
    every = listed([[j for j in range(4) if j != i] for i in range(4)])
    assert math.isnan(hubs.hubness(every))
    assert hubs.orphans(every) == 0.0
    assert math.isnan(hubs.orphans(listed([[-1], [-1]])))


def test_hubness_against_scipy():
    lists = found(np.random.default_rng(3).standard_normal((200, 50)))
    counts = [(lists.rows == row).sum() for row in range(200)]
    assert hubs.hubness(lists) == pytest.approx(skew(counts), abs=1e-10)
    assert hubs.orphans(lists) == np.mean(np.array(counts) == 0)


def test_lists_must_be_of_every_row():
    with pytest.raises(ParameterError, match=r"must be the row of its number.*Got \[0\] as the neighbours of row 0\."):
        hubs.hubness(listed([[0], [0]]))
    with pytest.raises(ParameterError, match=r"Got \[2\] as the neighbours of row 1\. Search every row"):
        hubs.orphans(listed([[1], [2]]))


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_intrinsic_dimension_of_a_flat_piece(dim):
    rng = np.random.default_rng(4)
    flat = np.hstack([rng.uniform(size=(3_000, dim)), np.zeros((3_000, 12 - dim))])
    turned = flat @ special_ortho_group.rvs(12, random_state=0).T
    # Rows near an edge see fewer directions, the more so the more edges there are.
    assert intrinsic_dimension(turned, found(turned, 2, "l2")) == pytest.approx(dim, rel=0.04 + 0.012 * dim)


def test_intrinsic_dimension_by_the_published_steps():
    x = np.random.default_rng(5).standard_normal((300, 4))
    distances = np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)
    ratios = np.sort(distances[:, 2] / distances[:, 1])
    line = np.log(ratios[:270]), -np.log(1 - np.arange(1, 271) / 300)
    slope = np.linalg.lstsq(line[0][:, None], line[1], rcond=None)[0][0]
    assert intrinsic_dimension(x, found(x, 5, "l2")) == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_repeated_rows_do_not_change_the_intrinsic_dimension(metric):
    x = np.random.default_rng(6).standard_normal((200, 5)).astype(np.float32)
    repeated = np.concatenate([x, x[:60], x[:20]])
    plain = intrinsic_dimension(x, found(x, 2, metric))
    assert intrinsic_dimension(repeated, found(repeated, 8, metric)) == pytest.approx(plain, rel=1e-9)


BLUR = np.float32(2.0**-23)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    "blurred",
    [
        lambda x, rng: np.nextafter(x, np.float32(9e9)),
        lambda x, rng: x * (1 + BLUR * rng.integers(-2, 3, x.shape).astype(np.float32)),
        lambda x, rng: (x * np.float32(3)) / np.float32(3),
        lambda x, rng: x + BLUR * np.abs(x).max(axis=1, keepdims=True) * rng.standard_normal(x.shape).astype("f4"),
    ],
    ids=["last bit", "some bits", "another way", "another batch"],
)
def test_repeats_that_rounding_tells_apart_are_repeats(metric, size, blurred):
    rng = np.random.default_rng(16)
    x = (size * rng.standard_normal((200, 5))).astype(np.float32)
    again = [blurred(x[:many], rng).astype(np.float32) for many in (90, 60, 20)]
    repeated = np.concatenate([x, *again])
    plain = intrinsic_dimension(x, found(x, 2, metric))
    assert intrinsic_dimension(repeated, found(repeated, 12, metric)) == pytest.approx(plain, rel=1e-4)


def test_rows_as_near_as_float32_can_tell_are_no_repeats():
    flat = np.random.default_rng(17).uniform(size=(800, 2))
    cone = np.hstack([np.ones((800, 1)), 1e-3 * flat])  # cosines above .999999
    near = intrinsic_dimension(cone, found(cone, 2, "l2"))
    assert near == pytest.approx(intrinsic_dimension(flat, found(flat, 2, "l2")), rel=0.02)


def test_intrinsic_dimension_is_undefined():
    x = np.random.default_rng(7).standard_normal((9, 3))
    assert math.isnan(intrinsic_dimension(x, found(x, 2, "l2")))
    assert math.isnan(intrinsic_dimension(np.ones((20, 3)), found(np.ones((20, 3)), 3, "l2")))


def test_intrinsic_dimension_refuses():
    x = np.random.default_rng(8).standard_normal((20, 3))
    with pytest.raises(ParameterError, match=r"must be cosine or l2.*Got ip\. Search with l2\."):
        intrinsic_dimension(x, found(x, 3, "ip"))
    with pytest.raises(ParameterError, match=r"at least 2 neighbours\. Got k = 1\. Raise k\."):
        intrinsic_dimension(x, found(x, 1, "l2"))
    with pytest.raises(ShapeError, match=r"one list for each of the 21 rows\. Got 20\. Search every row\."):
        intrinsic_dimension(np.vstack([x, x[:1]]), found(x, 3, "l2"))
    lists = found(x, 3, "l2")
    x[0] = 0
    with pytest.raises(ParameterError, match=r"must have a direction.*Got 1 rows of length 0\. Leave them out"):
        intrinsic_dimension(x, Neighbors(lists.rows, lists.similarity, "cosine"))


def dense_cknna(x, y, k):
    """The published steps on n x n matrices."""
    grams, masks = [], []
    for v in (x, y):
        unit = v / np.linalg.norm(v, axis=1, keepdims=True)
        gram = unit @ unit.T
        mask = np.zeros_like(gram)
        hidden = gram - 9 * np.eye(len(gram))
        np.put_along_axis(mask, np.argsort(-hidden, axis=1)[:, :k], 1.0, axis=1)
        grams.append(gram)
        masks.append(mask)

    def hsic(a, b):
        n = len(a)
        total = a.sum() * b.sum() / ((n - 1) * (n - 2))
        return ((a * b.T).sum() + total - 2 * (a @ b).sum() / (n - 2)) / (n * (n - 3))

    both = masks[0] * masks[1]
    (k1, k2), (m1, m2) = grams, masks
    return hsic(both * k1, both * k2) / math.sqrt(hsic(m1 * k1, m1 * k1) * hsic(m2 * k2, m2 * k2))


@pytest.mark.parametrize(("n", "k"), [(12, 2), (60, 10), (80, 79)])
def test_cknna_against_the_dense_form(n, k):
    rng = np.random.default_rng(9)
    x = rng.standard_normal((n, 6)).astype(np.float32)
    y = (x[:, :4] + rng.standard_normal((n, 4))).astype(np.float32)
    expected = dense_cknna(x.astype(np.float64), y.astype(np.float64), k)
    assert cknna(found(x, k), found(y, k)) == pytest.approx(expected, abs=1e-6)


def test_cknna_of_every_neighbour_is_cka():
    from embdiff.measures.cka import cka

    rng = np.random.default_rng(10)
    x, y = (rng.standard_normal((30, d)) for d in (5, 8))
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
    assert cknna(found(x, 29), found(y, 29)) == pytest.approx(cka(x, y), abs=1e-5)


def test_cknna_refuses_and_is_undefined():
    x = np.random.default_rng(11).standard_normal((20, 3))
    with pytest.raises(ParameterError, match=r"metric of cknna must be cosine or ip.*Got l2\. Search with"):
        cknna(found(x, 3, "l2"), found(x, 3))
    with pytest.raises(
        ShapeError, match=r"must have one shape \(n, k\)\. Got \(20, 3\) and \(20, 4\)\. Search the same"
    ):
        cknna(found(x, 3), found(x, 4))
    assert math.isnan(cknna(found(x, 1), found(x, 1)))
    assert math.isnan(cknna(found(x[:3], 2), found(x[:3], 2)))
    nothing = listed(np.full((20, 3), -1))
    assert math.isnan(cknna(nothing, nothing))
