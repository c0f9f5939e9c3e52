"""Text forms round-trip, bounds hold, and every message says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.settings import RunConfig
from embdiff.specs import INDEXES, METRICS, MODEL_KEYS, IndexSpec, ModelSpec, check_metric

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
