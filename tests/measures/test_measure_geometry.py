"""CKA, Procrustes, shape angle, SVCCA, PWCCA and RSA: by hand, and against n x n forms, scipy and scikit-learn."""

import json
import math
import warnings

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import cca, cka
from embdiff.measures import cca as align
from embdiff.measures.moments import Pass, Rows, moments
from embdiff.measures.overlap import overlap
from embdiff.measures.row_pairs import row_pairs
from embdiff.measures.rsa import rsa
from embdiff.measures.score import score as score_of
from embdiff.measures.spaces import OneSpace, TwoSpaces
from embdiff.records import Space, Stamp


def gram_cka(x, y):
    """Song et al. 2012, eq. 5, on n x n matrices."""

    def hsic(k, l):  # noqa: E741
        n = len(k)
        k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
        ones = np.ones(n)
        total = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
        return (np.trace(k @ l) + total - 2 * ones @ k @ l @ ones / (n - 2)) / (n * (n - 3))

    k, l = x @ x.T, y @ y.T  # noqa: E741
    return hsic(k, l) / math.sqrt(hsic(k, k) * hsic(l, l))


def shape(x):
    centred = x - x.mean(axis=0)
    return centred / np.linalg.norm(centred)


def pair(n, d1, d2, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d1)) + 0.3
    return x, x @ rng.standard_normal((d1, d2)) / math.sqrt(d1) + rng.standard_normal((n, d2))


def test_published_values(shared_data):
    folder = shared_data / "similarity-reference"
    x, y = (np.loadtxt(folder / name, delimiter=",") for name in ("cka_X.csv", "cka_Y.csv"))
    published = json.loads((folder / "cka_expected.json").read_text())["published"]
    assert round(cka.cka_biased(x, y), 5) == published["linear_cka"]
    assert round(cka.cka(x, y), 5) == published["debiased_linear_cka"]
    # The mean of squared correlations of the notebook is not centred: sums without their shift are it.
    sums = Pass(*(Rows(side, np.zeros(10), np.float64) for side in (x, y))).moments()
    turn_x, turn_y = (np.linalg.inv(np.linalg.cholesky(scatter)) for scatter in (sums.left.xx, sums.right.xx))
    squared = np.linalg.norm(turn_x @ sums.xy @ turn_y.T) ** 2 / 10
    assert round(squared, 5) == published["mean_squared_cca_uncentred"]


@pytest.mark.parametrize(("n", "d1", "d2"), [(4, 3, 2), (5, 1, 1), (12, 30, 7), (60, 5, 9), (200, 64, 3)])
def test_cka_equals_the_gram_form(n, d1, d2):
    x, y = pair(n, d1, d2)
    assert cka.cka(x, y) == pytest.approx(gram_cka(x, y), abs=1e-11)
    k, l = (v - v.mean(axis=0) for v in (x, y))  # noqa: E741
    k, l = k @ k.T, l @ l.T  # noqa: E741
    assert cka.cka_biased(x, y) == pytest.approx((k * l).sum() / np.linalg.norm(k) / np.linalg.norm(l), abs=1e-12)


def test_cka_by_hand():
    """Four points on a line at 0, 0, 1, 1 and at 0, 1, 0, 1: nothing in common; the unbiased value is below 0."""
    x, y = np.array([[0.0], [0], [1], [1]]), np.array([[0.0], [1], [0], [1]])
    assert cka.cka_biased(x, y) == 0.0
    assert cka.cka(x, y) == pytest.approx(-0.5)
    assert cka.cka(x, x) == pytest.approx(1.0)


def test_debiased_cka_is_not_clipped():
    values = [cka.cka(*np.random.default_rng(seed).standard_normal((2, 20, 50))) for seed in range(30)]
    assert min(values) < -0.02
    assert max(values) > 0.02


def test_large_means_cost_no_digits():
    x, y = pair(300, 8, 5)
    assert cka.cka(x + 1e5, y - 1e5) == pytest.approx(cka.cka(x, y), abs=1e-9)
    many_x, many_y = (v.astype(np.float32) for v in pair(20_000, 8, 5))
    assert cka.cka(many_x + 100, many_y) == pytest.approx(cka.cka(many_x, many_y), abs=1e-5)


