"""compare(): the whole walk from sentences to a Comparison, in one place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from embdiff import _files, _names, runs
from embdiff._settings import done_by
from embdiff.comparison.answering import headline_of
from embdiff.comparison.crossing import cross
from embdiff.comparison.every_row import EveryRow
from embdiff.comparison.expected import judged_changes
from embdiff.comparison.geometry import calibrations, geometry_scores, spaces_of
from embdiff.comparison.layouts import layouts_of
from embdiff.comparison.manifest import describe
from embdiff.comparison.modality import modality_scores
from embdiff.comparison.noise import noise_floor
from embdiff.comparison.parts import parts_of
from embdiff.comparison.result import Comparison, write_run
from embdiff.comparison.scoring import group_tests, score_all
from embdiff.comparison.settings import Inputs, read_inputs, resolve
from embdiff.comparison.stages import encode, fill, search, settle_zeros, size
from embdiff.comparison.thresholds import similarities_of
from embdiff.comparison.why import why
from embdiff.comparison.work import Work
from embdiff.errors import CacheError, ParameterError, StoreError
from embdiff.kept import VectorCache
from embdiff.settings import RunConfig
from embdiff.sources.existing import opened_collections
from embdiff.stores import get_store, path_of
from embdiff.stores.store import Store


@done_by(lambda **asked: walk(**asked))
def compare(  # type: ignore[empty-body]  # what is given goes to the walk, by name
    data: Any,
    models: Sequence[Any] | None = None,
    *,
    query_models: Sequence[Any] | str | None = None,
    align: str | None = None,
    queries: Any = None,
    k: int | None = None,
    metric: str | None = None,
    index: str | None = None,
    store: str | None = None,
    groups: Sequence[str] | None = None,
    expected: Any = None,
    out: str | Path | None = None,
    seed: int | None = None,
    preset: str | None = None,
    self_matches: str | None = None,
    empty: str | None = None,
    common: bool | None = None,
    zero: str | None = None,
    text_column: str | int | None = None,
    id_column: str | int | None = None,
    group_column: str | int | None = None,
    group_empty: str | None = None,
    quotes: bool | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    chunk: str | int | None = None,
    permutations: int | None = None,
    calibrate: int | None = None,
    sample: int | str | None = None,
    half_width: float | None = None,
    store_queries: int | str | None = None,
    memory: str | None = None,
    cache: str | Path | None = None,
    layout: str | None = None,
    measures: Sequence[str] | None = None,
    baseline: bool | str | None = None,
) -> Comparison:
    """Encode a corpus with each model, store, search, and say whose neighbours changed.

    Parameters
    ----------
    data : path, list of str, or ``"sample"``
        The corpus, n >= 2 rows: txt, csv, tsv, jsonl, parquet, a folder of documents or images, a list, or the bundled
        sample.
    models : sequence of str or Encoder
        One collection each; text forms as ``embdiff models`` lists them, also with an alias under which they are
        shown (``prod=st:NAME``), or objects with ``encode``.
    query_models : sequence of str or Encoder, or "all", optional
        Models whose vectors query *every* collection. By default each model queries its own only.
    align : {"procrustes", "ridge", "low-rank"}, optional
        Map the query models' vectors into each collection, also where dimensions differ; fitted on up to 5,000 rows of
        the corpus that both models encode, and scored on rows that the fit did not see. Without it they ask as they
        are, which needs one dimension; the run says of either how many of a row's own neighbours are found.
    queries : "all", "every", "first:N", "rows:3,7", path, or list of str, optional
        By default ``all``: every row queries and is itself left out. Given queries keep a row equal to
        themselves, marked ``self``.
    k : int, optional
        Neighbours per query, 1..n (n - 1 when the row itself is left out). Default 10.
    metric : {"cosine", "ip", "l2"}, optional
        Default cosine. l2 distances are squared, as Milvus prints them.
    index : str, optional
        ``flat`` (default), ``ivf_flat(nlist=4,nprobe=2)``, ``hnsw(M=16,ef=64)``...
    store : str, optional
        ``memory:``, ``milvus:FILE``, ``lancedb:DIR``, ``http://HOST:PORT``. Default: Milvus Lite in the run folder.
    groups : sequence of str, optional
        A group for each row; enables the mixing matrix and the group test.
    expected : path, mapping or list of tuples, optional
        Expected results: ``query_id,id[,grade]``.
    out : path, optional
        Run folder to write; an earlier run there is replaced when this one is whole.
    seed : int, optional
        Seed of intervals and permutations. Default 0; results are identical for a seed.
    preset : {"tutorial-2023", "tutorial-offline"}, optional
        Models and settings of the tutorial; whatever else is given wins.
    self_matches : {"auto", "keep", "drop"}, optional
    empty : {"refuse", "keep", "drop"}, optional
    common : bool, optional
        Whether to compare the rows that all files of vectors and collections have, where they hold different ones; the
        run says how many. By default a row that one lacks is refused.
    zero : {"refuse", "drop", "keep"}, optional
        A zero vector has no direction, and no cosine. Rows and queries of which some model makes one are refused; left
        out for all models; or kept with the cosine 0 to all others, so that such a query ties with every row. Those
        left out or kept are counted.
    text_column, id_column, group_column : str or int, optional
        Name or 0-based position; text_column also a template, ``"{title} {text}"``, which is what is taken by default
        where there are both.
    group_empty : str, optional
        Group of rows whose cell in the group column is empty; by default they are refused.
    quotes, header : bool, optional
        Whether quotes in csv and tsv files hold cells together, and whether line 1 names the columns.
    encoding : str, optional
        Encoding of text files. Default UTF-8.
    chunk : str or int, optional
        Cut each document into chunks of at most so many tokens: ``200``, or ``"heading:200"``, which begins one at
        every heading. Expected results may then name documents or chunks. Default: each is whole.
    sample : int or "all", optional
        How many rows query when all are to. By default all of up to 20,000; above, 5,000 drawn at random. Each still
        sees every row of the corpus.
    half_width : float, optional
        Draw as many as the 95 % interval of overlap needs to be this wide to either side; found by a pilot of 500.
    store_queries : int or "all", optional
        How many queries, drawn at random, the database is asked of an exact index (``flat``); the other lists are the
        exact answer, which those of the database are held equal to. Default 500. An approximate index, and a
        collection that exists, are asked all queries.
    memory : str, optional
        What vectors may take, for example ``"4GiB"``. Files of ready vectors (``vectors:``) that are larger stay on
        disk and are read a block at a time. Default: three quarters of what the machine or container has.
    permutations : int, optional
        Permutations of the group test. Default 9,999; for groups that are rare among over 200 tests, up to 50 for each
        test, 99,999 at most.
    calibrate : int, optional
        Shuffle the rows of the second model so many times, for every two models, and say what the measures of
        agreement and geometry are above that. Default 0: not at all.
    cache : str or path, optional
        Where vectors are kept and found again: ``off``, a folder, or ``DIR?precision=float16``. Default: EMBDIFF_CACHE,
        else the user's cache folder.
    layout : {"pca", "umap", "none"}, optional
        How the maps of the report are made. Default pca; umap needs the extra ``umap``.
    measures : sequence of str, optional
        Measures of agreement in their text form, ``overlap@3`` or ``rbo(p=0.8)@5``; without ``@k`` at the k of the
        run. Default: every registered measure of agreement that is reported.
    baseline : bool, optional
        Whether bm25, which ranks by words, stands beside the models in the tables of agreement. By default where it
        is installed and the data are not too large; ``"bm25"`` among the models shows its lists beside theirs, too.

    Returns
    -------
    Comparison

    Raises
    ------
    EmbdiffError
        Its subclasses name what must hold, what was got and what to do (`embdiff.errors`).
    """


def walk(
    data: Any,
    models: Sequence[Any] | None = None,
    *,
    out: str | Path | None = None,
    preset: str | None = None,
    finish: Callable[[runs.Run, Work], runs.Run] | None = None,
    **given: Any,
) -> Comparison:
    """See `compare`; ``finish`` adds to the run, before it is written, what is decided by it."""
    config, objects = resolve(data, models, preset, given)
    inputs = read_inputs(data, config, given, objects)
    work, no_report = Work(config, inputs, VectorCache.at(config.cache)), None
    store = given.get("store") or config.store  # as it was said: secrets in it go no further than to the server
    with opened_collections(objects), _workplace(config, inputs, out, store) as (folder, opened):
        work = settle_zeros(encode(work, objects), objects)
        work = cross(work)
        work = fill(work, opened, _run_label(out, inputs))
        work = size(work)
        work = search(work)
        run = _measured(work, opened.uri)
        run = run if finish is None else finish(run, work)
        if folder is not None and out is not None:
            no_report = write_run(run, folder, Path(out), work.kept)
    if no_report is not None:
        raise no_report
    return Comparison(run, Path(out) if out is not None else None)


def _measured(work: Work, store_uri: str) -> runs.Run:
    """Take every number of the run, and say at last what it was made of."""
    inputs, every_row = work.inputs, EveryRow(work)
    spaces = spaces_of(work, every_row)
    scored, floor = score_all(work), noise_floor(work)
    geometry = [*geometry_scores(work, spaces, every_row), *modality_scores(work)]
    mixings, tests = group_tests(work, spaces, every_row)
    similarities, distributions = similarities_of(work)
    layouts, calibrated = layouts_of(work), calibrations(work, spaces, every_row)
    changes = judged_changes(work, floor.repeated)
    manifest, parts = describe(work, store_uri, scored.expected), parts_of(work)
    return runs.Run(
        config=work.config,
        corpus=inputs.corpus,
        queries=inputs.queries,
        query_rows=inputs.query_rows,
        answers=work.answers,
        scores=(*scored.scores, *floor.scores, *geometry),
        mixings=mixings,
        tests=tests,
        expected=inputs.expected,
        manifest=manifest,
        similarities=similarities,
        distributions=distributions,
        calibrations=calibrated,
        layouts=layouts,
        beside=work.beside,
        curves=scored.agreement.curves,
        tails=scored.agreement.tails,
        differences=scored.differences,
        changes=changes,
        headline=headline_of(work, scored, floor.scores, parts),
        parts=parts,
        reaches=tuple(each.reach for each in work.crossed.values()),
        why=why(work),
    )


@contextmanager
def _workplace(
    config: RunConfig, inputs: Inputs, out: str | Path | None, store: str
) -> Iterator[tuple[Path | None, Store]]:
    """Open the store, in the run folder or aside; the folder appears only when all went well.

    Until then it has a name that the same command finds again: rows stored before an interruption are not stored twice.
    """
    with ExitStack() as stack:
        folder = None
        if out is not None:
            target = runs.free_folder(Path(out))
            _refuse_store_inside(config.store, target)
            folder = stack.enter_context(_files.whole_folder(target, _key(config, inputs), _has_rows))
            for stale in folder.iterdir():  # only the database is gone on with
                if stale.name != runs.STORE_FILE:
                    stale.unlink()
        uri = store
        if not uri:
            aside = folder or Path(stack.enter_context(TemporaryDirectory(prefix="embdiff-")))
            uri = f"milvus:{aside / runs.STORE_FILE}"
        yield folder, stack.enter_context(get_store(uri))


def _key(config: RunConfig, inputs: Inputs) -> str:
    """Return what tells this comparison from others: settings and data."""
    whole = "\0".join((config.model_dump_json(), inputs.corpus.digest(), inputs.queries.digest()))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _has_rows(folder: Path, error: BaseException) -> bool:
    """Return whether an interrupted comparison is worth going on with: not when it was refused."""
    if not isinstance(error, (KeyboardInterrupt, StoreError, CacheError, OSError)):
        return False
    return any((folder / runs.STORE_FILE / "collections").glob("*/*"))


def _refuse_store_inside(store: str, folder: Path) -> None:
    """Refuse a database named by hand inside the run folder: that folder is replaced as a whole."""
    place = path_of(store)
    if place is not None and folder in (place, *place.parents):
        raise ParameterError(
            f"A database named with --store must lie outside the run folder, which is replaced. Got {store} in "
            f"{folder.name}. Put it beside the folder, or leave --store out."
        )


def _run_label(out: str | Path | None, inputs: Inputs) -> str:
    """Return what the collections' names begin with; runs on other corpora never meet, whatever their folder."""
    corpus = inputs.corpus.digest()[:8]
    return f"run_{corpus}" if out is None else f"{_names.resolved(out).name}_{corpus}"
