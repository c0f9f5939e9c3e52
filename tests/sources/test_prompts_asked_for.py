"""Models whose cards ask for prompts: said where none is given, put there by prompt=auto, their own first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import ParameterError
from embdiff.sources import get_encoder
from embdiff.sources.prompts import known_prompts
from embdiff.views.words import notes

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("st:intfloat/e5-small-v2", "e5"),
        ("st:intfloat/multilingual-e5-large", "e5"),
        ("st:multilingual-e5-base + mean of tokens", "e5"),
        ("st:intfloat/multilingual-e5-large-instruct", None),  # asks for a task of its own
        ("st:BAAI/bge-small-en-v1.5", "bge (English)"),
        ("st:BAAI/bge-m3", None),
        ("st:nomic-ai/nomic-embed-text-v1.5", "nomic"),
        ("st:Snowflake/snowflake-arctic-embed-m-v2.0", "arctic 2"),
        ("st:Snowflake/snowflake-arctic-embed-m-v1.5", "arctic"),
        ("st:sentence-transformers/all-MiniLM-L6-v2", None),
        ("st:somebody/code5-small", None),
    ],
)
def test_families_are_known_by_their_names(name: str, family: str | None):
    found = known_prompts(name)
    assert (found and found[0]) == family


def as_named(folder: Path, name: str) -> Path:
    return Path(shutil.copytree(folder, folder.parent / f"{folder.name}-of" / name))


def test_what_a_card_asks_for_is_said_where_none_is_given(tiny: Callable[..., Path]):
    folder = as_named(tiny(), "e5-small-v2")
    encoder = get_encoder(f"st:{folder}")
    assert encoder.about["assumed"] == [
        "models of the family e5 ask for 'query: ' before each query and 'passage: ' before each document, and none is "
        "given; prompt=auto puts it there (or query_prompt=query%3A%20&prompt=passage%3A%20)"
    ]
    assert (encoder.stamp.prompt, encoder.stamp.query_prompt) == ("", "")
    found = ed.compare("sample", [f"e5=st:{folder}"], cache="off", baseline=False, k=3)
    assert any("prompt=auto" in note for note in notes(found.facts(0)))
    for options in ("prompt=auto", "prompt=&query_prompt=", "query_prompt=query%3A "):
        assert "assumed" not in get_encoder(f"st:{folder}?{options}").about


def test_automatic_prompts_are_those_of_the_family(tiny: Callable[..., Path]):
    folder = as_named(tiny(), "e5-small-v2")
    automatic = get_encoder(f"st:{folder}?prompt=auto")
    written = get_encoder(f"st:{folder}?prompt=passage%3A%20&query_prompt=query%3A%20")
    assert automatic.stamp == written.stamp
    np.testing.assert_array_equal(automatic.encode(["home"], role="query"), written.encode(["home"], role="query"))
    mixed = get_encoder(f"st:{folder}?prompt=auto&query_prompt=lamp")
    assert (mixed.stamp.prompt, mixed.stamp.query_prompt) == ("passage: ", "lamp")


def test_a_model_s_own_prompts_come_first(tiny: Callable[..., Path]):
    own = as_named(tiny({"query": "the ", "passage": "a "}), "e5-small-v2")
    assert "family" not in str(get_encoder(f"st:{own}").about["assumed"])  # but that one is not put before documents
    assert get_encoder(f"st:{own}?prompt=auto").stamp.query_prompt == "the "
    assert get_encoder(f"st:{own}?prompt=auto").stamp.prompt == "a "


def test_automatic_prompts_of_an_unknown_model_are_refused(tiny: Callable[..., Path]):
    with pytest.raises(ParameterError, match="prompt=auto must be of a model whose prompts are known") as caught:
        get_encoder(f"st:{tiny()}?prompt=auto")
    assert "Write prompt= and query_prompt= as its card says" in str(caught.value)
