"""Faster float32 layers on the CPU: each nn.Linear computed by oneDNN on weights laid out once.

PyTorch hands float32 layers to MKL, which runs at half speed on processors that Intel did not make (measured on an AMD
EPYC, one thread: 95 GFLOP/s, oneDNN 210). oneDNN comes inside PyTorch, computes in float32 too, and is reached through
the operators that PyTorch's own compiler emits. They are not a public interface, so every layer is tried first on
random numbers; where the operator is missing or disagrees, the layer stays as it was.
"""

from __future__ import annotations

import platform
from functools import partial
from typing import Any

import torch

# The laid-out weights are a second copy: models above this size keep to one.
_MOST_PARAMETERS = 600_000_000
_TOLERANCE = 1e-4  # of the largest value; float32 stays far below, half precision far above


def pack_linear_layers(model: torch.nn.Module) -> int:
    """Let every plain float32 nn.Linear on the CPU compute by oneDNN.

    The layers keep their type, weights and names; only how they compute changes. Their weights must not change
    afterwards.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.

    Returns
    -------
    int
        Number of layers that were changed: 0 on other processors and devices, and for very large models.
    """
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not has_onednn or platform.machine().lower() not in ("x86_64", "amd64"):
        return 0
    if sum(parameter.numel() for parameter in model.parameters()) > _MOST_PARAMETERS:
        return 0
    return sum(_pack(layer) for layer in model.modules() if type(layer) is torch.nn.Linear)


@torch.inference_mode()
def _pack(layer: torch.nn.Linear) -> bool:
    weight = layer.weight.detach()
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return False
    try:
        forward = partial(_forward, torch.ops.mkldnn._reorder_linear_weight(weight, None), layer.bias)
        probe = torch.linspace(-1, 1, 3 * layer.in_features).reshape(3, layer.in_features)
        same = agree(forward(probe), layer(probe))
    except (AttributeError, RuntimeError):  # another version of PyTorch, or one built without oneDNN
        return False
    if same:
        layer.forward = forward  # type: ignore[method-assign]
    return same


def agree(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Return whether two ways give the same numbers but for the rounding of float32."""
    error = torch.max(torch.abs(found - expected))
    return bool(error <= _TOLERANCE * torch.max(torch.abs(expected)))


def packed_weight(layer: Any) -> Any:
    """Return the laid-out weight of a layer that `pack_linear_layers` changed, None for any other."""
    forward = getattr(layer, "forward", None)
    return forward.args[0] if isinstance(forward, partial) and forward.func is _forward else None


def _forward(weight: Any, bias: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor:
    packed: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return packed
