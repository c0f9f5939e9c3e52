"""What an option is, and what a model of options can: checked in our words, told by the docstring of its model."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

from annotated_types import Ge, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
            return f"must be one of {', '.join(re.findall(r'[a-z]+', item['ctx']['expected'].replace(' or ', ' ')))}"
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

        return call

    return decorate
