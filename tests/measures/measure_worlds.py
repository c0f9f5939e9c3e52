"""Random data from which every registered measure can be taken, and the changes that measures declare harmless.

A measure of a new kind needs one entry in `TAKEN`; a new word among its invariances one in `CHANGES`; and what makes it
undefined one in `UNDEFINED`. The tests in test_measure_registry.py fail for a measure that cannot be exercised.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from embdiff import exact
from embdiff.errors import ParameterError
from embdiff.measures.bitext import Sides
from embdiff.measures.classes import knn_predict
from embdiff.measures.inputs import OneSearch
from embdiff.measures.judged import Judged, JudgedLists, grade
from embdiff.measures.places import trec_order
from embdiff.measures.score import score
from embdiff.records import Neighbors


@dataclass(frozen=True)
class World:
    """Rows in two spaces, judgements, groups, and how they are asked."""

    x: np.ndarray  # (n, d1)
    y: np.ndarray  # (n, d2)
    asked: np.ndarray  # rows that are queries, in this order
    labels: np.ndarray  # group or class of each row
    wanted: np.ndarray  # (n, n) grade of row j for query i, 0 mostly
    scores: np.ndarray  # (n,) score of the pair (x_i, y_i)
    k: int = 5
    metric: str = "cosine"
    mixed: int | None = None  # seed of an order of the neighbours within their lists
    bent: bool = False  # similarities go through a rising function
    swapped: bool = False
    named: str = "g{}"
    order: tuple[int, ...] = ()  # of the values, against those of the world before a change

    def lists(self, side):
        """Return the neighbours of the queries in the first (0) or second space."""
        v = (self.x, self.y)[side != self.swapped].astype(np.float32)
        found = exact.search(v[self.asked], v, min(self.k, len(v) - 1), self.metric, leave_out=self.asked)
        if self.mixed is None:
            return found
        order = np.random.default_rng((self.mixed, side)).permuted(
            np.tile(np.arange(found.k), (len(found.rows), 1)), axis=1
        )
        rows, similarity = (np.take_along_axis(each, order, axis=1) for each in (found.rows, found.similarity))
        return Neighbors(rows, similarity, found.metric)

    @property
    def similarity(self):
        """Similarity of each pair (x_i, y_i), on the columns that both have."""
        d = min(self.x.shape[1], self.y.shape[1])
        values = (self.x[:, :d] * self.y[:, :d]).sum(axis=1)
        return np.exp(values / 4) if self.bent else values


def world(seed, n=26, repeated=0, k=5, metric="cosine"):
    """Draw a world; ``repeated`` rows have the vectors of others, so that much is tied."""
    rng = np.random.default_rng(seed)
    d1, d2 = rng.integers(2, 8, 2)
    x = rng.standard_normal((n, d1)) + 0.5
    y = 0.7 * x @ rng.standard_normal((d1, d2)) + rng.standard_normal((n, d2))
    for v in (x, y):
        v[:repeated] = v[n - repeated :][:repeated]
    x, y = (v.astype(np.float32).astype(np.float64) for v in (x, y))
    wanted = rng.integers(1, 4, (n, n)) * (rng.random((n, n)) < 0.15)
    wanted[np.arange(n), (np.arange(n) + 1) % n] = 1
    scores = rng.integers(0, 6, n).astype(float)
    scores[:2] = 0, 5
    labels = np.concatenate([np.arange(6) % 3, rng.integers(0, 3, n - 6)])
    return World(x, y, rng.permutation(n), labels, wanted, scores, k=k, metric=metric)


def clear(w):
    """Whether no two similarities of a query are so near that float32 may order them either way."""
    for v in (w.x, w.y):
        unit = v / np.linalg.norm(v, axis=1, keepdims=True)
        near = -((v[:, None] - v[None]) ** 2).sum(axis=2) if w.metric == "l2" else unit @ unit.T
        if _closest(near) < 2e-5:
            return False
    return all(_closest(_scores(replace(w, bent=bent))) > 1e-6 for bent in (False, True))


def _closest(values):
    """Return the smallest difference within a row, over the largest value."""
    return np.diff(np.sort(values, axis=1), axis=1).min() / np.abs(values).max()


def _scores(w):
    """Return by which all rows are ranked for every row where documents are graded; the ranking takes them as float32."""
    similarity = -((w.x[:, None] - w.x[None]) ** 2).sum(axis=2)
    return np.exp(similarity / 50) if w.bent else similarity


def _graded(w):
    similarity = _scores(w)[w.asked]
    rows = trec_order(np.tile(np.arange(len(w.x)), (len(w.asked), 1)), similarity, np.arange(len(w.x)))[:, :12]
    query, document = np.nonzero(w.wanted[w.asked])
    return grade(rows, Judged.of(query, document, w.wanted[w.asked][query, document], len(w.asked)))


def _qrels(measure, w):
    graded = _graded(w)
    return measure.function(graded, w.k) if measure.cutoff else measure.function(graded)


def _groups(measure, w):
    names = [w.named.format(label) for label in w.labels]
    first = replace(w, swapped=False)
    if measure.name == "mixing":
        found = measure.function(first.lists(0), names, [names[i] for i in w.asked], left_out=True)
        order = [found.groups.index(w.named.format(label)) for label in range(3)]
        return np.array(found.share)[np.ix_(order, order)].ravel()
    at = np.argsort(w.asked)
    lists = first.lists(0)
    every = Neighbors(lists.rows[at], lists.similarity[at], lists.metric)
    tests = {test.group: test.ratio for test in measure.function(every, names, permutations=1, seed=0)}
    return np.array([tests[w.named.format(label)] for label in range(3)])


def _own_group(measure, w):
    names = [w.named.format(label) for label in w.labels]
    mates = np.array([np.count_nonzero(w.labels == w.labels[i]) - 1 for i in w.asked])
    return measure.function(w.lists(0), names, [names[i] for i in w.asked], mates)


def _alone_in_its_group(measure, w):
    names = list(map(str, range(len(w.x))))
    return measure.function(w.lists(0), names, [names[i] for i in w.asked], np.zeros(len(w.asked), dtype=np.int64))


def _classes(measure, w):
    if measure.name == "silhouette":
        return measure.function(w.x[w.asked].astype(np.float32), w.labels[w.asked])
    if measure.name == "knn_accuracy":
        lists = w.lists(0)
        return measure.function(knn_predict(lists.rows, w.labels, w.k), w.labels[w.asked])
    predicted = (w.labels + (w.scores > 3)) % 3
    return measure.function(predicted[w.asked], w.labels[w.asked])


def _pairs(measure, w):
    kinds = (w.scores > 2).astype(float) if measure.name == "auc" else (w.scores**3 if w.bent else w.scores)
    at = w.asked
    return measure.function(
        *(((kinds, w.similarity) if w.swapped else (w.similarity, kinds)[:2])[i][at] for i in (0, 1))
    )


def _own(w):
    return [np.array([(i + 1) % len(w.x), i]) for i in w.asked]


def _of_label(w):
    return [np.flatnonzero(w.labels == w.labels[i]) for i in w.asked]


def _spaces(w):
    x, y = (w.y, w.x) if w.swapped else (w.x, w.y)
    return x[w.asked], y[w.asked]


def _every_row(w, side):
    """Return the neighbours of all rows, the rows numbered as they are asked."""
    plain = replace(w, x=w.x[w.asked], y=w.y[w.asked], asked=np.arange(len(w.asked)))
    return plain.lists(side)


def _ranks(w):
    a, v = w.lists(0), (w.y, w.x)[w.swapped].astype(np.float32)
    return exact.ranks(v[w.asked], v, a.rows, w.metric, leave_out=w.asked)


def _second_order(w):
    v = tuple(each.astype(np.float32) for each in ((w.y, w.x) if w.swapped else (w.x, w.y)))
    return w.lists(0), w.lists(1), tuple(each[w.asked] for each in v), v


def _index(measure, w):
    best = replace(w, mixed=None).lists(0)
    v = (w.y if w.swapped else w.x).astype(np.float32)
    worse = replace(w, k=w.k + 3).lists(0)
    keep = np.random.default_rng(0).permuted(np.tile(np.arange(worse.k), (len(w.x), 1)), axis=1)[:, : best.k]
    rows = np.take_along_axis(replace(w, k=w.k + 3, mixed=None).lists(0).rows, np.sort(keep[w.asked], axis=1), axis=1)
    if w.mixed is not None:
        rows = np.random.default_rng(w.mixed).permuted(rows, axis=1)
    returned = Neighbors(rows, exact.similarity(v[w.asked], v, rows, w.metric), w.metric)
    return measure.function(returned, best, returned.similarity)


def _parallel(measure, w):
    """Pairs of sums of rows: turning the space turns both sides."""
    at = np.arange(len(w.x))
    left, right = w.x, w.x + 0.9 * w.x[(at + 1) % len(at)]
    left, right = (right, left) if w.swapped else (left, right)
    left, right = left.astype(np.float32), right.astype(np.float32)
    forth, back = (exact.search(a, b, 1, "cosine") for a, b in ((left, right), (right, left)))
    return measure.function(forth, back, w.asked, w.asked)


def _no_pairs(measure, w):
    nothing, none = (
        np.zeros(0, dtype=np.int64),
        Neighbors(np.zeros((0, 1), np.int64), np.zeros((0, 1), np.float32), "ip"),
    )
    return score(measure.name, Sides(none, none, nothing, nothing, ("a",))).value


TAKEN = {
    "two neighbors": lambda m, w: m.function(w.lists(0), w.lists(1)),
    "the same model again": lambda m, w: m.function(w.lists(0), w.lists(1)),
    "two ordered neighbors": lambda m, w: m.function(w.lists(0), w.lists(1)),
    "ranks in the other space": lambda m, w: m.function(_ranks(w), len(w.x) - 1),
    "two spaces + neighbors": lambda m, w: m.function(*_second_order(w)),
    "two spaces": lambda m, w: m.function(*_spaces(w)),
    "two neighbors of every row": lambda m, w: m.function(_every_row(w, 0), _every_row(w, 1)),
    "one space": lambda m, w: m.function(_spaces(w)[0]),
    "one space + neighbors": lambda m, w: m.function(_spaces(w)[0], _every_row(w, 0)),
    "neighbors of every row": lambda m, w: m.function(_every_row(w, 0)),
    "neighbors + own rows": lambda m, w: m.function(w.lists(0), _of_label(w)),
    "returned + exact neighbors": _index,
    "neighbors + expected rows": lambda m, w: m.function(w.lists(0), _own(w)),
    "neighbors + groups": _groups,
    "neighbors + own group": _own_group,
    "neighbors + qrels": _qrels,
    "pairs + scores": _pairs,
    "class labels": _classes,
    "parallel texts": _parallel,
    "images + texts": lambda m, w: m.function(*(w.x[at::2] for at in ((1, 0) if w.swapped else (0, 1)))),
}


def values(measure, w):
    """Return the values of a measure, one per query, or one in all; (m,)."""
    return np.atleast_1d(np.asarray(TAKEN[measure.needs](measure, w), dtype=np.float64))


def _turned(w, rng):
    x, y = (v @ np.linalg.qr(rng.standard_normal((v.shape[1],) * 2))[0] for v in (w.x, w.y))
    return replace(w, x=x, y=y)


def _scaled(w, rng):
    return replace(w, x=3.5 * w.x, y=0.02 * w.y)


def _shifted(w, rng):
    return replace(w, x=w.x + rng.standard_normal(w.x.shape[1]), y=w.y - 3)


def _moved(w, rng):
    changed = _scaled(_turned(w, rng), rng)
    return _shifted(changed, rng) if w.metric == "l2" else changed


def _reordered(w, rng):
    order = rng.permutation(len(w.asked))
    return replace(w, asked=w.asked[order], order=tuple(order))


def _lengths(w, rng):
    return replace(w, x=w.x * rng.uniform(0.5, 2, (len(w.x), 1)))


def _mapped(w, rng):
    d = w.y.shape[1]
    return replace(w, y=w.y @ (np.linalg.qr(rng.standard_normal((d, d)))[0] * rng.uniform(0.5, 2, d)))


def _linear(w, rng):
    return replace(w, x=2.5 * w.x, scores=3 * w.scores + 7)


def _repeated(w, rng):
    more = np.concatenate([np.arange(len(w.x)), np.arange(6)])
    return replace(w, x=w.x[more], y=w.y[more], asked=np.append(w.asked, np.arange(len(w.x), len(w.x) + 6)), k=w.k + 2)


_MIXED = lambda w, rng: replace(w, mixed=int(rng.integers(1e6)))  # noqa: E731
_BENT = lambda w, rng: replace(w, bent=True)  # noqa: E731
CHANGES = {
    "rotation": _turned,
    "scaling": _scaled,
    "shift": _shifted,
    "scaling of single rows": _lengths,
    "length of each vector": _lengths,
    "order of the rows": _reordered,
    "order of the queries": _reordered,
    "order of the texts": _reordered,
    "order of the pairs": _reordered,
    "order of the neighbours within a list": _MIXED,
    "order of the returned rows": _MIXED,
    "which of several tied rows is returned": lambda w, rng: w,  # by test_tied_rows_are_equally_right
    "rotation, scaling and (l2) shift of either space": _moved,
    "rotation, scaling and (l2) shift of the space": _moved,
    "rotation and scaling of either space": _moved,
    "rotation and scaling of the space": _moved,
    "any invertible linear map of the second space": _mapped,
    "names of the groups": lambda w, rng: replace(w, named="another name {}"),
    "any rising change of the scores": _BENT,
    "any rising change of the similarities": _BENT,
    "any rising change of similarities or scores": _BENT,
    "shift and positive scaling of similarities or scores": _linear,
    "repeated rows, when lists are long enough": _repeated,
}


def _flat(w):
    return replace(w, x=np.ones_like(w.x), y=np.ones_like(w.y))


def _empty_lists(measure, w):
    nothing = Neighbors(np.full((4, 3), -1), np.full((4, 3), np.nan, dtype=np.float32), "cosine")
    if measure.needs == "ranks in the other space":
        return measure.function(nothing.rows, 9)
    if measure.needs == "two spaces + neighbors":
        ones = np.ones((4, 2), dtype=np.float32)
        return measure.function(nothing, nothing, (ones, ones), (ones, ones))
    if measure.needs == "neighbors of every row":
        return measure.function(nothing)
    return measure.function(nothing, nothing)


def _constant(measure, w):
    return measure.function(w.similarity, np.ones(len(w.x)))


def _other_text(measure, w):
    return measure.function(w.lists(0), [np.zeros(0, dtype=np.int64)] * len(w.asked))


def _one_group(measure, w):
    if measure.name == "mixing":
        nothing = Neighbors(np.full((4, 3), -1), np.full((4, 3), np.nan, dtype=np.float32), "cosine")
        return np.array(measure.function(nothing, list("abcd"), list("abcd"), left_out=True).share)
    return _groups_of_one(measure, w)


def _groups_of_one(measure, w):
    plain = replace(w, asked=np.arange(len(w.x)))
    return [test.ratio for test in measure.function(plain.lists(0), ["a"] * len(w.x), permutations=1, seed=0)]


def _all_neighbors(measure, w):
    return values(measure, replace(w, k=len(w.x) - 1))


def _no_queries(measure, w):
    if measure.needs == "returned + exact neighbors":
        none = Neighbors(np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3), dtype=np.float32), "cosine")
        return score(measure.name, OneSearch(none, none, none, none.similarity, [], ("a",), None, 9, 9)).value
    graded = _graded(replace(w, asked=w.asked[:0]))
    return score(f"{measure.name}@5" if measure.cutoff else measure.name, JudgedLists(graded, ("a",), 9)).value


def _one_kind(measure, w):
    """One kind of pair is refused: the caller has to choose another measure."""
    with pytest.raises(ParameterError, match="needs two kinds of pairs"):
        measure.function(w.similarity, np.ones(len(w.x)))
    return np.nan


def _no_training_texts(measure, w):
    """No class is predicted (-1), which no text has; `evaluate` refuses such data (tests/evaluation)."""
    predicted = knn_predict(np.full((4, 5), -1), w.labels, 5)
    return np.where(predicted == -1, np.nan, predicted)


_DIRECTIONLESS = lambda m, w: values(m, replace(w, x=np.zeros_like(w.x)))  # noqa: E731
_FLAT = lambda m, w: values(m, _flat(w))  # noqa: E731
UNDEFINED = {
    **dict.fromkeys(
        ("overlap", "jaccard", "exact_overlap", "exact_jaccard", "rbo", "rank_similarity", "kendall_tau", "spread"),
        _empty_lists,
    ),
    **dict.fromkeys(("noise_index", "noise_float16", "noise_batch"), _empty_lists),
    "second_order_cosine": _empty_lists,
    "orphans": _empty_lists,
    **dict.fromkeys(("cka", "cka_biased", "rsa", "procrustes", "shape_angle", "svcca", "pwcca"), _FLAT),
    **dict.fromkeys(("first_component", "intrinsic_dimension"), _FLAT),
    **dict.fromkeys(("anisotropy", "norm_spread", "uniformity", "modality_gap"), _DIRECTIONLESS),
    "cknna": lambda m, w: values(m, replace(w, k=1)),
    "hubness": _all_neighbors,
    **dict.fromkeys(("spearman", "pearson"), _constant),
    **dict.fromkeys(("self_retrieval", "expected_hit"), _other_text),
    **dict.fromkeys(("mixing", "group_presence"), _one_group),
    **dict.fromkeys(("same_group", "same_group_reached"), _alone_in_its_group),
    **dict.fromkeys(("ndcg", "map", "mrr", "rr", "recall", "precision", "hit", "index_recall"), _no_queries),
    "auc": _one_kind,
    **dict.fromkeys(("bitext", "right_found", "left_found"), _no_pairs),
    "knn_accuracy": _no_training_texts,
    "silhouette": lambda m, w: values(m, replace(w, labels=np.zeros_like(w.labels))),
}
