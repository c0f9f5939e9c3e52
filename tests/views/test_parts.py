"""Where the models disagree: groups or suggested clusters, in the record, in the folder, in the terminal."""

from __future__ import annotations

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


def shared(result: ed.Comparison) -> np.ndarray:
    """Count the neighbours that both models return, the query itself left out of four, list by list."""
    lists = [[[row for row in rows if row != at][:3] for at, rows in enumerate(answer.returned.rows.tolist())] for answer in result.run.answers]  # fmt: skip
    return np.array([len({*a} & {*b}) for a, b in zip(*lists, strict=True)])


class Drawn:
    """Vectors without ties."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def encode(self, texts):
        draws = (np.random.default_rng([self.seed, *text.encode()]) for text in texts)
        return np.array([draw.normal(size=6) for draw in draws], dtype=np.float32)


@pytest.mark.parametrize("groups", [None, [f"g{row % 7}" for row in range(80)]])
def test_each_part_says_how_many_neighbours_are_common_there(groups):
    models = [Drawn(1), Drawn(2)]
    result = ed.compare(TEXTS, models, k=4, store="memory:", baseline=False, groups=groups, self_matches="keep")
    parts, told = result.run.parts, result.headline.by_part
    assert parts.by == ("groups" if groups else "clusters")
    assert {each.part for each in told} == {
        name for at, name in enumerate(parts.names) if (parts.of_query == at).sum() >= 5
    }
    for each in told:
        here = parts.of_query == parts.names.index(each.part)
        assert (each.n, each.of) == (here.sum(), 3)
        assert each.value == pytest.approx(shared(result)[here].mean())
        assert 0 <= each.low <= each.value <= each.high <= 3
    assert [each.high for each in told] == sorted(each.high for each in told)
    if groups:
        assert [parts.names[at] for at in parts.of_row] == groups


def test_without_groups_there_are_clusters_that_the_folder_keeps(clustered):
    parts = clustered.run.parts
    assert parts.by == "clusters"
    assert parts.reason is None
    assert parts.of_row.tolist() == parts.of_query.tolist()
    assert {*parts.of_row.tolist()} == {*range(len(parts.names))}
    assert Run.read(clustered.path).same_as(clustered.run)


def test_the_terminal_shows_them_alone(clustered, capsys):
    terminal.show(clustered.facts(0), only="where")
    said = capsys.readouterr().out
    assert "Neighbours in common by suggested cluster, of 4 (chance 0." in said
    assert clustered.headline.by_part[0].part.split(", ")[0] in said
    assert "Clusters are a proposal" in said


def test_queries_that_are_no_rows_are_where_their_like_are():
    result = ed.compare(TEXTS, ["toy:16", "toy:64"], queries=[TEXTS[3], "the cat sleeps"], k=4, store="memory:", baseline=False)  # fmt: skip
    parts = result.run.parts
    assert parts.of_query[0] == parts.of_row[3]
    assert result.headline.by_part == ()  # two queries: nothing is said


def test_few_rows_have_none_and_say_why():
    result = ed.compare(TEXTS[:19], ["toy:16", "toy:64"], k=4, store="memory:", baseline=False)
    assert (result.run.parts.by, result.run.parts.names) == ("none", ())
    assert result.run.parts.reason == "no clusters of fewer than 20 rows"


def test_of_one_model_nothing_is_shared():
    result = ed.compare(TEXTS, ["toy:16"], k=4, store="memory:", baseline=False)
    assert (result.run.parts.by, result.headline.by_part) == ("clusters", ())


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
