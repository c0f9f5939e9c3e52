"""Secrets: read from the environment or the system's keyring, remembered only so that no message shows them."""

from __future__ import annotations

import importlib
import importlib.util
import os
from contextlib import suppress

TOKEN_VARIABLE = "EMBDIFF_STORE_TOKEN"  # noqa: S105 (a name, no secret)
_KEYRING = "keyring"
_SHORTEST = 6  # characters of a secret that are looked for in a message: fewer would be found in ordinary words
_read: set[str] = set()


def secret(variable: str) -> str:
    """Return the secret that goes under the name of an environment variable; "" where there is none.

    Where the variable is not set and the package ``keyring`` is installed, the system's keyring is asked for the
    password of the user ``variable`` of the service ``embdiff`` (``keyring set embdiff OPENAI_API_KEY``).
    """
    found = os.environ.get(variable, "") or _from_keyring(variable)
    if len(found) >= _SHORTEST:
        _read.add(found)
    return found


def without_secrets_read(message: str) -> str:
    """Return a message without the token of the store, and without every secret that this process has read."""
    hidden = {each for each in (*_read, os.environ.get(TOKEN_VARIABLE, "")) if len(each) >= _SHORTEST}
    for each in sorted(hidden, key=len, reverse=True):
        message = message.replace(each, "...")
    return message


def _from_keyring(variable: str) -> str:
    if importlib.util.find_spec(_KEYRING) is None:
        return ""
    with suppress(Exception):  # a machine without a keyring, or one that stays locked: as if there were none
        return importlib.import_module(_KEYRING).get_password("embdiff", variable) or ""
    return ""
