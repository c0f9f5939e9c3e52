"""From what the caller wrote to settings and inputs that hold: everything refused here costs nothing yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embdiff.alignment import refuse_few
from embdiff.comparison.choice import chosen_baseline, chosen_measures
from embdiff.comparison.common import common_rows
from embdiff.corpus import read_expected, read_queries, rows_of, self_rows
from embdiff.corpus.columns import Columns
from embdiff.corpus.files import Form
from embdiff.corpus.read import chunking, corpus_from
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.forms import expanded, ranks
from embdiff.indexes import IndexSpec
from embdiff.lexical import BM25
from embdiff.own_rows import OwnRows
from embdiff.records import Corpus, IntArray, Qrels
from embdiff.runs import Run
from embdiff.settings import SAMPLE_ABOVE, SAMPLE_SIZE, RunConfig, worst_case_queries
from embdiff.sources import PRESETS, named_models
from embdiff.sources.batches import TEXTS, refuse_unread
from embdiff.sources.existing import Existing, corpus_of
from embdiff.specs import is_reference, split_alias

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
    sampled_from : int or None
        Of how many rows the queries are a random sample, in the order drawn; None when they are no sample.
    """

    corpus: Corpus
    queries: Corpus
    query_rows: tuple[int, ...] | None
    own: OwnRows
    twins: OwnRows
    expected: Qrels | None
    sampled_from: int | None = None

    def first(self, count: int) -> Inputs:
        """Return the same with the first ``count`` queries of the sample."""
        assert self.query_rows is not None
        rows = self.query_rows[:count]
        return replace(
            self,
            queries=rows_of(self.corpus, rows),
            query_rows=rows,
            own=replace(self.own, rows=self.own.rows[:count]),
            twins=replace(self.twins, rows=self.twins.rows[:count]),
        )

    def without(self, config: RunConfig, rows: IntArray, queries: IntArray, note: str) -> Inputs:
        """Return the same with these rows (m,) and queries (p,) only, both ascending; the note says what is gone."""
        place = np.full(len(self.corpus), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        kept = replace(
            rows_of(self.corpus, rows.tolist()), notes=(*self.corpus.notes, note), dropped=self.corpus.dropped
        )
        asked = replace(rows_of(self.queries, queries.tolist()), notes=self.queries.notes)
        own = None if self.query_rows is None else tuple(place[np.array(self.query_rows)[queries]].tolist())
        dropped, twins = _own_rows(config, kept, asked, own)
        dropped.check_k(config.k, len(kept))
        IndexSpec.parse(config.index).check_rows(len(kept), config.k + dropped.dropped)
        judged = self.expected
        if judged is not None:
            judged = replace(judged, judgements={q: judged.judgements[q] for q in asked.ids if q in judged.judgements})
        of = None if self.sampled_from is None else len(kept)
        return Inputs(kept, asked, own, dropped, twins, judged, of)

    @classmethod
    def of(cls, run: Run) -> Inputs:
        """Return what a run worked on, as far as it is known of it: not of how many rows its queries are a sample."""
        own, twins = _own_rows(run.config, run.corpus, run.queries, run.query_rows)
        return cls(run.corpus, run.queries, run.query_rows, own, twins, run.expected)

    @property
    def candidates(self) -> IntArray:
        """How many rows each query could return, (q,)."""
        own = np.array([len(rows) for rows in self.own.rows], dtype=np.int64)
        return len(self.corpus) - (own if self.own.drop else np.zeros_like(own))


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
    models = expanded(models or wanted.get("models", ()))
    _refuse_none(models)
    asked = expanded(wanted.pop("query_models", ()))
    if asked == "all" or (not isinstance(asked, str) and list(asked) == ["all"]):
        asked = models if isinstance(models, str) else [model for model in models if not _ranks(model)]
    if not isinstance(asked, str) and any(map(_ranks, asked)):
        unfit = split_alias(next(filter(_ranks, asked)))[1]
        raise ParameterError(
            f"A query model must have vectors. Got {unfit}, which has none to ask a collection with: it ranks the "
            "texts of the queries by itself. Name it with -m."
        )
    common = bool(wanted.get("common"))
    forms = dict(split_alias(text) for text in (*models, *asked) if isinstance(text, str))
    collections = {name: Existing(form, common=common) for name, form in forms.items() if is_reference(form)}
    names, objects = named_models(models, besides=(BM25, *collections))
    wanted["baseline"] = chosen_baseline(wanted.get("baseline"), BM25 in names)
    wanted["models"] = tuple(name for name in names if name != BM25)
    _refuse_none([name for name in wanted["models"] if not ranks(forms.get(name, name))], wanted["models"])
    _refuse_map(wanted, asked)
    wanted["query_models"], objects = named_models(asked, what="query model", besides=collections, known=objects)
    wanted["aliases"] = {name: form for name, form in forms.items() if name != form}
    config = RunConfig.checked(data=data, **wanted)
    measures = chosen_measures(config.measures, config.k, expected=config.expected is not None)
    return config.model_copy(update={"measures": measures}), {**objects, **collections}


def read_inputs(
    data: Any, config: RunConfig, given: Mapping[str, Any], objects: Mapping[str, Any] | None = None
) -> Inputs:
    """Read corpus, queries and expected results as they were given, and check that k and the index fit them."""
    queries, groups, expected = (given.get(name) for name in ("queries", "groups", "expected"))
    columns = {
        key: getattr(config, key) for key in ("text_column", "id_column", "group_column", "group_empty", "chunk")
    }
    form = Form(config.quotes, config.header, config.encoding)
    others = replace(form, header=None)  # of queries and expected results
    if is_reference(data):
        if columns.pop("chunk") is not None:
            raise ParameterError(
                f"--chunk cuts texts before they are encoded. Got {config.chunk} with the collection {data}, whose "
                "rows have vectors already. Leave it out."
            )
        corpus = corpus_of(data, config.empty, [name for name, value in columns.items() if value is not None])
    else:
        columns["chunk"] = chunking(config.chunk)
        wanted = Columns(**{key.removesuffix("_column"): value for key, value in columns.items()}, form=form)
        corpus = corpus_from(data, wanted, config.empty, groups)
    if config.common:
        corpus = common_rows(corpus, dict.fromkeys((*config.spaces, *config.query_models)), objects or {})
    if len(corpus) < 2:
        raise ParameterError(
            f"A corpus must have at least two rows, so that one can be another's neighbour. Got {len(corpus)} in "
            f"{corpus.source}. Add rows."
        )
    if config.align is not None:
        refuse_few(len(set(corpus.items)), "different texts", corpus.source)
    asked, rows = read_queries(config.queries if queries is None else queries, corpus, form=others)
    drawn = _drawn(config, corpus, rows)
    if drawn is not None:
        asked, rows = rows_of(corpus, drawn), drawn
    if config.baseline == "named":
        refuse_unread(BM25, TEXTS, corpus.kinds | asked.kinds)
    own, twins = _own_rows(config, corpus, asked, rows)
    own.check_k(config.k, len(corpus))
    wide = config.k + own.dropped
    IndexSpec.parse(config.index).check_rows(len(corpus), wide)
    judgements = None if expected is None else read_expected(expected, asked, corpus, form=others)
    if judgements is not None and judgements.notes:
        asked = replace(asked, notes=(*asked.notes, *judgements.notes))
    return Inputs(corpus, asked, rows, own, twins, judgements, None if drawn is None else len(corpus))


def _drawn(config: RunConfig, corpus: Corpus, rows: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return which rows query when not all of them do, in random order: each beginning is a sample of its own."""
    chosen = config.sample != "auto" or config.half_width is not None
    if config.queries != "all" or rows is None:
        if chosen and config.sample != "all":
            raise ParameterError(
                f"A sample is drawn when every row queries. Got sample={config.sample}, half_width="
                f"{config.half_width} and queries={config.queries}. Leave the queries or the sample out."
            )
        return None
    count = _sample_size(config, len(corpus))
    if count >= len(corpus):
        return None
    order = np.random.default_rng(config.seed).permutation(len(corpus))[:count]
    return tuple(map(int, order))


def _sample_size(config: RunConfig, rows: int) -> int:
    if config.half_width is not None:
        if config.sample != "auto":
            raise ParameterError(
                f"Either the size of the sample or its half-width can be chosen. Got sample={config.sample} and "
                f"half_width={config.half_width}. Leave one of them out."
            )
        return worst_case_queries(config.half_width, rows)
    if config.sample == "auto":
        return rows if rows <= SAMPLE_ABOVE else SAMPLE_SIZE
    if config.sample == "all":
        return rows
    if not 2 <= int(config.sample) <= rows:
        raise ParameterError(
            f"A sample must be of 2 to {rows} rows (the corpus has {rows}). Got {config.sample}. "
            "Lower it, or write all."
        )
    return int(config.sample)


def _own_rows(
    config: RunConfig, corpus: Corpus, queries: Corpus, rows: Sequence[int] | None
) -> tuple[OwnRows, OwnRows]:
    """Decide by the queries asked: every row leaves itself out by row, given queries keep and mark themselves."""
    twins = OwnRows(self_rows(queries, rows, corpus), drop=False)
    choice = config.self_matches
    if config.queries == "all" and rows is not None and choice == "auto":
        return OwnRows([np.array([row], dtype=np.int64) for row in rows], drop=True, mark=False), twins
    return OwnRows(twins.rows, drop=choice == "drop"), twins


def _refuse_none(models: Sequence[Any], named: Sequence[str] = ()) -> None:
    if not models:
        got = (
            f" with vectors. Got only {', '.join(named)[:200]}, which ranks texts without them"
            if named
            else ". Got none"
        )
        raise ParameterError(
            f"A comparison needs at least one model{got}. Name models with -m (models=), for example -m minilm -m "
            "wordllama:256, or take --preset tutorial-offline."
        )


def _refuse_map(wanted: Mapping[str, Any], asked: Sequence[Any]) -> None:
    """Refuse a map where nobody asks the collection of another, or where some vectors have no direction."""
    if wanted.get("align") is None:
        return
    if not asked:
        raise ParameterError(
            f"--align maps the vectors of query models into the collections of others. Got {wanted['align']} and no "
            "query model. Name one with --query-model (query_models=), or leave --align out."
        )
    if wanted.get("zero") == "keep":
        raise ParameterError(
            "A map needs a direction for every vector. Got --align and --zero keep, which gives zero vectors one of "
            "their own. Leave them out with --zero drop, or leave --align out."
        )


def _ranks(model: Any) -> bool:
    """Return whether a model ranks texts without vectors that could ask a collection."""
    return isinstance(model, str) and (model == BM25 or ranks(split_alias(model)[1]))


def _preset(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in PRESETS:
        raise UnknownNameError(f"A preset must be one of {', '.join(PRESETS)}. Got {name!r}. Choose one of these.")
    return {**TUTORIAL, "models": PRESETS[name]}
