"""Options of commands made from the models of `embdiff.settings`: a field there is an option here."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def add(app: typer.Typer, command: Callable[..., None], *sources: str, only: Collection[str] = ()) -> None:
    """Add a command under the name of its function, ``NAME_command``.

    Parameters
    ----------
    app : typer.Typer
    command : callable
    *sources : str
        Models of `embdiff.settings`, and functions (``module:name``), whose options ``**given`` of the command stands
        for; None: not given.
    only : collection of str
        Some of the options of the models; empty for all.
    """
    name = command.__name__.removesuffix("_command")
    if not sources:
        app.command(name)(command)
        return

    class Late(TyperCommand):
        """Has its options only when it is called: reading the models takes longer than listing all commands."""

        def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(name)(_with_options(command, sources, only))
            return typer.main.get_command(alone).make_context(info_name, args, parent, **extra)

    app.command(name, cls=Late, help=command.__doc__)(lambda: None)


def _with_options(command: Callable[..., None], sources: Iterable[str], only: Collection[str]) -> Callable[..., None]:
    """Return the command with a parameter for each option in the place of ``**given``."""
    named = inspect.signature(command, eval_str=True).parameters
    own = named.values()
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(field, name, purpose))
        for source in sources
        for name, field, purpose in _fields(source, only)
        if name not in named
    ]
    first = [each for each in own if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    last = [each for each in own if each.kind is inspect.Parameter.KEYWORD_ONLY]
    parameters = [*first, *options, *last]

    def call(**given: Any) -> None:
        command(**given)

    call.__doc__ = command.__doc__
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def _fields(source: str, only: Collection[str]) -> Iterator[tuple[str, FieldInfo, str]]:
    """Yield each option of a model, or keyword of a function, that its docstring says something of."""
    from pydantic.fields import FieldInfo

    from embdiff import settings
    from embdiff._settings import purposes

    if source in vars(settings):
        model = vars(settings)[source]
        for name, purpose in model.purposes().items():
            if name in only or not only:
                yield name, model.model_fields[name], purpose
        return
    module, _, function = source.partition(":")
    named = getattr(importlib.import_module(module), function)
    parameters, told = inspect.signature(named, eval_str=True).parameters, purposes(named)
    for name, each in parameters.items():
        if each.kind is inspect.Parameter.KEYWORD_ONLY and name in told:
            yield name, FieldInfo(annotation=each.annotation, default=each.default), told[name]


def _option(field: FieldInfo, name: str, purpose: str) -> Any:
    """Return the type of a field with its flags and its help, the default added."""
    extra: Any = field.json_schema_extra or {}
    plain = name.replace("_", "-")
    switch = bool in (field.annotation, *get_args(field.annotation))
    flags = extra.get("flags") or [f"--{plain}/--no-{plain}" if switch else f"--{plain}"]
    if isinstance(field.default, str | int | float) and field.default != "" and "Default" not in purpose:
        purpose += f"  [default: {field.default}]"
    kind = bool if "/" in flags[0] else _kind(field.annotation)
    return Annotated[kind | None, typer.Option(*flags, help=purpose, show_default=False)]


def _kind(annotation: Any) -> Any:
    """Return the type of one value as it is typed: that of a field without None; a choice is a text."""
    if get_origin(annotation) is tuple:
        return list[get_args(annotation)[0]]  # type: ignore[misc]
    return next((kind for kind in (int, float, Path) if kind in (annotation, *get_args(annotation))), str)
