"""Models: text to vectors. One file per library; what all share is in `encoder`, batching and checks in `batches`."""

from embdiff.sources.backend import Backend
from embdiff.sources.catalogue import EncoderInfo, get_encoder, list_encoders
from embdiff.sources.encoder import Encoder
from embdiff.sources.naming import float32_of, load_named, named_models
from embdiff.sources.presets import PRESETS

__all__ = [
    "PRESETS",
    "Backend",
    "Encoder",
    "EncoderInfo",
    "float32_of",
    "get_encoder",
    "list_encoders",
    "load_named",
    "named_models",
]
