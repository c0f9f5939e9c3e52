"""Show how, where and why embedding models differ on your own data.

The public names are loaded on first use, so that ``import embdiff`` stays light: no torch, no database client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embdiff.alignment import Alignment as Alignment
    from embdiff.alignment import align as align
    from embdiff.bulk import Adaptation as Adaptation
    from embdiff.bulk import adapt as adapt
    from embdiff.comparison import Comparison as Comparison
    from embdiff.comparison import compare as compare
    from embdiff.comparison import load as load
    from embdiff.corpus import read_corpus as read_corpus
    from embdiff.deciding import check as check
    from embdiff.deciding import decide as decide
    from embdiff.errors import EmbdiffError as EmbdiffError
    from embdiff.evaluation import evaluate as evaluate
    from embdiff.examination import Diagnosis as Diagnosis
    from embdiff.examination import doctor as doctor
    from embdiff.measures import get_measure as get_measure
    from embdiff.measures import list_measures as list_measures
    from embdiff.probing import probe as probe
    from embdiff.records import Corpus as Corpus
    from embdiff.sources import get_encoder as get_encoder
    from embdiff.sources import list_encoders as list_encoders
    from embdiff.stores import get_store as get_store
    from embdiff.stores import list_stores as list_stores
    from embdiff.stores.copying import copy_collections as copy_collections

__version__ = "0.1.0"

_HOMES = {
    "Adaptation": "embdiff.bulk",
    "Alignment": "embdiff.alignment",
    "Comparison": "embdiff.comparison",
    "Corpus": "embdiff.records",
    "Diagnosis": "embdiff.examination",
    "EmbdiffError": "embdiff.errors",
    "adapt": "embdiff.bulk",
    "align": "embdiff.alignment",
    "check": "embdiff.deciding",
    "compare": "embdiff.comparison",
    "copy_collections": "embdiff.stores.copying",
    "decide": "embdiff.deciding",
    "doctor": "embdiff.examination",
    "evaluate": "embdiff.evaluation",
    "get_encoder": "embdiff.sources",
    "get_measure": "embdiff.measures",
    "get_store": "embdiff.stores",
    "list_encoders": "embdiff.sources",
    "list_measures": "embdiff.measures",
    "list_stores": "embdiff.stores",
    "load": "embdiff.comparison",
    "probe": "embdiff.probing",
    "read_corpus": "embdiff.corpus",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
