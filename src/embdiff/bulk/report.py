"""What encoding a corpus came to, as a table for people at a terminal."""

from __future__ import annotations

from embdiff._plain import reader
from embdiff.bulk.result import Encoding
from embdiff.views import table
from embdiff.views.encoding_words import variant_words
from embdiff.views.facts import Encoding as Told
from embdiff.views.facts import Model, Variant
from embdiff.views.table import Line, Table
from embdiff.views.tables import encoding_table


def show(done: Encoding) -> None:
    """Print what was encoded on stdout, and how its vectors are used."""
    told: Told = reader(Told).validate_python(done.encoding)
    rows = [("rows, dimension", f"{done.rows:,}, {done.dim}"), ("stamp", f"{done.fingerprint}, {done.role}")]
    if done.collection:
        rows.append(("collection", done.collection))
    if done.reused:
        rows.append(("reused", "it was there already, whole: nothing was done"))
    else:
        rows.append(("parts", f"{done.parts:,}, of which {done.parts_found:,} were there before"))
    rows.append(("texts", f"{told.encoded:,} encoded, {told.cached:,} cached, {told.duplicates:,} repeated"))
    if done.cut:
        rows.append(("cut", f"{done.cut:,} cut to fit the store"))
    if done.dropped:
        rows.append(("dropped", f"{done.dropped:,} without text: {', '.join(done.dropped_ids)}"[:200]))
    rows.append(("time", f"{done.seconds:,.1f} s here, {done.engine} engine, {done.workers:,} at work"))
    models = [Model(done.model, None, {}, told)] if told.texts else []
    parts = [Table(f"{done.model} → {done.out}", (), tuple(rows)), *encoding_table(models)]
    lines = [Line("  Rates are of one worker, the peak is that of the largest.", "dim")] if done.workers > 1 else []
    if done.variant:
        lines.append(Line(variant_words(done.model, reader(Variant).validate_python(done.variant))))
    lines += map(Line, done.notes)
    if done.as_model:
        lines.append(Line(f"Use it as a model: -m '{done.as_model}'", whole=True))
    table.show(*parts, *lines)
