"""Reading a model's text form: which options a kind takes, and numbers that must be in range."""

from __future__ import annotations

import re
from collections.abc import Collection

from embdiff.errors import ParameterError
from embdiff.specs import ModelSpec


def refuse_unused(spec: ModelSpec, used: Collection[str] = ()) -> None:
    """Refuse options that this kind of model would silently ignore.

    Raises
    ------
    ParameterError
        Naming the option and those that the kind takes.
    """
    for key in spec.options:
        if key not in used:
            known = f"be one of {', '.join(used)}" if used else "not be given: it takes none"
            raise ParameterError(f"An option of {spec.kind} must {known}. Got {key} in '{spec}'. Leave {key} out.")


def refuse_name(spec: ModelSpec) -> None:
    """Refuse a name where the kind is the whole model."""
    if spec.name:
        raise ParameterError(
            f"The model {spec.kind} must be written without a name. Got '{spec}'. Write {spec.kind}, or st:{spec.name} "
            "for a model of that name."
        )


def whole_number(spec: ModelSpec, text: str, what: str, lowest: int, highest: int) -> int:
    """Return ``text`` as an integer between the bounds.

    Raises
    ------
    ParameterError
        When it is none, or out of range.
    """
    if re.fullmatch(r"[0-9]{1,9}", text) and lowest <= int(text) <= highest:
        return int(text)
    raise ParameterError(
        f"{what} must be an integer between {lowest} and {highest}. Got {text!r} in '{spec}'. "
        "Write a number in that range."
    )
