"""Our own measures against their peers, on the same input in one run: metrics, list comparison, CKA.

Ranking metrics: ndcg@10, mrr and recall@100 of 10,000 queries x 100 results, evaluation against evaluation; what each
tool must prepare first (dicts, compiled runs, integer arrays) is timed beside it. List comparison: overlap@100 and RBO
of 100,000 queries, against the two exact searches whose lists they are, measured on a block of queries and scaled per
query. CKA: debiased, 100,000 x 384 against x 768, against all of it in float64.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.report import Figure, in_turn
from embdiff import exact
from embdiff._progress import silent
from embdiff.measures.cka import cka
from embdiff.measures.judged import Judged, grade
from embdiff.measures.overlap import overlap
from embdiff.measures.places import name_ranks, trec_order
from embdiff.measures.ranking import ndcg, recall, reciprocal_rank
from embdiff.measures.rbo import rbo
from embdiff.records import Neighbors

FASTER = 4.0
SHARE = 0.01
DIFFERENCE = 1e-6
ROWS = {
    "metrics_vs_ranx": "ndcg@10, mrr, recall@100 of 10,000 queries x 100 results: ranx, compiled, over embdiff",
    "metrics_vs_pytrec_eval": "the same: pytrec_eval over embdiff",
    "list_comparison_share": "overlap and RBO of 100,000 queries, k = 100: share of the time of the two exact searches",
    "cka_blocked": "debiased CKA of 100,000 x 384 and x 768 in one blocked pass: difference from float64",
}


def seconds(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what the work gives and how long it took."""
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start


# --- ranking metrics


