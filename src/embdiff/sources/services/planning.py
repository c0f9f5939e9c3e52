"""What a service would be sent, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embdiff._plain import Record
from embdiff.kept import VectorCache, keys_of
from embdiff.records import Role
from embdiff.sources.batches import of_like_length
from embdiff.sources.services.service import WHAT, Probed, estimated_tokens, identity_of, interface_of
from embdiff.specs import ModelSpec


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


def planned(
    name: str, form: str, wanted: Mapping[Role, Sequence[str]], cache: VectorCache, price: float | None
) -> Planned:
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
