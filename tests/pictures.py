"""Pictures made by Pillow, and small random models of images: nothing is downloaded and nothing is anybody's."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

COLOURS = ("crimson", "royalblue", "seagreen")


def drawn(shape: str, colour: str, seed: int, size: int = 40) -> Any:
    """Draw a shape of a colour on noise, somewhere."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(200, 256, (size, size, 3), dtype=np.uint8))
    left, top = rng.integers(2, size // 3, 2).tolist()
    box = (left, top, left + size // 2, top + size // 2)
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "bar":
        pen.rectangle((left, 2, left + 5, size - 3), fill=colour)
    else:
        pen.rectangle(box, fill=colour)
    return image


def shapes(folder: Path, each: int = 4) -> Path:
    """Write ``each`` images of three shapes, a sub-folder for each shape."""
    for number, shape in enumerate(("bar", "circle", "square")):
        (folder / shape).mkdir(parents=True)
        for at in range(each):
            drawn(shape, COLOURS[at % 3], 100 * number + at).save(folder / shape / f"{at}.png")
    return folder


def written(image: Any, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def small_vit(folder: Path) -> Path:
    """Save a random ViT with its processor."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    ViTModel(ViTConfig(**shape, image_size=32, patch_size=8)).save_pretrained(folder)
    _vit_processor().save_pretrained(folder)
    return folder


def _vit_processor() -> Any:
    import transformers

    kind = getattr(transformers, "ViTImageProcessorPil", None) or transformers.ViTImageProcessor
    return kind(size={"height": 32, "width": 32})


def small_clip(folder: Path) -> Path:
    """Save a random CLIP that reads images and, letter by letter, texts."""
    import torch
    import transformers

    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    begin, end = len(words) - 2, len(words) - 1
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    ends = {"bos_token_id": begin, "eos_token_id": end, "pad_token_id": end}
    text = {**shape, **ends, "vocab_size": len(words), "max_position_embeddings": 32}
    vision = {**shape, "image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    transformers.CLIPModel(config).save_pretrained(folder)
    kind = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
    images = kind(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[])
    transformers.CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder
