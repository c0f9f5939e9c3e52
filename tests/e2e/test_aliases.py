"""A model under another name: shown so everywhere, and the same model."""

from __future__ import annotations

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.specs import split_alias
from embdiff.views import terminal

TEXTS = [f"{a} {b}" for a in ("ferry", "lamp", "pier", "home", "sea", "sky") for b in ("late", "red", "green")]


@pytest.mark.parametrize(
    ("text", "name", "form"),
    [
        ("prod=st:BAAI/bge-small-en-v1.5?dim=128", "prod", "st:BAAI/bge-small-en-v1.5?dim=128"),
        ("v1.2-b=lsa:8", "v1.2-b", "lsa:8"),
        ("lsa:8", "lsa:8", "lsa:8"),
        ("minilm?max_tokens=64", "minilm?max_tokens=64", "minilm?max_tokens=64"),
        ("vectors:a=b.npy", "vectors:a=b.npy", "vectors:a=b.npy"),
        ("st:x?prompt=a=b", "st:x?prompt=a=b", "st:x?prompt=a=b"),
        ("old=milvus:some.db#songs?text=t", "old", "milvus:some.db#songs?text=t"),
    ],
)
def test_an_alias_stands_before_the_first_sign_of_a_form(text, name, form):
    assert split_alias(text) == (name, form)


def test_everything_is_shown_under_the_alias(tmp_path):
    np.save("v.npy", np.random.default_rng(0).normal(size=(len(TEXTS), 5)).astype(np.float32))
    options = {"k": 3, "baseline": False, "layout": "none", "cache": str(tmp_path / "cache")}
    found = ed.compare(TEXTS, ["prod=lsa:4", "new=toy:16", "file=vectors:v.npy"], out=tmp_path / "run", **options)
    plain = ed.compare(TEXTS, ["lsa:4", "toy:16", "vectors:v.npy"], store="memory:", **options)
    names = dict(zip(plain.run.config.models, ("prod", "new", "file"), strict=True))
    assert found.run.config.models == tuple(names.values())
    values = {(s.measure, s.models): s.value for s in found.scores}
    assert values == pytest.approx(
        {(s.measure, tuple(names[each] for each in s.models)): s.value for s in plain.scores}, nan_ok=True
    )
    shown = terminal.text(found.facts(queries=1), width=200, everything=True)
    assert "prod is lsa:4." in shown
    assert shown.count("lsa:4") == 1
    again = ed.load(tmp_path / "run", trust=True)  # its cache lies outside of it
    assert again == found
    again.to_projector(tmp_path / "projector")
    assert {each.name for each in (tmp_path / "projector").iterdir()} == {
        "metadata.tsv", "prod.vectors.tsv", "new.vectors.tsv", "file.vectors.tsv",
    }  # fmt: skip


def test_models_with_an_alias_may_ask():
    options = {"k": 3, "baseline": False, "layout": "none", "cache": "off", "store": "memory:"}
    found = ed.compare(TEXTS, ["a=toy:8", "b=lsa:8"], query_models=["a"], **options)
    assert {answer.query_model for answer in found.run.answers} == {"a"}
    every = ed.compare(TEXTS, ["a=toy:8", "b=lsa:8"], query_models="all", **options)
    assert len(every.run.answers) == 4


def test_one_model_may_be_there_twice_and_agrees_with_itself():
    np.save("v.npy", np.random.default_rng(0).normal(size=(len(TEXTS), 5)).astype(np.float32))
    models = ["a=vectors:v.npy", "b=vectors:v.npy"]
    found = ed.compare(TEXTS, models, k=3, baseline=False, layout="none", store="memory:")
    assert next(score.value for score in found.scores if score.measure == "overlap@3") == 1.0


def test_evaluate_takes_aliases(tmp_path):
    (tmp_path / "pairs.csv").write_text(
        "left,right,score\n" + "\n".join(f"{t},{t[::-1]},{i}" for i, t in enumerate(TEXTS))
    )
    found = ed.evaluate(tmp_path / "pairs.csv", ["prod=toy:16"], baseline=False)
    assert {score.models for score in found.scores} == {("prod",)}
    assert any("prod is toy:16." in note for note in found.outcome.notes)


@pytest.mark.parametrize(
    ("models", "error"),
    [
        (["bm25=toy:16", "lsa:4"], ParameterError),
        (["a=toy:16", "a=lsa:4"], ParameterError),
        (["a=nothing:3"], UnknownNameError),
        (["a=", "toy:16"], ParameterError),
    ],
)
def test_what_is_no_alias_is_refused(models, error):
    with pytest.raises(error):
        ed.compare(TEXTS, models, store="memory:")


def test_a_run_with_aliases_is_repeated_from_its_settings(tmp_path, embdiff):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    common = ("-k", "3", "--no-baseline", "--layout", "none", "--json")
    done = embdiff("compare", "texts.txt", "-m", "prod=lsa:4", "-m", "toy:16", *common, "--out", "run")
    assert done.code == 0, done.err
    repeated = embdiff("compare", "run/run.toml", "--json", "--out", "again")
    assert repeated.code == 0, repeated.err
    first, again = (ed.load(name).run for name in ("run", "again"))
    assert first.config.aliases == again.config.aliases == {"prod": "lsa:4"}
    assert first.config.models == ("prod", "toy:16")
    assert [each.value for each in first.scores] == pytest.approx([each.value for each in again.scores], nan_ok=True)


def test_an_alias_hides_no_code(tmp_path, embdiff):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    done = embdiff("compare", "texts.txt", "-m", "prod=lsa:4", "-m", "toy:16", "-k", "3", "--out", "run")
    assert done.code == 0, done.err
    settings = (tmp_path / "run" / "run.toml").read_text()
    (tmp_path / "other.toml").write_text(settings.replace('"lsa:4"', '"st:x?trust_remote_code=true"'))
    refused = embdiff("compare", "other.toml", "--out", "other")
    assert refused.code == 2
    assert "brings code along" in refused.err
