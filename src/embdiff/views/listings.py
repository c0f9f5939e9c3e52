"""What can be named, what was copied and what is kept, as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from embdiff.kept.housekeeping import Finding, ShelfInfo, SpaceInfo
from embdiff.measures import Measure
from embdiff.sources.catalogue import EncoderInfo
from embdiff.sources.services.planning import Plan
from embdiff.stores.copying import Copies
from embdiff.views.table import Line, Table, one_line, show

_WIDTH = 80
_SHELVES = {"results": "kept results", "graphs": "exported model"}


def show_models(kinds: Sequence[EncoderInfo], presets: Mapping[str, Sequence[str]], everything: bool) -> None:
    """Print the kinds of models and the presets on stdout, a line each; with ``everything`` what each takes, too."""
    if everything:
        for kind in kinds:
            show(Line(kind.form, "bold"), Line(f"  {kind.summary}"))
            if not kind.installed:
                show(Line(f"  not installed: {kind.pip_line}", "dim"))
        named = (Line(f"  {name}: {', '.join(of)}") for name, of in presets.items())
        show(Line("Presets (--preset)", "bold"), *named)
        return
    forms = [kind.form.partition(",")[0].partition(" or ")[0] for kind in kinds]
    wide = max(map(len, forms))
    rows = tuple((form, one_line(kind.summary, _WIDTH - wide - 6)) for form, kind in zip(forms, kinds, strict=True))
    show(Table("", (), rows))
    missing: dict[str, list[str]] = {}
    for kind in kinds:
        if not kind.installed:
            missing.setdefault(kind.pip_line, []).append(kind.name)
    show(*(Line(one_line(f"{line}  for {', '.join(names)}", _WIDTH), "dim") for line, names in missing.items()))
    show(Line(f"Presets (--preset): {', '.join(presets)}. All that each takes: --all"))


def show_stores(kinds: Sequence[Mapping[str, str]]) -> None:
    """Print the kinds of stores on stdout."""
    rows = tuple((kind["name"], kind["summary"], kind["pip_line"] or "yes") for kind in kinds)
    show(Table("Stores", ("kind", "what it is", "works here"), rows))


def show_copies(copies: Copies) -> None:
    """Print what was copied on stdout, and what was left out and why."""
    rows = tuple(
        (one.name, f"{one.rows:,}", f"{one.copied:,}", f"{one.cut:,}", one.digest[:12]) for one in copies.collections
    )
    head = ("collection", "rows", "written now", "cut", "SHA-256")
    left_out = (Line(f"{name} {why}: not copied") for name, why in copies.left_out.items())
    show(Table(f"{copies.source} → {copies.target}", head, rows), *left_out)


def show_measures(measures: Sequence[Measure], everything: bool) -> None:
    """Print the names of the measures on stdout, by what each is of; with ``everything`` what each is, too."""
    if everything:
        rows = tuple((_named(each), each.summary, each.needs) for each in measures)
        show(Table("Measures", ("measure", "what it is", "needs"), rows))
        return
    by_needs: dict[str, list[str]] = {}
    for each in measures:
        by_needs.setdefault(each.needs, []).append(_named(each))
    show(
        Line(f"{len(measures):,} measures, by what they need; --all says what each is"),
        *(Line(f"  {needs}: {', '.join(names)}") for needs, names in by_needs.items()),
        Line("One of them, with formula and chance level: embdiff measures NAME"),
    )


def _named(measure: Measure) -> str:
    return f"{measure.name}{'@k' if measure.cutoff else ''}"


def show_measure(measure: Measure) -> None:
    """Print everything about one measure on stdout."""
    told = {key.replace("_", " "): value for key, value in measure.to_dict().items() if key != "name"}
    rows = tuple(
        (key, "; ".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in told.items()
    )
    show(Table(measure.name, ("", ""), rows))


def show_spaces(folder: str, spaces: Sequence[SpaceInfo], others: Sequence[ShelfInfo]) -> None:
    """Print what a cache holds on stdout: spaces of vectors, then results and exported models."""
    size = sum(each.bytes for group in (spaces, others) for each in group) / 1e6
    vectors = tuple(
        (
            f"{each.model} ({each.dim} × {each.precision})",
            each.role,
            f"{each.vectors:,}",
            f"{each.batches:,}",
            *_size_and_days(each),
        )
        for each in spaces
    )
    besides = tuple((_SHELVES[each.shelf], each.name, f"{each.items:,}", *_size_and_days(each)) for each in others)
    show(Line(f"{folder}: {len(spaces):,} spaces, {size:,.1f} MB"))
    if vectors:
        show(Table("", ("model", "role", "vectors", "batches", "MB", "unused"), vectors))
    if besides:
        show(Table("", ("besides vectors", "kind", "items", "MB", "unused"), besides))


def _size_and_days(each: SpaceInfo | ShelfInfo) -> tuple[str, str]:
    return f"{each.bytes / 1e6:,.1f}", f"{each.unused_days:.0f} days"


def show_findings(headline: str, findings: Sequence[Finding]) -> None:
    """Print a headline and the entries of a cache that it is about on stdout."""
    rows = tuple((each.entry, each.model, each.why, f"{each.bytes / 1e6:,.1f}") for each in findings)
    show(Line(headline), *([Table("", ("entry", "model", "why", "MB"), rows)] if rows else []))


def _money(price: float | None) -> str:
    if price is None:
        return ""
    return "below 0.0001" if 0 < price < 0.0001 else f"{price:,.4f}"


def show_plan(plan: Plan) -> None:
    """Print on stdout what services would be sent."""
    asked = f", {plan.queries:,} queries" if plan.queries else ""
    told = Line(f"Nothing was sent. {plan.rows:,} rows of {plan.source}{asked}.")
    if not plan.services:
        here = ", ".join(plan.others) + (" get their" if len(plan.others) > 1 else " gets its")
        show(told, Line(f"No service is among the models: {here} texts on this machine."))
        return
    cells = tuple(
        (
            each.model, f"{each.texts:,}", f"{each.kept:,}", f"{each.sent:,}", f"{each.tokens:,}", f"{each.requests:,}",
            _money(each.price),
        )
        for each in plan.services
    )  # fmt: skip
    remarks = (
        "Tokens are an estimate: four characters of ASCII, or one other character, are taken for a token; the service "
        "counts its own. Kept: by what the service was when it was asked last. Beside these, each service is sent one "
        "short sentence whenever it is named, by which it is known again.",
        *(
            ("Prices are the tokens times --price, in its currency.",)
            if any(each.price for each in plan.services)
            else ()
        ),
    )
    head = ("model", "texts", "kept", "to send", "tokens (estimate)", "requests", "price")
    show(told, Table("What services would be sent", head, cells, remarks))
