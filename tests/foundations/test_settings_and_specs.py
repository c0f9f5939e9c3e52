"""Options stand once, text forms round-trip, bounds hold, and every message says what to do."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import embdiff
from embdiff._settings import typed
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.indexes import INDEXES, METRICS, IndexSpec, check_metric
from embdiff.judging import open_judging
from embdiff.settings import EvaluationConfig, JudgingConfig, RunConfig
from embdiff.specs import (
    MODEL_KEYS,
    ModelSpec,
    Parameter,
    read_options,
    read_parameters,
    split_named,
    without_secrets,
    write_named,
    write_options,
)

VALUES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=20)


@given(
    kind=st.sampled_from(["st", "toy", "wordllama", "my-kind"]),
    name=st.from_regex(r"[A-Za-z0-9._/-]{0,20}", fullmatch=True),
    options=st.dictionaries(st.sampled_from(MODEL_KEYS), VALUES),
)
def test_model_specs_round_trip(kind, name, options):
    spec = ModelSpec(kind, name, options)
    assert ModelSpec.parse(str(spec)) == spec


def test_a_prompt_keeps_its_last_blank():
    spec = ModelSpec.parse(" st:intfloat/e5?query_prompt=query: ")
    assert (spec.name, spec.options["query_prompt"]) == ("intfloat/e5", "query: ")
    assert str(ModelSpec.parse("st:x?prompt=")) == "st:x?prompt="


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("BAAI/bge-small-en", "KIND:NAME"),
        ("", "KIND:NAME"),
        ("st:x?revisoin=1", "Did you mean 'revision'"),
        ("st:x?dim", "key=value"),
        ("st:x?dim=", "key=value"),
        ("st:x?dim=1&dim=2", "once"),
    ],
)
def test_model_specs_that_are_none(text, says):
    with pytest.raises(ParameterError, match="must") as refused:
        ModelSpec.parse(text)
    assert says in str(refused.value)


@given(st.data())
def test_index_specs_round_trip(data):
    name = data.draw(st.sampled_from(sorted(INDEXES)))
    params = {key: data.draw(st.integers(bounds.low, bounds.high)) for key, bounds in INDEXES[name].items()}
    if "nprobe" in params:
        params["nprobe"] = min(params["nprobe"], params["nlist"])
    spec = IndexSpec(name, params)
    assert IndexSpec.parse(str(spec)) == spec
    assert {**spec.build_params, **spec.search_params} == params


def test_index_defaults_are_filled_in():
    assert str(IndexSpec.parse("IVF_FLAT( nlist = 16 )")) == "ivf_flat(nlist=16,nprobe=8)"
    assert IndexSpec.parse("flat").params == {}
    for nlist, nprobe in ((1, 1), (4, 4), (8, 8), (9, 8)):  # what nobody chose fits what was chosen
        assert IndexSpec.parse(f"ivf_sq8(nlist={nlist})").params == {"nlist": nlist, "nprobe": nprobe}


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("ivf", UnknownNameError, "ivf_flat"),
        ("flat(nlist=2)", UnknownNameError, "no parameters"),
        ("hnsw(m=16)", UnknownNameError, "'m=16'"),
        ("hnsw(M=1)", ParameterError, "between 2 and 2048"),
        ("ivf_flat(nlist=x)", ParameterError, "integer"),
        ("ivf_flat(nlist=2,nprobe=4)", ParameterError, "at most nlist"),
        ("ivf_flat(nlist=4", UnknownNameError, "one of"),
    ],
)
def test_indexes_that_do_not_hold(text, error, says):
    with pytest.raises(error) as refused:
        IndexSpec.parse(text)
    assert says in str(refused.value)


def test_index_must_fit_the_rows():
    IndexSpec.parse("ivf_flat(nlist=4,nprobe=2)").check_rows(4, 3)
    with pytest.raises(ParameterError, match="nlist=4 for 3 rows"):
        IndexSpec.parse("ivf_flat(nlist=4,nprobe=2)").check_rows(3, 2)
    with pytest.raises(ParameterError, match="ef=4 for 5 neighbours"):
        IndexSpec.parse("hnsw(ef=4)").check_rows(100, 5)


def test_metrics():
    assert [check_metric(name) for name in METRICS] == list(METRICS)
    assert check_metric("dot") == "ip"
    assert check_metric("COSINE") == "cosine"
    with pytest.raises(UnknownNameError, match="Did you mean 'cosine'"):
        check_metric("cosin")


@given(
    models=st.lists(VALUES, max_size=3).map(tuple),
    data=st.none() | VALUES,
    k=st.integers(1, 10**6),
    seed=st.integers(0, 2**63 - 1),
)
def test_run_settings_round_trip_through_toml(tmp_path_factory, models, data, k, seed):
    config = RunConfig.checked(models=models, data=data, k=k, seed=seed)
    path: Path = tmp_path_factory.mktemp("toml") / "run.toml"
    path.write_text(config.to_toml(), encoding="utf-8", newline="")
    assert RunConfig.from_toml(path) == config


def test_all_wrong_settings_are_told_at_once():
    with pytest.raises(ParameterError) as refused:
        RunConfig.checked(k=0, seed=-1, colour="red")
    assert all(word in str(refused.value) for word in ("k must", "seed must", "colour must"))


@pytest.mark.parametrize("content", [b"k = ", b"\xff\xfe"])
def test_broken_toml(tmp_path, content):
    (tmp_path / "run.toml").write_bytes(content)
    with pytest.raises(DataError, match="TOML"):
        RunConfig.from_toml(tmp_path / "run.toml")
    with pytest.raises(DataError, match="which does not"):
        RunConfig.from_toml(tmp_path / "none.toml")


FUNCTIONS = [
    (embdiff.compare, RunConfig, {"out", "preset"}),
    (embdiff.evaluate, EvaluationConfig, {"data", "out"}),
    (open_judging, JudgingConfig, {"run", "out", "write"}),
]


@pytest.mark.parametrize(("function", "model", "besides"), FUNCTIONS, ids=["compare", "evaluate", "open_judging"])
def test_the_signature_for_editors_is_the_model(function, model, besides):
    parameters = inspect.signature(function).parameters
    follows = {"aliases"}  # from the texts of the models
    assert set(parameters) == {*model.model_fields, *besides} - follows
    told = re.findall(r"^(\w+(?:, \w+)*) : ", inspect.getdoc(function).partition("Returns\n")[0], re.MULTILINE)
    assert {name for names in told for name in names.split(", ")} == set(parameters)


def test_compare_takes_what_was_not_given_as_none():
    parameters = list(inspect.signature(embdiff.compare).parameters.values())
    assert parameters[0].default is inspect.Parameter.empty
    assert all(parameter.default is None for parameter in parameters[1:])
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters[2:])


@pytest.mark.parametrize(
    ("function", "model", "others"),
    [
        (embdiff.evaluate, EvaluationConfig, ("data", "models", "out", "cache")),
        (open_judging, JudgingConfig, ("run", "out", "write")),
    ],
)
def test_the_signature_shows_the_defaults_of_the_model(function, model, others):
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in others:
            assert parameter.default == model.model_fields[name].default, name


def test_unknown_arguments_are_refused_as_those_of_any_function():
    with pytest.raises(TypeError, match="colour"):
        embdiff.compare(["one", "two"], colour="red")


@pytest.mark.parametrize("model", [RunConfig, EvaluationConfig, JudgingConfig])
def test_every_option_says_what_it_is_for(model):
    assert set(model.purposes()) == {*model.model_fields} - {*model.no_options}
    assert all(purpose.endswith((".", "...")) for purpose in model.purposes().values())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"k": 0}, "k must be an integer from 1 to 1,000,000,000. Got 0."),
        ({"permutations": 9}, "permutations must be an integer from 99 to 1,000,000. Got 9."),
        ({"half_width": 0.5}, "half_width must be a number from 0.001 to below 0.5. Got 0.5."),
        ({"empty": "perhaps"}, "empty must be one of refuse, keep, drop. Got 'perhaps'."),
        ({"k": "many"}, "k must be an integer from 1 to 1,000,000,000. Got 'many'."),
        ({"colour": "red"}, "colour must be left out: there is no such setting. Got 'red'."),
        ({"sample": "-1"}, "sample must match pattern"),
        ({"metric": "cosin"}, "A metric must be one of cosine, ip, l2. Got 'cosin'. Did you mean 'cosine'?"),
        ({"memory": "much"}, "A size must be a number with a unit"),
        ({"measures": "overlap"}, "The measures must be a list. Got the text 'overlap'. Write ['overlap']."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_setting_must_be_is_told_in_our_words(given, says):
    with pytest.raises(ParameterError, match=re.escape(says)):
        RunConfig.checked(**given)


def test_what_came_as_a_python_object_is_said_and_not_written_down():
    config = RunConfig.checked(
        data=["one"], queries=["two"], groups=["a"], expected={"q": ["1"]}, text_column=0, sample=3
    )
    assert (config.data, config.queries, config.groups, config.expected) == (None, "list", "list", "list")
    assert (config.text_column, config.sample) == ("0", "3")
    assert RunConfig.checked(data=Path("a.txt"), index="IVF_FLAT(nlist=8)", metric="dot", memory="4 GiB").model_dump(
        include={"data", "index", "metric", "memory"}
    ) == {"data": "a.txt", "index": "ivf_flat(nlist=8,nprobe=8)", "metric": "ip", "memory": "4GiB"}


KEYS = st.sampled_from(["alpha", "beta", "gamma"])


@given(st.from_regex(r"[a-z:/.# -]{1,20}", fullmatch=True), st.dictionaries(KEYS, VALUES))
def test_options_round_trip(head, options):
    assert read_options(write_options(head, options), "a thing", ("alpha", "beta", "gamma")) == (head, options)


@given(
    st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.dictionaries(KEYS, st.floats(0, 1)), st.none() | st.integers(1)
)
def test_parameters_round_trip(name, values, k):
    known = {key: Parameter(0.5, 0.0, 1.0) for key in values}
    values = {key: float(f"{value:.15g}") for key, value in values.items()}
    found, inside, after = split_named(write_named(name, values, k))
    assert (found, after) == (name, None if k is None else str(k))
    assert read_parameters(name, inside, known, "") == values


def test_secrets_are_not_shown():
    for text in ("http://h?token", "http://h?token=hidden&token=hidden"):
        with pytest.raises(ParameterError, match="token=VALUE") as refused:
            read_options(text, "a server", ("token",), secret=True)
        assert "hidden" not in str(refused.value)
    assert without_secrets("http://me:hidden@h:1?token=hidden") == "http://h:1"


def test_arguments_of_another_type_are_named() -> None:
    @typed
    def shown(path: str | Path, rows: int = 1, share: float | None = None, names: Sequence[str] = ()) -> str:
        return f"{path} {rows} {share} {list(names)}"

    assert shown(Path("a"), np.int64(2), np.float32(0.5), ("x",)) == "a 2 0.5 ['x']"
    assert shown("a", share=1) == "a 1 1 []"
    for arguments, told in (
        ({"path": None}, "path of shown must be a text or a path. Got NoneType None."),
        ({"path": "a", "rows": True}, "rows of shown must be an integer. Got bool True."),
        ({"path": "a", "rows": "ten"}, "rows of shown must be an integer. Got str 'ten'."),
        ({"path": "a", "share": "x"}, "share of shown must be a number or None. Got str 'x'."),
        ({"path": "a", "names": 5}, "names of shown must be a list. Got int 5."),
    ):
        with pytest.raises(ParameterError, match=re.escape(told)):
            shown(**arguments)
    with pytest.raises(TypeError, match="bogus"):
        shown("a", bogus=1)


@pytest.mark.parametrize(
    ("text", "nprobe"),
    [
        ("ivf_flat(nlist=4)", 4),
        ("ivf_flat", 8),
        ("ivf_sq8(nlist=2)", 2),
        ("ivf_flat(nlist=64)", 8),
        ("ivf_flat(nlist=4,nprobe=3)", 3),
    ],
)
def test_an_nprobe_that_nobody_chose_fits_the_nlist(text: str, nprobe: int):
    assert IndexSpec.parse(text).params["nprobe"] == nprobe


def test_an_nprobe_that_was_chosen_is_held_to():
    with pytest.raises(ParameterError, match=r"nprobe of ivf_flat must be at most nlist\. Got nprobe=8 and nlist=4"):
        IndexSpec.parse("ivf_flat(nlist=4,nprobe=8)")
