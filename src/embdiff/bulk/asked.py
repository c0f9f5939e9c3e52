"""What an encoding is asked to do, checked before a model is loaded; and what it would send to a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embdiff.bulk.outputs import FileOutput, FolderOutput, Output, StoreOutput, kind_of
from embdiff.bulk.parts import ENGINES, Engine
from embdiff.corpus.columns import ColumnName, Columns
from embdiff.corpus.files import Form
from embdiff.corpus.pieces import Pieces, open_pieces
from embdiff.corpus.read import chunking
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.kept import VectorCache, keys_of
from embdiff.records import Role
from embdiff.settings import MOST
from embdiff.sources import Encoder
from embdiff.sources.batches import checked_role
from embdiff.sources.services.planning import Plan, Planning, Wanted

PART_ROWS = 5_000


@dataclass(frozen=True)
class Asked:
    """What an encoding is asked to do, checked; nothing is loaded or encoded yet.

    Parameters
    ----------
    role : {"document", "query"}
    part_rows : int
    vectors : VectorCache
    engine : Engine
    pieces : Pieces
        The corpus.
    output : Output
    """

    role: Role
    part_rows: int
    vectors: VectorCache
    engine: Engine
    pieces: Pieces
    output: Output

    @classmethod
    def of(
        cls, data: Any, model: str | Encoder, out: str | Path, *, role: str = "document", engine: str = "local",
        ray_address: str | None = None, workers: int | None = None, worker_gpus: float | None = None,
        part_rows: int = PART_ROWS, metric: str | None = None, index: str | None = None, work: str | Path | None = None,
        chunk: str | int | None = None, empty: str = "refuse", cache: str | Path | None = None,
        quotes: bool | None = None, header: bool | None = None, encoding: str | None = None,
        text_column: ColumnName = None, id_column: ColumnName = None, group_column: ColumnName = None,
        group_empty: str | None = None,
    ) -> Asked:  # fmt: skip
        """Check the arguments of `encode_corpus`, and find the corpus and the place of the output; raises as it."""
        if not 1 <= part_rows <= MOST:
            raise ParameterError(f"A part must have 1 to {MOST:,} rows. Got {part_rows}. Mend --part-rows.")
        as_role = checked_role(role)
        vectors = VectorCache.at("off" if engine == "ray" and cache is None else cache)
        engaged = _engine(engine, model, vectors, ray_address=ray_address, workers=workers, worker_gpus=worker_gpus)
        form = Form(quotes, header, encoding)
        titles = as_role == "document"  # a query is its text alone
        columns = Columns(
            text_column, id_column, group_column, titles=titles, form=form, group_empty=group_empty,
            chunk=chunking(chunk),
        )  # fmt: skip
        pieces = open_pieces(data, columns, empty)
        return cls(as_role, part_rows, vectors, engaged, pieces, _output(str(out), pieces, work, metric, index))


def plan(data: Any, model: str | Encoder, out: str | Path, *, prices: Sequence[str | float] = (), **given: Any) -> Plan:
    """Say what `encode_corpus`, with the same arguments, would send to a service.

    Parameters
    ----------
    data, model, out, **given
        As for `encode_corpus`.
    prices : sequence of str or float
        Of a million tokens.

    Raises
    ------
    EmbdiffError
        For what `encode_corpus` would refuse before it loads a model; keys, and whether the service answers, are not
        looked at.
    """
    name = model if isinstance(model, str) else str(getattr(model, "spec", "the model"))
    planning = Planning((name,), {} if isinstance(model, str) else {name: model}, prices)
    asked = Asked.of(data, model, out, **given)
    whole, seen = planning.plan(asked.pieces.source, 0, 0, lambda _name: {}, asked.vectors), set[bytes]()
    for piece in asked.pieces.read(asked.part_rows):  # as it is sent: part by part, each text once
        keys = map(bytes, keys_of(piece.items))
        new = {key: text for key, text in zip(keys, piece.items, strict=True) if key not in seen}
        seen.update(new)
        wanted: Wanted = {asked.role: list(new.values())}
        whole += planning.plan(whole.source, len(piece), 0, lambda _name, of=wanted: of, asked.vectors)  # type: ignore[misc]
    return whole


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
