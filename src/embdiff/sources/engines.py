"""A model as one graph, from tokens to the vector of a text: exported once, run by ONNX Runtime or OpenVINO.

For ONNX Runtime it is traced by ``torch.onnx.export``; for OpenVINO by its own reader of PyTorch models, which keeps
attention in one piece (in ONNX it is taken apart, a seventh slower with MiniLM). The file lies in the folder of the
vector cache (`embdiff.kept.graphs`), under a name that follows from the model's provenance and the versions
of what made it; a damaged one is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from embdiff._optional import require, versions
from embdiff._processors import threads
from embdiff.errors import EncoderError, ParameterError, in_one_line
from embdiff.kept.graphs import kept_folder
from embdiff.records import FloatArray, IntArray
from embdiff.sources.loading import quiet
from embdiff.sources.streams import borrowed, streams_of

FILES = {"onnx": "model.onnx", "openvino": "model.xml"}
LIBRARIES = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
_MADE_WITH = ("torch", "transformers", "sentence-transformers")
_OPSET = 17
# backend → precisions that it can run in; PyTorch's own path is not an engine.
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "torch": ("float32",),
    "onnx": ("float32", "int8"),
    "openvino": ("float32", "bfloat16"),
}


def need(backend: str, precision: str, purpose: str) -> None:
    """Refuse, before anything is loaded, what is not installed or what this processor cannot do.

    Raises
    ------
    MissingDependencyError
        When the library is missing.
    ParameterError
        For bfloat16 on a processor without the instructions: it would be simulated, slowly.
    """
    library = require(LIBRARIES[backend], backend, purpose)
    if precision == "int8":
        require("onnx", "onnx", purpose)
    if precision == "bfloat16" and "BF16" not in cpu_abilities(library):
        raise ParameterError(
            f"{purpose} needs a processor with bfloat16 instructions. Got one without. Leave precision out."
        )


def cpu_abilities(openvino: Any) -> tuple[str, ...]:
    """Return what OpenVINO says that this processor does well: FP32, BF16, INT8..."""
    return tuple(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def start(backend: str, precision: str, path: Path) -> OpenVino | OnnxRuntime:
    """Load an exported file; what it needs was checked by `need`."""
    return OpenVino(path, precision) if backend == "openvino" else OnnxRuntime(path)


class OnnxRuntime:
    """ONNX Runtime on the CPU; the precision is that of the file.

    Parameters
    ----------
    path : Path
        The ONNX file.

    Attributes
    ----------
    version : str
        Of the library.
    streams : int
        How many batches it runs at the same time.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        self.streams = streams_of(threads())
        options.intra_op_num_threads = threads() // self.streams
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.version = f"onnxruntime {onnxruntime.__version__}"

    def run(self, inputs: Mapping[str, IntArray]) -> FloatArray:
        """Return the vectors (b, d) of a batch; each input is int64 (b, tokens). Safe from several threads."""
        vectors: FloatArray = self._session.run(None, dict(inputs))[0]
        return vectors


class OpenVino:
    """OpenVINO on the CPU; what `OnnxRuntime` is for ONNX.

    Parameters
    ----------
    path : Path
        The file in OpenVINO's own format.
    precision : {"float32", "bfloat16"}
        Said outright: left alone, OpenVINO would take bfloat16 where the processor has it.
    """

    def __init__(self, path: Path, precision: str) -> None:
        import openvino

        self.streams = streams_of(threads())
        settings = {
            "NUM_STREAMS": self.streams,
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": threads(),
        }
        model = openvino.Core().compile_model(str(path), "CPU", settings)
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.streams):
            self._requests.put(model.create_infer_request())
        self.version = f"openvino {openvino.__version__.partition('-')[0]}"

    def run(self, inputs: Mapping[str, IntArray]) -> FloatArray:
        """Return the vectors of a batch."""
        with borrowed(self._requests) as request:
            request.infer(dict(inputs), share_inputs=True)
            return np.array(request.get_output_tensor(0).data, dtype=np.float32)


