"""encode_corpus(): texts of any size to vectors that are kept, in one place."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from embdiff import _files
from embdiff._optional import versions
from embdiff._progress import progress
from embdiff._settings import done_by
from embdiff.bulk.asked import PART_ROWS, Asked
from embdiff.bulk.outputs import Output, Parts
from embdiff.bulk.parts import Engine, Job, Plan, lay_ready
from embdiff.bulk.result import Encoding
from embdiff.corpus.pieces import Pieces
from embdiff.errors import DataError, ParameterError
from embdiff.kept import VectorCache
from embdiff.records import UNPINNED, Role, Stamp, digest_of
from embdiff.sources import Encoder, get_encoder
from embdiff.sources.derived import Derived
from embdiff.sources.parquet import FORMAT, label_of, label_on
from embdiff.sources.tally import added, figures
from embdiff.stores.collection import Batch, dense
from embdiff.variants import ROWS, measure_variant

_VARIANT, _VARIANT_SEED = "variant.json", 0


@done_by(lambda **asked: _encoded(**asked))
def encode_corpus(  # type: ignore[empty-body]  # what is given goes on, by name
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


def _encoded(data: Any, model: str | Encoder, out: str | Path, **given: Any) -> Encoding:
    """See `encode_corpus`."""
    start = time.perf_counter()
    asked = Asked.of(data, model, out, **given)
    vectors, engaged, pieces, output = asked.vectors, asked.engine, asked.pieces, asked.output
    encoder = _loaded(model, engaged, pieces, asked.part_rows, vectors)
    job = _job(output, encoder, asked.role, pieces, asked.part_rows, vectors)
    with ExitStack() as stack:
        label = output.found(job)
        laid, found, cut = None, 0, 0
        if label is not None:
            _files.remove_left_over(output.target)  # of a command that was killed when it was done
        else:
            what = "database" if output.kind == "store" else output.kind
            stack.enter_context(_files.work_folder(output.target, job.label["job"], _worth_keeping, what))
            laid = lay_ready(pieces, job, asked.part_rows)
            found = _encode(engaged, encoder, job, laid)
            label = _whole_label(job, laid, _measured(encoder, job, laid, vectors))
            cut = output.finish(job, laid, label)
    stamp = Stamp(**job.label["stamp"])
    sizes = {"bytes_per_vector": 4 * stamp.dim, "bytes_kept": vectors.bytes_kept(stamp)}
    assumed = (f"{encoder.spec}: {told}." for told in encoder.about.get("assumed", ()))
    return Encoding(
        out=output.text, kind=output.kind, model=encoder.spec, role=asked.role, fingerprint=job.label["fingerprint"],
        dim=job.label["dim"], rows=label["rows"], parts=label["parts"], parts_found=found, reused=laid is None,
        seconds=time.perf_counter() - start, encoding=figures(label["encoding"]) | sizes, engine=engaged.name,
        workers=engaged.workers, variant=label.get("variant"), collection=output.collection, cut=cut,
        dropped=laid.dropped if laid else 0, dropped_ids=tuple(laid.dropped_ids) if laid else (),
        notes=(*(laid.notes if laid else ()), *vectors.notes, *assumed),
    )  # fmt: skip


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
    found = measure_variant(
        *lower, drawn.texts, dense(drawn.vectors), cache, _VARIANT_SEED, role=job.role, of_rows=plan.rows
    )
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
