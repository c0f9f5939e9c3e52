"""What a service would be sent, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from embdiff._plain import Record
from embdiff.errors import ParameterError
from embdiff.forms import reranking
from embdiff.kept import VectorCache, keys_of
from embdiff.records import Role
from embdiff.sources.batches import of_like_length
from embdiff.sources.derived import shape_of
from embdiff.sources.services.service import WHAT, Probed, estimated_tokens, identity_of, interface_of
from embdiff.specs import SERVICES, ModelSpec

Wanted = Mapping[Role, Sequence[str]]  # by role the texts whose vectors are wanted


@dataclass(frozen=True)
class Planned(Record):
    """What one service would be sent.

    Parameters
    ----------
    model : str
        The name it goes under.
    texts : int
        Different ones, a query and a document apart where the service tells them apart.
    kept : int
        Of which vectors are kept, by what the service was when it was asked last.
    tokens : int
        An estimate, of those that are to be sent.
    requests : int
        Without the sentence by which a service is known again.
    price : float or None
        In the currency of the price per million tokens; None where no price was given.
    """

    model: str
    texts: int
    kept: int
    tokens: int
    requests: int
    price: float | None

    @property
    def sent(self) -> int:
        """Texts that would be sent."""
        return self.texts - self.kept

    def __add__(self, more: Planned) -> Planned:
        """Return both, of one service that is sent other texts."""
        price = None if self.price is None or more.price is None else self.price + more.price
        counts = {name: getattr(self, name) + getattr(more, name) for name in ("texts", "kept", "tokens", "requests")}
        return replace(self, price=price, **counts)


@dataclass(frozen=True)
class Plan(Record):
    """What a command would send.

    Parameters
    ----------
    source : str
        Of the texts.
    rows, queries : int
    services : tuple of Planned
    others : tuple of str
        Models that are no services: they get nothing sent by embdiff.
    """

    source: str
    rows: int
    queries: int
    services: tuple[Planned, ...]
    others: tuple[str, ...]

    def __add__(self, more: Plan) -> Plan:
        """Return both, of the same models and other texts."""
        services = tuple(one + other for one, other in zip(self.services, more.services, strict=True))
        return Plan(self.source, self.rows + more.rows, self.queries + more.queries, services, self.others)


class Planning:
    """The services among the models of a command, and what they ask for a million tokens.

    Parameters
    ----------
    names : collection of str
        Of the models.
    objects : mapping of str to object
        Models that are no text forms, and the forms of those with an alias, by the name they go under.
    prices : sequence of str or float
        Of a million tokens: ``0.02`` for every service, ``MODEL=0.13`` for one.

    Raises
    ------
    ParameterError
        For prices that do not hold.
    """

    def __init__(self, names: Collection[str], objects: Mapping[str, Any], prices: Sequence[str | float]) -> None:
        forms = {name: form for name in names if isinstance(form := objects.get(name, name), str)}
        bases = {name: behind.base if (behind := reranking(form)) else form for name, form in forms.items()}
        found = {name: form for name, form in bases.items() if form.partition(":")[0] in SERVICES}
        self.others = tuple(name for name in dict.fromkeys(names) if name not in found)
        self._forms: dict[str, str] = {}
        for name, form in found.items():  # variants come from one pass, under the first name
            full = str(shape_of(ModelSpec.parse(form))[0])
            if full not in self._forms.values():
                self._forms[name] = full
        self._prices = prices_of(prices, self._forms, "a service among the models")

    def plan(self, source: str, rows: int, queries: int, wanted: Callable[[str], Wanted], cache: VectorCache) -> Plan:
        """Return what would be sent; ``wanted`` of each model, by its name."""
        counted = (
            planned(name, form, wanted(name), cache, self._prices.get(name)) for name, form in self._forms.items()
        )
        return Plan(source, rows, queries, tuple(counted), self.others)


def prices_of(prices: Sequence[str | float], models: Collection[str], what: str) -> dict[str, float]:
    """Return the price of each model that has one; one that is named wins. ``what`` they are, for the message."""
    everywhere, named = None, {}
    for text in map(str, prices):
        name, _, number = text.rpartition("=")
        try:
            price = float(number)
        except ValueError:
            price = math.nan
        if not 0 <= price < math.inf or (name and name not in models):
            raise ParameterError(
                f"A price must be written NUMBER, or MODEL=NUMBER of {what}, per million tokens. Got {text!r}. "
                "Write --price 0.02."
            )
        if name:
            named[name] = price
        else:
            everywhere = price
    return {name: everywhere for name in models if everywhere is not None} | named


def planned(name: str, form: str, wanted: Wanted, cache: VectorCache, price: float | None) -> Planned:
    """Count what a service would be sent; nobody is asked, and no key is needed.

    Parameters
    ----------
    name, form : str
        What the model goes under, and its text form.
    wanted : mapping
        By role the texts whose vectors are wanted.
    cache : VectorCache
    price : float or None
        Of a million tokens.

    Raises
    ------
    ParameterError
        For a text form that does not hold.
    """
    spec = ModelSpec.parse(form)
    interface = interface_of(spec)
    known: Probed | None = cache.results.get(WHAT, identity_of(spec))
    by_role: dict[Role, dict[str, None]] = {}
    for role, items in wanted.items():
        by_role.setdefault("document" if interface.same_roles else role, {}).update(dict.fromkeys(items))
    texts = kept = tokens = requests = 0
    for role, distinct in by_role.items():
        left = list(distinct)
        space = None if known is None else cache.space(known.stamp, role)
        if space is not None and left:
            found, _ = cache.get(space, keys_of(left))
            left = [text for text, there in zip(left, found, strict=True) if not there]
        lengths = estimated_tokens(interface.prompted(left, role))
        texts, kept, tokens = texts + len(distinct), kept + len(distinct) - len(left), tokens + int(lengths.sum())
        requests += sum(1 for _ in of_like_length(lengths, interface.batch, interface.tokens))
    return Planned(name, texts, kept, tokens, requests, None if price is None else tokens * price / 1e6)