class Metrics:
    """Judged runs of ``queries`` queries, ``depth`` results each, over ``documents`` documents."""

    def __init__(self, queries: int, depth: int, documents: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        starts = rng.integers(0, documents, (queries, 1))
        self.rows = (starts + 7_919 * np.arange(depth)) % documents  # 7,919 is prime: no document twice
        self.scores = np.sort(rng.random((queries, depth)), axis=1)[:, ::-1].astype(np.float32)
        # Twenty judgements a query, half of them in the list; grades 0 to 3.
        places = rng.integers(0, 2 * depth, (queries, 20))
        judged = (starts + 7_919 * places) % documents
        grades = rng.integers(0, 4, judged.shape)
        self.ids = [f"d{row}" for row in range(documents)]
        self.names = [f"q{query}" for query in range(queries)]
        self.qrels = {
            name: {self.ids[row]: int(value) for row, value in zip(line, values, strict=True)}
            for name, line, values in zip(self.names, judged.tolist(), grades, strict=True)
        }

    def run(self) -> dict[str, dict[str, float]]:
        """Return the lists as the peers take them."""
        return {
            name: {self.ids[row]: score for row, score in zip(line, values, strict=True)}
            for name, line, values in zip(self.names, self.rows.tolist(), self.scores.tolist(), strict=True)
        }


def ours(data: Metrics) -> tuple[dict[str, float], float, Callable[[], dict[str, float]]]:
    """Return the means, the seconds of preparation, and the evaluation."""

    def prepare() -> tuple[Judged, npt.NDArray[np.int64]]:
        row_of = {name: row for row, name in enumerate(data.ids)}
        return Judged.from_qrels(data.qrels, data.names, row_of), name_ranks(data.ids)

    (judged, ranks), prepared = seconds(prepare)

    def evaluate() -> dict[str, float]:
        graded = grade(trec_order(data.rows, data.scores, ranks), judged)
        return {
            "ndcg": float(ndcg(graded, 10).mean()),
            "mrr": float(reciprocal_rank(graded).mean()),
            "recall": float(recall(graded, 100).mean()),
        }

    return evaluate(), prepared, evaluate


def ranx(data: Metrics) -> tuple[dict[str, float], float, Callable[[], dict[str, float]]]:
    """Return the same of ranx, whose compilation is over before anything is timed."""
    from ranx import Qrels, Run
    from ranx import evaluate as evaluation

    wanted = ["ndcg@10", "mrr", "recall@100"]
    few = {name: data.qrels[name] for name in data.names[:10]}
    evaluation(Qrels(few), Run({name: dict.fromkeys(found, 1.0) for name, found in few.items()}), wanted)
    (qrels, run), prepared = seconds(lambda: (Qrels(data.qrels), Run(data.run())))

    def evaluate() -> dict[str, float]:
        return dict(zip(("ndcg", "mrr", "recall"), evaluation(qrels, run, wanted).values(), strict=True))

    return evaluate(), prepared, evaluate


def pytrec_eval(data: Metrics) -> tuple[dict[str, float], float, Callable[[], dict[str, float]]]:
    """Return the same of pytrec_eval."""
    import pytrec_eval as peer

    wanted = {"ndcg_cut.10", "recip_rank", "recall.100"}
    (evaluator, run), prepared = seconds(lambda: (peer.RelevanceEvaluator(data.qrels, wanted), data.run()))

    def evaluate() -> dict[str, float]:
        values = evaluator.evaluate(run)
        keys = {"ndcg": "ndcg_cut_10", "mrr": "recip_rank", "recall": "recall_100"}
        return {name: sum(each[key] for each in values.values()) / len(values) for name, key in keys.items()}

    return evaluate(), prepared, evaluate


def metrics(queries: int = 10_000, depth: int = 100, documents: int = 100_000) -> list[Figure]:
    """Return how much faster our evaluation is than ranx's and pytrec_eval's."""
    data = Metrics(queries, depth, documents)
    found, prepared, evaluate = ours(data)
    figures = []
    for peer in (ranx, pytrec_eval):
        theirs, their_preparation, their_evaluate = peer(data)
        for name, value in found.items():
            if abs(value - theirs[name]) > 1e-5:
                raise AssertionError(f"{name}: {value} here, {theirs[name]} by {peer.__name__}")
        measured = in_turn({peer.__name__: their_evaluate, "embdiff": evaluate})
        times = {name: [spent for spent, _ in runs] for name, runs in measured.items()}
        slow, fast = (median(values) for values in times.values())
        times |= {f"{peer.__name__} preparation": [their_preparation], "embdiff preparation": [prepared]}
        why = "preparation is made once, and counts in no ratio"
        figures.append(Figure(f"metrics_vs_{peer.__name__}", slow / fast, FASTER, "times faster", times, why=why))
    return figures


# --- list comparison


def lists(queries: int, k: int, rows: int) -> tuple[Neighbors, Neighbors]:
    """Return two answers that share about two thirds of their rows, in another order."""
    rng = np.random.default_rng(0)
    starts = rng.integers(0, rows, (queries, 1))
    places = np.stack([rng.permutation(3 * k // 2)[:k] for _ in range(256)])[rng.integers(0, 256, queries)]
    tables = ((starts + 7_919 * np.arange(k)) % rows, (starts + 7_919 * places) % rows)
    similarity = np.broadcast_to(np.linspace(1.0, 0.0, k, dtype=np.float32), (queries, k))
    one, two = (Neighbors(np.ascontiguousarray(table), similarity, "cosine") for table in tables)
    return one, two


def list_comparison(queries: int = 100_000, k: int = 100, rows: int = 100_000, block: int = 2_048) -> Figure:
    """Return the share of the time of two exact searches that overlap and RBO of their lists take."""
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((rows, 384), dtype=np.float32)
    block = min(block, rows)
    with silent():
        found = in_turn({"block": lambda: exact.search(vectors[:block], vectors, k, "ip")})["block"]
    searches = [spent for spent, _ in found]
    one, two = lists(queries, k, rows)
    compared = [spent for spent, _ in in_turn({"both": lambda: (overlap(one, two), rbo(one, two))})["both"]]
    whole = [2 * each * queries / block for each in searches]
    return Figure(
        "list_comparison_share",
        median(compared) / median(whole),
        SHARE,
        f"of two exact searches (of {block:,} queries, scaled to {queries:,})",
        {"overlap and rbo": compared, "two searches, scaled": whole, "search of the block": searches},
        at_most=True,
    )


# --- CKA


def cka_in_doubles(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], step: int = 4_096) -> float:
    """Return debiased CKA with every product in float64, from the definition by kernels (Song et al. 2012, eq. 5)."""

    def hsic(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
        n = len(a)
        shift, other = (table.mean(axis=0, dtype=np.float64) for table in (a, b))
        total, cross = np.zeros(a.shape[1]), np.zeros((a.shape[1], b.shape[1]))
        sums = np.zeros(b.shape[1])
        for start in range(0, n, step):
            left, right = a[start : start + step] - shift, b[start : start + step] - other
            total, sums, cross = total + left.sum(axis=0), sums + right.sum(axis=0), cross + left.T @ right
        diagonal = rows = across = columns = 0.0
        for start in range(0, n, step):
            left, right = a[start : start + step] - shift, b[start : start + step] - other
            k, m = (left**2).sum(axis=1), (right**2).sum(axis=1)
            # Row sums of the kernels without their diagonals.
            down, along = left @ total - k, right @ sums - m
            diagonal += float(k @ m)
            across += float(down @ along)
            rows, columns = rows + float(down.sum()), columns + float(along.sum())
        trace = float((cross**2).sum()) - diagonal
        return (trace + rows * columns / ((n - 1) * (n - 2)) - 2 * across / (n - 2)) / (n * (n - 3))

    return hsic(x, y) / float(np.sqrt(hsic(x, x) * hsic(y, y)))


def cka_blocked(rows: int = 100_000) -> Figure:
    """Return how far the blocked pass is from float64, and the times of both."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((rows, 384), dtype=np.float32)
    x *= np.linspace(1.5, 0.1, 384, dtype=np.float32)
    y = x @ rng.standard_normal((384, 768), dtype=np.float32) / 20 + rng.standard_normal((rows, 768), dtype=np.float32)
    x += np.float32(0.3)  # not centred, as vectors of models are not
    ways = {"float64": lambda: cka_in_doubles(x, y), "one blocked pass": lambda: cka(x, y)}
    measured = in_turn(ways)
    truth, passed = (measured[name][-1][1] for name in ways)
    return Figure(
        "cka_blocked",
        abs(passed - truth),
        DIFFERENCE,
        f"from float64 ({truth:.7f})",
        {name: [spent for spent, _ in runs] for name, runs in measured.items()},
        at_most=True,
    )


def main(scale: float = 1.0) -> list[Figure]:
    """Measure everything and print every figure; ``scale`` below 1 tries the module out on less."""
    many = int(100_000 * scale)
    figures = []
    for measured in (
        lambda: metrics(int(10_000 * scale), documents=many),
        lambda: [list_comparison(many, rows=many)],
        lambda: [cka_blocked(many)],
    ):
        for figure in measured():
            print(figure.line(), flush=True)
            figures.append(figure)
    return figures


if __name__ == "__main__":
    main()
