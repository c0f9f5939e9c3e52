"""Loading a sentence-transformers model: float32, nothing but one line when it fails, no code of the model's own.

Weights come from ``*.safetensors`` wherever the model has them. An older model with only ``pytorch_model.bin`` is read
by ``torch.load(weights_only=True)``, which builds tensors and refuses anything else; transformers insists on a PyTorch
(2.6) in which that holds. Code that a model brings along runs only with ``trust_remote_code=true``.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from embdiff._optional import require
from embdiff.sources.hub import Source, cache_folder
from embdiff.errors import EncoderError
from embdiff.specs import ModelSpec


def device_for(backend: str) -> str:
    """Return the device to run on: the fastest that PyTorch has; the CPU for what PyTorch does not run."""
    torch = require("torch", "st", "A sentence-transformers model")
    if backend == "torch":
        if torch.cuda.is_available():
            return "cuda"
        if torch.backends.mps.is_available():
            return "mps"
    return "cpu"


def load(source: Source, spec: ModelSpec, trust_remote_code: bool = False, device: str = "cpu") -> Any:
    """Load a located model in float32, without progress bars and log lines.

    Raises
    ------
    EncoderError
        When it cannot be loaded; one line says why.
    """
    purpose = f"The model '{spec}'"
    library = require("sentence_transformers", "st", purpose)
    torch, transformers = require("torch", "st", purpose), require("transformers", "st", purpose)
    # Without it, a model saved in half precision would run in half precision.
    precision = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        with quiet():
            model = library.SentenceTransformer(
                source.path,
                device=device,
                revision=source.commit,
                cache_folder=cache_folder(),
                local_files_only=source.local,
                trust_remote_code=trust_remote_code,
                model_kwargs={precision: torch.float32},
            )
            return model.to(torch.float32)
    except Exception as error:  # the libraries below raise classes of their own, of each other and of the network
        raise EncoderError(_why_not(error, spec)) from error


def _why_not(error: Exception, spec: ModelSpec) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    if "trust_remote_code" in str(error):
        return (
            f"The model '{spec}' must be loadable without running code of its own. Got one that brings code along. "
            "Read that code; if you trust it, add trust_remote_code=true to the options."
        )
    return (
        f"The model '{spec}' must load as a sentence-transformers model. Got {type(error).__name__}: {first_line} "
        "Check that it is one, and that all its files are there; a download cut short goes on when run again."
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings, log lines and progress bars off the terminal; show downloads on a terminal only."""
    import huggingface_hub.utils as hub
    from transformers.utils import logging as bars

    names = ("transformers", "sentence_transformers", "huggingface_hub", "peft")
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    had_bars, had_downloads = bars.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    bars.disable_progress_bar()  # this hides downloads too
    if had_downloads and sys.stderr.isatty():
        hub.enable_progress_bars()
    for logger in levels:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        if had_bars:
            bars.enable_progress_bar()
        if had_downloads:
            hub.enable_progress_bars()
        else:
            hub.disable_progress_bars()
