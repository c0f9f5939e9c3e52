"""Every exception that embdiff raises on purpose.

::

    EmbdiffError
    ├── ParameterError (ValueError)          an argument, flag or option is out of range or does not fit
    │   └── UnknownNameError (LookupError)   a model, store, index, metric or measure nobody registered
    │       └── PluginError                  what another package registered cannot be used
    ├── ShapeError (ValueError)              arrays or records whose shapes do not fit together
    ├── DataError (ValueError)               a file or a list that cannot be read as it is
    ├── MissingDependencyError (ImportError) an optional package is not installed; the message has the pip line
    ├── EncoderError                         a model could not be loaded, or returned unusable vectors
    │   └── UnsoundModelError                its files are there, and give no vectors that mean something
    ├── CacheError                           the vector cache cannot be read or written
    └── StoreError                           a vector database refused, is locked, or holds something else

Each message says what must hold, what was found, and what to do. The command line prints the message alone. No message
holds a secret: whatever is quoted in one, user and password of an address, a token and a key are left out.
"""

import re
from typing import Any

from embdiff._secrets import without_secrets_read
from embdiff._visible import message as harmless

_USER = re.compile(r"(\b[a-z][a-z0-9+]*://|\bhttps?:/?)[^\s'\"]*@", re.IGNORECASE)  # a path has one slash left
_TOKEN = re.compile(r"([?&](?:\w*token|password|secret|\w*key)=)[^\s&#'\"]+", re.IGNORECASE)


def without_quoted_secrets(message: str) -> str:
    """Return a message without what is secret in the addresses that it quotes, without token of the store and keys."""
    return without_secrets_read(_USER.sub(r"\1", _TOKEN.sub(r"\1...", message)))


class EmbdiffError(Exception):
    """Base class: catch this to catch everything that embdiff raises on purpose.

    As text it is harmless, whatever it quotes: on one line, nothing in it acts on a terminal, and under 600 characters.
    """

    def __str__(self) -> str:
        return harmless(super().__str__())

    def __init__(self, message: str = "", *more: Any) -> None:
        super().__init__(without_quoted_secrets(str(message)), *more)


class ParameterError(EmbdiffError, ValueError):
    """An argument, flag or option is out of range or does not fit the others."""


class UnknownNameError(ParameterError, LookupError):
    """A name that is in no registry; the message lists the nearest ones."""


class PluginError(UnknownNameError):
    """What another package registered cannot be imported, is no such thing, or is registered by two packages."""


class PluginWarning(UserWarning):
    """What another package registered is left out, since it cannot be used."""


class ShapeError(EmbdiffError, ValueError):
    """Arrays or records whose shapes do not fit together."""


class DataError(EmbdiffError, ValueError):
    """A file or list that cannot be read as it is; the message names the row and a way out."""


class MissingDependencyError(EmbdiffError, ImportError):
    """An optional package is not installed; the message gives the pip line."""


class EncoderError(EmbdiffError):
    """A model could not be loaded, or returned vectors that cannot be used."""


class UnsoundModelError(EncoderError):
    """A model is there, but its files are damaged or another's: its vectors would mean nothing."""


class CacheError(EmbdiffError):
    """The cache of vectors cannot be read or written; the message says how to go on."""


class StoreError(EmbdiffError):
    """A vector database refused a call, is locked, or holds something that is not ours."""


def in_one_line(error: BaseException) -> str:
    """Return what an error of another library says, for a message of ours: its class and its first line."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"
