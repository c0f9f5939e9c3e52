"""A random sample of the rows as queries, always against the whole corpus."""

import json
import math
import random

import numpy as np
import pytest

import embdiff as ed
from embdiff.comparison import sampling, settings
from embdiff.errors import ParameterError
from embdiff.measures.overlap import overlap
from embdiff.measures.ties import among
from embdiff.settings import worst_case, worst_case_queries
from embdiff.ties import entries
from embdiff.views import html, terminal
from shown import everything

ROWS = 600


@pytest.fixture(scope="module")
def texts():
    draw = random.Random(4)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 6))) for _ in range(80)]
    return [" ".join(draw.choices(words, k=draw.randint(2, 5))) for _ in range(ROWS)]


def compared(texts, **settings_):
    return ed.compare(texts, models=["toy:16", "toy:9"], k=5, store="memory:", permutations=99, **settings_)


@pytest.fixture(scope="module")
def full(texts):
    return compared(texts, sample="all")


def overlap_of(result):
    return next(score for score in result.scores if score.measure == "overlap@5")


def test_each_sampled_query_sees_the_whole_corpus(texts, full):
    some = compared(texts, sample=80)
    rows = some.run.query_rows
    assert len(set(rows)) == len(some.run.queries) == 80
    for here, there in zip(some.run.answers, full.run.answers, strict=True):
        np.testing.assert_array_equal(here.exact.rows, there.exact.rows[list(rows)])
    assert overlap_of(some).chance == pytest.approx(5 / (ROWS - 1), rel=0.2)  # of a sampled corpus: 5 / 79
    assert overlap_of(some).n == 80
    facts = some.run.manifest["sample"]
    assert (facts["asked"], facts["of"], facts["seed"], facts["chosen"]) == (80, ROWS, 0, "given")


def test_the_seed_decides_who_is_asked(texts):
    first, again = compared(texts, sample=40), compared(texts, sample=40)
    assert first.run.query_rows == again.run.query_rows
    assert overlap_of(first) == overlap_of(again)
    other = compared(texts, sample=40, seed=1)
    assert set(other.run.query_rows) != set(first.run.query_rows)
    assert (
        settings.read_inputs(texts, first.run.config.model_copy(update={"sample": "50"}), {}).query_rows[:40]
        == first.run.query_rows
    )


def test_half_width_by_hand_and_with_the_correction_for_a_finite_corpus():
    values = [0.0, 1.0] * 50
    deviation = math.sqrt(0.25 * 100 / 99)
    assert sampling.half_width(values, 400) == pytest.approx(1.959964 * deviation / 10 * math.sqrt(0.75))
    assert sampling.half_width(values, 100) == 0.0
    assert math.isnan(sampling.half_width([1.0, math.nan], 100))
    assert sampling.queries_needed(0.178, 0.02, 20_000) == 300  # the figure of a measured pair
    assert worst_case_queries(0.02, 10**12) == 2_401
    assert worst_case_queries(0.01, 10**12) == 9_604
    assert worst_case(9_604, 10**12) == pytest.approx(0.01, rel=1e-4)
    assert worst_case(100, 100) == 0.0


def test_the_half_width_covers_what_every_row_gives(full):
    a, b = full.run.answers
    values, rng = overlap(a.exact, b.exact), np.random.default_rng(0)
    for count in (30, 100, 400):
        drawn = [rng.permutation(values)[:count] for _ in range(400)]
        within = [abs(some.mean() - values.mean()) <= sampling.half_width(some, ROWS) for some in drawn]
        assert 0.91 <= np.mean(within) <= 0.98  # .95 expected, standard error .011


def test_a_half_width_asks_as_many_as_it_needs(texts, full, monkeypatch):
    monkeypatch.setattr("embdiff.comparison.stages.PILOT", 60)
    result = compared(texts, half_width=0.03)
    facts = result.run.manifest["sample"]
    assert facts["chosen"] == "half_width"
    assert facts["pilot"]["queries"] == 60
    assert 0.0 < facts["half_width"] <= 0.033  # a pilot of 60 is a rough one
    assert 60 <= facts["asked"] < worst_case_queries(0.03, ROWS)
    assert abs(overlap_of(result).value - overlap_of(full).value) <= 0.03


