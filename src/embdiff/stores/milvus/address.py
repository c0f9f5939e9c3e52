"""The text form of a server's address, with its secrets kept apart."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from embdiff.errors import ParameterError
from embdiff.specs import read_options

_OPTIONS = ("token", "db", "patience")
_LONGEST = 86_400.0  # seconds


@dataclass(frozen=True)
class Address:
    """Where a Milvus server is and how to enter it.

    Parameters
    ----------
    url : str
        ``http://HOST:PORT`` or ``https://HOST:PORT``.
    token : str
        API key or ``USER:PASSWORD``; "" for none. Never shown.
    db : str
        Name of a database; "" for the default one.
    patience : float, optional
        Seconds to wait for the server while it does not answer; None for the usual.
    """

    url: str
    token: str = field(default="", repr=False)
    db: str = ""
    patience: float | None = None

    @classmethod
    def parse(cls, uri: str, default_token: str) -> Address:
        """Read ``http(s)://[USER:PASSWORD@]HOST[:PORT][?token=...&db=...&patience=SECONDS]``.

        Raises
        ------
        UnknownNameError
            For an unknown option.
        ParameterError
            When the text is no such address.
        """
        head, options = read_options(uri, "a server", _OPTIONS, may_be_empty=_OPTIONS, secret=True)
        try:
            parts = urlsplit(head)
            host, _ = parts.hostname, parts.port  # asked for a port that is no number, it raises
        except ValueError:
            host = None
        if not host or parts.path.strip("/") or parts.fragment:
            raise ParameterError(
                "A server must be written http://HOST:PORT or https://HOST:PORT, with ?db=NAME behind it for a "
                f"database. Got {head.rpartition('@')[2]!r}. Mend the address."
            )
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        patience = _seconds(options["patience"]) if "patience" in options else None
        return cls(url, options.get("token") or user or default_token, options.get("db", ""), patience)

    @property
    def public(self) -> str:
        """The text form without secrets."""
        return f"{self.url}?db={self.db}" if self.db else self.url


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0.0 <= (seconds := float(text)) <= _LONGEST:
            return seconds
    raise ParameterError(
        f"patience must be seconds from 0 to {_LONGEST:,.0f}. Got {text!r}. Write 0 to ask a server only once."
    )
