"""Write src/embdiff/sources/prompts.json: which models ask for which words before queries and documents, by mteb.

    python3 -m venv /somewhere/mteb && /somewhere/mteb/bin/pip install mteb-core
    /somewhere/mteb/bin/python scripts/write_prompts.py

Run it before a release. mteb-core is no dependency of embdiff: only names of models and their prompts are taken, which
mteb has from the models' cards. What is a parameter of a service and no text (``RETRIEVAL_QUERY``) is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent.parent / "src" / "embdiff" / "sources" / "prompts.json"
ROLES = {"query": ("query", "Retrieval-query"), "document": ("document", "Retrieval-document")}


def table(models: Iterable[tuple[str, Mapping[Any, str]]]) -> list[dict[str, Any]]:
    """Return which prompts there are, and the models that ask for each; models with none are left out."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, given in models:
        known = {str(getattr(key, "value", key)): text.removesuffix("{text}") for key, text in given.items()}
        query, document = (next((known[key] for key in keys if key in known), "") for keys in ROLES.values())
        if "(" not in name and any(text and not re.fullmatch(r"[\w.]+", text) for text in (query, document)):
            found.setdefault((query, document), []).append(name)
    return [
        {"query": query, "document": document, "models": sorted(names, key=str.casefold)}
        for (query, document), names in sorted(found.items())
    ]


def main() -> None:
    """Ask mteb-core, and write what it says."""
    import mteb

    given = ((each.name, (each.loader_kwargs or {}).get("model_prompts")) for each in mteb.get_model_metas())
    prompts = table((name, texts) for name, texts in given if isinstance(texts, Mapping))
    source = f"mteb-core {version('mteb-core')} (Apache-2.0), written by scripts/write_prompts.py"
    text = json.dumps({"source": source, "prompts": prompts}, ensure_ascii=False, indent=1)
    PATH.write_text(f"{text}\n", encoding="utf-8")
    print(f"{sum(len(each['models']) for each in prompts):,} models with {len(prompts)} pairs of prompts in {PATH}")


if __name__ == "__main__":
    main()
