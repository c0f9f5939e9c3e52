"""What is looked for at a neighbour, worked by hand, and how it is counted, against independent implementations."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

import embdiff as ed
from embdiff.causes import SHORT, texts
from embdiff.causes.explained import slices
from embdiff.causes.units import hubs, knocked_on, tied, units_of
from embdiff.measures.statistics.contrasts import against_the_rest, contrasts
from embdiff.records import Answer, ElsewhereRows, Neighbors, Ties


def answer(
    model: str, rows: list[list[int]], ranks: dict[tuple[int, int], int] | None = None, **more: object
) -> Answer:
    """Return lists by hand; ``ranks`` of rows elsewhere by query and row."""
    lists = np.array(rows, dtype=np.int64)
    found = Neighbors(lists, np.zeros(lists.shape, dtype=np.float32), "cosine", **more)
    ranks = ranks or {}
    width = max((sum(query == at for query, _ in ranks) for at in range(len(rows))), default=0)
    there, places = np.full((len(rows), width), -1, dtype=np.int64), np.full((len(rows), width), -1, dtype=np.int64)
    for query in range(len(rows)):
        for at, (row, rank) in enumerate((row, rank) for (asks, row), rank in ranks.items() if asks == query):
            there[query, at], places[query, at] = row, rank
    beside = ElsewhereRows(there, places, np.zeros(there.shape, dtype=np.float32))
    return Answer(model, model, found, found, np.zeros(lists.shape, dtype=bool), beside)


def test_changed_neighbours_stand_once_and_kept_ones_seen_from_either_list():
    units = units_of(answer("a", [[1, 2], [0, 3]]), answer("b", [[2, 4], [0, 3]]), np.array([0, 1]))
    told = sorted(
        zip(units.query.tolist(), units.row.tolist(), units.side.tolist(), units.changed.tolist(), strict=True)
    )
    assert told == [
        (0, 1, 0, True), (0, 2, 0, False), (0, 2, 1, False), (0, 4, 1, True),
        (1, 0, 0, False), (1, 0, 1, False), (1, 3, 0, False), (1, 3, 1, False),
    ]  # fmt: skip


def test_knock_on_counts_the_rows_with_a_cause_of_the_other_list():
    # In b, row 9 came in for a cause and pushed row 2 from place 2 to 3; row 3 went further than that.
    a = answer("a", [[1, 2], [1, 3]], {(0, 9): 40, (1, 9): 40})
    b = answer("b", [[9, 1], [9, 1]], {(0, 2): 3, (1, 3): 7})
    units = units_of(a, b, np.array([0, 1]))
    found = knocked_on(a, b, units, units.row == 9)
    assert [(int(units.query[at]), int(units.row[at])) for at in np.flatnonzero(found)] == [(0, 2)]


def test_a_tie_counts_where_the_end_of_a_list_cuts_it():
    cut = Ties(np.array([[0, 1]]), np.array([[1, 2]]), np.array([0]), np.array([7]))  # rows 5 and 7 are equally near
    a, b = answer("a", [[1, 5]], ties=cut), answer("b", [[1, 7]])
    units = units_of(a, b, np.array([0]))
    assert sorted(units.row[tied(a.returned, b.returned, units)].tolist()) == [5, 7]


def test_a_hub_is_one_in_the_model_that_returns_it_alone():
    lists = np.tile(np.arange(1, 11), (300, 1)) + np.arange(300)[:, None]
    with_hub = lists.copy()
    with_hub[:, 0] = 0
    a, b = answer("a", lists.tolist()), answer("b", with_hub.tolist())
    units = units_of(a, b, np.arange(300))
    assert set(units.row[hubs(a, b, 400, units)].tolist()) == {0}
    assert not hubs(b, b, 400, units_of(b, b, np.arange(300))).any()


def test_scripts_are_told_by_most_letters():
    said = {
        "The cat": "LATIN",
        "кошка cat пошла": "CYRILLIC",
        "猫は黒い": "JAPANESE",
        "我们": "CJK",
        "12 !": "",
        "한국어": "HANGUL",
    }
    assert {text: texts.script_of(text) for text in said} == said


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Pay 20 euros by card.", "Pay 30 euros by card.", "number"),
        ("Pay 1,200.50 euros", "pay 7 euros!", "number"),
        ("I do not smoke", "I smoke", "negation"),
        ("You can't pay here", "You cannot pay here", None),
        ("I don't eat meat", "I eat meat", "negation"),
        ("I went to Berlin with Anna Berg", "I went to Rome with Otto", "entity"),
        ("Where is it", "What is it", None),
        ("The same text.", "the SAME text", None),
        ("Pay 20 euros to Anna", "Pay 30 euros to Otto", None),
    ],
)
def test_two_texts_differ_in_one_kind_of_word_only(one: str, other: str, kind: str | None):
    looked = texts.looked_at([one, other])
    first, second = np.array([0]), np.array([1])
    found = [
        name for name in ("number", "negation", "entity") if texts.differs_from_query(looked, name, first, second)[0]
    ]
    assert found == ([kind] if kind else [])


def test_near_copies_are_those_of_an_independent_jaccard():
    rng = np.random.default_rng(5)
    words = [f"w{at}" for at in range(60)]
    rows = [" ".join(rng.choice(words, 20, replace=False)) for _ in range(6)]
    rows += [
        " ".join([*row.split()[:-change], *(f"x{at}{change}" for at in range(change))])
        for row in rows
        for change in (1, 2, 6)
    ]
    looked, near = texts.looked_at(rows), 0
    for one in range(len(rows)):
        others = [other for other in range(len(rows)) if other != one]
        a = answer("a", [[one]])
        for other in others:
            units = units_of(a, answer("b", [[other]]), np.array([0]))
            mine = units.row == one
            found = texts.swapped(looked, np.arange(len(rows)), units, [np.array([[other]]), np.array([[one]])])
            left, right = set(rows[one].split()), set(rows[other].split())
            truth = len(left & right) / len(left | right) >= 0.8
            near += truth
            assert (found.duplicate[mine][0] == other) == truth
    assert near >= 10


def test_length_is_far_out_by_tukeys_outer_fence():
    sizes = [*range(80, 120), 4_000, 300, 5]
    units = units_of(answer("a", [list(range(len(sizes)))]), answer("b", [[-1] * len(sizes)]), np.array([0]))
    found = texts.far_out(["x" * size for size in sizes], units)
    assert [sizes[row] for row in units.row[found]] == [4_000, 5]


def test_shares_and_their_interval_are_those_of_the_counts():
    rng = np.random.default_rng(2)
    changed, kept = rng.integers(1, 8, 300), rng.integers(0, 8, 300)
    has, also = rng.binomial(changed, 0.3), rng.binomial(kept, 0.1)
    found = contrasts([[has, changed, also, kept]], seed=1)[0]
    assert found.share == pytest.approx(has.sum() / changed.sum())
    assert found.other == pytest.approx(also.sum() / kept.sum())
    table = [[has.sum(), changed.sum() - has.sum()], [also.sum(), kept.sum() - also.sum()]]
    assert found.odds == pytest.approx(stats.contingency.odds_ratio(np.array(table), kind="sample").statistic)
    ratio = lambda x, m: x.sum() / m.sum()  # noqa: E731
    drawn = stats.bootstrap((has, changed), ratio, paired=True, method="basic", n_resamples=4_000, random_state=1)
    assert (found.low, found.high) == pytest.approx(tuple(drawn.confidence_interval), abs=0.01)
    assert found.p < 0.001
    assert found.difference_low <= found.share - found.other <= found.difference_high


def test_clusters_of_queries_do_not_make_a_cause_sure():
    """Where all neighbours of a query have it or none, counting neighbours as if apart would be sure five times as often."""
    rng, wrong, naive = np.random.default_rng(3), 0, 0
    for _ in range(200):
        both = rng.integers(2, 12, (2, 40))
        has = rng.random(40) < 0.3
        table = [has * both[0], both[0], has * both[1], both[1]]
        shuffled = rng.permutation(40)
        table[2], table[3] = table[2][shuffled], table[3][shuffled]
        wrong += contrasts([table], seed=0)[0].p < 0.05
        cells = [[table[0].sum(), (table[1] - table[0]).sum()], [table[2].sum(), (table[3] - table[2]).sum()]]
        naive += stats.chi2_contingency(np.array(cells) + 0.5).pvalue < 0.05
    assert wrong <= 20
    assert naive > 2 * wrong


def test_rare_properties_are_not_called_more_frequent_by_luck():
    """Of few kept neighbours hardly one has a rare property: that alone must not make it more frequent elsewhere."""
    rng, wrong = np.random.default_rng(0), 0
    for seed in range(100):
        changed = 2 * rng.binomial(10, 0.95, 600)
        kept = 10 - changed // 2
        table = [rng.binomial(changed, 0.006), changed, rng.binomial(kept, 0.006), kept]
        found = contrasts([table], seed=seed)[0]
        wrong += found.p < 0.05 and found.difference > 0
    assert wrong <= 9


def test_no_share_no_other_and_few_queries_are_undefined():
    nothing = contrasts([[[0] * 9, [0] * 9, [1] * 9, [2] * 9]], seed=0)[0]
    assert np.isnan([nothing.share, nothing.p, nothing.difference]).all()
    few = contrasts([[[1, 1], [2, 2], [0, 0], [2, 2]]], seed=0)[0]
    assert few.share == 0.5
    assert np.isnan([few.low, few.p]).all()
    every = contrasts([[[2] * 9, [2] * 9, [0] * 9, [2] * 9]], seed=0)[0]
    assert every.low > 0.6
    assert 0 < every.difference_low < every.difference_high <= 1


def test_a_part_against_the_rest_is_scipys_permutation_test():
    rng = np.random.default_rng(4)
    values, inside = rng.random(60), rng.random(60) < 0.3
    values[inside] += 0.15
    difference, p = against_the_rest(values, [inside], seed=0)
    truth = stats.permutation_test(
        (values[inside], values[~inside]),
        lambda x, y: x.mean() - y.mean(),
        alternative="greater",
        n_resamples=20_000,
        rng=1,
    )
    assert difference[0] == pytest.approx(truth.statistic)
    assert p[0] == pytest.approx(truth.pvalue, abs=0.01)


def test_slices_name_where_more_changed_and_only_there():
    rng = np.random.default_rng(6)
    topic = rng.choice(["money", "travel", "food"], 400)
    changed = np.clip(rng.normal(0.4, 0.15, 400) + 0.2 * (topic == "money"), 0, 1)
    found = slices(changed, {"topic": list(topic), "luck": [str(each) for each in rng.integers(0, 8, 400)]}, seed=1)
    assert [(each.by, each.value) for each in found if each.p_adjusted < 0.05] == [("topic", "money")]
    money = found[0]
    assert money.changed == pytest.approx(changed[topic == "money"].mean())
    assert money.elsewhere == pytest.approx(changed[topic != "money"].mean())


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    copies = [
        f"{base} {tail}"
        for base in (
            f"the {a} of the {b} stands near a very old stone bridge in the quiet valley"
            for a in ("house", "mill", "barn", "inn")
            for b in ("king", "smith", "priest", "widow")
        )
        for tail in ("today", "tonight")
    ]
    out = tmp_path_factory.mktemp("why") / "run"
    return ed.compare(copies, ["toy:64", "toy:16"], k=4, store="memory:", layout="none", out=out)


def test_a_run_keeps_why_and_reads_it_again(result):
    again = ed.load(result.path)
    assert again == result
    assert again.run.why[0].counted == result.run.why[0].counted
    found = result.run.why[0]
    lists = [each.returned.rows for each in result.run.answers]
    only = sum(len(set(a) - set(b)) for a, b in zip(*(each.tolist() for each in lists), strict=True))
    assert (found.lost, found.lost + found.kept) == (only, int((lists[0] >= 0).sum()))
    assert {each.name for each in found.causes} >= {"truncated", "hub", "tie", "words", "duplicate"}


def test_json_says_ids_and_reasons_and_the_diff_says_causes(result):
    told = json.loads(json.dumps(result.to_dict()))["why"][0]
    assert told["sentence"].startswith("toy:64 and toy:16: ")
    reasons = {each["name"]: each["reason"] for each in told["causes"] if each["found"] is None}
    assert "no column" in reasons["language"]
    assert all(each["about"] for each in told["causes"])
    for at in range(len(result.run.queries)):
        for entry in result.diff(at).pairs[0]["entries"]:
            assert set(entry["causes"]) <= set(SHORT)
            assert not entry["causes"] or entry["status"] in ("lost", "gained")


def test_bits_of_rows_that_are_not_there_are_refused(result, tmp_path):
    import shutil

    from embdiff.runs import folder as files

    there = tmp_path / "run"
    shutil.copytree(result.path, there)
    (there / files.WHY).write_text("{}")
    with pytest.raises(ed.EmbdiffError, match=r"why\.json"):
        ed.load(there)
    assert ed.load(there, damaged=True).run.why == ()


def test_of_equal_lists_nothing_is_to_be_explained():
    found = ed.compare(["aa bb", "bb cc", "cc dd", "dd ee"], ["toy:64", "toy:128"], k=3, store="memory:", layout="none")
    (why,) = found.run.why
    assert (why.lost, why.gained, why.kept, why.counted) == (0, 0, 12, ())
    assert found.to_dict()["why"][0]["sentence"] == "toy:64 and toy:128: no neighbour changed."
