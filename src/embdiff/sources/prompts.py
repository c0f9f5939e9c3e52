"""What models ask to have put before queries and documents, as mteb knows from their cards: advice, unless asked for.

`scripts/write_prompts.py` writes the table; the names of folders and of models on the hub are looked at, no weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from embdiff.errors import ParameterError
from embdiff.records import Role
from embdiff.specs import ModelSpec

AUTO = "auto"
_TABLE = Path(__file__).with_name("prompts.json")


def known_prompts(name: str) -> dict[Role, str] | None:
    """Return what a model asks for, by its name; None where nothing is known.

    Parameters
    ----------
    name : str
        As stamps call it: ``st:ORGANISATION/MODEL``, or ``st:FOLDER`` for a folder that is called as the model is.
    """
    found = _by_name().get(name.partition(":")[2].partition(" + ")[0].casefold(), set())
    if len(found) != 1:  # two models of one name ask for different ones
        return None
    ((query, document),) = found
    return {"query": query, "document": document}


@cache
def _by_name() -> Mapping[str, set[tuple[str, str]]]:
    """Return the prompts of each model by its whole name and by what stands behind the organisation."""
    found: dict[str, set[tuple[str, str]]] = {}
    for each in json.loads(_TABLE.read_text(encoding="utf-8"))["prompts"]:
        for name in map(str.casefold, each["models"]):
            for key in (name, name.rpartition("/")[2]):
                found.setdefault(key, set()).add((each["query"], each["document"]))
    return found


def automatic(name: str, own: Mapping[str, str], used: Mapping[Role, str], spec: ModelSpec) -> dict[Role, str]:
    """Return the prompts that ``prompt=auto`` stands for: the model's own, else those that are known of it.

    Parameters
    ----------
    name : str
    own : mapping of str to str
        Prompts in the model's files, by name.
    used : mapping of role to str
        What sentence-transformers puts before each by itself.
    spec : ModelSpec
        For messages.

    Raises
    ------
    ParameterError
        Where neither is known.
    """
    meant: dict[Role, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
    named = {role: next((own[key] for key in names if own.get(key)), "") for role, names in meant.items()}
    if any(named.values()):
        return {role: text or used[role] for role, text in named.items()}
    if any(used.values()):
        return dict(used)
    known = known_prompts(name)
    if known is None:
        raise ParameterError(
            f"prompt=auto must be of a model whose prompts are known. Got '{spec}': its files name none for queries or "
            "documents, and nothing is known of one of its name. Write prompt= and query_prompt= as its card says."
        )
    return known


def advice(name: str, used: Mapping[Role, str]) -> str | None:
    """Return what a reader must know where a model's card asks for prompts and none is put before anything."""
    known = known_prompts(name)
    if known is None or any(used.values()):
        return None
    told = " and ".join(f"{text!r} before each {role}" for role, text in known.items() if text)
    written = "&".join(
        f"{'query_prompt' if role == 'query' else 'prompt'}={quote(text)}" for role, text in known.items() if text
    )
    return f"its card, by its name, asks for {told}, and none is given; prompt=auto puts it there (or {written})"