def graph_file(
    backend: str, model: Any, names: Sequence[str], example: Mapping[str, Any], about: Mapping[str, str]
) -> Path:
    """Return the file of a model, exported now unless it is there.

    Parameters
    ----------
    backend : {"onnx", "openvino"}
    model : SentenceTransformer
        On the CPU, in float32.
    names : sequence of str
        Its inputs, each int64 (texts, tokens).
    example : mapping of str to tensor
        Inputs of two texts at least, of different length.
    about : mapping of str to str
        What pins the model down: name and revision.

    Raises
    ------
    MissingDependencyError
        When it must be exported as ONNX and the package ``onnx`` is missing.
    EncoderError
        When the model cannot be traced.
    CacheError
        When the folder cannot be written.
    """
    export = {"onnx": _export, "openvino": _convert}[backend]
    made_with = (*_MADE_WITH, "openvino") if backend == "openvino" else _MADE_WITH
    file = FILES[backend]

    def make(folder: Path) -> None:
        if backend == "onnx":  # torch.onnx.export writes with it; to run what is kept already, nobody needs it
            require("onnx", "onnx", "Exporting a model for backend=onnx")
        try:
            with quiet():
                export(_whole(model, names), names, example, folder / file)
        except Exception as error:  # tracing raises whatever the model's own code raises on traced values
            raise EncoderError(
                f"backend={backend} needs a model whose calculation can be traced. Got {in_one_line(error)} Leave "
                "backend out: the model then runs by PyTorch."
            ) from error

    return kept_folder({**about, "backend": backend, **versions(made_with)}, make) / file


def int8_file(plain: Path, about: Mapping[str, str]) -> Path:
    """Return a copy of an ONNX file with weights in int8 (dynamic quantisation), made now unless it is there."""
    require("onnx", "onnx", "precision=int8")
    quantization = require("onnxruntime.quantization", "onnx", "precision=int8")

    def make(folder: Path) -> None:
        with quiet():
            # A scale for each output, not one for all: of MiniLM's vectors that keeps a cosine of .994, not .966.
            quantization.quantize_dynamic(
                plain, folder / FILES["onnx"], weight_type=quantization.QuantType.QInt8, per_channel=True
            )

    how = {"precision": "int8, per channel", **versions((*_MADE_WITH, "onnxruntime"))}
    return kept_folder({**about, **how}, make) / FILES["onnx"]


def _whole(model: Any, names: Sequence[str]) -> Any:
    """Return one module: token numbers in, the vector of each text out."""
    import torch

    class Whole(torch.nn.Module):
        """From token numbers to the vector of each text."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            vectors: torch.Tensor = self.model(dict(zip(names, inputs, strict=True)))["sentence_embedding"]
            return vectors

    return Whole().train(False)


def _export(whole: Any, names: Sequence[str], example: Mapping[str, Any], path: Path) -> None:
    """Write the model as ONNX."""
    import torch

    axes = {name: {0: "texts", 1: "tokens"} for name in names}
    with torch.inference_mode():
        torch.onnx.export(
            whole, tuple(example[name] for name in names), str(path), input_names=list(names),
            output_names=["vectors"], dynamic_axes={**axes, "vectors": {0: "texts"}}, opset_version=_OPSET,
            dynamo=False,
        )  # fmt: skip


def _convert(whole: Any, names: Sequence[str], example: Mapping[str, Any], path: Path) -> None:
    """Write the model in OpenVINO's format, weights in float32."""
    import openvino
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.inference_mode():
        traced = TorchScriptPythonDecoder(whole, example_input=tuple(example[name] for name in names))
        reader = FrontEndManager().load_by_framework("pytorch")
        model = reader.convert(reader.load(traced))
        model.validate_nodes_and_infer_types()
        for name, there in zip(names, model.inputs, strict=True):
            there.get_tensor().set_names({name})
        openvino.save_model(model, str(path), compress_to_fp16=False)
