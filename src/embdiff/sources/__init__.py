"""Sources of vectors: models that encode texts, vectors that are ready, collections that exist."""

from embdiff.sources.batches import Model
from embdiff.sources.catalogue import COLLECTIONS, PRESETS, EncoderInfo, list_encoders
from embdiff.sources.encoder import Encoder
from embdiff.sources.naming import get_encoder, load_named, named_models
from embdiff.sources.source import Source, Wanted

__all__ = [
    "COLLECTIONS",
    "PRESETS",
    "Encoder",
    "EncoderInfo",
    "Model",
    "Source",
    "Wanted",
    "get_encoder",
    "list_encoders",
    "load_named",
    "named_models",
]
