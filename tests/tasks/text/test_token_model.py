"""The language model in all its forms, and perplexity and bits per character on distributions with known entropy."""

import copy
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import recurra
from recurra.errors import RunError
from recurra.model import write
from recurra.model.quantize import quantize
from recurra.nn import VariationalDropout
from recurra.nn.parts import describe
from recurra.tasks.text.batching import PADDING, Lanes
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import (
    TokenModel,
    bits_per_char,
    build,
    detached,
    nats,
    perplexity,
)

SMALL = ModelSettings(hidden=5, dropout=0.5)


@torch.no_grad()
def total_nats(model: TokenModel, lanes: Lanes, steps: int) -> float:
    """The cross-entropy of all windows, each of which passes its state on."""
    total, state = 0.0, None
    for inputs, targets in lanes.windows(steps):
        window, state = model.eval().nats(inputs, targets, state)
        total += float(window)
    return total


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
    model = TokenModel(6, SMALL)
    lanes = Lanes(np.random.default_rng(1).integers(0, 6, 50), 2, 0)
    before = torch.get_rng_state()
    assert total_nats(model, lanes, 7) == pytest.approx(total_nats(model, lanes, 25), rel=1e-6)
    assert torch.equal(before, torch.get_rng_state())


def test_an_absurd_loss_is_infinite_perplexity() -> None:
    assert perplexity(1e6) == math.inf


def test_too_large_for_memory() -> None:
    with pytest.raises(RunError, match="does not fit in memory"):
        build(10, ModelSettings(hidden=1_000_000))


REGULARISED = [
    ModelSettings("gru", hidden=8, layers=2, embedding=5),
    ModelSettings("lstm", hidden=8, tied=True),
    ModelSettings("mgu", hidden=8, layers=2, embedding=5, tied=True),
    ModelSettings("lstm", hidden=8, layers=2, variational=True, embedding=5),
    ModelSettings("lstm", hidden=8, embedding_dropout=0.3, weight_drop=0.4, variational=True, tied=True),
    ModelSettings("rnn", hidden=8, layers=2, embedding_dropout=0.3, weight_drop=0.4),
    ModelSettings("lstm", hidden=16, layers=2, cutoffs=(3, 5), weight_drop=0.4),
]
WINDOW = torch.arange(21).view(7, 3) % 11


@pytest.mark.parametrize("settings", REGULARISED, ids=str)
def test_the_loss_is_that_of_all_logits(settings: ModelSettings) -> None:
    torch.manual_seed(0)
    model, targets = build(11, settings).double(), WINDOW.roll(-1, 0).clone()
    targets[-1, 1] = PADDING
    results = []
    for fused in (True, False):
        torch.manual_seed(1)
        total, state = torch.zeros((), dtype=torch.double), None
        for _ in range(2):
            if fused:
                window, state = model.nats(WINDOW, targets, detached(state))
            else:
                logits, state = model(WINDOW, detached(state))
                window = nats(logits, targets, "sum")
            total = total + window
        results.append([total, *torch.autograd.grad(total, list(model.parameters()))])
    torch.testing.assert_close(*results)


def test_training_estimates_the_loss_from_a_sample_of_tokens() -> None:
    torch.manual_seed(0)
    targets = WINDOW.roll(-1, 0)
    model = build(11, ModelSettings(hidden=8, tied=True, dropout=0.0, sampled=6)).double()
    exact = [float(model.eval().nats(WINDOW, targets)[0].detach()) for _ in range(2)]
    logits, _ = model(WINDOW)
    assert exact == [pytest.approx(float(nats(logits, targets, "sum").detach()))] * 2
    estimates = [float(model.train().nats(WINDOW, targets)[0].detach()) for _ in range(20)]
    assert len(set(estimates)) == 20
    assert sum(estimates) / 20 == pytest.approx(exact[0], rel=0.05)
    every = build(11, ModelSettings(hidden=8, dropout=0.0, sampled=11))
    assert len({float(every.nats(WINDOW, targets)[0].detach()) for _ in range(3)}) == 1


@pytest.mark.parametrize("settings", REGULARISED, ids=str)
def test_files_give_the_same_numbers(settings: ModelSettings, tmp_path: Path) -> None:
    model = build(11, settings).eval()
    recurra.save(model, tmp_path / "model")
    loaded, without_torch = recurra.load(tmp_path / "model"), recurra.runtime.load(tmp_path / "model")
    with torch.no_grad():
        expected, _ = model(WINDOW)
        assert torch.equal(loaded(WINDOW)[0], expected)
    np.testing.assert_allclose(without_torch(WINDOW.numpy())[0], expected.numpy(), rtol=1e-5, atol=1e-6)
    stream = without_torch.stream(3)
    steps = [stream.step(tokens) for tokens in WINDOW.numpy()]
    assert np.array_equal(np.stack(steps), without_torch(WINDOW.numpy())[0])


