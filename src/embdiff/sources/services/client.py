"""Asking a service over HTTP, with patience: what may pass is asked again, what will not is told at once."""

from __future__ import annotations

import json
import random
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from embdiff._optional import require
from embdiff._secrets import without_secrets_read
from embdiff.errors import EncoderError, in_one_line
from embdiff.sources.services.address import Address

T = TypeVar("T")
PATIENCE = 300.0  # seconds that one request is tried for: limits are often counted by the minute
FIRST, LONGEST = 0.5, 30.0  # seconds: the first pause, doubled each time up to the longest; half of it is drawn
MALFORMED = 5  # answers that are none, in a row: more trying brings no better one
ANSWER_BYTES = 512 * 2**20
SECONDS = {"connect": 10.0, "read": 180.0, "write": 60.0, "pool": 10.0}  # a server that loads its model takes its time
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_KEY = frozenset({401, 403})
_TEXTS = frozenset({400, 413, 422})  # too many, too long, or not to its liking
_FOREVER = ("insufficient_quota", "billing")  # of status 429: no waiting helps
_SHOWN = 200  # characters of what a service says
_BEGINNING = 65_536  # bytes of an error's body that are looked at


class Malformed(Exception):  # noqa: N818 - says what the answer is
    """An answer that is not what was asked for; another try may bring a better one."""


class Refused(Exception):  # noqa: N818
    """A service does not take these texts, with its reason."""


@dataclass
class _Passing(Exception):  # noqa: N818
    """What may be over soon; ``wait``: seconds that the service asks for, None where it does not say."""

    what: str
    wait: float | None = None
    unreached: bool = False


