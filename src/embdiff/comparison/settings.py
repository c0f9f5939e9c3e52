"""From what the caller wrote to settings and inputs that hold: everything refused here costs nothing yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.config import IndexSpec, RunConfig, check_metric
from embdiff.corpus import read_corpus, read_expected, read_queries, self_rows
from embdiff.encoders import PRESETS, named_models
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.records import Corpus, Qrels
from embdiff.search import OwnRows

# What the tutorial did: three results, squared L2, four centroids of which two are probed, and no row left out.
TUTORIAL: Mapping[str, Any] = {
    "query_models": "all",
    "queries": "every",
    "k": 3,
    "metric": "l2",
    "index": "ivf_flat(nlist=4,nprobe=2)",
}


@dataclass(frozen=True)
class Inputs:
    """What a comparison works on.

    Parameters
    ----------
    corpus, queries : Corpus
    query_rows : tuple of int or None
        Corpus rows of the queries, None when they came from elsewhere.
    own : OwnRows
        What becomes of each query's own rows.
    twins : OwnRows
        Rows with the query's id or text, dropped or not: finding one of them is finding itself.
    expected : Qrels or None
    """

    corpus: Corpus
    queries: Corpus
    query_rows: tuple[int, ...] | None
    own: OwnRows
    twins: OwnRows
    expected: Qrels | None


def resolve(data: Any, models: Any, preset: str | None, given: Mapping[str, Any]) -> tuple[RunConfig, dict[str, Any]]:
    """Return the settings, and the model objects (not specs) by the name they go under.

    Parameters
    ----------
    data : path, "sample", list of str or anything `read_corpus` takes
    models : sequence of str or Encoder, or None
    preset : str or None
        Fills in whatever was not given.
    given : mapping
        The other arguments of `compare`; None means not given.

    Raises
    ------
    ParameterError
        When settings do not hold or do not fit each other.
    """
    wanted = {**_preset(preset), **{key: value for key, value in given.items() if value is not None}}
    models = models or wanted.get("models", ())
    wanted.pop("models", None)
    if not models:
        raise ParameterError(
            "A comparison needs at least one model. Got none. Name models with -m (models=), for example "
            "-m minilm -m wordllama:256, or take --preset tutorial-offline."
        )
    asked = wanted.pop("query_models", ())
    if asked == "all" or (not isinstance(asked, str) and list(asked) == ["all"]):
        asked = models
    names, objects = named_models(models)
    query_names, objects = named_models(asked, what="query model", known=objects)
    settings = {
        **{key: value for key, value in wanted.items() if key not in ("groups", "queries", "expected")},
        "data": str(data) if isinstance(data, (str, Path)) else None,
        "models": names,
        "query_models": query_names,
        "queries": _text_or(wanted.get("queries"), "list", default="all"),
        "groups": None if wanted.get("groups") is None else "list",
        "expected": _text_or(wanted.get("expected"), "list", default=None),
    }
    config = RunConfig.checked(**settings)
    config = config.model_copy(
        update={"metric": check_metric(config.metric), "index": str(IndexSpec.parse(config.index))}
    )
    return config, objects


def read_inputs(data: Any, config: RunConfig, *, queries: Any, groups: Any, expected: Any) -> Inputs:
    """Read corpus, queries and expected results, and check that k and the index fit them."""
    columns = {key: getattr(config, key) for key in ("text_column", "id_column", "group_column")}
    corpus = read_corpus(data, **columns, groups=groups, empty=config.empty)
    if len(corpus) < 2:
        raise ParameterError(
            f"A corpus must have at least two rows, so that one can be another's neighbour. Got {len(corpus)} in "
            f"{corpus.source}. Add rows."
        )
    asked, rows = read_queries(config.queries if queries is None else queries, corpus)
    own, twins = _own_rows(config, corpus, asked, rows)
    own.check_k(config.k, len(corpus))
    wide = config.k + (own.most if own.drop else 0)
    IndexSpec.parse(config.index).check_rows(len(corpus), wide)
    judgements = None if expected is None else read_expected(expected, asked, corpus)
    return Inputs(corpus, asked, rows, own, twins, judgements)


def _own_rows(
    config: RunConfig, corpus: Corpus, queries: Corpus, rows: Sequence[int] | None
) -> tuple[OwnRows, OwnRows]:
    """Decide by the queries asked: every row leaves itself out by row, given queries keep and mark themselves."""
    twins = OwnRows(self_rows(queries, rows, corpus), drop=False)
    choice = config.self_matches
    if config.queries == "all" and rows is not None and choice == "auto":
        return OwnRows([np.array([row], dtype=np.int64) for row in rows], drop=True, mark=False), twins
    return OwnRows(twins.rows, drop=choice == "drop"), twins


def _preset(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in PRESETS:
        raise UnknownNameError(f"A preset must be one of {', '.join(PRESETS)}. Got {name!r}. Choose one of these.")
    return {**TUTORIAL, "models": PRESETS[name]}


def _text_or(value: Any, otherwise: str, default: str | None) -> str | None:
    if value is None:
        return default
    return str(value) if isinstance(value, (str, Path)) else otherwise
