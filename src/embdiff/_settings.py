"""What an option is, and what a model of options can: checked in our words, told by the docstring of its model."""

from __future__ import annotations

import functools
import inspect
import numbers
import os
import re
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, Self, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embdiff._names import refuse_unwritable
from embdiff.errors import EmbdiffError, ParameterError


def option(default: Any, *flags: str, **bounds: Any) -> Any:
    """Return a field with bounds, or with flags where its name does not say how it is written.

    Parameters
    ----------
    default : object
    *flags : str
        ``"-m", "--model"``, or ``"--baseline/--no-baseline"`` for a switch.
    **bounds : number or bool
        As `pydantic.Field` takes them: ``ge``, ``le``, ``lt``, ``strict``...
    """
    return Field(default, json_schema_extra={"flags": [*flags]}, **bounds)


def purposes(documented: object) -> dict[str, str]:
    """Return what the docstring of a model or a function says of each parameter."""
    found = re.findall(r"^(\w+) : .*\n((?: .*\n?)+)", inspect.getdoc(documented) or "", re.MULTILINE)
    return {name: " ".join(words.replace("`", "").split()) for name, words in found}


class Settings(BaseModel):
    """Options of a command, checked; what the docstring of a model says of a parameter is the help of the option."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    no_options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def purposes(cls) -> dict[str, str]:
        """Return what each option of the command is for; fields in ``no_options`` are none."""
        found = purposes(cls)
        return {name: found.get(name, "") for name in cls.model_fields if name not in cls.no_options}

    @classmethod
    def checked(cls, /, **given: Any) -> Self:
        """Build the settings of what was given; say in one message all that is wrong.

        Raises
        ------
        ParameterError
            When a setting is unknown, of the wrong type or out of range.
        """
        for name, value in given.items():
            for text in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(text, (str, os.PathLike)):
                    refuse_unwritable(name, str(text))
        try:
            return cls(**given)
        except ValidationError as error:
            raise cls._refusal(error) from None

    @classmethod
    def _refusal(cls, error: ValidationError) -> EmbdiffError:
        """Return what pydantic found in our words: what must hold, what was got, what to do."""
        found = error.errors()
        for item in found:
            ours = item.get("ctx", {}).get("error")
            if isinstance(ours, EmbdiffError):
                return ours
        wrong = (f"{'.'.join(map(str, item['loc']))} {cls._must(item)}. Got {item['input']!r}. " for item in found)
        return ParameterError(f"{''.join(wrong)}Mend it and run again.")

    @classmethod
    def _must(cls, item: Any) -> str:
        if item["type"] == "extra_forbidden":
            return "must be left out: there is no such setting"
        if item["type"] == "literal_error":
            return f"must be one of {', '.join(re.findall(r'[a-z-]+', item['ctx']['expected'].replace(' or ', ' ')))}"
        bounds = cls.model_fields[str(item["loc"][0])].metadata
        least = [bound.ge for bound in bounds if isinstance(bound, Ge)]
        if not least:
            return str(item["msg"]).replace("Input should", "must").replace("String should", "must")
        most = [f" to {bound.le:,}" for bound in bounds if isinstance(bound, Le)]
        most += [f" to below {bound.lt}" for bound in bounds if isinstance(bound, Lt)]
        return f"must be {'a number' if isinstance(least[0], float) else 'an integer'} from {least[0]}{''.join(most)}"


Given = ParamSpec("Given")
Result = TypeVar("Result")


def done_by(work: Callable[..., Result]) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Let a function that only has a signature, for editors and `help`, be done by ``work``.

    What was given reaches ``work`` by its name, what was not given does not: so the names stand in one signature only.
    """

    def decorate(named: Callable[Given, Result]) -> Callable[Given, Result]:
        signature = inspect.signature(named)

        @functools.wraps(named)
        def call(*args: Given.args, **options: Given.kwargs) -> Result:
            return work(**signature.bind(*args, **options).arguments)

        return typed(call)

    return decorate


def typed(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let a public function name an argument that is none of the types in its signature, before it does anything.

    Raises
    ------
    ParameterError
    """

    @functools.wraps(function)
    def call(*args: Given.args, **options: Given.kwargs) -> Result:
        bound = _signature(function).bind(*args, **options)
        for name, value in bound.arguments.items():
            parameter = _signature(function).parameters[name]
            if value is None and parameter.default is not parameter.empty:  # not given
                continue
            kinds = _kinds(parameter.annotation)
            if kinds and not any(_is_one(value, kind) for kind in kinds):
                raise ParameterError(
                    f"{name} of {function.__name__} must be {' or '.join(map(_word, kinds))}. Got "
                    f"{type(value).__name__} {repr(value)[:60]}. Give one of these."
                )
        return function(*args, **options)

    return call


_WORDS: dict[Any, str] = {
    str: "a text", int: "an integer", float: "a number", bool: "True or False", Path: "a path", Iterable: "a list",
    type(None): "None",
}  # fmt: skip


@functools.cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function, eval_str=True)


@functools.cache
def _kinds(annotation: Any) -> tuple[Any, ...]:
    """Return the kinds of `_WORDS` that an annotation names; none where it allows anything else, too."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    kinds = tuple(Iterable if get_origin(part) in (Sequence, Iterable) else part for part in parts)
    return kinds if all(map(_word, kinds)) else ()


def _word(kind: Any) -> str:
    """Return what a kind of argument is called; "" for one that is not looked at."""
    return _WORDS.get(kind) or (f"a {kind.__name__}" if getattr(kind, "__module__", "").startswith("embdiff.") else "")


def _is_one(value: Any, kind: Any) -> bool:
    if kind in (int, float):
        number = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, os.PathLike)
    return isinstance(value, kind)
