"""Write 60 small pictures to try embdiff on: bars, circles, crosses and squares, in five colours.

    python examples/shapes/make_shapes.py FOLDER

A sub-folder for each shape. The same pictures each time; they are nobody else's. Needs pillow and numpy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("bar", "circle", "cross", "square")
COLOURS = ("crimson", "goldenrod", "royalblue", "seagreen", "slategray")
SIZE, EACH = 64, 3


def drawn(shape: str, colour: str, rng: np.random.Generator) -> Image.Image:
    """Draw a shape somewhere on a noisy ground."""
    image = Image.fromarray(rng.integers(215, 256, (SIZE, SIZE, 3), dtype=np.uint8))
    pen, wide = ImageDraw.Draw(image), int(rng.integers(24, 36))
    left, top = rng.integers(2, SIZE - wide - 2, 2).tolist()
    right, bottom, middle = left + wide, top + wide, wide // 2
    if shape == "circle":
        pen.ellipse((left, top, right, bottom), fill=colour)
    elif shape == "square":
        pen.rectangle((left, top, right, bottom), fill=colour)
    else:
        pen.rectangle((left + middle - 4, top, left + middle + 4, bottom), fill=colour)
    if shape == "cross":
        pen.rectangle((left, top + middle - 4, right, top + middle + 4), fill=colour)
    return image


def main(folder: Path) -> None:
    """Write all of them."""
    rng = np.random.default_rng(7)
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True, exist_ok=True)
        for colour in COLOURS:
            for number in range(EACH):
                drawn(shape, colour, rng).save(folder / shape / f"{colour}-{number}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "shapes"))
