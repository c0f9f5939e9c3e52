"""What encoding a corpus came to, as a table for people at a terminal."""

from __future__ import annotations

from rich.console import Console, Group
from rich.text import Text

from embdiff._plain import reader
from embdiff.bulk.result import Encoding
from embdiff.views.facts import Encoding as Told
from embdiff.views.facts import Model, Variant
from embdiff.views.table import drawn, empty
from embdiff.views.tables import encoding_table
from embdiff.views.words import variant_words, visible


def show(done: Encoding) -> None:
    """Print what was encoded on stdout, and how its vectors are used."""
    table = empty(f"{done.model} → {done.out}", ("", ""))
    told: Told = reader(Told).validate_python(done.encoding)
    table.add_row("rows, dimension", f"{done.rows:,}, {done.dim}")
    table.add_row("stamp", f"{done.fingerprint}, {done.role}")
    if done.collection:
        table.add_row("collection", done.collection)
    if done.reused:
        table.add_row("reused", "it was there already, whole: nothing was done")
    else:
        table.add_row("parts", f"{done.parts:,}, of which {done.parts_found:,} were there before")
    table.add_row("texts", f"{told.encoded:,} encoded, {told.cached:,} cached, {told.duplicates:,} repeated")
    if done.cut:
        table.add_row("cut", f"{done.cut:,} cut to fit the store")
    if done.dropped:
        table.add_row("dropped", f"{done.dropped:,} without text: {', '.join(done.dropped_ids)}"[:200])
    table.add_row("time", f"{done.seconds:,.1f} s here, {done.engine} engine, {done.workers:,} at work")
    models = [Model(done.model, None, {}, told)] if told.texts else []
    cost = [part for each in encoding_table(models) for part in drawn(each)]
    if done.workers > 1:
        cost.append(Text("  Rates are of one worker, the peak is that of the largest.", style="dim"))
    variant = [variant_words(done.model, reader(Variant).validate_python(done.variant))] if done.variant else []
    notes = [Text(visible(note)) for note in (*variant, *done.notes)]
    use = [Text(f"Use it as a model: -m '{done.as_model}'")] if done.as_model else []
    Console(highlight=False).print(Group(table, *cost, *notes, *use), soft_wrap=True)
