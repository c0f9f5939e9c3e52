"""Models whose cards ask for prompts: said where none is given, put there by prompt=auto, their own first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import ParameterError
from embdiff.sources import get_encoder
from embdiff.sources.prompts import known_prompts
from embdiff.views.words import notes

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")


ROOT = Path(__file__).parents[2]
_SEARCH = "Represent this sentence for searching relevant passages: "


@pytest.mark.parametrize(
    ("name", "query", "document"),
    [
        ("st:intfloat/e5-small-v2", "query: ", "passage: "),
        ("st:intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("st:multilingual-e5-base + mean of tokens", "query: ", "passage: "),
        ("st:BAAI/bge-small-en-v1.5", _SEARCH, ""),
        ("st:BAAI/bge-large-zh", "为这个句子生成表示以用于检索相关文章：", ""),
        ("st:nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("st:mixedbread-ai/mxbai-embed-large-v1", _SEARCH, ""),
        ("st:whereisai/uae-large-v1", _SEARCH, ""),
        ("st:cl-nagoya/ruri-v3-30m", "検索クエリ: ", "検索文書: "),
        ("st:deepvk/USER2-small", "search_query: ", "search_document: "),
        ("st:Snowflake/snowflake-arctic-embed-m-v1.5", _SEARCH, ""),
    ],
)
def test_prompts_are_known_by_the_name_of_the_model(name: str, query: str, document: str):
    """As the cards say; looked up by hand."""
    assert known_prompts(name) == {"query": query, "document": document}


@pytest.mark.parametrize(
    "name",
    [
        "st:intfloat/multilingual-e5-large-instruct",  # asks for a task of its own
        "st:BAAI/bge-m3",
        "st:sentence-transformers/all-MiniLM-L6-v2",
        "st:somebody/code5-small",
        "st:google/gemini-embedding-001",  # RETRIEVAL_QUERY is a parameter, no text
    ],
)
def test_of_others_nothing_is_known(name: str):
    assert known_prompts(name) is None


def test_the_table_is_what_the_script_makes_of_it():
    """Models of two makers under one name, parameters, places for the text, prompts of other tasks."""
    found = run_path(str(ROOT / "scripts" / "write_prompts.py"))["table"](
        [
            ("a/one", {"query": "q: ", "document": "d: "}),
            ("b/One", {"query": "q: ", "document": "d: "}),
            ("a/two", {"query": "q: {text}", "STS": "s: "}),
            ("a/service", {"query": "QUERY", "document": "retrieval.passage"}),
            ("a/other", {"Retrieval-query": "q: ", "Classification": "c: "}),
            ("a/none", {"STS": "s: "}),
            ("a/two (bits=1)", {"query": "q: "}),
        ]
    )
    assert found == [
        {"query": "q: ", "document": "", "models": ["a/other", "a/two"]},
        {"query": "q: ", "document": "d: ", "models": ["a/one", "b/One"]},
    ]


def as_named(folder: Path, name: str) -> Path:
    return Path(shutil.copytree(folder, folder.parent / f"{folder.name}-of" / name))


def test_what_a_card_asks_for_is_said_where_none_is_given(tiny: Callable[..., Path]):
    folder = as_named(tiny(), "e5-small-v2")
    encoder = get_encoder(f"st:{folder}")
    assert encoder.about["assumed"] == [
        "its card, by its name, asks for 'query: ' before each query and 'passage: ' before each document, and "
        "none is given; prompt=auto puts it there (or query_prompt=query%3A%20&prompt=passage%3A%20)"
    ]
    assert (encoder.stamp.prompt, encoder.stamp.query_prompt) == ("", "")
    found = ed.compare("sample", [f"e5=st:{folder}"], cache="off", baseline=False, k=3)
    assert any("prompt=auto" in note for note in notes(found.facts(0)))
    for options in ("prompt=auto", "prompt=&query_prompt=", "query_prompt=query%3A "):
        assert "assumed" not in get_encoder(f"st:{folder}?{options}").about


def test_automatic_prompts_are_those_of_the_table(tiny: Callable[..., Path]):
    folder = as_named(tiny(), "e5-small-v2")
    automatic = get_encoder(f"st:{folder}?prompt=auto")
    written = get_encoder(f"st:{folder}?prompt=passage%3A%20&query_prompt=query%3A%20")
    assert automatic.stamp == written.stamp
    np.testing.assert_array_equal(automatic.encode(["home"], role="query"), written.encode(["home"], role="query"))
    mixed = get_encoder(f"st:{folder}?prompt=auto&query_prompt=lamp")
    assert (mixed.stamp.prompt, mixed.stamp.query_prompt) == ("passage: ", "lamp")


def test_a_model_s_own_prompts_come_first(tiny: Callable[..., Path]):
    own = as_named(tiny({"query": "the ", "passage": "a "}), "e5-small-v2")
    assert "card" not in str(get_encoder(f"st:{own}").about["assumed"])  # but that one is not put before documents
    assert get_encoder(f"st:{own}?prompt=auto").stamp.query_prompt == "the "
    assert get_encoder(f"st:{own}?prompt=auto").stamp.prompt == "a "


def test_automatic_prompts_of_an_unknown_model_are_refused(tiny: Callable[..., Path]):
    with pytest.raises(ParameterError, match="prompt=auto must be of a model whose prompts are known") as caught:
        get_encoder(f"st:{tiny()}?prompt=auto")
    assert "Write prompt= and query_prompt= as its card says" in str(caught.value)
