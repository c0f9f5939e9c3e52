"""encode_corpus(): texts of any size to vectors that are kept, in one place."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from embdiff import _files
from embdiff._optional import versions
from embdiff._progress import progress
from embdiff._settings import typed
from embdiff.bulk.outputs import FileOutput, FolderOutput, Output, Parts, StoreOutput, kind_of
from embdiff.bulk.parts import ENGINES, Engine, Job, Plan, lay_ready
from embdiff.bulk.result import Encoding
from embdiff.corpus.columns import Columns
from embdiff.corpus.files import Form
from embdiff.corpus.pieces import Pieces, open_pieces
from embdiff.corpus.read import chunking
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.kept import VectorCache
from embdiff.records import UNPINNED, Role, Stamp, digest_of
from embdiff.settings import MOST
from embdiff.sources import Encoder, get_encoder
from embdiff.sources.batches import checked_role
from embdiff.sources.derived import Derived
from embdiff.sources.parquet import FORMAT, label_of, label_on
from embdiff.sources.tally import added, figures
from embdiff.stores.collection import Batch
from embdiff.variants import ROWS, measure_variant

PART_ROWS = 5_000
_VARIANT, _VARIANT_SEED = "variant.json", 0


@typed
def encode_corpus(
    data: Any,
    model: str | Encoder,
    out: str | Path,
    *,
    role: str = "document",
    engine: str = "local",
    ray_address: str | None = None,
    workers: int | None = None,
    worker_gpus: float | None = None,
    part_rows: int = PART_ROWS,
    metric: str | None = None,
    index: str | None = None,
    work: str | Path | None = None,
    text_column: str | int | None = None,
    id_column: str | int | None = None,
    group_column: str | int | None = None,
    group_empty: str | None = None,
    quotes: bool | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    chunk: str | int | None = None,
    empty: str = "refuse",
    cache: str | Path | None = None,
) -> Encoding:
    """Encode a corpus, part by part, into a Parquet file, a folder of such files, or a collection of a store.

    A call that was interrupted, however that ended, is taken up by the next one with the same arguments: parts that
    are whole are not encoded again. Nothing appears under the name of the output before all of it is there.

    Parameters
    ----------
    data : path, list of str, or anything `read_corpus` takes
        A ``.parquet`` file, or a folder of such files, is never in memory as a whole.
    model : str or Encoder
        Text form, or an `Encoder` whose revision is pinned.
    out : str or path
        ``NAME.parquet``, a folder, or a store: ``milvus:FILE``, ``lancedb:DIR``, ``http://HOST:PORT``. A file or folder
        that this function wrote before is replaced, anything else refused.
    role : str
        document or query: it matters to models with prompts.
    engine : str
        local, this process with all its cores; or ray: workers of a Ray cluster (extra ray), whose machines must all
        see the folder of the output.
    ray_address : str, optional
        ray://HOST:PORT, HOST:PORT or auto. Default: a cluster on this machine, which ends with the call.
    workers : int, optional
        ray: models at a time, a core each. Default: all cores.
    worker_gpus : float, optional
        ray: GPUs of each worker. Default: none.
    part_rows : int
        Most rows of a part, at least 1; a part is what is never encoded twice.
    metric : str, optional
        Of a collection: cosine (default), ip or l2.
    index : str, optional
        Of a collection: flat (default), 'hnsw(M=16,ef=64)'...
    work : path, optional
        Folder in which parts wait until they are in a store. Default: beside the database, for a server the current
        folder.
    text_column, id_column, group_column, group_empty, quotes, header, encoding, chunk, empty, cache
        As for `read_corpus` and `compare`, but with Ray vectors are kept nowhere unless a cache is named.

    Returns
    -------
    Encoding

    Raises
    ------
    DataError
        When the corpus cannot be read as it is; before anything is encoded.
    ParameterError
        When arguments do not fit, or something stands in the place of the output.
    EncoderError, CacheError, StoreError
        When the model, the cache or the store fails; the same call goes on then.
    """
    start = time.perf_counter()
    if not 1 <= part_rows <= MOST:
        raise ParameterError(f"A part must have 1 to {MOST:,} rows. Got {part_rows}. Mend --part-rows.")
    as_role = checked_role(role)
    vectors = VectorCache.at("off" if engine == "ray" and cache is None else cache)
    engaged = _engine(engine, model, vectors, ray_address=ray_address, workers=workers, worker_gpus=worker_gpus)
    form = Form(quotes, header, encoding)
    titles = as_role == "document"  # a query is its text alone
    columns = Columns(
        text_column, id_column, group_column, titles=titles, form=form, group_empty=group_empty, chunk=chunking(chunk)
    )
    pieces = open_pieces(data, columns, empty)
    output = _output(str(out), pieces, work, metric, index)
    encoder = _loaded(model, engaged, pieces, part_rows, vectors)
    job = _job(output, encoder, as_role, pieces, part_rows, vectors)
    with ExitStack() as stack:
        label = output.found(job)
        plan, found, cut = None, 0, 0
        if label is not None:
            _files.remove_left_over(output.target)  # of a command that was killed when it was done
        else:
            what = "database" if output.kind == "store" else output.kind
            stack.enter_context(_files.work_folder(output.target, job.label["job"], _worth_keeping, what))
            plan = lay_ready(pieces, job, part_rows)
            found = _encode(engaged, encoder, job, plan)
            label = _whole_label(job, plan, _measured(encoder, job, plan, vectors))
            cut = output.finish(job, plan, label)
    stamp = Stamp(**job.label["stamp"])
    sizes = {"bytes_per_vector": 4 * stamp.dim, "bytes_kept": vectors.bytes_kept(stamp)}
    assumed = (f"{encoder.spec}: {told}." for told in encoder.about.get("assumed", ()))
    return Encoding(
        out=output.text, kind=output.kind, model=encoder.spec, role=role, fingerprint=job.label["fingerprint"],
        dim=job.label["dim"], rows=label["rows"], parts=label["parts"], parts_found=found, reused=plan is None,
        seconds=time.perf_counter() - start, encoding=figures(label["encoding"]) | sizes, engine=engaged.name,
        workers=engaged.workers, variant=label.get("variant"), collection=output.collection, cut=cut,
        dropped=plan.dropped if plan else 0, dropped_ids=tuple(plan.dropped_ids) if plan else (),
        notes=(*(plan.notes if plan else ()), *vectors.notes, *assumed),
    )  # fmt: skip


def _engine(name: str, model: Any, cache: VectorCache, **options: Any) -> Engine:
    """Return the engine; refuse options that it would silently ignore."""
    if name == "ray":
        from embdiff.bulk.cluster import Ray

        if not isinstance(model, str):
            raise ParameterError(
                f"A model for the engine ray must be a text form, which every machine can load. Got {model!r}. Save it "
                "as a folder and name that (st:FOLDER), or use the engine local."
            )
        return Ray(options["ray_address"], options["workers"], options["worker_gpus"] or 0.0, cache)
    if name not in ENGINES:
        raise UnknownNameError(f"An engine must be one of {', '.join(ENGINES)}. Got {name!r}. Choose one of these.")
    what = "the engine ray: the local one is this process, with all its cores"
    _refuse_given(options, what, "the engine local", "add --engine ray")
    return Engine(cache)


def _refuse_given(options: Mapping[str, Any], what: str, without: str, remedy: str) -> None:
    """Refuse options that would silently be ignored: ``what`` they are for, and what there is instead."""
    for option, value in options.items():
        if value is not None:
            raise ParameterError(
                f"--{option.replace('_', '-')} is for {what}. Got it with {without}. Leave it out, or {remedy}."
            )


def _output(out: str, pieces: Pieces, work: str | Path | None, metric: str | None, index: str | None) -> Output:
    kind = kind_of(out)
    if kind == "store":
        name = Path(pieces.source).stem
        return StoreOutput(out, None if work is None else Path(work), name, metric or "cosine", index or "flat")
    options = {"metric": metric, "index": index, "work": work}
    _refuse_given(options, "a collection in a store", f"the {kind} {out}", "write to a store")
    return FileOutput(Path(out)) if kind == "file" else FolderOutput(Path(out))


def _loaded(model: str | Encoder, engine: Engine, pieces: Pieces, part_rows: int, cache: VectorCache) -> Encoder:
    """Load the model, and let it learn from the whole corpus where it has to; refuse what cannot be gone on with."""
    encoder = get_encoder(model, cache=cache)
    if not isinstance(encoder, Encoder):
        raise ParameterError(
            f"A model to encode with must make vectors. Got {encoder.spec}, which has them already. Name another, or "
            "compare with these as they are."
        )
    if isinstance(encoder, Derived) and encoder.rounds:
        raise ParameterError(
            f"Vectors that are written are float32. Got {encoder.spec}, whose numbers stand for fewer bits; these are "
            "for compare and evaluate. Leave vectors= out, and let the store round them."
        )
    if encoder.learns and engine.name != "local":
        raise ParameterError(
            f"A model that learns from the corpus must have all of it. Got {encoder.spec} with the engine "
            f"{engine.name}, whose workers see parts. Use the engine local."
        )
    if encoder.learns:
        parts = list(pieces.read(part_rows))
        encoder.fit([item for part in parts for item in part.items], digest_of(parts))
    if encoder.stamp.revision == UNPINNED:
        raise ParameterError(
            f"Vectors that are kept must come from a model that something pins down. Got {encoder.spec} without a "
            "revision. Write get_encoder(model, spec=NAME, revision=VERSION)."
        )
    return encoder


def _job(output: Output, encoder: Encoder, role: Role, pieces: Pieces, part_rows: int, cache: VectorCache) -> Job:
    stamp = cache.stamped(encoder.stamp)
    told = {"stamp": stamp.to_dict(), "role": role, "data": pieces.digest(), "part_rows": part_rows, "format": FORMAT}
    key = hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
    folder = _files.work_path(output.target, key)
    return Job(folder, encoder.spec, role, label_of(stamp, role, versions(), model=encoder.spec, job=key))


def _encode(engine: Engine, encoder: Encoder, job: Job, plan: Plan) -> int:
    """Encode the parts that are missing; return how many were there."""
    todo = plan.missing(job)
    with progress(f"encode {job.model}", plan.rows, "texts") as advance:
        advance(plan.rows - sum(plan.sizes[number] for number in todo))
        engine.run(encoder, job, plan, todo, advance)
    return len(plan.sizes) - len(todo)


def _measured(encoder: Encoder, job: Job, plan: Plan, cache: VectorCache) -> dict[str, Any] | None:
    """Return what `measure_variant` finds on rows drawn from all parts; None for a model in float32.

    It is measured once and kept in the folder of the job, so that a command that goes on finds the same.

    Parameters
    ----------
    encoder : Encoder
    job : Job
        All of its parts are encoded.
    plan : Plan
    cache : VectorCache
    """
    lower = encoder.float32_twin(encoder.spec)
    if lower is None:
        return None
    path = job.folder / _VARIANT
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    count = min(ROWS, plan.rows)
    rows = np.sort(np.random.default_rng(_VARIANT_SEED).choice(plan.rows, count, replace=False)).tolist()
    parts = Parts(job, plan)
    drawn = reduce(Batch.followed_by, (parts.read("", row, row + 1) for row in rows))
    found = measure_variant(*lower, drawn.texts, drawn.vectors, cache, _VARIANT_SEED, role=job.role, of_rows=plan.rows)
    _files.write_json(path, found)
    return found


def _whole_label(job: Job, plan: Plan, variant: dict[str, Any] | None) -> dict[str, Any]:
    """Return what is written on all the vectors together."""
    parts = [label_on(job.vectors_of(number)) or {} for number in range(len(plan.sizes))]
    return {
        **({} if variant is None else {"variant": variant}),
        **job.label,
        "rows": plan.rows,
        "parts": len(parts),
        "dropped": plan.dropped,
        "normalized": all(part["normalized"] for part in parts),
        "encoding": added(part["encoding"] for part in parts),
    }


def _worth_keeping(folder: Path, error: BaseException) -> bool:
    """Return whether interrupted work is worth going on with: something is encoded, and nothing was refused."""
    if isinstance(error, (ParameterError, DataError)):
        return False
    return any((folder / "vectors").glob("part-*.parquet"))