@pytest.mark.parametrize("settings", [s for s in REGULARISED if s.tied], ids=str)
def test_tied_weights_stay_one(settings: ModelSettings, tmp_path: Path) -> None:
    model = build(11, settings)
    assert model.output.weight is model.embedding.weight
    assert float(model.embedding.weight.detach().abs().max()) <= 0.1
    assert not model.output.bias.any()
    for to in (None, "bf16", "int8"):
        described = describe(model) if to is None else quantize(describe(model), to)
        write(described, tmp_path / "model")
        loaded, again = recurra.load(tmp_path / "model"), recurra.runtime.load(tmp_path / "model").description
        assert loaded.output.weight is loaded.embedding.weight
        assert again.weights["output.weight"] is again.weights["embedding.weight"]
        recurra.onnx.export(again, tmp_path / "model.onnx")
        shapes = [list(tensor.dims) for tensor in onnx.load(tmp_path / "model.onnx").graph.initializer]
        assert shapes.count([11, model.embedding.embedding_dim]) == 1


def test_first_values_of_many_tokens_are_small() -> None:
    few, many = build(9_999, SMALL), build(10_000, SMALL)
    assert few.embedding.weight.abs().max() > 3
    assert few.output.bias.any()
    for weight in (many.embedding.weight, many.output.weight):
        assert 0.099 < weight.abs().max() <= 0.1
    assert not many.output.bias.any()


def test_sizes_of_tied_and_untied_models() -> None:
    model = build(11, ModelSettings(hidden=8, embedding=5, tied=True))
    assert (model.projection.in_features, model.projection.out_features) == (8, 5)
    assert not hasattr(build(11, ModelSettings(hidden=8, tied=True)), "projection")
    assert build(11, ModelSettings(hidden=8, embedding=5)).output.in_features == 8


def test_variational_layers_have_a_mask_each() -> None:
    model = build(11, ModelSettings(hidden=8, layers=3, variational=True, dropout=0.3))
    assert [type(part).__name__ for part in model] == [
        "Embedding", "VariationalDropout", *["Recurrent", "VariationalDropout"] * 3, "Linear",
    ]  # fmt: skip
    assert [part.p for part in model if isinstance(part, VariationalDropout)] == [0.3] * 4
    other = build(11, ModelSettings(hidden=8, variational=True, dropout=0.3, input_dropout=0.1))
    assert [part.p for part in other if isinstance(part, VariationalDropout)] == [0.1, 0.3]


def test_the_embedding_s_output_is_dropped_if_asked() -> None:
    models = [build(11, ModelSettings(hidden=8, dropout=0.3, input_dropout=p)) for p in (None, 0.0, 0.2)]
    assert [[part.p for part in model if isinstance(part, torch.nn.Dropout)] for model in models] == [
        [0.3],
        [0.3],
        [0.2, 0.3],
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ModelSettings("indrnn", hidden=8, weight_drop=0.5), "--weight-drop has no effect on --cell indrnn"),
        (ModelSettings(hidden=8, tied=True, cutoffs=(3,)), "--tied needs a full softmax: leave out --cutoffs"),
        (ModelSettings(hidden=8, cutoffs=(3, 11)), "--cutoffs 3,11: cutoffs must be ascending, from 1, and below"),
        (ModelSettings(hidden=8, cutoffs=(5, 3)), "--cutoffs 5,3: cutoffs must be ascending"),
        (ModelSettings(hidden=8, cutoffs=(2, 5)), "--cutoffs 2,5: 8 features are too few for 2 clusters"),
        (ModelSettings(hidden=8, cutoffs=(3,), sampled=5), "--sampled estimates a full softmax: leave out --cutoffs"),
    ],
    ids=str,
)
def test_impossible_settings(settings: ModelSettings, message: str) -> None:
    with pytest.raises(RunError, match=message):
        _checked_and_built(settings)


def _checked_and_built(settings: ModelSettings) -> None:
    settings.check()
    build(11, settings)


def test_a_copy_has_its_own_memory() -> None:
    model = build(11, SMALL)
    model.nats(WINDOW, WINDOW)
    other = copy.deepcopy(model)
    assert other._workspace is not model._workspace
    assert torch.equal(other.eval().nats(WINDOW, WINDOW)[0], model.eval().nats(WINDOW, WINDOW)[0])
