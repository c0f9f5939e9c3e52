"""A run for other viewers, and the widget's Python side."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

import embdiff as ed
from embdiff.errors import MissingDependencyError, ParameterError
from embdiff.views import exports, report, widget

TEXTS = ["=1+2", "plain", "two\tcells\nand lines", "@SUM(A1)", "  -3 is a number", "<b>bold</b>"]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("exports") / "run"
    return ed.compare(TEXTS, ["toy:8", "toy:16"], k=2, store="memory:", groups=["=g", "h"] * 3, out=out)


def test_parquet_has_places_and_neighbours(result, tmp_path):
    frame = pd.read_parquet(result.to_parquet(tmp_path / "points.parquet"))
    assert list(frame.id) == list(result.run.corpus.ids)
    assert frame["text"].tolist() == TEXTS
    assert np.allclose(frame["x_toy:8"], result.run.layouts[0].xy[:, 0])
    for row in range(len(TEXTS)):
        assert frame["neighbors_toy:16"][row]["ids"].tolist() == result.run.answers[1].returned.rows[row].tolist()


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_a_distance_is_small_where_rows_are_close_in_every_file(tmp_path, metric):
    out = tmp_path / "run"
    run = ed.compare(TEXTS, ["toy:8"], k=3, metric=metric, store="memory:", out=out, baseline=False).run
    vectors = ed.get_encoder("toy:8").encode(TEXTS).astype(np.float64)
    length = np.linalg.norm(vectors, axis=1)
    truth = {
        "cosine": 1 - vectors @ vectors.T / np.outer(length, length),
        "ip": -(vectors @ vectors.T),
        "l2": ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2),
    }[metric]
    ed.load(out).to_parquet(tmp_path / "p.parquet")
    ed.load(out).to_embedding_atlas(tmp_path / "a.parquet")
    table, (plain, atlas) = (
        pd.read_parquet(out / "neighbors.parquet"),
        (
            pd.read_parquet(tmp_path / name)[column]
            for name, column in (("p.parquet", "neighbors_toy:8"), ("a.parquet", "neighbors"))
        ),
    )
    for row, found in enumerate(run.answers[0].returned.rows):
        wanted = pytest.approx(truth[row, found].tolist(), abs=1e-5)
        assert plain[row]["distances"].tolist() == wanted
        assert atlas[row]["distances"].tolist() == wanted
        assert table[table.query_id == str(row)]["distance"].tolist() == wanted
        assert sorted(plain[row]["distances"]) == plain[row]["distances"].tolist()


def test_embedding_atlas_gets_one_map_with_its_neighbours(result, tmp_path, embdiff):
    done = embdiff(
        "export", str(result.path), "--to", "embedding-atlas", "--model", "toy:16", "-o", str(tmp_path / "a.parquet")
    )
    assert done.code == 0
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert {"x", "y", "text", "neighbors", "group"} <= set(frame.columns)
    assert np.allclose(frame["y"], result.run.layouts[1].xy[:, 1])
    assert frame.neighbors[0]["ids"].tolist() == result.run.answers[1].returned.rows[0].tolist()
    assert frame.neighbors[0]["distances"].tolist() == pytest.approx(
        (1 - result.run.answers[1].returned.similarity[0]).tolist()
    )


def test_projector_gets_vectors_and_cells_that_are_no_formulas(result, tmp_path):
    folder = ed.load(result.path).to_projector(tmp_path / "projector")
    rows = list(csv.reader((folder / "metadata.tsv").open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0] == ["id", "text", "group"]
    assert [row[1] for row in rows[1:]] == [
        "'=1+2",
        "plain",
        "two cells and lines",
        "'@SUM(A1)",
        "'  -3 is a number",
        "<b>bold</b>",
    ]
    assert rows[1][2] == "'=g"
    vectors = np.loadtxt(folder / "toy_8.vectors.tsv", delimiter="\t", dtype=np.float32)
    assert vectors.shape == (len(TEXTS), 8)
    assert np.allclose(vectors, ed.get_encoder("toy:8").encode(TEXTS))


def test_a_folder_with_something_else_is_not_replaced_by_an_export(result, tmp_path):
    folder = tmp_path / "projector"
    for _ in range(2):
        ed.load(result.path).to_projector(folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ParameterError, match=r"earlier export, since it is replaced\. Got .* with notes\.txt\. Name"):
        ed.load(result.path).to_projector(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_models_whose_names_look_alike_get_files_of_their_own(result, tmp_path):
    tables = {"x/y": np.eye(6, 2, dtype=np.float32), "x:y": np.eye(6, 3, dtype=np.float32)}
    exports.write_projector(result.run, tables, tmp_path)
    written = sorted(path.name for path in tmp_path.glob("*.vectors.tsv"))
    assert len(written) == 2
    assert {np.loadtxt(tmp_path / name, delimiter="\t").shape for name in written} == {(6, 2), (6, 3)}


def test_jupyter_scatter_links_one_map_per_model(result):
    pytest.importorskip("jscatter", reason="needs the package jupyter-scatter")
    first, second = result.to_jupyter_scatter().children
    assert len(first.points) == len(second.points) == len(TEXTS)
    first.selection = np.array([1, 4])
    assert second.selection.tolist() == [1, 4]
    second.hovering = 3
    assert first.hovering == 3


def test_refusals_of_exports(result, tmp_path, embdiff, monkeypatch):
    done = embdiff("export", str(result.path), "--to", "excel", "-o", str(tmp_path / "x"))
    assert done.code == 2
    assert "An export must be to one of parquet, embedding-atlas, projector. Got 'excel'" in done.err
    done = embdiff("export", str(result.path), "--to", "embedding-atlas", "--model", "toy:9", "-o", str(tmp_path / "x"))
    assert done.code == 2
    assert "A model must have a map: toy:8, toy:16. Got 'toy:9'" in done.err
    with pytest.raises(ParameterError, match="An export must be written into a folder that is there"):
        result.to_parquet(tmp_path / "no" / "such.parquet")
    flat = ed.compare(TEXTS, ["toy:8"], k=2, store="memory:", layout="none")
    with pytest.raises(ParameterError, match="A run must have maps to be shown elsewhere"):
        flat.to_parquet(tmp_path / "x.parquet")
    monkeypatch.setattr("embdiff._optional.is_installed", lambda module: False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'embdiff\[scatter\]'"):
        result.to_jupyter_scatter()


def test_cells_for_other_programs_are_one_line():
    assert exports.cell("a\r\nb\x00") == r"a  b\x00"
    assert exports.cell("+1") == "'+1"


@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
def test_the_widget_checks_what_is_selected(result, monkeypatch):
    view = result.to_widget()
    assert view.selection is None
    view.selection = 3
    assert view.selection == 3
    with pytest.raises(ParameterError, match=r"The selection must be a query's row between 0 and 5, or None\. Got 6"):
        view.selection = 6
    assert view.selection == 3
    view.selection = None
    assert view.data[:2] == b"\x1f\x8b"
    widget._widget_class.cache_clear()
    monkeypatch.setattr("embdiff._optional.is_installed", lambda module: False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'embdiff\[notebook\]'"):
        result.to_widget()
    widget._widget_class.cache_clear()