def test_above_a_size_a_sample_is_asked_unless_told_otherwise(texts, monkeypatch):
    monkeypatch.setattr(settings, "SAMPLE_ABOVE", 500)
    monkeypatch.setattr(settings, "SAMPLE_SIZE", 70)
    by_itself = compared(texts)
    assert by_itself.run.manifest["sample"]["chosen"] == "size"
    assert len(by_itself.run.queries) == 70
    assert len(compared(texts, queries="first:3").run.queries) == 3


def test_all_rows_are_no_sample(full):
    assert full.run.manifest["sample"] is None
    assert len(full.run.queries) == ROWS


def test_groups_are_counted_over_the_sample(texts):
    names = ("first", "second", "third")
    groups = [names[row % 3] for row in range(ROWS)]
    some = compared(texts, sample=120, groups=groups)
    asked = [groups[row] for row in some.run.query_rows]
    mixing = some.run.mixings["toy:16"]
    assert mixing.rows == (200, 200, 200)
    assert mixing.queries == tuple(map(asked.count, names))
    every = entries(some.run.answers[0].exact)
    across = dict.fromkeys(names, 0.0)
    for query, row, chance in zip(every.query, every.row, among(every, some.run.config.k), strict=True):
        across[groups[row]] += chance * (groups[row] != asked[query])
    tests = {test.group: test for model, test in some.run.tests if model == "toy:16"}
    assert {name: test.hits for name, test in tests.items()} == pytest.approx(across)
    assert all(0 < test.p <= 1 for test in tests.values())


def test_every_view_says_so_and_the_run_folder_keeps_it(texts, tmp_path):
    result = compared(texts, sample=30, out=tmp_path / "run")
    again = ed.load(tmp_path / "run")
    assert again == result
    payload = json.loads(json.dumps(again.to_dict(queries=1)))
    assert payload["sample"]["asked"] == 30
    for text in (terminal.text(again.facts(1), 400, everything=True), html.render(again.facts(1))):
        assert "30 queries sampled from 600 rows (seed 0)" in text
        assert "30 of 600 rows were asked, drawn at random with seed 0, each among all rows" in text
        assert f"within {payload['sample']['half_width']:.3f} of the one shown (95 %" in text


def test_one_collection_alone_has_the_worst_case(texts):
    result = ed.compare(texts, models=["toy:16"], k=5, store="memory:", half_width=0.1)
    assert len(result.run.queries) == worst_case_queries(0.1, ROWS)
    assert result.run.manifest["sample"]["half_width"] is None
    assert "at the very worst" in everything(result)


def test_query_models_are_sampled_too(texts, monkeypatch):
    monkeypatch.setattr("embdiff.comparison.stages.PILOT", 20)
    result = ed.compare(
        texts, models=["toy:8", "lsa:8"], query_models=["toy:8"], k=5, store="memory:", half_width=0.05, seed=2
    )
    assert result.run.manifest["sample"]["pilot"]["queries"] == 20


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"sample": 601},
            r"A sample must be of 2 to 600 rows \(the corpus has 600\)\. Got 601\. Lower it, or write all\.",
        ),
        ({"sample": 1}, r"A sample must be of 2 to 600 rows"),
        ({"sample": "half"}, r"sample must match pattern"),
        ({"half_width": 0.0}, r"half_width must be a number from 0\.001"),
        ({"half_width": 0.01, "sample": 5}, r"Either the size of the sample or its half-width can be chosen\."),
        ({"sample": 5, "queries": "first:3"}, r"A sample is drawn when every row queries\. Got sample=5"),
        ({"half_width": 0.1, "queries": ["a b"]}, r"A sample is drawn when every row queries\..*Leave the queries or"),
    ],
)
def test_refusals(texts, given, message):
    with pytest.raises(ParameterError, match=message):
        compared(texts, **given)


@pytest.mark.slow
@pytest.mark.parametrize(("told", "asked"), [({}, 500), ({"store_queries": 30}, 30), ({"store_queries": "all"}, ROWS)])
def test_the_database_is_asked_a_sample_that_the_run_tells_of(texts, full, told, asked):
    here = compared(texts, sample="all", **told)
    searches = here.run.manifest["searches"]
    assert [(each["queries"], each["store_queries"]) for each in searches] == [(ROWS, asked)] * 2
    assert here.scores == full.scores
    shown = terminal.text(here.facts(), 400, everything=True)
    assert (f"was asked {asked:,} of {ROWS:,} queries" in " ".join(shown.split())) == (asked < ROWS)
    assert f"one call with {asked:,} queries" in shown
    with pytest.raises(ParameterError, match=r"store_queries"):
        compared(texts, store_queries="some")
