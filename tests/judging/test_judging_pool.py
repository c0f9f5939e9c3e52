"""What is asked about, in which order, and that the order tells nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from judged_sentences import TEXTS

import embdiff
from embdiff import runs
from embdiff.errors import DataError, ParameterError
from embdiff.judging import open_judging, pool_run, pooled_query
from embdiff.judging.scoring import score_judgements
from embdiff.measures.inputs import truncated
from embdiff.measures.overlap import overlap


def test_every_result_of_every_model_is_pooled_once(run):
    records = runs.Run.read(run)
    pool = pool_run(records, queries=100, depth=3)
    assert pool.asked == pool.available == 12
    for query in pool.queries:
        row = records.queries.ids.index(query.id)
        expected = {records.corpus.ids[found] for each in records.answers for found in each.returned.rows[row, :3]}
        assert set(query.documents) == expected
        assert len(query.documents) == len(expected)
        assert query.text == records.queries.items[row]
        assert query.id not in query.documents
        assert {pool.texts[name] for name in query.documents} == {records.corpus.items[int(name)] for name in expected}


def test_most_disputed_queries_come_first(run):
    records = runs.Run.read(run)
    a, b = (truncated(answer.returned, 3) for answer in records.answers)
    disputed = dict(zip(records.queries.ids, 1.0 - overlap(a, b), strict=True))
    pool = pool_run(records, queries=100, depth=3)
    values = [query.disputed for query in pool.queries]
    assert values == sorted(values, reverse=True)
    assert values == pytest.approx([disputed[query.id] for query in pool.queries])
    assert len(set(values)) > 1
    sample = pool_run(records, queries=100, depth=3, order="random")
    assert {query.id for query in sample.queries} == {query.id for query in pool.queries}
    assert [query.disputed for query in sample.queries] != values


def test_the_order_depends_on_the_seed_and_not_on_who_found_what():
    lists = {"a": [f"d{i}" for i in range(30)], "b": [f"d{i}" for i in range(20, 50)]}
    one = pooled_query("q", "text", lists, seed=0).documents
    assert one == pooled_query("q", "text", dict(reversed(lists.items())), seed=0).documents
    assert one == pooled_query("q", "text", {"a": lists["b"][::-1], "b": lists["a"][::-1]}, seed=0).documents
    assert one != pooled_query("q", "text", lists, seed=1).documents
    assert one != pooled_query("other", "text", lists, seed=0).documents
    # Leaving documents out moves no other: a changed run goes on where the judge was.
    fewer = pooled_query("q", "text", {"a": lists["a"]}, seed=0).documents
    assert fewer == tuple(name for name in one if name in fewer)


def test_places_of_a_model_are_spread_evenly_over_the_order():
    """First places of a model stand anywhere: mean place of 400 queries within 4 standard errors of the middle."""
    lists = {"a": ["x", *(f"a{i}" for i in range(4))], "b": [f"b{i}" for i in range(5)]}
    places = [pooled_query(f"q{i}", "", lists, seed=0).documents.index("x") for i in range(400)]
    assert np.mean(places) == pytest.approx(4.5, abs=4 * np.sqrt((100 - 1) / 12 / 400))


def test_a_query_s_own_row_is_left_out_and_the_others_move_up(tmp_path):
    texts = ["one two", "two three", "three four", "four five"]
    result = embdiff.compare(texts, ["toy:8", "toy:32"], k=3, queries="every", store="memory:", baseline=False)
    pool = pool_run(result.run, queries=9, depth=2)
    for query in pool.queries:
        assert query.id not in query.documents
        assert all(len(found) == 2 for found in query.lists.values())


def test_query_models_are_models_of_their_own(tmp_path):
    result = embdiff.compare(
        ["a b", "b c", "c d"], ["toy:8"], query_models=["toy:8"], k=1, store="memory:", baseline=False
    )
    assert set(pool_run(result.run).queries[0].lists) == {"toy:8 (asked with toy:8)"}
    assert all(query.disputed == 0.0 for query in pool_run(result.run).queries)


def test_what_does_not_fit_is_refused(run, by_hand, tmp_path):
    records = runs.Run.read(run)
    with pytest.raises(ParameterError, match=r"queries must be an integer from 1 to 1,000,000,000. Got 0"):
        pool_run(records, queries=0)
    with pytest.raises(ParameterError, match=r"The depth to judge must be between 1 and 4.* Got 5"):
        pool_run(records, depth=5)
    with pytest.raises(ParameterError, match=r"seed must be an integer from 0 to 9,223,372,036,854,775,807. Got -1"):
        pool_run(records, seed=-1)
    with pytest.raises(ParameterError, match=r"order must be one of disputed, random, weighted. Got 'randm'"):
        pool_run(records, order="randm")
    with pytest.raises(ParameterError, match=r"A query of a pool must be new. Got the id 'q1'"):
        by_hand.with_query(by_hand.queries[0], {})
    with pytest.raises(ParameterError, match=r"Judgements must have a file. Got a run without a folder"):
        open_judging(records)
    empty = [
        replace(answer, returned=replace(answer.returned, rows=np.full_like(answer.returned.rows, -1)))
        for answer in records.answers
    ]
    with pytest.raises(DataError, match=r"A run to judge must have results besides the queries themselves"):
        pool_run(replace(records, answers=tuple(empty)))


def test_bm25_is_judged_where_it_stood_beside_the_models(tmp_path):
    pytest.importorskip("bm25s")
    result = embdiff.compare(TEXTS, ["toy:4", "toy:64"], k=4, store="memory:", out=tmp_path / "run")
    pool, without = (pool_run(result.run, baseline=asked) for asked in (True, False))
    assert [query.id for query in pool.queries] == [query.id for query in without.queries]
    for query, models in zip(pool.queries, without.queries, strict=True):
        assert [*query.lists] == ["toy:4", "toy:64", "bm25"]
        assert [*models.lists] == ["toy:4", "toy:64"]
        row = result.run.queries.ids.index(query.id)
        found = [result.run.corpus.ids[at] for at in result.run.baseline.returned.rows[row] if at >= 0]
        assert query.lists["bm25"] == tuple(found)
        assert set(query.documents) == {*models.documents, *found}
    with open_judging(tmp_path / "run", queries=1) as judging:
        while (question := judging.next()) is not None:
            judging.record(question, int(question.document in question.query))
        assert [score.models[0] for score in judging.score().scores[:3]] == ["toy:4", "toy:64", "bm25"]
        assert len(judging.score().plans) == 3
    with open_judging(tmp_path / "run", queries=1, baseline=False) as judging:
        assert judging.next() is None
        assert {score.models[0] for score in judging.score().scores} == {"toy:4", "toy:64"}


def test_bm25_counts_only_where_it_was_asked(by_hand):
    first, second = by_hand.queries
    lists = {**first.lists, "bm25": ("d4", "d1")}
    pool = replace(by_hand, queries=(replace(first, lists=lists), second))
    grades = {(query.id, name): int(name in ("d1", "d5")) for query in pool.queries for name in query.documents}
    scores = {(score.measure, score.models[0]): score for score in score_judgements(pool, grades).scores}
    assert scores["hit@3", "a"].n == 2
    lexical = scores["precision_judged@3", "bm25"]
    assert (lexical.n, lexical.value, lexical.chance) == (1, 0.5, 0.25)
