"""From the bytes of an image file to what models see: upright, opaque, 8 bits RGB; and a thumbnail. Strict.

Only common raster formats are opened. What Pillow would clip, guess or leave half empty is refused; what is changed on
the way is noted. Nothing here follows a reference that a file holds.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePath
from typing import Any

import numpy as np

from embdiff._optional import require
from embdiff._picture import THUMBNAIL_BYTES
from embdiff.errors import EncoderError, in_one_line
from embdiff.records import Picture

# As Pillow calls them, and how their files end.
FORMATS = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
MOST_PIXELS = 50_000_000  # 150 MB as RGB; a small file can say that it is any size
MOST_BYTES = 2**28  # of one file
_QUALITIES = (75, 50, 25, 5)
_TURNED = 0x0112  # EXIF: orientation
_OPAQUE = ("1", "L", "P", "RGB", "YCbCr", "CMYK")
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
# What is changed on the way, as a note begins.
CHANGES = {
    "animated": "Of several frames or pages, the first is used",
    "turned": "Turned upright, as their EXIF orientation says",
    "cmyk": "Converted from CMYK to RGB, by Pillow's plain rule without a colour profile",
    "deep": "Scaled from 16 bits to 8",
    "transparent": "Transparent in places, laid on white",
}


class NoImage(Exception):  # noqa: N818 - told of a row by whoever knows it
    """Bytes that are no image to work with: what must hold, what was found, what to do."""

    def __init__(self, must: str, found: str, mend: str) -> None:
        super().__init__(must, found, mend)
        self.must, self.found, self.mend = must, found, mend


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image as models see it.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB, 8 bits.
    changes : tuple of str
        Keys of `CHANGES`.
    """

    image: Any
    changes: tuple[str, ...]


def is_image_name(name: str) -> bool:
    """Return whether a file is called like an image."""
    return PurePath(name).suffix.lower() in ENDINGS


def decode(content: bytes) -> Decoded:
    """Return an image as models see it.

    Raises
    ------
    NoImage
        When it cannot be read, is damaged, too large, or of a kind whose colours are not known.
    MissingDependencyError
        When Pillow is not installed.
    """
    images = require("PIL.Image", "images", "Reading images")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes between its bound and twice that, and of odd metadata
            with images.open(io.BytesIO(content), formats=tuple(FORMATS)) as opened:
                return _upright_rgb(opened)
    except NoImage:
        raise
    except images.UnidentifiedImageError:
        raise NoImage(
            f"An image must be {', '.join(FORMATS)}.",
            f"{'a file' if content else 'an empty file'} of no such format",
            "Save it as PNG or JPEG, or leave it out.",
        ) from None
    except images.DecompressionBombError as error:
        raise _too_large(str(error).partition(",")[0]) from None
    except Exception as error:  # a damaged file makes decoders raise whatever they stumble over
        raise NoImage(
            "An image must be whole.", f"one that cannot be decoded ({in_one_line(error)[:120]})",
            "Copy or save it again, or leave it out.",
        ) from None  # fmt: skip


def _too_large(found: str) -> NoImage:
    return NoImage(
        f"An image must have at most {MOST_PIXELS:,} pixels.", found, "Make it smaller, or leave it out."
    )  # fmt: skip


def _upright_rgb(opened: Any) -> Decoded:
    width, height = opened.size
    if width * height > MOST_PIXELS:
        raise _too_large(f"{width:,} x {height:,}")
    changes = ["animated"] if getattr(opened, "n_frames", 1) > 1 else []
    opened.seek(0)
    opened.load()
    turned = opened
    if opened.getexif().get(_TURNED, 1) in range(2, 9):
        turned = require("PIL.ImageOps", "images", "Reading images").exif_transpose(opened)
        changes.append("turned")
    rgb, change = _rgb(turned, opened.format)
    return Decoded(rgb, (*changes, change) if change else tuple(changes))


def _rgb(image: Any, written_as: str) -> tuple[Any, str]:
    """Return an image in RGB, and what was changed for that; "" where nothing was lost."""
    images = require("PIL.Image", "images", "Reading images")
    if image.mode in _WITH_ALPHA or (image.mode in _OPAQUE and "transparency" in image.info):
        whole = image.convert("RGBA")
        if whole.getchannel("A").getextrema()[0] == 255:
            return whole.convert("RGB"), ""
        return images.alpha_composite(images.new("RGBA", whole.size, "white"), whole).convert("RGB"), "transparent"
    if image.mode in _OPAQUE:
        return image.convert("RGB"), "cmyk" if image.mode == "CMYK" else ""
    if image.mode.startswith("I;16") or (image.mode == "I" and written_as == "PNG"):  # older Pillow's mode of these
        values = np.asarray(image).astype(np.uint32)
        return images.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB"), "deep"
    raise NoImage(
        "An image must have colours that a screen can show: RGB, grey, CMYK or a palette, of 8 or 16 bits.",
        f"one of mode {image.mode}, whose values may mean anything",
        "Convert it to RGB, or leave it out.",
    )


def thumbnail_of(image: Any, side: int) -> bytes:
    """Return an image as a WebP that fits into a square of ``side`` pixels, at most `THUMBNAIL_BYTES` bytes."""
    images = require("PIL.Image", "images", "Reading images")
    small = image.copy()
    small.thumbnail((side, side), images.Resampling.BICUBIC)
    for quality in _QUALITIES:
        written = io.BytesIO()
        small.save(written, "WEBP", quality=quality, method=4)
        if written.tell() <= THUMBNAIL_BYTES:
            return written.getvalue()
    return b""


def rgb_of(picture: str, spec: str) -> Any:
    """Return an item of a corpus as a PIL image, RGB, for the model ``spec``; raises as `bytes_of`."""
    assert isinstance(picture, Picture)
    return decode(bytes_of(picture, spec)).image


def bytes_of(picture: Picture, spec: str) -> bytes:
    """Return the bytes of an item that was decoded when the corpus was read, for the model ``spec``.

    Raises
    ------
    EncoderError
        When its file is gone, or changed since.
    """
    try:
        content = b"" if picture.read is None else picture.read()
        if sha256(content).hexdigest() == picture.digest:
            return content
        found = "other bytes than when the corpus was read" if content else "no bytes"
    except OSError as error:
        found = str(error.strerror or error)
    except NoImage as error:  # a link that leads elsewhere now
        found = error.found
    raise EncoderError(
        f"An image must be there, unchanged, until {spec} has encoded it. Got {found} for {picture[:100]!r}. Leave the "
        "files alone meanwhile, and run again."
    )
