"""Text forms that stand for more than a model of vectors: what ranks texts, what re-ranks a list, grids of variants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from embdiff.errors import ParameterError
from embdiff.specs import ModelSpec, split_alias

BM25 = "bm25"
RANKING = ("sparse", "multivector")  # kinds of models that rank texts, and make no dense vector of them
RERANK = "+rerank:"
# What scores their lists, which stands there in the place of an index.
RANKINGS = SPARSE, MAXSIM, RERANKED = "sparse", "maxsim", "rerank"
_GRID = re.compile(r"([?&][a-z_]+=)\[([^\]]*)\](?=&|$|\+)")  # a list is the whole value of an option
MOST_CELLS = 64
TOP, FEWEST, MOST = 100, 2, 1_000  # of the rows that are re-ranked


@dataclass(frozen=True)
class Rerank:
    """A model whose list another one re-ranks: ``MODEL+rerank:st:NAME?top=100``.

    Parameters
    ----------
    base : str
        The text form of the model whose list it is.
    spec : ModelSpec
        The re-ranker, ``top`` taken out of its options.
    top : int
        How many of the nearest rows are re-ranked.
    """

    base: str
    spec: ModelSpec
    top: int


def ranks(form: str) -> bool:
    """Return whether a text form names a model that ranks texts without a dense vector of them; bm25 aside."""
    return RERANK in form or form.partition(":")[0] in RANKING


def reranking(form: str) -> Rerank | None:
    """Read ``MODEL+rerank:st:NAME``; None for a model without a re-ranker.

    Raises
    ------
    ParameterError, UnknownNameError
        When a part is no model, the re-ranker is of another kind than ``st``, or re-ranks vectors that are ready.
    """
    base, found, text = form.rpartition(RERANK)
    if not found:
        return None
    spec = ModelSpec.parse(text)
    if spec.kind != "st" or not base or RERANK in base:
        raise ParameterError(
            f"A re-ranker must be written MODEL+rerank:st:NAME, a CrossEncoder behind one model. Got {form!r}. "
            "Write minilm+rerank:st:cross-encoder/ms-marco-MiniLM-L6-v2, for example."
        )
    if base != BM25 and (ModelSpec.parse(base).kind == "vectors" or "#" in base):
        raise ParameterError(
            f"A re-ranker must stand behind a model that encodes, or bm25. Got {base!r}, whose vectors are ready. "
            "Name the model that made them."
        )
    top = spec.dimension(spec.options.get("top", str(TOP)), "top", FEWEST, MOST)
    options = {key: value for key, value in spec.options.items() if key != "top"}
    return Rerank(base, ModelSpec(spec.kind, spec.name, options), top)


def expanded(models: Any) -> Any:
    """Return a list of models with every grid in the place of its cells: ``minilm?dim=[64,128]``; the rest as it is.

    Raises
    ------
    ParameterError
        For an empty list of values, and for more cells than can be compared.
    """
    if not isinstance(models, Sequence) or isinstance(models, str):
        return models
    return [cell for model in models for cell in (_cells(model) if isinstance(model, str) else [model])]


def _cells(text: str) -> list[str]:
    """Return the models of a grid, the last option changing first; one with an alias is called ALIAS-VALUE-VALUE."""
    name, form = split_alias(text)
    parts = _GRID.split(form)
    if len(parts) == 1:
        return [text]
    lists = [[value.strip() for value in values.split(",")] for values in parts[2::3]]
    count = 1
    for head, values in zip(parts[1::3], lists, strict=True):
        count *= len(values)
        if values == [""]:
            raise ParameterError(
                f"A grid must list the values of an option. Got an empty list for {head[1:-1]} in {form!r}. Write "
                "dim=[64,128], for example."
            )
    if count > MOST_CELLS:
        raise ParameterError(
            f"A grid must have at most {MOST_CELLS} models. Got {count:,} in {form[:200]!r}. List fewer values."
        )
    found = []
    for cell in product(*lists):
        whole = parts[0] + "".join(
            head + value + between for head, value, between in zip(parts[1::3], cell, parts[3::3], strict=True)
        )
        alias = "-".join([name, *(re.sub(r"[^\w.+-]", "_", value) for value in cell)])
        found.append(whole if name == form else f"{alias}={whole}")
    return found
