"""Running an exported model: ONNX Runtime, or OpenVINO. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np

from embdiff._optional import require
from embdiff._processors import threads
from embdiff.sources.streams import borrowed, streams_of
from embdiff.errors import ParameterError
from embdiff.records import FloatArray, IntArray

# backend → precisions that it can run in; PyTorch's own path is not an engine.
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "torch": ("float32",),
    "onnx": ("float32", "int8"),
    "openvino": ("float32", "bfloat16"),
}


class Engine(Protocol):
    """A model that is ready to run.

    Attributes
    ----------
    version : str
        Of the library.
    streams : int
        How many batches it runs at the same time.
    """

    version: str
    streams: int

    def run(self, inputs: Mapping[str, IntArray]) -> FloatArray:
        """Return the vectors (b, d) of a batch; each input is int64 (b, tokens). Safe from several threads."""
        ...


def need(backend: str, precision: str, purpose: str) -> None:
    """Refuse, before anything is loaded, what is not installed or what this processor cannot do.

    Raises
    ------
    MissingDependencyError
        When the library is missing.
    ParameterError
        For bfloat16 on a processor without the instructions: it would be simulated, slowly.
    """
    library = require({"onnx": "onnxruntime", "openvino": "openvino"}[backend], backend, purpose)
    if precision == "int8":
        require("onnx", "onnx", purpose)
    if precision == "bfloat16" and "BF16" not in cpu_abilities(library):
        raise ParameterError(
            f"{purpose} needs a processor with bfloat16 instructions. Got one without. Leave precision out."
        )


def cpu_abilities(openvino: Any) -> tuple[str, ...]:
    """Return what OpenVINO says that this processor does well: FP32, BF16, INT8..."""
    return tuple(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def start(backend: str, precision: str, path: Path) -> Engine:
    """Load an exported file; what it needs was checked by `need`."""
    return OpenVino(path, precision) if backend == "openvino" else OnnxRuntime(path)


class OnnxRuntime:
    """ONNX Runtime on the CPU; the precision is that of the file.

    Parameters
    ----------
    path : Path
        The ONNX file.
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
        """Return the vectors of a batch."""
        vectors: FloatArray = self._session.run(None, dict(inputs))[0]
        return vectors


class OpenVino:
    """OpenVINO on the CPU.

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
