"""Where the command line prints: any locale, closed or full streams, and what the caller typed."""

from __future__ import annotations

import codecs
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from embdiff._visible import message
from embdiff.errors import ParameterError, PluginWarning


def prepare() -> None:
    """Let what a stream cannot write be written out as an escape, and give closed streams somewhere to go.

    A file that is opened while standard error is closed would get its number, and what libraries print there.
    """
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        null = os.dup(null)
    os.close(null)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - lives as long as we do
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # other programs put streams of their own there
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    others = warnings.showwarning

    def show(told: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, PluginWarning):
            tell(str(told))
        else:
            others(told, category, *where)

    warnings.showwarning = show  # type: ignore[assignment]


def refuse_undecodable(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no text in this locale before any work begins: no file of a run could name them.

    Raises
    ------
    ParameterError
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            kind = sys.getfilesystemencoding()
            utf8 = codecs.lookup(kind).name == "utf-8"
            mend = "Rename the file" if utf8 else "Set PYTHONUTF8=1, or a locale of UTF-8 such as LC_ALL=C.UTF-8"
            raise ParameterError(
                f"What is typed must be text in {kind}, names of files too. Got {argument!r}. {mend}."
            ) from None


def is_utf8(stream: TextIO) -> bool:
    """Return whether a stream can write every character."""
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name.startswith("utf")


def tell(text: str) -> None:
    """Print a message on standard error; where nobody can be told, nothing is."""
    with suppress(OSError, ValueError):
        print(f"embdiff: {message(text)}", file=sys.stderr, flush=True)  # noqa: T201


def give_up() -> None:
    """Forget what standard output did not take: it would be tried again, and complained about, when Python ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
