"""Corpora of images: where they come from, what each odd image becomes, and what is refused by name."""

from __future__ import annotations

import zipfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from embdiff.corpus import decoding, read_corpus, read_queries
from embdiff.errors import DataError, EncoderError, ParameterError
from embdiff.records import Corpus, Picture
from pictures import drawn, shapes, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shapes(tmp_path / "shapes")


def paths(corpus: Corpus) -> list[str]:
    assert all(isinstance(item, Picture) for item in corpus.items)
    return [str(item) for item in corpus.items]


def test_a_folder_of_images_has_paths_for_ids_and_sub_folders_for_groups(folder: Path):
    (folder / "README.md").write_text("made by a script")
    (folder / ".DS_Store").write_bytes(b"\0")
    corpus = read_corpus(folder)
    assert len(corpus) == 12
    assert corpus.ids[:2] == ("bar/0.png", "bar/1.png")
    assert paths(corpus) == list(corpus.ids)
    assert corpus.ids_given
    assert corpus.groups == ("bar",) * 4 + ("circle",) * 4 + ("square",) * 4
    assert corpus.kinds == {"image"}
    one = corpus.items[0]
    assert one.digest == sha256((folder / "bar" / "0.png").read_bytes()).hexdigest()
    with Image.open(BytesIO(one.thumbnail)) as small:
        assert (small.format, small.size) == ("WEBP", (40, 40))


def test_a_flat_folder_has_no_groups_and_groups_can_be_left_out(folder: Path):
    assert read_corpus(folder / "bar").groups is None
    assert read_corpus(folder, group_column="none").groups is None
    drawn("bar", "black", 1).save(folder / "alone.png")
    with pytest.raises(DataError, match="group"):
        read_corpus(folder)
    assert read_corpus(folder, group_empty="none of them").groups[0] == "none of them"


def test_images_are_equal_by_content_and_not_by_name(folder: Path):
    (folder / "bar" / "copy.png").write_bytes((folder / "circle" / "0.png").read_bytes())
    corpus = read_corpus(folder)
    a, b = (corpus.items[corpus.ids.index(name)] for name in ("bar/copy.png", "circle/0.png"))
    assert a == b
    assert hash(a) == hash(b)
    assert str(a) != str(b)
    assert a != "bar/copy.png"
    assert len(set(corpus.items)) == 12
    before = corpus.digest()
    drawn("bar", "black", 99).save(folder / "bar" / "0.png")
    assert read_corpus(folder).digest() != before
    assert read_corpus(folder).ids == corpus.ids


def test_a_mixed_folder_is_refused_by_name(folder: Path):
    (folder / "captions.csv").write_text("text\na\n")
    with pytest.raises(DataError, match=r"Got 1 other file among 12 images in .*'captions\.csv'.*table that names"):
        read_corpus(folder)
    texts = folder.parent / "texts"
    texts.mkdir()
    (texts / "a.csv").write_text("text\na\nb\n")
    with pytest.raises(DataError, match=r"without any.*'a\.csv'"):
        read_corpus(texts)


def test_an_archive_is_read_as_the_folder_that_it_holds(folder: Path):
    archive = folder.parent / "shapes.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(folder.rglob("*.png")):
            out.write(path, f"top/{path.relative_to(folder).as_posix()}")
        out.writestr("__MACOSX/top/._0.png", b"junk")
    corpus, there = read_corpus(archive), read_corpus(folder)
    assert corpus.ids == tuple(f"top/{name}" for name in there.ids)
    assert corpus.groups == there.groups
    assert corpus.items == there.items  # by content
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(DataError, match="whole archive"):
        read_corpus(archive)
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a.txt", "a")
    with pytest.raises(DataError, match="must hold images"):
        read_corpus(archive)


def test_lists_of_paths(folder: Path):
    names = ["bar/0.png", "circle/1.png"]
    listed = folder / "list.txt"
    listed.write_text("\n".join(names) + "\n")
    corpus = read_corpus(listed)
    assert paths(corpus) == names
    assert corpus.ids == tuple(names)
    assert read_corpus([folder / name for name in names]).items == corpus.items
    assert read_corpus([Image.open(folder / name) for name in names]).kinds == {"image"}
    listed.write_text("bar/0.png\nbar/nothing.png\n")
    with pytest.raises(DataError, match=r"can be read.*nothing\.png.*line 2 \(row 1\).*Correct the path"):
        read_corpus(listed)
    listed.write_text("bar/0.png\nwhat a bar\n")  # then these are texts
    assert read_corpus(listed).kinds == {"text"}