def test_float32_products_in_blocks_equal_float64():
    x, y = (v.astype(np.float32) for v in pair(10_000, 40, 30))
    fast, exact = moments(x, y, precision=np.float32), moments(x, y, precision=np.float64)
    for value in (cka.debiased, cka.biased, align.distance, align.angle):
        assert value(fast) == pytest.approx(value(exact), abs=1e-6)


def test_sums_are_those_of_the_definition_and_subtract():
    x, y = pair(9_000, 3, 2)
    over = Pass.over(x, y, np.float64)
    rows = np.arange(100, 8_000, 3)
    rest = over.moments() - over.moments(rows)
    x, y = np.delete(x - over.left.shift, rows, axis=0), np.delete(y - over.right.shift, rows, axis=0)
    k, l = (x**2).sum(axis=1), (y**2).sum(axis=1)  # noqa: E741
    left = {"x": x.sum(axis=0), "xx": x.T @ x, "k": k.sum(), "kk": k @ k, "xk": k @ x, "n": len(x)}
    right = {"x": y.sum(axis=0), "xx": y.T @ y, "k": l.sum(), "kk": l @ l, "xk": l @ y, "n": len(x)}
    both = {"xy": x.T @ y, "kl": k @ l, "xl": l @ x, "yk": k @ y, "n": len(x)}
    for sums, expected in ((rest.left, left), (rest.right, right), (rest, both)):
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(sums, name), value, rtol=1e-9, atol=1e-8, err_msg=name)


def test_an_order_of_rows_changes_only_what_is_shared():
    x, y = pair(9_000, 3, 2)
    order = np.random.default_rng(0).permutation(9_000)
    over, whole = Pass.over(x, y, np.float64), moments(x, y[order], precision=np.float64)
    shuffled = over.reordered(over.moments(), order)
    for value in (cka.debiased, cka.biased, align.distance, cca.mean_correlation, cca.weighted_correlation):
        assert value(shuffled) == pytest.approx(value(whole), abs=1e-10)


def test_chance_of_biased_cka_is_the_mean_over_all_orders():
    x, y = pair(40, 20, 10)
    rng = np.random.default_rng(0)
    drawn = np.array([cka.cka_biased(x, y[rng.permutation(40)]) for _ in range(2_000)])
    assert cka.biased_chance(moments(x, y)) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / math.sqrt(2_000))


@pytest.mark.parametrize(("d1", "d2"), [(5, 5), (6, 3), (2, 7)])
def test_procrustes_and_angle_against_scipy(d1, d2):
    x, y = pair(50, d1, d2)
    width = max(d1, d2)
    left, right = (np.pad(shape(v), ((0, 0), (0, width - v.shape[1]))) for v in (x, y))
    turn, nuclear = orthogonal_procrustes(right, left)
    assert align.procrustes(x, y) == pytest.approx(np.linalg.norm(left - right @ turn), abs=1e-10)
    assert align.shape_angle(x, y) == pytest.approx(math.acos(nuclear), abs=1e-10)


def test_procrustes_by_hand():
    """A square and a segment: X'Y has the one singular value 1 / sqrt(2)."""
    square = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert align.shape_angle(square, square[:, :1]) == pytest.approx(math.pi / 4)
    assert align.procrustes(square, square[:, :1]) == pytest.approx(math.sqrt(2 - math.sqrt(2)))
    assert align.procrustes(square[:, :1], square[:, 1:]) == pytest.approx(math.sqrt(2))


def correlations(x, y, variance=1.0):
    """By singular vectors of the spaces themselves."""
    bases = []
    for v in (x, y):
        left, sizes, _ = np.linalg.svd(v - v.mean(axis=0), full_matrices=False)
        kept = sizes > 1e-8 * sizes[0]
        share = np.cumsum(sizes[kept] ** 2) / (sizes[kept] ** 2).sum()
        bases.append(left[:, kept][:, : np.searchsorted(share, variance - 1e-12) + 1])
    return bases[0], np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)


