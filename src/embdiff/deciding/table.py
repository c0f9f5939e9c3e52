"""The rules of a decision, read from one table."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from embdiff._names import refuse_endless
from embdiff._registry import nearest
from embdiff.comparison.relisted import LABELS, LISTS
from embdiff.errors import DataError, EmbdiffError, ParameterError
from embdiff.measures.rules import Rule, read_rule

_BEGIN = "Begin with what 'embdiff decide --rules' prints."
_KEYS = {"judgements": "out-if", "groups": "out-if", "agreement": "not-same-if", "mapped": "not-kept-if"}


@dataclass(frozen=True)
class Rules:
    """What models are held to: by judgements, by groups, for being the same; and old vectors, mapped."""

    error: float
    judgements: tuple[Rule, ...]
    groups: tuple[Rule, ...]
    agreement: tuple[Rule, ...]
    mapped: tuple[Rule, ...]

    def of(self, basis: str) -> tuple[Rule, ...]:
        """Return the rules for what a run rests on."""
        found: tuple[Rule, ...] = getattr(self, basis)
        return found


def table_text(path: str | Path | None = None) -> str:
    """Return a table of rules as it stands; by default the one that comes with embdiff.

    Raises
    ------
    DataError, ParameterError, UnknownNameError
        As `read_table`.
    """
    if path is None:
        return files("embdiff.deciding").joinpath("decide.toml").read_text(encoding="utf-8")
    read_table(path)
    return Path(path).read_text(encoding="utf-8")


def read_table(path: str | Path | None = None) -> Rules:
    """Read a table of rules; by default the one that comes with embdiff.

    Raises
    ------
    DataError
        When the file is not there, or no TOML.
    ParameterError, UnknownNameError
        When something in it is unknown, or no such rule.
    """
    if path is None:
        return _rules(tomllib.loads(table_text()), "decide.toml")
    try:
        refuse_endless(Path(path))
        told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except EmbdiffError:
        raise
    except (OSError, ValueError, RecursionError) as error:  # TOML's own error is a ValueError
        found = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DataError(f"A table of rules must be a UTF-8 TOML file. Got {path}: {found}. {_BEGIN}") from None
    return _rules(told, str(path))


def _rules(told: dict[str, Any], where: str) -> Rules:
    for key in told:
        if key not in (*_KEYS, "error"):
            raise ParameterError(
                f"A table of rules has error and the sections {', '.join(_KEYS)}. Got {key!r} in {where}. "
                f"{nearest(key, [*_KEYS, 'error'])}"
            )
    error = told.get("error")
    if isinstance(error, bool) or not isinstance(error, float) or not 0.001 <= error <= 0.2:
        raise ParameterError(
            f"error in a table of rules must be a number from 0.001 to 0.2. Got {error!r} in {where}. Write 0.05."
        )
    return Rules(error, *(tuple(_section(told, name, where)) for name in _KEYS))


def _section(told: dict[str, Any], name: str, where: str) -> list[Rule]:
    section, key = told.get(name), _KEYS[name]
    texts = section.get(key) if isinstance(section, dict) and set(section) == {key} else None
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ParameterError(
            f"A table of rules must have {key}, a list of rules, and nothing else in [{name}]. Got "
            f"{str(section)[:80]} in {where}. {_BEGIN}"
        )
    rules = [read_rule(text) for text in texts]
    for rule in rules:
        labelled = rule.drop and rule.spec.measure.needs in LABELS
        alike = not rule.drop and rule.spec.measure.needs in LISTS and not rule.above
        of_lists = name in ("agreement", "mapped")
        if not (alike if of_lists else labelled):
            what = "the lists of two models, from below" if of_lists else "the drop of a labelled measure"
            raise ParameterError(f"A rule of [{name}] must limit {what}. Got {rule} in {where}. {_BEGIN}")
    return rules
