"""`checkpoint=`: the same numbers with fewer kept activations."""

import gc

import numpy as np
import pytest
import torch

import recurra
from recurra.nn import GRU, LSTM, RNN, Recurrent, pack_padded_sequence
from recurra.nn.running import execute


def gradients(layer, x, reset=None):
    output, state = layer(x, reset=reset)
    states = state if isinstance(state, tuple) else (state,)
    loss = (output * output).sum() + sum((value**3).sum() for value in states)
    return torch.autograd.grad(loss, [x, *layer.parameters()])


@pytest.mark.parametrize("checkpoint", [True, 1, 4, 100])
@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_gradients_are_those_without(kind, checkpoint):
    torch.manual_seed(0)
    options = {"num_layers": 2, "bidirectional": True, "dtype": torch.float64}
    plain, cut = kind(5, 7, **options), kind(5, 7, **options, checkpoint=checkpoint)
    cut.load_state_dict(plain.state_dict())
    x = torch.randn(23, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.equal(plain(x)[0], cut(x)[0])
    reset = torch.rand(23, 3) < 0.2
    for resets in (None, reset):
        for a, b in zip(gradients(plain, x, resets), gradients(cut, x, resets), strict=True):
            torch.testing.assert_close(b, a, rtol=1e-11, atol=1e-11)


def test_only_what_is_asked_for_gets_a_gradient():
    layer = LSTM(3, 4, checkpoint=2)
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    h = torch.randn(1, 2, 4, requires_grad=True)
    x = torch.randn(5, 2, 3)
    layer(x, (h, torch.zeros(1, 2, 4)))[0].sum().backward()
    assert h.grad is not None
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_gradients_of_gradients():
    layer = GRU(2, 3, checkpoint=2, dtype=torch.float64)
    x = torch.randn(5, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (x,))


def test_a_cell_with_masks():
    @recurra.cell
    def noisy(x, h, *, W, U):
        h = recurra.tanh(x @ W + recurra.dropout(h, 0.5) @ U)
        return h

    results = []
    for checkpoint in (None, 3):
        torch.manual_seed(1)
        layer = Recurrent(noisy, 4, 4, checkpoint=checkpoint)
        x = torch.randn(10, 2, 4, requires_grad=True)
        results.append(gradients(layer, x))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(b, a)


LENGTHS = [9, 7, 7, 3, 1]


@pytest.mark.parametrize("engine", ["native", "reference", "torch"])
@pytest.mark.parametrize("checkpoint", [True, 1, 4, 100])
@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_packed_input_on_every_engine(kind, checkpoint, engine):
    options = {"num_layers": 2, "bidirectional": True, "dtype": torch.float64}
    plain, cut = kind(3, 4, **options), kind(3, 4, **options, checkpoint=checkpoint)
    cut.load_state_dict(plain.state_dict())
    x = torch.randn(9, 5, 3, dtype=torch.float64, requires_grad=True)
    found = []
    for layer in (plain, cut):
        with recurra.engine(engine):
            output, state = layer(pack_padded_sequence(x, torch.tensor(LENGTHS)))
            values = [output.data, *(state if isinstance(state, tuple) else (state,))]
            loss = sum(value.sin().sum() for value in values)
            found.append([*values, *torch.autograd.grad(loss, [x, *layer.parameters()])])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-11, atol=1e-11)


def test_traced_values():
    plain, cut = GRU(3, 4, dtype=torch.float64), GRU(3, 4, checkpoint=2, dtype=torch.float64)
    cut.load_state_dict(plain.state_dict())
    x, found = torch.randn(7, 2, 3, dtype=torch.float64, requires_grad=True), []
    for layer in (plain, cut):
        *_, trace = layer(x, return_trace=True)
        values = list(trace.values())
        loss = sum((number + 1) * value.sin().sum() for number, value in enumerate(values))
        found.append([*values, *torch.autograd.grad(loss, [x, *layer.parameters()])])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-11, atol=1e-11)


def kept(layer, steps, call=None):
    """The bytes that the graph of one call holds, without the input and the output."""
    held = {}

    def pack(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    x = torch.randn(steps, 2, 8)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output, _ = (layer if call is None else call)(x)
    own = {x.untyped_storage().data_ptr(), output.untyped_storage().data_ptr()}
    own |= {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}
    gc.collect()
    return sum(size for place, size in held.items() if place not in own)


def test_memory_grows_with_the_root_of_the_length():
    layer = LSTM(8, 16, checkpoint=True)
    short, long = kept(layer, 400), kept(layer, 6400)
    assert long <= 5 * short  # 16 times the steps, 4 times the memory
    assert kept(LSTM(8, 16), 6400) > 20 * long


@pytest.mark.parametrize("engine", ["native", "reference", "torch"])
@pytest.mark.parametrize("is_compiled", [False, True])
def test_every_engine_keeps_less(engine, is_compiled):
    plain, cut = LSTM(8, 16), LSTM(8, 16, checkpoint=32)
    with recurra.engine(engine):
        held = []
        for layer in (plain, cut):
            call = torch.compile(layer, fullgraph=True, backend="aot_eager") if is_compiled else layer
            held.append(kept(layer, 640, call))
    if engine == "torch" and is_compiled:  # torch's layers keep nothing inside of an operator
        assert held[1] <= 640 // 32 * 2 * 2 * 16 * 4
    else:
        assert held[1] < held[0] / 3


def test_the_log_says_where_it_has_no_effect(caplog):
    execute._log_checkpoint.cache_clear()  # it says so once
    layer, x = GRU(3, 4, checkpoint=2), torch.randn(2, 5, 2, 3, requires_grad=True)
    with caplog.at_level("WARNING", "recurra"):
        torch.func.vmap(lambda one: layer(one)[0])(x).sum().backward()
    assert "checkpoint has no effect under function transforms" in caplog.text
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-3, ValueError), (2.5, TypeError), ("yes", TypeError)])
def test_other_values_are_refused(value, error):
    with pytest.raises(error, match="checkpoint"):
        LSTM(2, 3, checkpoint=value)


def test_it_is_checked_when_it_is_set():
    layer = recurra.nn.GRU(3, 4)
    layer.checkpoint = np.int64(2)
    assert layer.checkpoint == 2
    with pytest.raises(ValueError, match="checkpoint must be at least 1 step; got -1"):
        layer.checkpoint = -1
    with pytest.raises(TypeError, match="checkpoint must be None, a bool or an int, not float"):
        layer.checkpoint = 0.5
    assert layer.checkpoint == 2