def test_tables_with_paths_or_bytes(folder: Path):
    table = folder / "images.csv"
    table.write_text("file_name,label\nbar/0.png,b\ncircle/1.png,c\n")
    corpus = read_corpus(table)
    assert (paths(corpus), corpus.groups) == (["bar/0.png", "circle/1.png"], ("b", "c"))
    lines = folder / "images.jsonl"
    lines.write_text('{"id": "x", "image": {"path": "bar/0.png"}}\n{"id": "y", "image": {"path": "circle/1.png"}}\n')
    assert (read_corpus(lines).items, read_corpus(lines).ids) == (corpus.items, ("x", "y"))
    held = [(folder / name).read_bytes() for name in ("bar/0.png", "circle/1.png")]
    structs = [{"bytes": held[0], "path": "a.png"}, {"bytes": held[1], "path": "b.png"}]
    for column, ids in ((structs, ("a.png", "b.png")), (held, ("0", "1"))):
        file = folder / "images.parquet"
        pq.write_table(pa.table({"image": column, "label": [0, 1]}), file)
        found = read_corpus(file)
        assert (found.items, found.ids, found.groups) == (corpus.items, ids, ("0", "1"))
        file.unlink()
    table.write_text("image,label\nbar/0.png,b\nbar/0.pdf,b\n")
    with pytest.raises(DataError, match=r"0\.pdf"):
        read_corpus(table)
    table.write_text("path,size\n/usr/bin,b\n/usr/lib,b\n")
    with pytest.raises(DataError, match="One column must hold the texts"):
        read_corpus(table)
    table.write_text("text,image\na bar,bar/0.png\na circle,circle/1.png\n")
    assert read_corpus(table).items == ("a bar", "a circle")
    assert read_corpus(table, text_column="image").items == corpus.items
    with pytest.raises(ParameterError, match="one image, or text"):
        read_corpus(table, text_column="{text} {image}")


def test_a_table_names_no_image_outside_its_folder(folder: Path, tmp_path: Path):
    drawn("bar", "black", 5).save(tmp_path / "secret.png")
    table = folder / "images.csv"
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        table.write_text(f"image\nbar/0.png\n{name}\n")
        with pytest.raises(DataError, match=r"inside the folder.*secret\.png.*outside at line 3 \(row 1\)"):
            read_corpus(table)
    table.unlink()
    (folder / "bar" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"inside the folder.*'bar/link\.png'"):
        read_corpus(folder)
    with pytest.raises(DataError, match="fetch what has an address"):
        read_corpus([{"image": "https://example.org/a.png"}])


def test_empty_cells(folder: Path):
    table = folder / "images.csv"
    table.write_text("id,image\na,bar/0.png\nb,\nc,bar/1.png\n")
    with pytest.raises(DataError, match="Got 1 empty of 3"):
        read_corpus(table)
    assert read_corpus(table, empty="drop").dropped == ("b",)
    with pytest.raises(ParameterError, match="cannot be kept"):
        read_corpus(table, empty="keep")


def test_queries_may_be_images_texts_and_rows(folder: Path):
    corpus = read_corpus(folder)
    asked, rows = read_queries(str(folder / "bar"), corpus)
    assert (len(asked), rows, asked.kinds) == (4, None, {"image"})
    assert len(read_queries(str(folder / "bar" / "0.png"), corpus)[0]) == 1
    assert read_queries(["a bar"], corpus)[0].kinds == {"text"}
    assert read_queries("first:2", corpus)[0].items == corpus.items[:2]


# What each odd image becomes: written by Pillow, the pixel that models see, and the note.
PLAIN = Image.new("RGB", (8, 6), (10, 200, 30))


def turned() -> bytes:
    image = Image.new("RGB", (8, 6), "white")
    image.paste((255, 0, 0), (0, 0, 8, 1))  # the upper edge
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return written(image, exif=exif)


def clear() -> bytes:
    image = Image.new("RGBA", (8, 6), (0, 0, 255, 0))
    image.paste((0, 0, 255, 255), (0, 0, 4, 6))
    return written(image)


def deep() -> bytes:
    values = np.full((6, 8), 257 * 100, dtype=np.uint16)
    return written(Image.fromarray(values))


def animated() -> bytes:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    return written(frames[0], "GIF", save_all=True, append_images=frames[1:])


