"""What encoding cost: rates, padding, texts cut by the model, memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embdiff.views.table import Table

_MEBIBYTE = 2**20
_HEAD = ("model", "texts/s", "tokens/s", "padded/token", "truncated", "bytes/vector", "peak MiB")


def encoding_table(models: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """Yield the table, for runs that have the figures; earlier versions did not keep them."""
    told = [(model["model"], model["encoding"]) for model in models if "padded_per_token" in model.get("encoding", {})]
    if not told:
        return
    rows = tuple(
        (
            name,
            _count(done["texts_per_second"]),
            _count(done["tokens_per_second"]),
            "" if done["padded_per_token"] is None else f"{done['padded_per_token']:.3f}",
            "" if done["truncated"] is None else f"{done['truncated']:,} ({100 * done['truncated_share']:.1f} %)",
            f"{_count(done['bytes_per_vector'])} / {_count(done.get('bytes_kept'))}".removesuffix(" / "),
            "" if done["peak_memory_bytes"] is None else _count(done["peak_memory_bytes"] / _MEBIBYTE),
        )
        for name, done in told
    )
    yield Table("Encoding", _HEAD, rows, tuple(_remarks(told)))


def _remarks(told: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    for name, done in told:
        if done["truncated"]:
            where = "; their ids are in the manifest (--json)" if "truncated_ids" in done else ""
            yield (
                f"{name}: the model saw only the beginning of {done['truncated']:,} texts, which are longer than its "
                f"limit{where}."
            )
    yield (
        "An empty cell: nothing was encoded, or the model does not count tokens. Bytes of a vector: in memory / in the "
        "cache. Peak: of the whole process so far."
    )


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
