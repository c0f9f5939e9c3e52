"""The table of measures and their text form."""

import json
from dataclasses import replace

import pytest

from embdiff.errors import MissingDependencyError, ParameterError, UnknownNameError
from embdiff.measures import Measure, MeasureSpec, Parameter, base, get_measure, list_measures, register

TEXTS = ("summary", "formula", "undefined_when", "chance", "reference")


@pytest.fixture
def rbo(monkeypatch):
    """A measure with a parameter, registered for one test."""
    monkeypatch.setattr(base, "_ADDED", {})
    return register(
        Measure(
            name="weighted_overlap",
            function=lambda a, b, p: None,
            summary="s",
            formula="f",
            needs="two neighbors",
            direction=None,
            range=(0.0, 1.0),
            symmetric=True,
            invariances=(),
            undefined_when="never",
            chance="none",
            reference="here",
            parameters={"p": Parameter(0.9, 0.01, 0.99)},
        )
    )


def test_text_form_round_trips():
    spec = get_measure("overlap@10")
    assert (spec.measure.name, spec.k, str(spec)) == ("overlap", 10, "overlap@10")
    for text in ("overlap@10", "jaccard@1", "overlap", "self_retrieval@1", "group_presence", "index_recall@100"):
        assert str(get_measure(text)) == text
        assert get_measure(str(get_measure(text))) == get_measure(text)
    assert str(get_measure(" Overlap @ 5 ")) == "overlap@5"


def test_parameters_in_the_text_form(rbo):
    assert str(get_measure("weighted_overlap(p=0.85)@10")) == "weighted_overlap(p=0.85)@10"
    assert get_measure("weighted_overlap@10") == MeasureSpec(rbo, 10, {"p": 0.9})
    with pytest.raises(
        ParameterError, match=r"^p of weighted_overlap must be a number between 0\.01 and 0\.99\. Got '2'"
    ):
        get_measure("weighted_overlap(p=2)@10")
    with pytest.raises(ParameterError, match="Got 'x'"):
        get_measure("weighted_overlap(p=x)@10")
    with pytest.raises(UnknownNameError, match=r"Got 'q=1' in .* Known: p\."):
        get_measure("weighted_overlap(q=1)@10")


def test_unknown_names_get_a_hint():
    with pytest.raises(UnknownNameError, match=r"Got 'overlp@10'\. Did you mean 'overlap'"):
        get_measure("overlp@10")
    with pytest.raises(UnknownNameError, match=r"Got '@10'"):
        get_measure("@10")
    with pytest.raises(UnknownNameError, match=r"overlap has no parameters\."):
        get_measure("overlap(p=1)@10")


@pytest.mark.parametrize("text", ["overlap@0", "overlap@-1", "overlap@x", "overlap@", "overlap@1.5", "overlap@1@2"])
def test_bad_k(text):
    with pytest.raises(ParameterError, match=r"must be an integer from 1\. Got .* Write for example overlap@10\."):
        get_measure(text)


def test_k_where_none_is_taken():
    with pytest.raises(ParameterError, match=r"group_presence must be written without @k\. Got 'group_presence@3'"):
        get_measure("group_presence@3")


def test_k_larger_than_the_corpus():
    get_measure("overlap@49").check_rows(50, left_out=True)
    get_measure("overlap@50").check_rows(50, left_out=False)
    get_measure("overlap").check_rows(1, left_out=True)
    with pytest.raises(ParameterError) as caught:
        get_measure("overlap@50").check_rows(50, left_out=True)
    assert str(caught.value) == (
        "k of overlap@50 must be between 1 and 49 (the corpus has 50 rows, a query's own row left out). Got 50. "
        "Lower k or add rows."
    )


def test_registering(rbo):
    assert rbo in list_measures()
    with pytest.raises(ParameterError, match=r"must be new\. Got 'weighted_overlap'"):
        register(rbo)
    with pytest.raises(ParameterError, match=r"must be new\. Got 'overlap'"):
        register(get_measure("overlap").measure)
    with pytest.raises(ParameterError, match="lower-case letters"):
        register(replace(rbo, name="Not a name"))


def test_an_entry_point_that_is_no_measure(monkeypatch):
    entry = base.Entry("odd", "json:dumps", "not a measure")
    monkeypatch.setattr(base, "_REGISTRY", base.Registry("measure", "embdiff.measures", [entry]))
    with pytest.raises(
        ParameterError, match=r"must be usable as .* registers it .* Got function, no embdiff\.measures\.Measure"
    ):
        get_measure("odd")
    entry = base.Entry("odd", "json:dumps", "needs something", ("no_such_module",), "all")
    monkeypatch.setattr(base, "_REGISTRY", base.Registry("measure", "embdiff.measures", [entry]))
    with pytest.raises(MissingDependencyError, match="pip install"):
        get_measure("odd")


def test_every_measure_is_described():
    measures = list_measures()
    assert [measure.name for measure in measures] == sorted(base._REGISTRY.entries())
    for measure in measures:
        words = json.dumps(measure.to_dict(), allow_nan=False)
        assert "better" not in words
        assert measure.range[0] < measure.range[1]
        for part in TEXTS:
            assert getattr(measure, part), (measure.name, part)
        assert measure.function.__doc__
    assert len({measure.summary for measure in measures}) == len(measures)


def hamming(a, b):
    """Return, per query, the share of places at which two lists differ: ``|{i : a_i != b_i}| / k``.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]. NaN
        when both lists are empty. Never below 0.

    Notes
    -----
    By chance, in random order: the share
    1 - 1 / n.

    References
    ----------
    Hamming 1950,
    Bell System Technical Journal 29:147.
    """


def test_a_measure_says_what_the_docstring_of_its_function_says(rbo):
    told = replace(rbo, name="", function=hamming, **dict.fromkeys(TEXTS, ""))
    assert (told.name, told.summary) == ("hamming", "share of places at which two lists differ")
    assert told.formula == "|{i : a_i != b_i}| / k"
    assert told.undefined_when == "both lists are empty"
    assert told.chance == "in random order: the share 1 - 1 / n"
    assert told.reference == "Hamming 1950, Bell System Technical Journal 29:147"
    given = told.variant(name="other", chance="0.5")
    assert (given.name, given.chance, given.formula) == ("other", "0.5", told.formula)
    assert given.variant(function=lambda a, b: None).chance == "0.5"


def test_without_docstrings_the_texts_are_empty(rbo):
    """As under ``python -OO``."""
    bare = replace(rbo, function=lambda a, b: None, **dict.fromkeys(TEXTS, ""))
    assert (bare.name, {getattr(bare, part) for part in TEXTS}) == ("weighted_overlap", {""})
    assert json.loads(json.dumps(bare.to_dict()))["formula"] == ""