@pytest.mark.parametrize(("d1", "d2"), [(5, 5), (6, 3), (2, 7)])
def test_cca_against_singular_vectors_of_the_spaces(d1, d2):
    x, y = pair(60, d1, d2)
    _, (_, rho, _) = correlations(x, y, 0.9)
    assert cca.svcca(x, y, variance=0.9) == pytest.approx(rho.mean(), abs=1e-10)
    basis, (turns, rho, _) = correlations(x, y)
    assert cca.svcca(x, y, variance=1.0) == pytest.approx(rho.mean(), abs=1e-10)
    weights = np.abs((basis @ turns).T @ (x - x.mean(axis=0))).sum(axis=1)
    assert cca.pwcca(x, y) == pytest.approx(np.average(rho, weights=weights), abs=1e-10)


def test_cca_against_scikit_learn():
    from sklearn.cross_decomposition import CCA

    x, y = pair(80, 4, 3)
    left, right = CCA(n_components=3, max_iter=5_000, tol=1e-12).fit_transform(x, y)
    rho = [np.corrcoef(left[:, i], right[:, i])[0, 1] for i in range(3)]
    assert cca.svcca(x, y, variance=1.0) == pytest.approx(np.mean(rho), abs=1e-6)


def test_cca_of_rank_deficient_spaces():
    """Repeated, constant and empty columns change nothing: their directions carry nothing."""
    x, y = pair(60, 4, 3)
    thick = np.hstack([x, x[:, :2] + x[:, 1:3], np.ones((60, 2))])
    assert cca.svcca(thick, y, variance=1.0) == pytest.approx(cca.svcca(x, y, variance=1.0), abs=1e-8)
    single = thick.astype(np.float32)
    assert cca.svcca(single, y, variance=1.0) == pytest.approx(cca.svcca(x, y, variance=1.0), abs=1e-4)
    assert math.isfinite(cca.pwcca(single, y))


def test_cca_needs_more_rows_than_dimensions():
    for function in (cca.svcca, cca.pwcca):
        assert math.isnan(function(*pair(7, 7, 2)))
        assert math.isnan(function(*pair(7, 2, 7)))
        assert math.isfinite(function(*pair(8, 7, 2)))


def test_pwcca_is_undefined_where_its_weights_are_not_unique():
    x, _ = pair(15, 9, 8)
    assert math.isnan(cca.pwcca(*pair(15, 9, 8)))  # at least 3 correlations are 1 for any two such spaces
    assert cca.pwcca(x, x) == pytest.approx(1.0)
    assert cca.pwcca(x, x[:, :4]) == pytest.approx(1.0)


def test_rsa_against_scipy():
    x, y = pair(60, 5, 9)
    x[7] = x[3]
    y[20], y[21] = y[3], y[4]
    assert rsa(x, y) == pytest.approx(spearmanr(pdist(x), pdist(y)).statistic, abs=1e-6)


def test_rsa_by_hand():
    """Distances of 0, 1, 3 are 1, 3, 2; of 0, 3, 2 they are 3, 2, 1: rank differences 2, 1, 1, so 1 - 6 * 6 / 24."""
    assert rsa([[0.0], [1], [3]], [[0.0], [3], [2]]) == pytest.approx(-0.5)
    assert rsa([[0.0], [1], [3]], [[0.0], [3], [1]]) == pytest.approx(-1.0)


def test_rsa_of_a_sample_is_near_that_of_all_pairs():
    x, y = pair(1_500, 6, 6)
    every = rsa(x, y, pairs=10**7)
    assert rsa(x, y, pairs=200_000, seed=3) == pytest.approx(every, abs=4 / math.sqrt(200_000))
    assert rsa(x, y, pairs=50_000, seed=3) == rsa(x, y, pairs=50_000, seed=3)


