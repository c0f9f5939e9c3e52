"""Steps that follow a packed layer, computed by oneDNN along with it: a pass over memory less for each.

Two are known: GELU after the first layer of a feed-forward block, and the input added after the last layer of a block.
They are found by their shape in the transformers package (``dense`` and ``intermediate_act_fn``; ``dense``, ``dropout``
and ``LayerNorm``) and each is tried on random numbers first, as in `embdiff.sources.packed`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from embdiff.sources.packed import agree, packed_weight


def fuse_steps(model: torch.nn.Module) -> int:
    """Let packed layers compute the step that follows them, where it is one that oneDNN knows.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode; its layers packed (`pack_linear_layers`). Changed in place.

    Returns
    -------
    int
        Number of blocks that were changed.
    """
    if model.training:
        return 0
    return sum(_fuse(module) for module in model.modules())


@torch.inference_mode()
def _fuse(module: torch.nn.Module) -> bool:
    layer: Any = getattr(module, "dense", None)
    weight = packed_weight(layer)
    if weight is None:
        return False
    given = [_numbers(layer.in_features)]
    if _is_gelu(getattr(module, "intermediate_act_fn", None)):
        forward: Callable[..., torch.Tensor] = partial(_with_gelu, weight, layer.bias)
    elif isinstance(norm := getattr(module, "LayerNorm", None), torch.nn.LayerNorm) and hasattr(module, "dropout"):
        forward = partial(_with_input, weight, layer.bias, norm)
        given.append(_numbers(layer.out_features).flip(0))
    else:
        return False
    try:
        fits = agree(forward(*given), module(*given))
    except (AttributeError, RuntimeError, TypeError):  # another version of PyTorch, or a block that only looks like one
        return False
    if fits:
        module.forward = forward
    return fits


def _is_gelu(step: Any) -> bool:
    # To the last digits: GELU by tanh, which many models use, is another function.
    probe = torch.linspace(-3, 3, 61)
    try:
        return step is not None and bool(torch.allclose(step(probe), torch.nn.functional.gelu(probe), atol=1e-6))
    except (RuntimeError, TypeError):
        return False


def _numbers(width: int) -> torch.Tensor:
    return torch.linspace(-3, 3, 5 * width).reshape(5, width)


def _with_gelu(weight: Any, bias: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "gelu", [], "none")
    return found


def _with_input(
    weight: Any, bias: torch.Tensor | None, norm: torch.nn.Module, values: torch.Tensor, also: torch.Tensor
) -> torch.Tensor:
    added = torch.ops.mkldnn._linear_pointwise.binary(values, also, weight, bias, "add")
    normed: torch.Tensor = norm(added)
    return normed
