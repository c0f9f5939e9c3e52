"""What the last line of a notebook's cell shows of each result: the words of the terminal, and no record."""

from __future__ import annotations

from html import unescape

import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.views.table import plain_text

NAME = "prod=toy:64"
MADE = {"store": "memory:", "layout": "none"}


def checked():
    return ed.check("sample", [NAME, "toy:8"], fail_if=["overlap < 0.1"], **MADE)


def decided():
    return ed.decide("sample", [NAME, "toy:8"], **MADE)


def probed():
    return ed.probe("sample", [NAME, "toy:8"], cache="off")


def examined():
    encode_corpus("sample", "toy:8", "milvus:songs.db")
    return ed.doctor("milvus:songs.db")


def adapted():
    encode_corpus("sample", "toy:64", "milvus:songs.db")
    return ed.adapt("milvus:songs.db", "toy:64", "toy:8", dry_run=True)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (checked, "Pass: the check holds."),
        (decided, "Groups are weak labels"),
        (probed, "52 sentences of sample"),
        (examined, "Nothing wrong was found with milvus:songs.db."),
        (adapted, "neighbours that a full re-encoding finds."),
    ],
)
def test_words_of_the_terminal_are_text_and_html(make, says):
    found = make()
    assert repr(found) == plain_text(found.drawn(), width=100)
    page = found._repr_html_()
    for shown in (repr(found), unescape(page)):
        assert says in " ".join(shown.split())
        assert f"{type(found).__name__}(" not in shown
