"""Probes in words: which model goes along with which change; at most 40 lines of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator

from embdiff.measures.differences import ALPHA
from embdiff.probing.changes import CHANGES
from embdiff.probing.found import Found, Probe
from embdiff.views.answer import LINES, WIDTH
from embdiff.views.numbers import estimate, number
from embdiff.views.table import Line, Part, Table, once, one_line, plain_text

_FEWER = ((4, True), (3, True), (3, False), (2, True), (2, False), (1, False))  # models on a screen, and examples
_TEXT = 60
_MOST_DIGITS = 5
_LEAST = 0.005  # of a drop that is worth an example
_NOTE = (
    "drop: how far the changed sentence goes from its original to an unrelated text (0: not at all, 1: as far as a "
    "random pair). finds: how often it finds its original first among {among:,} texts. Typos and capitals leave the "
    "meaning: a drop is fragility. Negations and numbers change it: no drop is blindness. Word order does either."
)


def drawn(found: Found, *, everything: bool) -> list[Part]:
    """Return what was asked, the table, an example of each change, the findings last: all, or what fits on a screen."""
    if everything:
        return list(_drawn(found, len(found.models), examples=True, everything=True))
    for models, examples in _FEWER:
        parts = list(_drawn(found, models, examples=examples))
        if plain_text(parts, WIDTH).count("\n") < LINES:
            break
    return parts


def _drawn(found: Found, models: int, *, examples: bool, everything: bool = False) -> Iterator[Part]:
    yield Line(
        f"{found.sampled:,} sentences of {found.source} ({found.rows:,} rows), changed with seed {found.seed}", "dim"
    )
    shown = found.models[:models]
    rows = [
        (f"{each.change} ({each.n:,})", each.model, _drop(each), _share(each))
        for each in found.probes
        if each.model in shown and each.n
    ]
    hidden = len(found.models) - len(shown)
    remarks = [_NOTE.format(among=found.among), *_unchanged(found)]
    if hidden:
        remarks.append(f"{hidden:,} more model{'s' * (hidden > 1)}: --all")
    yield Table("", ("change (n)", "model", "drop [95 %]", "finds [95 %]"), tuple(once(rows)), tuple(remarks))
    if examples:
        yield from (Line(each, "dim") for each in _examples(found, everything))
    yield from (Line(each, "bold") for each in findings(found))


def _drop(probe: Probe) -> str:
    """Return a drop with its interval; of drops that are all equal there is none."""
    if not math.isfinite(probe.low):
        return _rounded(probe.drop)
    low, high = (round(each, 2) + 0.0 for each in (probe.low, probe.high))
    return estimate(round(probe.drop, 2) + 0.0, low, high, 2, 2)


def _rounded(value: float, digits: int = 2) -> str:
    return number(round(value, digits) + 0.0, digits)  # never -0.00


def _apart(one: float, other: float) -> tuple[str, str]:
    """Return two drops with as many digits as show that they differ: sure differences may be tiny."""
    told = (each for each in range(2, _MOST_DIGITS) if _rounded(one, each) != _rounded(other, each))
    digits = next(told, _MOST_DIGITS)
    return _rounded(one, digits), _rounded(other, digits)


def _share(probe: Probe) -> str:
    if not math.isfinite(probe.found):
        return "n/a"
    within = "" if math.isnan(probe.found_low) else f" [{100 * probe.found_low:.0f}, {100 * probe.found_high:.0f}]"
    return f"{100 * probe.found:.0f} %{within}"


def _unchanged(found: Found) -> Iterator[str]:
    left = [f"{name} {count:,}" for name, count in found.unchanged.items() if count]
    if left:
        yield f"Sentences that could not be changed so, of {found.sampled:,}: {', '.join(left)}."


def _examples(found: Found, everything: bool) -> Iterator[str]:
    """Yield of each change the sentence that went farthest in any model, or in every one."""
    for change in found.unchanged:
        mine = [each for each in found.probes if each.change == change and each.example and each.example.drop >= _LEAST]
        mine.sort(key=lambda each: -each.example.drop if each.example else 0.0)
        for each in mine if everything else mine[:1]:
            example = each.example
            assert example is not None
            instead = "" if example.instead is None else f"; finds {example.instead} first"
            told = one_line(example.changed, _TEXT)
            yield f"{change}: {example.id} as “{told}”: drop {number(example.drop, 2)} in {each.model}{instead}"


def findings(found: Found) -> Iterator[str]:
    """Yield a sentence for each change of which models surely take more notice than others."""
    told, sure = False, [test for test in found.tests if test.p_holm < ALPHA]
    for change in found.unchanged:
        tests = [test for test in sure if test.measure == f"drop: {change}"]
        if not tests:
            continue
        told = True
        largest = max(tests, key=lambda test: abs(test.difference))
        more, less = largest.models if largest.difference > 0 else largest.models[::-1]
        values = {each.model: each for each in found.probes if each.change == change}
        word = "is more fragile than" if CHANGES[change][2] else "takes more notice than"
        also = f" (the widest of {len(tests):,} sure differences)" if len(tests) > 1 else ""
        one, other = _apart(values[more].drop, values[less].drop)
        yield (
            f"{change}, {CHANGES[change][1]}: {more} {word} {less}: drop {one} against {other}, "
            f"p = {largest.p_holm:.4f}{also}."
        )
    if not told:
        yield "Of no change does one model surely take more notice than another."