class Client:
    """Asks one service.

    Parameters
    ----------
    spec : str
        The model as typed, for messages.
    address : Address
    headers : mapping of str to str
        The key among them.
    clock, sleep, draw : callable
        Time, pauses, and numbers from [0, 1) by which pauses are spread.

    Attributes
    ----------
    asked, again : int
        Requests that were sent, and how many of them were sent once more.
    """

    def __init__(
        self,
        spec: str,
        address: Address,
        headers: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._http = require("httpx2", "service", f"The model '{spec}'")
        self._spec, self._address = spec, address
        self._clock, self._sleep, self._draw = clock, sleep, draw
        self.asked = self.again = 0
        # Proxies of the environment are for the way out: what stays in the own network goes there directly.
        self._client = self._http.Client(
            headers=dict(headers), timeout=self._http.Timeout(**SECONDS), trust_env=address.encrypted
        )
        weakref.finalize(self, self._client.close)

    def post(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T], *, first: bool = False) -> T:
        """Return what ``read`` makes of the answer.

        Parameters
        ----------
        path : str
            Behind the address.
        body : mapping
            Sent as JSON.
        read : callable
            Given the answer; raises Malformed where it is not what was asked for.
        first : bool
            Whether nothing was asked before: a host that nobody reaches is then told at once.

        Raises
        ------
        Refused
            When the service does not take the texts.
        EncoderError
            When it refuses for good, or does not come round within `PATIENCE` seconds.
        """
        begun, tries, malformed = self._clock(), 0, 0
        while True:
            try:
                return read(self._answer(path, body))
            except Malformed as error:
                trouble, malformed = _Passing(str(error)), malformed + 1
            except _Passing as error:
                trouble, malformed = error, 0
            tries += 1
            pause = self._pause(tries, trouble.wait)
            spent = self._clock() - begun
            if malformed >= MALFORMED:
                raise EncoderError(
                    f"The service of '{self._spec}' must answer with what it was asked for. Got {trouble.what}, "
                    f"{malformed} times in a row. What it answered so far is kept: run the same command again later."
                ) from None
            if (first and trouble.unreached) or spent + pause > PATIENCE:
                raise EncoderError(self._given_up(trouble, tries, spent)) from None
            self._sleep(pause)
            self.again += 1

    def _pause(self, tries: int, wanted: float | None) -> float:
        """Return seconds to wait: what the service asks for, else doubled each time; spread, as others wait, too."""
        if wanted is not None:
            return wanted + self._draw() * FIRST
        most = min(LONGEST, FIRST * 2.0 ** (tries - 1))
        return most / 2 + self._draw() * most / 2

    def _given_up(self, trouble: _Passing, tries: int, spent: float) -> str:
        if trouble.unreached and tries == 1:
            return (
                f"The service of '{self._spec}' must answer at {self._address.url}. Got {trouble.what}. Check the "
                "address, and that the server runs."
            )
        asks = "" if trouble.wait is None else f"; it asks to wait {trouble.wait:,.0f} s"
        return (
            f"The service of '{self._spec}' must answer within {PATIENCE:.0f} seconds. Got {trouble.what}, "
            f"{tries} {'time' if tries == 1 else 'times'} in {spent:,.0f} s{asks}. What it answered so far is kept: "
            "run the same command again later."
        )

    def _answer(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send one request and return the JSON of its answer."""
        self.asked += 1
        content = json.dumps(body, allow_nan=False).encode("ascii")  # halves of surrogate pairs stay what they are
        headers = {"Content-Type": "application/json"}
        try:
            with self._client.stream("POST", self._address.url + path, content=content, headers=headers) as response:
                raw = _whole(response, ANSWER_BYTES if response.status_code == 200 else _BEGINNING)
        except (self._http.ConnectError, self._http.ConnectTimeout) as error:
            raise _Passing(in_one_line(error)[:_SHOWN], unreached=True) from None
        except (self._http.TransportError, self._http.DecodingError) as error:
            raise _Passing(in_one_line(error)[:_SHOWN]) from None
        except (self._http.InvalidURL, UnicodeError) as error:
            raise EncoderError(f"base_url of '{self._spec}' must be an address. Got {in_one_line(error)}.") from None
        if response.status_code != 200:
            self._refuse(response.status_code, response.headers, raw)
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise Malformed(f"an answer that is no JSON ({len(raw):,} bytes)") from None

    def _refuse(self, status: int, headers: Mapping[str, str], raw: bytes) -> None:
        """Raise what another status than 200 means."""
        said = f"status {status}: {what_it_says(raw)}"
        if status in _PASSING and not any(word in said for word in _FOREVER):
            raise _Passing(said, wait_of(headers, datetime.now(UTC)))
        if status in _TEXTS:
            raise Refused(said)
        advice = "Check the model's name and base_url."
        if status in _KEY:
            way = "Name the variable of its key: &key_from=VARIABLE"
            advice = f"Check the key in {self._address.variable}." if self._address.variable else f"{way}."
        raise EncoderError(
            f"The service of '{self._spec}' must take what it is asked. Got {said}, from {self._address.url}. {advice}"
        )


def _whole(response: Any, most: int) -> bytes:
    """Read an answer; of one that is longer than is useful the beginning."""
    found = bytearray()
    for chunk in response.iter_bytes():
        found += chunk
        if len(found) >= most:
            break
    return bytes(found[:most])


def what_it_says(raw: bytes) -> str:
    """Return what the body of an error says, cut: ``{"error": ...}``, ``{"detail": ...}``, ``{"message": ...}``.

    Inputs that some services send back are left out.
    """
    text = raw.decode("utf-8", "replace").strip()
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        found = next((told[key] for key in ("error", "detail", "message") if told.get(key)), "")
        text = "; ".join(_words(each) for each in (found if isinstance(found, list) else [found])[:3])
    line = " ".join(without_secrets_read(text).split())  # before it is cut: half a key is a secret, too
    return (line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…") or "nothing more"


def _words(told: Any) -> str:
    """Return the message of an error, its code behind it."""
    if not isinstance(told, dict):
        return str(told)
    message = str(told.get("message") or told.get("msg") or "")
    return f"{message} ({told['code']})" if isinstance(told.get("code"), str) else message


def wait_of(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that a service asks to wait: ``Retry-After-Ms``, ``Retry-After`` in seconds or as a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
