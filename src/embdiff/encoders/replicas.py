"""The same PyTorch model several times in one process: everything is copied but what takes memory."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any


def replica(model: Any) -> Any:
    """Return a copy of a model that another thread can use at the same time: a tokenizer of its own, the same weights.

    Parameters
    ----------
    model : torch.nn.Module
        Not in use while it is copied. Its parameters, its buffers, and what computes in place of a layer
        (`pack_linear_layers`) are shared, not copied.

    Returns
    -------
    torch.nn.Module or None
        None for a model of which a part cannot be copied.
    """
    instead = [vars(module)["forward"] for module in model.modules() if "forward" in vars(module)]
    shared = {id(part): part for part in chain(model.parameters(), model.buffers(), instead)}
    try:
        return copy.deepcopy(model, shared)
    except Exception:  # foreign code: a lock, an open file; one model is enough
        return None
