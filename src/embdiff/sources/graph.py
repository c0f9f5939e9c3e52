"""``?backend=onnx`` and ``?backend=openvino``: a sentence-transformers model run as one exported graph.

In float32 it is the same model: on a probe of odd texts the cosine to PyTorch's vectors must be .99999 at least, or the
model is refused. In a lower precision it is a variant of it, with a provenance of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from embdiff._processors import threads
from embdiff.errors import EncoderError, ParameterError
from embdiff.records import FloatArray, IntArray, Role
from embdiff.sources import engines
from embdiff.sources.loading import Loaded
from embdiff.sources.transformer import Choices, SentenceTransformers
from embdiff.specs import ModelSpec

SAME = 0.99999  # lowest cosine at which two engines are said to run one model
_PROBE = ("", "a", "The ferry was late, and I was glad: you were waiting too.", "日本語 and 👋 émigré", "word " * 40)
_VERY_LONG = "of all the lamps on the pier one burns for me; " * 400
_PROBES = (_PROBE, _PROBE[2:3], (_VERY_LONG,), (_VERY_LONG, "home"))  # some together, some alone


class Graph(SentenceTransformers):
    """A sentence-transformers model of which only the tokenizer and the settings are still used.

    Parameters
    ----------
    loaded : Loaded
        On the CPU.
    choices : Choices
        Its backend is ``onnx`` or ``openvino``.
    spec : ModelSpec
    revision : str
        For the stamp.

    Raises
    ------
    EncoderError
        When the model cannot be exported, or the graph is another model.
    ParameterError
        For a model whose input is not token numbers, or that leaves its prompt out of the mean.
    """

    def __init__(self, loaded: Loaded, choices: Choices, spec: ModelSpec, revision: str) -> None:
        super().__init__(loaded, choices, spec, revision)
        model = loaded.model
        if any(self._prompts.values()) and not all(getattr(module, "include_prompt", True) for module in model):
            raise ParameterError(
                f"A model run by {choices.backend} must take its prompt as part of the text. Got one that leaves it "
                f"out of the mean, in '{spec}'. Leave backend out."
            )
        example = _inputs(model, _PROBE[1:3], "", spec)
        self._names = tuple(example)
        about = {"model": loaded.name, "revision": revision, "inputs": " ".join(self._names)}
        path = engines.graph_file(choices.backend, model, self._names, _tensors(example), about)
        probes = [_inputs(model, texts, self._prompts["document"], spec) for texts in _PROBES]
        expected = _by_torch(model, probes)
        if choices.precision == "int8":
            path = engines.int8_file(path, about)
        self._engine = engines.start(choices.backend, choices.precision, path)
        found = np.concatenate([self._engine.run(probe) for probe in probes])
        self.probe_cosine = _lowest_cosine(found, expected)
        if choices.precision == "float32" and not self.probe_cosine >= SAME:
            raise EncoderError(
                f"The model '{spec}' must give by {self._engine.version} the vectors it gives by PyTorch, cosine "
                f"{SAME} at least. Got {self.probe_cosine:.6f}. Leave backend out."
            )
        self._spec = spec
        if choices.backend == "onnx":
            self.batch_budget = 512  # twice as much is a twentieth slower there, though faster by PyTorch and OpenVINO
        _let_go_of_weights(model)

    @property
    def streams(self) -> int:  # type: ignore[override] # it follows the threads there are now
        """How many batches are encoded at the same time."""
        return self._engine.streams

    def sharing(self, streams: int) -> AbstractContextManager[Callable[[], None] | None]:
        """Do nothing: the engine has shared its threads out."""
        return nullcontext()

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the vectors of a batch, shape (n, dim)."""
        with self._replicas.borrowed() as model:  # a tokenizer cannot be used by two threads
            inputs = _inputs(model, items, self._prompts[role], self._spec)
        return self._engine.run(inputs)

    @property
    def about(self) -> dict[str, Any]:
        """The library and the threads that the model runs on, and its lowest cosine to PyTorch on the probe."""
        found = {"threads": threads(), "runs_by": self._engine.version, "probe_cosine": self.probe_cosine}
        return {**super().about, **found}


def _by_torch(model: Any, batches: Sequence[Mapping[str, IntArray]]) -> FloatArray:
    """Return the vectors of batches by PyTorch."""
    import torch

    with torch.inference_mode():
        return np.concatenate([model(_tensors(batch))["sentence_embedding"].numpy() for batch in batches])


def _inputs(model: Any, items: Sequence[str], prompt: str, spec: ModelSpec) -> dict[str, IntArray]:
    """Return what the model's first module makes of texts: arrays of token numbers, int64 (n, tokens)."""
    if hasattr(model, "preprocess"):
        features = model.preprocess(list(items), prompt=prompt or None)
    else:  # before sentence-transformers 6
        features = model.tokenize([prompt + item for item in items])
    arrays = {name: np.asarray(value) for name, value in features.items() if np.ndim(value) == 2}
    if "input_ids" not in arrays or "attention_mask" not in arrays:
        raise ParameterError(
            f"A model run by onnx or openvino must begin with a transformer of token numbers. Got one whose inputs are "
            f"{', '.join(features)}, in '{spec}'. Leave backend out."
        )
    return {name: array.astype(np.int64, copy=False) for name, array in arrays.items()}


def _let_go_of_weights(model: Any) -> None:
    """Empty the layers: the weights are in the graph, and twice in memory they would be of no use."""
    import torch

    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = torch.empty(0)


def _tensors(inputs: Mapping[str, IntArray]) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(array) for name, array in inputs.items()}


def _lowest_cosine(one: FloatArray, other: FloatArray) -> float:
    """Return the lowest cosine of two arrays row by row; 0 where they do not even have one shape or one length."""
    if one.shape != other.shape or not np.isfinite(one).all():
        return 0.0
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.min(np.sum(a * b, axis=1) / np.maximum(lengths, 1e-30)))
