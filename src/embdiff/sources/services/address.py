"""Where a service is, and which key it is given: both only as the user named them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from embdiff._secrets import secret
from embdiff.errors import ParameterError
from embdiff.specs import ModelSpec

_OWN_NAMES = (".local", ".lan", ".internal", ".home.arpa", ".localhost")  # of private networks: RFC 6762, 8375, 6761


@dataclass(frozen=True)
class Address:
    """Where a service is.

    Parameters
    ----------
    url : str
        Without a slash at its end.
    key : str
        "" for none. Never shown.
    variable : str
        The environment variable that the key is of; "" where none was named.
    """

    url: str
    key: str = field(default="", repr=False)
    variable: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether what is sent is encrypted."""
        return self.url.startswith("https:")


def address_of(spec: ModelSpec, home: str, variable: str) -> Address:
    """Return the address that a text form names, or the service's own.

    The key of a service goes to the service's own address only: for another one the user names the variable of its key,
    or no key is sent.

    Parameters
    ----------
    spec : ModelSpec
    home : str
        Where the service itself is.
    variable : str
        The environment variable of its key; "" where it needs none.

    Raises
    ------
    ParameterError
        For a ``base_url`` that is no address, or that would send texts over a foreign network in the clear; where a key
        is needed and there is none.
    """
    url = url_of(spec, home)
    named = spec.options.get("key_from", variable if url == home else "")
    key = secret(named) if named else ""
    if named and not key:
        raise ParameterError(
            f"The service of '{spec}' needs a key. Got none: the environment variable {named} is empty, and no keyring "
            f"has one. Set {named}, or name a server of your own with ?base_url=http://127.0.0.1:PORT/v1."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ParameterError(
            f"A key must be of printable ASCII characters without blanks, to travel in a header. Got something else in "
            f"{named}. Set it again."
        )
    return Address(url, key, named)


def url_of(spec: ModelSpec, home: str) -> str:
    """Return where the service is; raises as `address_of` for an address that is none."""
    url = spec.options.get("base_url", home).rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or not url.isprintable() or " " in url:
        raise ParameterError(
            f"base_url must be written http://HOST:PORT/PATH or https://HOST/PATH. Got {url!r}. Write for example "
            f"{spec.kind}:{spec.name or 'MODEL'}?base_url=http://127.0.0.1:8000/v1."
        )
    if parts.scheme == "http" and not _is_near(host):
        raise ParameterError(
            f"Texts and keys must not travel in the clear: http is for this machine and private networks. Got {url!r}. "
            "Write https://, or forward a port of this machine to that host and name http://127.0.0.1:PORT."
        )
    return url


def _is_near(host: str) -> bool:
    """Return whether a host is this machine or of a private network; a name is never looked up for this."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.lower().endswith(_OWN_NAMES)
    return found.is_loopback or found.is_private or found.is_link_local
