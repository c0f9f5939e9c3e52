"""Where the models disagree: groups or suggested clusters, in the record, in the folder, in the terminal."""

from __future__ import annotations

import math

import numpy as np
import pytest

import embdiff as ed
from embdiff.runs import Run
from embdiff.views import terminal

TEXTS = [f"{('the cat', 'a train', 'new bread', 'much rain')[row % 4]} {chr(97 + row % 26)}{chr(98 + row // 4 % 24)} {row}" for row in range(80)]  # fmt: skip


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("parts") / "run"
    return ed.compare(TEXTS, ["toy:16", "toy:64"], k=4, store="memory:", baseline=False, out=out)


def disagreement(result: ed.Comparison) -> np.ndarray:
    found = result.facts().disagreement
    assert found is not None
    return found.query_values


def test_groups_are_ordered_by_the_lower_end_of_their_mean_disagreement():
    result = ed.compare("sample", ["toy:16", "toy:64"], k=4, store="memory:", baseline=False)
    parts, values, groups = result.run.parts, disagreement(result), result.run.corpus.groups
    assert parts.by == "groups"
    assert {part.name for part in parts.parts} == set(groups)
    assert [part.low for part in parts.parts] == sorted((part.low for part in parts.parts), reverse=True)
    for at, part in enumerate(parts.parts):
        mine = [row for row, group in enumerate(groups) if group == part.name]
        assert parts.of_row[mine].tolist() == parts.of_query[mine].tolist() == [at] * len(mine)
        assert (part.rows, part.queries) == (len(mine), len(mine))
        assert part.value == pytest.approx(values[mine].mean())
        assert part.low < part.value < part.high


def test_without_groups_there_are_clusters_that_the_folder_keeps(clustered):
    parts = clustered.run.parts
    assert parts.by == "clusters"
    assert parts.reason is None
    assert sum(part.rows for part in parts.parts) == 80
    for at, part in enumerate(parts.parts):
        here = parts.of_query == at
        assert part.value == pytest.approx(disagreement(clustered)[here].mean())
        assert math.isnan(part.low) == (here.sum() < 5)
    assert Run.read(clustered.path).same_as(clustered.run)


def test_the_terminal_shows_them_alone(clustered, capsys):
    terminal.show(clustered.facts(0), only="where")
    said = capsys.readouterr().out
    assert "Where the models disagree most: suggested clusters" in said
    assert clustered.run.parts.parts[0].name.split(", ")[0] in said
    assert "Clusters are a proposal" in said


def test_queries_that_are_no_rows_are_where_their_like_are():
    result = ed.compare(TEXTS, ["toy:16", "toy:64"], queries=[TEXTS[3], "the cat sleeps"], k=4, store="memory:", baseline=False)  # fmt: skip
    parts = result.run.parts
    assert parts.of_query[0] == parts.of_row[3]
    assert "order it by" in parts.reason


def test_few_rows_have_none_and_say_why():
    result = ed.compare(TEXTS[:19], ["toy:16", "toy:64"], k=4, store="memory:", baseline=False)
    assert (result.run.parts.by, result.run.parts.parts) == ("none", ())
    assert result.run.parts.reason == "no clusters of fewer than 20 rows"


def test_of_one_model_nothing_is_ordered():
    result = ed.compare(TEXTS, ["toy:16"], k=4, store="memory:", baseline=False)
    assert result.run.parts.reason == "there are no two lists to compare"


def test_a_folder_whose_clusters_do_not_fit_is_not_read(clustered, tmp_path):
    """A number of a part that is none would show a wrong name."""
    from dataclasses import replace

    from embdiff.errors import DataError

    wrong = replace(clustered.run.parts, of_row=clustered.run.parts.of_row + 100)
    folder = tmp_path / "run"
    folder.mkdir()
    replace(clustered.run, parts=wrong).write(folder)
    with pytest.raises(DataError, match="groups or clusters and the corpus do not fit"):
        Run.read(folder)
