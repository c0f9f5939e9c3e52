"""Text forms that stand for more than a model of vectors: what ranks texts, and what re-ranks the lists of another."""

from __future__ import annotations

from dataclasses import dataclass

from embdiff.errors import ParameterError
from embdiff.specs import ModelSpec

BM25 = "bm25"
RANKING = ("sparse", "multivector")  # kinds of models that rank texts, and make no dense vector of them
RERANK = "+rerank:"
# What scores their lists, which stands there in the place of an index.
RANKINGS = SPARSE, MAXSIM, RERANKED = "sparse", "maxsim", "rerank"
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
