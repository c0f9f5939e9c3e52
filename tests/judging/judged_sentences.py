"""Twelve sentences to judge."""

from __future__ import annotations

TEXTS = [
    "the cat sleeps on the wall", "a cat is sleeping", "trains leave every hour", "the train has left the station",
    "bake the bread", "brown bread and butter", "rain on the roof", "the roof is wet", "a song of the sea",
    "the sea is calm", "lanterns in the garden", "a garden of lanterns",
]  # fmt: skip
