"""What families of models ask to have put before queries and documents, as their cards say: advice, unless asked for.

Taken from the cards on the Hugging Face hub; the names of folders and of models on the hub are looked at, no weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from embdiff.errors import ParameterError
from embdiff.records import Role
from embdiff.specs import ModelSpec

AUTO = "auto"
_SEARCH = "Represent this sentence for searching relevant passages: "
# family → (what its names look like, what stands before a query, what before a document)
_FAMILIES: Mapping[str, tuple[str, str, str]] = {
    "e5": (r"(^|[/_-])(multilingual-)?e5-(small|base|large)(-v2)?$", "query: ", "passage: "),
    "bge (English)": (r"(^|[/_-])bge-(small|base|large)-en(-v1\.5)?$", _SEARCH, ""),
    "bge (Chinese)": (r"(^|[/_-])bge-(small|base|large)-zh(-v1\.5)?$", "为这个句子生成表示以用于检索相关文章：", ""),
    "nomic": (r"(^|[/_-])nomic-embed-text-v(1|1\.5|2-moe)$", "search_query: ", "search_document: "),
    "mxbai": (r"(^|[/_-])mxbai-embed-large-v1$", _SEARCH, ""),
    "arctic": (r"(^|[/_-])snowflake-arctic-embed-(xs|s|m|m-long|m-v1\.5|l)$", _SEARCH, ""),
    "arctic 2": (r"(^|[/_-])snowflake-arctic-embed-[ml]-v2\.0$", "query: ", ""),
    "UAE": (r"(^|[/_-])uae-large-v1$", _SEARCH, ""),
}


def known_prompts(name: str) -> tuple[str, dict[Role, str]] | None:
    """Return the family of a model by its name, and what it asks for; None where nothing is known.

    Parameters
    ----------
    name : str
        As stamps call it: ``st:ORGANISATION/MODEL`` or ``st:FOLDER``.
    """
    plain = name.partition(":")[2].partition(" + ")[0].casefold()
    for family, (pattern, query, document) in _FAMILIES.items():
        if re.search(pattern, plain):
            return family, {"query": query, "document": document}
    return None


def automatic(name: str, own: Mapping[str, str], used: Mapping[Role, str], spec: ModelSpec) -> dict[Role, str]:
    """Return the prompts that ``prompt=auto`` stands for: the model's own, else those of its family.

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
            "documents, and its name is of no known family. Write prompt= and query_prompt= as its card says."
        )
    return known[1]


def advice(name: str, used: Mapping[Role, str]) -> str | None:
    """Return what a reader must know where a model's card asks for prompts and none is put before anything."""
    known = known_prompts(name)
    if known is None or any(used.values()):
        return None
    told = " and ".join(f"{text!r} before each {role}" for role, text in known[1].items() if text)
    written = "&".join(
        f"{'query_prompt' if role == 'query' else 'prompt'}={quote(text)}" for role, text in known[1].items() if text
    )
    return (
        f"models of the family {known[0]} ask for {told}, and none is given; prompt=auto puts it there (or {written})"
    )
