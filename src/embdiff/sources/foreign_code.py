"""What code a model's files ask to be run: told from their settings, before any library imports it.

sentence-transformers makes objects of the classes that these files name. Before version 6 it did so unasked for a model
in a local folder; of an activation that it does not trust it still puts another in its place, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from embdiff.errors import EncoderError
from embdiff.sources.hub import MODULES

_OURS = "sentence_transformers."
_ACTIVATIONS = "torch.nn."
_ROUTERS = ("Router", "Asym")


def refuse_code(read: Callable[[str], Any], purpose: str) -> None:
    """Refuse a model whose files name code other than that of the libraries.

    Parameters
    ----------
    read : callable
        Returns what a JSON file of the model holds, {} where there is none.
    purpose : str
        The model, for messages.

    Raises
    ------
    EncoderError
        When there is such code.
    """
    for file, name in _named(read):
        raise EncoderError(
            f"{purpose} must be loadable without running code of its own. Got {name[:100]!r}, named in {file}. Read "
            "that code; if you trust it, add trust_remote_code=true to the options."
        )


def _named(read: Callable[[str], Any]) -> Iterator[tuple[str, str]]:
    modules = read(MODULES)
    for module in modules if isinstance(modules, list) else ():
        if isinstance(module, dict):
            yield from _of_module(read, MODULES, module.get("type"), str(module.get("path") or ""))


def _of_module(read: Callable[[str], Any], file: str, kind: Any, folder: str) -> Iterator[tuple[str, str]]:
    """Yield file and name of the code that a module asks for: its class, and what its own settings name."""
    if not isinstance(kind, str) or not kind.startswith(_OURS):
        yield file, str(kind)
        return
    name, place = kind.rpartition(".")[2], f"{folder}/" if folder else ""
    if name == "Dense":
        activation = _settings(read, f"{place}config.json").get("activation_function")
        if activation is not None and not str(activation).startswith(_ACTIVATIONS):
            yield f"{place}config.json", str(activation)
    elif name == "WordEmbeddings":
        tokenizer = _settings(read, f"{place}wordembedding_config.json").get("tokenizer_class")
        if tokenizer is not None and not str(tokenizer).startswith(_OURS):
            yield f"{place}wordembedding_config.json", str(tokenizer)
    elif name in _ROUTERS:
        for routes in (f"{place}router_config.json", f"{place}config.json"):
            types = _settings(read, routes).get("types")
            for inner, its_kind in types.items() if isinstance(types, dict) else ():
                yield from _of_module(read, routes, its_kind, f"{place}{inner}")


def _settings(read: Callable[[str], Any], file: str) -> dict[str, Any]:
    found = read(file)
    return found if isinstance(found, dict) else {}
