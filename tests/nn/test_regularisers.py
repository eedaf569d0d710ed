"""Regularisers drop what they say, scale the rest, draw from torch's generator, and do nothing in evaluation."""

import pytest
import torch
from torch import nn

from recurra.nn import EmbeddingDropout, VariationalDropout


def test_one_mask_for_all_steps():
    x = torch.randn(9, 30, 40).sign()
    dropout = VariationalDropout(0.25)
    factors = dropout(x) * x
    assert torch.equal(factors, factors[:1].expand_as(factors).contiguous())
    assert factors.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (factors[0] == 0).float().mean() == pytest.approx(0.25, abs=0.05)
    assert not torch.equal(factors, dropout(x) * x)


def test_whole_rows_of_an_embedding():
    embedding = EmbeddingDropout(500, 8, 0.25)
    tokens = torch.arange(1000).view(20, 50) % 500
    rows = embedding(tokens)
    factors = (rows / nn.functional.embedding(tokens, embedding.weight)).flatten(0, 1)
    assert torch.equal(factors[:500] == 0, factors[500:] == 0)  # each token occurs twice
    assert torch.equal(factors == 0, (factors == 0)[:, :1].expand_as(factors))
    assert factors[factors != 0].tolist() == pytest.approx([4 / 3] * int((factors != 0).sum()), rel=1e-4)
    assert (factors[:500, 0] == 0).float().mean() == pytest.approx(0.25, abs=0.08)
    rows.sum().backward()
    assert torch.equal(embedding.weight.grad == 0, factors[:500] == 0)


@pytest.mark.parametrize(
    ("module", "x"),
    [(VariationalDropout(0.5), torch.ones(2, 3, 4)), (EmbeddingDropout(9, 4, 0.5), torch.arange(9))],
    ids=["variational", "embedding"],
)
def test_draws(module, x):
    module.train()
    torch.manual_seed(1)
    first = module(x)
    torch.manual_seed(1)
    assert torch.equal(module(x), first)
    assert (first == 0).any()
    before = torch.get_rng_state()
    evaluated = module.eval()(x)
    module.p, kept = 0.0, module.p
    assert torch.equal(module.train()(x), evaluated)
    module.p = kept
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_no_probability(p):
    with pytest.raises(ValueError, match="p must be a probability from 0 to 1"):
        VariationalDropout(p)
    with pytest.raises(ValueError, match="p must be a probability from 0 to 1"):
        EmbeddingDropout(9, 4, p)


def test_sizes_are_shown():
    assert repr(VariationalDropout(0.5)) == "VariationalDropout(p=0.5)"
    assert repr(EmbeddingDropout(9, 4, 0.5)) == "EmbeddingDropout(9, 4, p=0.5)"
