"""Names of collections: legal everywhere, readable, and never shared."""

from __future__ import annotations

import hashlib
import re
import unicodedata


def collection_name(run: str, model: str, fingerprint: str) -> str:
    """Return the name of a model's collection, legal in every store.

    Parameters
    ----------
    run : str
        Label of the run.
    model : str
        The full text form of the model.
    fingerprint : str
        Fingerprint of the model's stamp.

    Returns
    -------
    str
        Letters, digits and ``_``, at most 255 characters, no digit first: readable parts of run and model, and a
        hash of all three arguments whole, so that no two models and no two runs share a collection.
    """
    whole = hashlib.sha256("\0".join((run, model, fingerprint)).encode("utf-8", "surrogatepass")).hexdigest()
    name = f"{_slug(run)[:60] or 'run'}_{_slug(model)[:120] or 'model'}_{whole[:12]}"
    return f"c_{name}" if name[0].isdigit() else name


def _slug(text: str) -> str:
    """Return the ASCII letters and digits of a text, accents taken off, other runs of characters as one ``_``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
