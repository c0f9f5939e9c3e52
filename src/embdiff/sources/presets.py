"""Named sets of models. A preset of `embdiff.compare` starts from one of these."""

from __future__ import annotations

from collections.abc import Mapping

from embdiff.sources.adapters import adapter_names

# The three models of the 2023 tutorial on comparing embedding models in a vector database; they are downloaded.
_TUTORIAL_2023 = (
    "st:sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    "st:hroth/psais-paraphrase-multilingual-MiniLM-L12-v2-5shot",
    "st:Sprylab/paraphrase-multilingual-MiniLM-L12-v2-fine-tuned-3",
)

PRESETS: Mapping[str, tuple[str, ...]] = {
    "tutorial-2023": _TUTORIAL_2023,
    # The same relation, one model and two of its descendants, from what pip installs.
    "tutorial-offline": ("minilm", *adapter_names()),
}
