"""A comparison on images, from a folder of pictures made here to the page: thumbnails, paths, text queries."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.corpus import read_corpus
from embdiff.errors import DataError
from embdiff.evaluation.classes import knn_predict
from embdiff.records import Picture
from embdiff.runs import Run
from embdiff.runs import folder as run_files
from embdiff.sources import get_encoder, list_encoders
from embdiff.views import report, terminal
from embdiff.views.packing import pack
from embdiff.views.table import plain_text
from pictures import drawn, shapes, small_clip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shapes(tmp_path_factory.mktemp("images") / "shapes")


@pytest.fixture(scope="module")
def result(pictures: Path) -> ed.Comparison:
    out = pictures.parent / "run"
    return ed.compare(str(pictures), ["pixels:16", "pixels:64"], k=3, store="memory:", out=out, cache="off")


def test_a_run_folder_keeps_what_can_be_shown(result: ed.Comparison, pictures: Path):
    again = ed.load(pictures.parent / "run")
    assert again == result
    for one, other in zip(again.run.corpus.items, result.run.corpus.items, strict=True):
        assert isinstance(one, Picture)
        assert (one, str(one), one.thumbnail) == (other, str(other), other.thumbnail)
        assert one.read is None
    assert again.run.corpus.digest() == result.run.corpus.digest()
    assert again.run.manifest["baseline"]["left_out"] == "bm25 is left out: images have no words"


def test_thumbnails_stand_in_the_page_the_notebook_and_exports(result: ed.Comparison, tmp_path: Path):
    item = result.run.corpus.items[0]
    block = gzip.decompress(pack(result.run))
    size = struct.unpack("<I", block[:4])[0]
    head, body = json.loads(block[4 : 4 + size]), block[4 + size :]
    assert head["items"]["texts"][0] == "bar/0.png"
    refs = head["items"]["thumbnails"]
    held = body[refs["bytes"]["offset"] :][: refs["bytes"]["bytes"]]
    assert held.startswith(item.thumbnail)
    assert len(held) == sum(len(each.thumbnail) for each in result.run.corpus.items)
    address = f"data:image/webp;base64,{base64.b64encode(item.thumbnail).decode()}"
    assert f'<img alt="" src="{address}"' in result._repr_html_()
    from embdiff.views import exports

    exports.write_parquet(result.run, tmp_path / "points.parquet")
    table = pq.read_table(tmp_path / "points.parquet").to_pydict()
    assert (table["text"][0], table["image"][0]) == ("bar/0.png", address)
    with Image.open(BytesIO(item.thumbnail)) as small:
        assert small.size == (40, 40)


def test_the_terminal_shows_the_path_once(result: ed.Comparison):
    shown = str(result.diff("bar/0.png"))
    assert "bar/0.png" in shown
    assert "data:" not in shown
    others = [name for name in result.run.corpus.ids if name != "bar/0.png"]
    assert 3 <= sum(shown.count(name) for name in others) <= 6
    assert max(shown.count(name) for name in others) == 1
    for whole in (repr(result), plain_text(terminal.part("queries")(result.facts(2)), 80)):
        lines = [line for line in whole.splitlines() if ".png" in line]
        assert lines
        assert not [line for line in lines if re.search(r"(\w+/\d+\.png)( \[\w+\])?: \1", line)]


def test_a_forged_thumbnail_is_refused(result: ed.Comparison, pictures: Path, tmp_path: Path):
    """Sealed again, as whoever forges a run would: what is no small WebP never becomes an address of the page."""
    import shutil

    import pyarrow as pa

    copy = shutil.copytree(pictures.parent / "run", tmp_path / "run")
    table = pq.read_table(copy / run_files.CORPUS)
    for forged in (b"<svg onload=alert(1)>", b"RIFF\0\0\0\0WEBP" + b"x" * 5_000):
        column = pa.array([forged] * table.num_rows, pa.large_binary())
        at = table.column_names.index("thumbnail")
        pq.write_table(table.set_column(at, "thumbnail", column), copy / run_files.CORPUS)
        manifest = run_files.read_manifest(copy)
        run_files.write_manifest(copy, manifest, manifest.pop("files"))
        with pytest.raises(DataError, match="no small WebP"):
            Run.read(copy)


@pytest.mark.browser
@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
def test_thumbnails_are_drawn_and_nothing_is_asked_for(result: ed.Comparison, pictures: Path, browser: Any):
    view = browser.new_page(viewport={"width": 1366, "height": 768}, offline=True)
    noticed: list[str] = []
    view.on("console", lambda message: None if "GL Driver" in message.text else noticed.append(message.text))
    view.on("request", lambda request: noticed.append(request.url))
    path = pictures.parent / "run" / "report.html"
    view.goto(path.as_uri())
    view.wait_for_selector("[data-mounted]")
    sizes = "[...document.querySelectorAll('%s img.thumbnail')].map((each) => each.naturalWidth)"
    card, rows = (view.evaluate(sizes % where) for where in (".query-card", ".list tbody"))
    assert card == [40] * (1 + 2 * 3)  # the query, and three neighbours of two models
    assert rows == [40] * 12
    view.locator(".list tbody tr").first.hover()
    view.wait_for_selector(".hover-line img.thumbnail")
    assert view.evaluate(sizes % ".hover-line") == [40]
    assert [each for each in noticed if each != path.as_uri()] == []


def test_texts_find_images_under_two_models_that_read_both(pictures: Path, tmp_path: Path):
    pytest.importorskip("sentence_transformers")
    clip = small_clip(tmp_path / "clip")
    models = [f"st:{clip}", f"half=st:{clip}?dim=12"]
    words = ["a bar", "a circle", "a square"]
    found = ed.compare(str(pictures), models, queries=words, k=2, store="memory:", cache="off", layout="none")
    corpus, encoder = read_corpus(pictures), get_encoder(models[0])
    there, asked = encoder.encode(corpus.items), encoder.encode(words, role="query")
    there, asked = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (there, asked))
    np.testing.assert_array_equal(found.run.answers[0].returned.rows, np.argsort(-asked @ there.T, axis=1)[:, :2])
    gaps = {score.models[0]: score for score in found.run.scores if score.measure == "modality_gap"}
    assert list(gaps) == [models[0], "half"]
    gap = gaps[models[0]]
    assert gap.value == pytest.approx(np.linalg.norm(there.mean(0) - asked.mean(0)), abs=1e-5)
    assert (gap.n, gap.reason) == (15, "of 12 rows and 3 queries")
    assert gap.low < gap.value < gap.high
    from embdiff.views.space_tables import geometry_tables

    titles = [table.title for table in geometry_tables(found.run.scores)]
    assert any(title.startswith("Images and texts in one space") for title in titles)


def test_sub_folders_are_labels_to_evaluate(pictures: Path):
    found = ed.evaluate(str(pictures), ["pixels:64", "pixels:4"], cache="off", measures=["knn_accuracy@1"])
    assert " images of 3 classes to classify, " in found.outcome.about
    assert found.outcome.task == "classes"
    assert "bm25 is left out: images have no words." in found.outcome.notes
    assert {score.models[0] for score in found.outcome.scores} == {"pixels:64", "pixels:4"}
    assert all(score.n == 3 for score in found.outcome.scores)  # a quarter of 4 of each shape


def test_a_corpus_encoded_in_bulk_has_the_vectors_of_a_comparison(pictures: Path, tmp_path: Path):
    encode_corpus(str(pictures), "pixels:16", tmp_path / "vectors.parquet", cache="off")
    table = pq.read_table(tmp_path / "vectors.parquet").to_pydict()
    corpus = read_corpus(pictures)
    assert table["id"] == list(corpus.ids)
    np.testing.assert_allclose(np.array(table["vector"]), get_encoder("pixels:16").encode(corpus.items))
    found = ed.compare(
        str(pictures),
        ["pixels:16", f"kept=vectors:{tmp_path / 'vectors.parquet'}"],
        k=3,
        store="memory:",
        layout="none",
    )
    np.testing.assert_array_equal(*(answer.returned.rows for answer in found.run.answers))


def leave_one_out(vectors: Any, groups: tuple[str, ...]) -> float:
    """Return the share of rows whose five nearest others, by cosine, vote for their group."""
    labels = np.unique(groups, return_inverse=True)[1]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    return float((knn_predict(np.argsort(-similarity, axis=1, kind="stable")[:, :5], labels, 5) == labels).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "accuracy"), [("efficientnet?size=128", 0.64), ("efficientnet", 0.66), ("hog", 0.28)]
)
def test_photographs_are_told_apart_as_well_as_was_measured(shared_data: Path, model: str, accuracy: float):
    kind = model.partition("?")[0]
    if not next(info for info in list_encoders() if info.name == kind).installed:
        pytest.skip(f"{kind} is not installed")
    corpus = read_corpus(shared_data / "cifar10-sample")
    assert leave_one_out(get_encoder(model).encode(corpus.items), corpus.groups) == pytest.approx(accuracy, abs=0.015)


@pytest.mark.slow
def test_drawings_are_told_apart_by_the_directions_of_their_edges(shared_data: Path):
    corpus = read_corpus(shared_data / "omniglot-small1" / "images_background_small1.zip")
    assert (len(corpus), len(set(corpus.groups))) == (2_720, 136)
    chosen = sorted(set(corpus.groups))[::4]
    rows = [row for row, group in enumerate(corpus.groups) if group in chosen]
    assert len(rows) == 680
    vectors = get_encoder("hog").encode([corpus.items[row] for row in rows])
    assert leave_one_out(vectors, tuple(corpus.groups[row] for row in rows)) == pytest.approx(0.82, abs=0.02)


def test_the_drawings_of_the_tests_differ():
    assert drawn("bar", "red", 1).tobytes() != drawn("circle", "red", 1).tobytes()