def palette() -> bytes:
    image = Image.new("P", (8, 6), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    return written(image, transparency=1)


def pages() -> bytes:
    return written(PLAIN, "TIFF", save_all=True, append_images=[PLAIN])


ODD = {
    "plain": (written(PLAIN), (0, 0), (10, 200, 30), None),
    "grey": (written(Image.new("L", (8, 6), 77)), (0, 0), (77, 77, 77), None),
    "one bit": (written(Image.new("1", (8, 6), 1)), (0, 0), (255, 255, 255), None),
    "opaque with alpha": (written(PLAIN.convert("RGBA")), (0, 0), (10, 200, 30), None),
    "turned": (turned(), (5, 0), (255, 0, 0), "Turned upright"),
    "cmyk": (written(Image.new("CMYK", (8, 6), (0, 255, 255, 0)), "TIFF"), (0, 0), (255, 0, 0), "Converted from CMYK"),
    "16 bits": (deep(), (0, 0), (100, 100, 100), "Scaled from 16 bits"),
    "transparent": (clear(), (7, 0), (255, 255, 255), "Transparent in places"),
    "transparent palette": (palette(), (0, 0), (255, 255, 255), "Transparent in places"),
    "animated": (animated(), (0, 0), (254, 0, 0), "the first is used"),
    "several pages": (pages(), (0, 0), (10, 200, 30), "the first is used"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_odd_images_become(name: str):
    content, place, pixel, note = ODD[name]
    corpus = read_corpus([{"image": content}, {"image": written(drawn("bar", "red", 1))}])
    seen = decoding.rgb_of(corpus.items[0], "a model")
    assert (seen.mode, seen.size) == ("RGB", (6, 8) if name == "turned" else (8, 6))
    np.testing.assert_allclose(seen.getpixel(place), pixel, atol=1)
    told = [each for each in corpus.notes if "images of list" in each]
    assert len(told) == (note is not None)
    assert all(note in each and "1 of the images" in each and "'image 0'" in each for each in told)


def huge() -> bytes:
    """A PNG of 20,000 x 20,000 pixels in a few hundred kilobytes."""
    return written(Image.new("1", (20_000, 20_000)))


REFUSED = {
    "no image": (b"no image at all", "of no such format"),
    "empty": (b"", "an empty file of no such format"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "of no such format"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "of no such format"),
    "truncated png": (written(drawn("bar", "red", 1))[:900], "cannot be decoded"),
    "truncated jpeg": (written(drawn("bar", "red", 1, 200), "JPEG")[:3_000], "cannot be decoded"),
    "float": (written(Image.fromarray(np.ones((4, 4), dtype=np.float32)), "TIFF"), "mode F"),
    "32 bits": (written(Image.fromarray(np.ones((4, 4), dtype=np.int32)), "TIFF"), "mode I"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_to_work_with_is_refused_by_name(tmp_path: Path, name: str):
    content, found = REFUSED[name]
    for file, bytes_ in (("good.png", written(PLAIN)), ("odd.png", content)):
        (tmp_path / file).write_bytes(bytes_)
    with pytest.raises(DataError, match=rf"An image must .*{found}.*'odd\.png'.*") as refused:
        read_corpus(tmp_path)
    assert len(str(refused.value)) < 600


def test_an_image_with_too_many_pixels_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small = written(PLAIN)
    (tmp_path / "huge.png").write_bytes(huge())
    monkeypatch.setattr("PIL.Image.Image.load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match=r"at most 50,000,000 pixels.*huge\.png"):
        read_corpus(tmp_path)
    monkeypatch.setattr(decoding, "MOST_PIXELS", 10)
    with pytest.raises(decoding.NoImage, match="8 x 6"):
        decoding.decode(small)


def test_an_image_that_changes_between_reading_and_encoding_is_refused(folder: Path):
    one = read_corpus(folder).items[0]
    (folder / "bar" / "0.png").write_bytes(written(PLAIN))
    with pytest.raises(EncoderError, match=r"other bytes than when the corpus was read for 'bar/0\.png'"):
        decoding.rgb_of(one, "hog")
    (folder / "bar" / "0.png").unlink()
    with pytest.raises(EncoderError, match="No such file"):
        decoding.rgb_of(one, "hog")


def test_thumbnails_are_small_whatever_the_image(monkeypatch: pytest.MonkeyPatch):
    noise: Any = Image.effect_noise((900, 300), 120).convert("RGB")
    small = decoding.thumbnail_of(noise, 64)
    assert 0 < len(small) <= decoding.THUMBNAIL_BYTES
    monkeypatch.setattr(decoding, "THUMBNAIL_BYTES", 10)
    assert decoding.thumbnail_of(noise, 64) == b""
