"""Perplexity and bits per character, on distributions with known entropy."""

import math

import numpy as np
import pytest
import torch

from recurra.errors import RunError
from recurra.tasks.text.batching import Lanes
from recurra.tasks.text.language_model import TokenModel, bits_per_char, build, perplexity, total_nats
from recurra.tasks.text.settings import ModelSettings

SMALL = ModelSettings(hidden=5, dropout=0.5)


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary() -> None:
    model = TokenModel(8, SMALL)
    torch.nn.init.zeros_(model.output.weight)
    torch.nn.init.zeros_(model.output.bias)
    ids = np.random.default_rng(0).integers(0, 8, 101)
    for batch in (1, 4, 101):
        total = total_nats(model, Lanes(ids, batch, 0, complete=True), 16)
        assert perplexity(total / 101) == pytest.approx(8, rel=1e-5)
        assert bits_per_char(total, 101) == pytest.approx(3, rel=1e-5)


def test_a_known_distribution() -> None:
    model = TokenModel(3, SMALL)
    torch.nn.init.zeros_(model.output.weight)
    with torch.no_grad():
        model.output.bias.copy_(torch.tensor([0.5, 0.25, 0.25]).log())
    total = total_nats(model, Lanes(np.array([0, 0, 1, 2]), 1, 0), 4)
    assert total / math.log(2) == pytest.approx(1 + 1 + 2 + 2, rel=1e-6)
    assert bits_per_char(total, 12) == pytest.approx(0.5, rel=1e-6)
    assert perplexity(total / 4) == pytest.approx(2**1.5, rel=1e-6)


def test_measuring_does_not_depend_on_the_window_and_draws_nothing() -> None:
    torch.manual_seed(1)
    model = TokenModel(6, SMALL).train()
    lanes = Lanes(np.random.default_rng(1).integers(0, 6, 50), 2, 0)
    before = torch.get_rng_state()
    assert total_nats(model, lanes, 7) == pytest.approx(total_nats(model, lanes, 25), rel=1e-6)
    assert model.training
    assert torch.equal(before, torch.get_rng_state())


def test_an_absurd_loss_is_infinite_perplexity() -> None:
    assert perplexity(1e6) == math.inf


def test_too_large_for_memory() -> None:
    with pytest.raises(RunError, match="does not fit in memory"):
        build(10, ModelSettings(hidden=1_000_000))
