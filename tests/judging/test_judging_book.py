"""The judgements on disk: nothing is lost, nothing of anybody else's is overwritten."""

from __future__ import annotations

import json

import pytest
from judged_sentences import TEXTS

import embdiff
from embdiff import _files
from embdiff.corpus.trec import read_qrels
from embdiff.errors import DataError, ParameterError
from embdiff.judging import Book, open_judging


def answer(judging, count, grade=1):
    asked = []
    for _ in range(count):
        question = judging.next()
        judging.record(question, grade, judge="ann")
        asked.append((question.query, question.document))
    return asked


def test_every_answer_is_on_disk_at_once(run):
    with open_judging(run, queries=3) as judging:
        for count in range(1, 4):
            answer(judging, 1)
            lines = judging.book.log.read_text().splitlines()
            assert len(lines) == count
            entry = json.loads(lines[-1])
            assert entry["judge"] == "ann"
            assert entry["time"].endswith("+00:00")
            assert sum(map(len, read_qrels(judging.book.path).judgements.values())) == count
    assert judging.book.path == run.with_name("first.qrels").resolve()


def test_it_goes_on_where_it_stopped(run):
    with open_judging(run, queries=2) as judging:
        before = answer(judging, 3)
        coming = judging.next()
    with open_judging(run, queries=2) as judging:
        assert judging.next() == coming
        assert judging.back().document == before[-1][1]
        assert judging.said(judging.next()).grade == 1
        judging.record(judging.next(), 0)
        assert judging.next() == coming
        answer(judging, judging.score().counts["left"])
        assert judging.next() is None
    assert read_qrels(judging.book.path).judgements[before[-1][0]][before[-1][1]] == 0


def test_back_goes_back_to_the_first_and_no_further(run):
    with open_judging(run) as judging:
        assert judging.back() is None
        asked = answer(judging, 3)
        assert [(q.query, q.document) for q in (judging.back(), judging.back(), judging.back())] == asked[::-1]
        assert judging.back() is None


def test_a_repeated_run_keeps_the_judgements(run):
    with open_judging(run, queries=2) as judging:
        asked = answer(judging, 4)
    embdiff.compare(TEXTS, ["toy:4", "toy:64"], k=4, store="memory:", baseline=False, out=run)
    embdiff.compare(TEXTS, ["toy:4", "toy:64", "toy:16"], k=4, store="memory:", baseline=False, out=run)
    with open_judging(run, queries=12) as judging:
        assert judging.answered == 4
        assert judging.set_aside == 0
        assert all(
            judging.said(judging.pool.question(*pair)).grade == 1 for pair in asked if pair[1] in judging.pool.texts
        )


def test_judgements_of_other_texts_are_set_aside_and_kept(run):
    with open_judging(run, queries=2) as judging:
        answer(judging, 4)
    embdiff.compare(
        [text.upper() + "!" for text in TEXTS], ["toy:4", "toy:64"], k=4, store="memory:", baseline=False, out=run
    )
    with open_judging(run, queries=2) as judging:
        assert (judging.answered, judging.set_aside) == (0, 4)
        answer(judging, 1)
        assert len(judging.book.log.read_text().splitlines()) == 5
        assert sum(map(len, read_qrels(judging.book.path).judgements.values())) == 1
        assert judging.to_dict()["set_aside"] == 4


def test_a_torn_last_line_is_dropped_and_the_rest_kept(run):
    with open_judging(run) as judging:
        answer(judging, 3)
    log = judging.book.log
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"query": "1", "docu')
    assert open_judging(run, write=False).answered == 3
    assert log.read_bytes() != whole  # reading changes nothing
    with open_judging(run) as judging:
        assert log.read_bytes() == whole
        answer(judging, 1)
    assert len([json.loads(line) for line in log.read_text().splitlines()]) == 4


@pytest.mark.parametrize("line", ["{}", "no json", '["a"]', '{"query": 1}', "\xff"])
def test_a_damaged_line_is_refused(run, line):
    with open_judging(run) as judging:
        answer(judging, 2)
    first, second = judging.book.log.read_bytes().splitlines(keepends=True)
    judging.book.log.write_bytes(first + line.encode("latin-1") + b"\n" + second)
    with pytest.raises(
        DataError, match=r"Every line of a log of judgements must be one judgement. Got .* on line 2 of"
    ):
        open_judging(run)


def test_a_grade_out_of_range_in_the_log_is_refused(run):
    with open_judging(run) as judging:
        answer(judging, 1)
    judging.book.log.write_text(judging.book.log.read_text().replace('"grade": 1', '"grade": 77'))
    with pytest.raises(DataError, match="on line 1 of"):
        open_judging(run)


def test_somebody_elses_file_is_not_overwritten(run, tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("1 0 2 1\n")
    with pytest.raises(ParameterError, match=r"must be new, or one that embdiff wrote with mine.txt.jsonl beside it"):
        open_judging(run, out=mine)
    assert mine.read_text() == "1 0 2 1\n"


def test_two_sessions_do_not_write_at_once(run):
    with open_judging(run) as judging:
        with pytest.raises(ParameterError, match=r"Judgements must be open in one session at a time"):
            open_judging(run)
        answer(judging, 1)
        assert open_judging(run, write=False).answered == 1
    with open_judging(run) as again:
        assert again.answered == 1


def test_the_lock_is_that_of_every_file_of_ours(run, monkeypatch):
    monkeypatch.setattr(_files, "lock_now", lambda handle: False)
    with pytest.raises(ParameterError, match=r"Judgements must be open in one session at a time"):
        open_judging(run)


def test_what_was_opened_to_read_is_not_written(run, tmp_path):
    judging = open_judging(run, write=False)
    with pytest.raises(ParameterError, match=r"Judgements must be opened for writing"):
        judging.record(judging.next(), 1)
    assert sorted(path.name for path in run.parent.iterdir()) == ["first"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match=r"The judgements must be writable. Got .*File exists"):
        Book(tmp_path / "file" / "x.qrels", write=True)


def test_ids_with_blanks_are_judged_and_the_trec_file_told(run, tmp_path):
    lines = ["id,text", *(f"no {i},{text}" for i, text in enumerate(TEXTS))]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    embdiff.compare(
        tmp_path / "data.csv", ["toy:4", "toy:64"], k=3, store="memory:", baseline=False, out=tmp_path / "blank"
    )
    with open_judging(tmp_path / "blank") as judging:
        answer(judging, 2)
        assert judging.book.write_qrels(judging.book.entries).startswith("The TREC file was not written, the log")
        assert "The TREC file was not written" in " ".join(judging.to_dict()["notes"])
    with open_judging(tmp_path / "blank") as judging:
        assert judging.answered == 2


def test_a_query_can_be_added(run):
    from embdiff.judging import pooled_query

    with open_judging(run, queries=1) as judging:
        answer(judging, judging.score().counts["left"])
        assert judging.next() is None
        query = pooled_query("live-1", "sea", {"toy:4": ["8"], "toy:64": ["9"]}, seed=0)
        judging.add_query(query, {"8": TEXTS[8], "9": TEXTS[9]})
        question = judging.next()
        assert (question.query, question.queries, question.document_text) == (
            "live-1",
            2,
            TEXTS[int(question.document)],
        )
        answer(judging, 2)
        assert judging.score().counts["done"] == 2
