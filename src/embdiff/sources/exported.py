"""A model as one graph in a file: transformer, pooling and normalisation together, exported once and kept.

For ONNX Runtime it is traced by ``torch.onnx.export``; for OpenVINO by its own reader of PyTorch models, which keeps
attention in one piece (in ONNX it is taken apart, a seventh slower with MiniLM). The file lies in
the folder of the vector cache, under a name that follows from the model's provenance and the versions of what made it.
It is written aside and moved into place whole, with the checksum of every part; a damaged one is made anew.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embdiff._files import sha256_of, write_json
from embdiff._optional import require
from embdiff.sources.loading import quiet
from embdiff.errors import CacheError, EncoderError
from embdiff.kept import Place
from embdiff.kept.housekeeping import GRAPHS, SUMS, is_whole

FILES = {"onnx": "model.onnx", "openvino": "model.xml"}
_FORMAT = 1
_OPSET = 17
_MADE_WITH = ("torch", "transformers", "sentence-transformers")


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
    made_by = {"openvino": version("openvino")} if backend == "openvino" else {}
    file = FILES[backend]

    def make(folder: Path) -> None:
        if backend == "onnx":  # torch.onnx.export writes with it; to run what is kept already, nobody needs it
            require("onnx", "onnx", "Exporting a model for backend=onnx")
        try:
            with quiet():
                export(_whole(model, names), names, example, folder / file)
        except Exception as error:  # tracing raises whatever the model's own code raises on traced values
            first_line = (str(error).splitlines() or [""])[0]
            raise EncoderError(
                f"backend={backend} needs a model whose calculation can be traced. Got {type(error).__name__}: "
                f"{first_line} Leave backend out: the model then runs by PyTorch."
            ) from error

    return _kept({**about, "backend": backend, **made_by}, file, make)


def int8_file(plain: Path, about: Mapping[str, str]) -> Path:
    """Return a copy of an ONNX file with weights in int8 (dynamic quantisation), made now unless it is there."""
    require("onnx", "onnx", "precision=int8")
    quantization = require("onnxruntime.quantization", "onnx", "precision=int8")

    def make(folder: Path) -> None:
        with quiet(), _no_advice():
            # A scale for each output, not one for all: of MiniLM's vectors that keeps a cosine of .994, not .966.
            quantization.quantize_dynamic(
                plain, folder / FILES["onnx"], weight_type=quantization.QuantType.QInt8, per_channel=True
            )

    return _kept(
        {**about, "precision": "int8, per channel", "onnxruntime": version("onnxruntime")}, FILES["onnx"], make
    )


@contextmanager
def _no_advice() -> Iterator[None]:
    """Keep log lines of other libraries' root logger off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _kept(about: Mapping[str, str], file: str, make: Callable[[Path], None]) -> Path:
    """Return the file of the folder of that name; make it aside first where it is missing or damaged."""
    root = Place.of(None).folder
    if root is None:  # nothing is to be kept: it lives as long as this process
        folder = Path(tempfile.mkdtemp(prefix="embdiff-graph-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        make(folder)
        return folder / file
    whole = {"format": _FORMAT, **about, **{name: version(name) for name in _MADE_WITH}}
    target = root / GRAPHS / hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]
    if is_whole(target):
        with suppress(OSError):
            os.utime(target / SUMS)  # when it was of use last, for `prune`
        return target / file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
        try:
            make(part)
            sums = {path.name: sha256_of(path) for path in sorted(part.iterdir())}
            write_json(part / SUMS, {"about": whole, "sha256": sums})
            _move(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise CacheError(
            f"An exported model must be kept in the cache. Got {error.strerror or error} in {target.parent}. Make "
            "room, name another folder with EMBDIFF_CACHE, or set it to off."
        ) from error
    return target / file


def _move(part: Path, target: Path) -> None:
    """Put a whole folder into place; where another process was first, its copy stays."""
    if target.exists() and not is_whole(target):
        damaged = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent))
        target.replace(damaged / "graph")
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        part.replace(target)
    except OSError:
        if not is_whole(target):
            raise


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