@pytest.mark.parametrize(("n", "most"), [(5, 4), (30, 100), (3_000, 2_000), (100_000, 5_000)])
def test_sampled_pairs_are_distinct_and_even(n, most):
    i, j = row_pairs(n, most, seed=1)
    assert len(i) == min(most, n * (n - 1) // 2)
    assert (i >= 0).all()
    assert (i < j).all()
    assert (j < n).all()
    assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == len(i)
    if most >= 2_000:
        spread = (n + 0.0) / math.sqrt(18 * most)
        assert abs(i.mean() - n / 3) < 4 * spread
        assert abs(j.mean() - 2 * n / 3) < 4 * spread


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"must hold the same rows\. Got 4 and 5\. Encode the same items"):
        cka.cka(np.zeros((4, 2)), np.zeros((5, 2)))
    with pytest.raises(ShapeError, match=r"must be an array of shape \(n, d\)\. Got \(4,\)\. Pass one vector per row"):
        cka.cka(np.zeros(4), np.zeros(4))
    with pytest.raises(ParameterError, match=r"must hold finite numbers\. Got NaN or infinity\. Encode those"):
        cka.cka(np.full((4, 2), np.nan), np.zeros((4, 2)))
    with pytest.raises(ParameterError, match=r"pairs must be an integer from 1\. Got 0\. Write for example"):
        rsa(np.zeros((4, 2)), np.zeros((4, 2)), pairs=0)


@pytest.mark.parametrize(
    "function", [cka.cka, cka.cka_biased, align.procrustes, align.shape_angle, cca.svcca, cca.pwcca, rsa]
)
def test_a_space_without_spread_is_undefined(function):
    other = np.random.default_rng(0).standard_normal((30, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for flat in (np.zeros((30, 4)), np.full((30, 4), 0.1), np.full((30, 4), 1e6, dtype=np.float32)):
            assert math.isnan(function(flat, other))
            assert math.isnan(function(other, flat))
        assert math.isnan(function(np.ones((1, 4)), np.ones((1, 3))))
        assert math.isnan(function(np.ones((0, 4)), np.ones((0, 3))))


GOLDEN = [
    (100, 384, 384, 0.799),
    (200, 384, 384, 0.657),
    (500, 384, 1024, 0.539),
    (1_000, 768, 1536, 0.514),
    (2_000, 384, 384, 0.161),
    (5_000, 384, 384, 0.072),
]


def independent(n, d1, d2, seed):
    """Two independent matrices of Gaussian rows scaled to length 1, as in the table."""
    rng = np.random.default_rng(seed)
    drawn = (rng.standard_normal((n, d), dtype=np.float32) for d in (d1, d2))
    return [v / np.linalg.norm(v, axis=1, keepdims=True) for v in drawn]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d1", "d2", "published"), GOLDEN)
def test_golden_table_of_independent_matrices(n, d1, d2, published):
    """Seeds 0 to 99: debiased CKA is 0 within 3 standard errors, biased CKA within .02 of peers.md 4.6."""
    plain, unbiased = [], []
    for seed in range(100):
        sums = moments(*independent(n, d1, d2, seed), precision=np.float32)
        plain.append(cka.biased(sums))
        unbiased.append(cka.debiased(sums))
    assert abs(np.mean(unbiased)) < 3 * np.std(unbiased, ddof=1) / 10
    assert np.mean(plain) == pytest.approx(published, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d1", "d2", "published"), GOLDEN)
def test_golden_overlap_of_independent_matrices(n, d1, d2, published):
    """Seeds 0 to 99: overlap@10 is 10 / (n - 1) within 3 standard errors; above 1,000 rows 1,000 of them are asked."""
    means = []
    for seed in range(100):
        asked = np.arange(min(n, 1_000))
        found = [exact.search(v[asked], v, 10, "cosine", leave_out=asked) for v in independent(n, d1, d2, seed)]
        means.append(overlap(*found).mean())
    assert abs(np.mean(means) - 10 / (n - 1)) < 3 * np.std(means, ddof=1) / 10


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d1", "d2", "published"), GOLDEN)
def test_the_interval_of_golden_noise_contains_0(n, d1, d2, published):
    for seed in range(3):
        spaces = [
            Space(f"toy:{side}", tuple(map(str, range(n))), v, Stamp(f"toy:{side}", "1", v.shape[1]))
            for side, v in enumerate(independent(n, d1, d2, seed))
        ]
        score = score_of("cka", TwoSpaces(*map(OneSpace, spaces)), seed=seed)
        assert score.low < 0 < score.high
        assert score.high - score.low < 0.2
