"""Steps computed along with the layer before them: the same numbers, and only where they are the same."""

import pytest
import torch
from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel, RobertaConfig, RobertaModel

from embdiff.sources.fused import fuse_steps
from embdiff.sources.packed import pack_linear_layers
from embdiff.sources.replicas import replica

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 50,
    "max_position_embeddings": 40,
}  # fmt: skip
KINDS = [(BertConfig, BertModel), (RobertaConfig, RobertaModel), (MPNetConfig, MPNetModel)]


def a_model(kind=KINDS[0], **other):
    config, model = kind
    torch.manual_seed(0)
    made = model(config(**{**SMALL, **other})).eval()
    if not pack_linear_layers(made):
        pytest.skip("this processor or PyTorch has no oneDNN layers")
    return made


def encoded(model):
    torch.manual_seed(1)
    with torch.inference_mode():
        return model(input_ids=torch.randint(3, 50, (3, 17))).last_hidden_state


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1].__name__)
def test_fused_blocks_compute_the_same(kind):
    model = a_model(kind)
    expected = encoded(model)
    blocks = fuse_steps(model)
    assert blocks >= 4  # two layers, GELU and the addition after it in each
    torch.testing.assert_close(encoded(model), expected, rtol=1e-5, atol=1e-5)


def test_a_bert_layer_has_three():
    assert fuse_steps(a_model()) == 6


@pytest.mark.parametrize("step", ["gelu_new", "relu", "silu"])
def test_other_steps_stay_as_they_are(step):
    model = a_model(hidden_act=step)
    expected = encoded(model)
    assert fuse_steps(model) == 4  # the additions only
    torch.testing.assert_close(encoded(model), expected, rtol=1e-5, atol=1e-5)


def test_a_copy_computes_the_same():
    model = a_model()
    fuse_steps(model)
    torch.testing.assert_close(encoded(replica(model)), encoded(model), rtol=0, atol=0)


def test_a_model_in_training_stays_as_it_is():
    assert fuse_steps(a_model().train()) == 0


def test_layers_that_are_not_packed_stay_as_they_are():
    assert fuse_steps(BertModel(BertConfig(**SMALL)).eval()) == 0


def test_a_block_that_only_looks_like_one_stays_as_it_is():
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = torch.nn.Linear(8, 8)
            self.LayerNorm = torch.nn.LayerNorm(8)
            self.dropout = torch.nn.Identity()

        def forward(self, values: torch.Tensor, also: torch.Tensor) -> torch.Tensor:
            added: torch.Tensor = self.LayerNorm(self.dense(values) + 2 * also)
            return added

    class OfOne(Scaled):
        def forward(self, values: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return super().forward(values, values)

    model = torch.nn.Sequential(Scaled(), OfOne()).eval()
    pack_linear_layers(model)
    assert fuse_steps(model) == 0


def test_an_operator_that_is_wrong_or_missing_is_not_used(monkeypatch):
    monkeypatch.setattr("embdiff.sources.fused._with_gelu", lambda weight, bias, values: values @ torch.ones(32, 64))
    assert fuse_steps(a_model()) == 4

    def missing(*given: object) -> torch.Tensor:
        raise AttributeError("no such operator")

    monkeypatch.setattr("embdiff.sources.fused._with_gelu", missing)
    monkeypatch.setattr("embdiff.sources.fused._with_input", missing)
    assert fuse_steps(a_model()) == 0
