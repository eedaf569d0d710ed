"""Values of earlier steps: windows and delays against the written-out sequence, in chunks, and messages."""

import numpy as np
import pytest
import torch

import recurra
from recurra import EquationError, cell, concat, delay, history, sigmoid, split, tanh
from recurra.compiler import trace
from recurra.nn import Recurrent
from recurra.program import shape_text
from tests.nn.support import assert_same, gradients

F, H, T, B = 3, 4, 7, 2


@cell
def delayed(x, h, *, W, U, V, tau=3):
    h = 0.5 * h + 0.5 * tanh(x @ W + h @ U + delay(h, tau) @ V)
    return h


@cell
def convolution(x, c, *, W):
    f, z = split(concat(x, *history(x, 2)) @ W, 2)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(z)
    return c


@cell
def difference(x, h, *, W, U):
    z = x @ W
    h = tanh((z - delay(z)) @ U + h)
    return h


def delayed_loop(w, x, tau=3):
    states = [torch.zeros(B, H, dtype=x.dtype)] * (tau + 1)
    for step in x:
        now = states[-1]
        states.append(0.5 * now + 0.5 * torch.tanh(step @ w["W"] + now @ w["U"] + states[-1 - tau] @ w["V"]))
    return torch.stack(states[tau + 1 :])


def convolution_loop(w, x):
    padded = torch.cat([torch.zeros(2, *x.shape[1:], dtype=x.dtype), x])
    f, z = (torch.cat([padded[2:], padded[1:-1], padded[:-2]], -1) @ w["W"]).chunk(2, -1)
    c, outputs = torch.zeros(B, H, dtype=x.dtype), []
    for forget, new in zip(torch.sigmoid(f), torch.tanh(z), strict=True):
        c = forget * c + (1 - forget) * new
        outputs.append(c)
    return torch.stack(outputs)


def difference_loop(w, x):
    z, h, before, outputs = x @ w["W"], torch.zeros(B, H, dtype=x.dtype), torch.zeros(B, H, dtype=x.dtype), []
    for now in z:
        h = torch.tanh((now - before) @ w["U"] + h)
        before = now
        outputs.append(h)
    return torch.stack(outputs)


CASES = [(delayed, delayed_loop), (convolution, convolution_loop), (difference, difference_loop)]
over_cases = pytest.mark.parametrize(("target", "loop"), CASES, ids=lambda each: each.__name__)


@over_cases
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_against_a_loop(target, loop, engine):
    torch.manual_seed(0)
    layer = Recurrent(target, F, H, dtype=torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    with recurra.engine(engine):
        output, _ = layer(x)
    expected = loop({name.removesuffix("_l0"): value for name, value in layer.named_parameters()}, x)
    assert_same(output, expected)
    leaves = [x, *layer.parameters()]
    for mine, other in zip(gradients(output, leaves), gradients(expected, leaves), strict=True):
        assert_same(mine, other)


@over_cases
def test_chunks_and_streams_go_on_where_the_last_one_ended(target, loop, tmp_path):
    layer = Recurrent(target, F, H)
    x = torch.randn(T, B, F)
    with torch.no_grad():
        output, last = layer(x)
        state, pieces = None, []
        for chunk in x.split([1, 3, 3]):
            piece, state = layer(chunk, state)
            pieces.append(piece)
    assert torch.equal(torch.cat(pieces), output)
    assert all(map(torch.equal, state, last))
    recurra.save(layer, tmp_path / "model.safetensors")
    stream = recurra.runtime.load(tmp_path / "model.safetensors").stream(B)
    assert np.array_equal(np.stack([stream.step(step) for step in x.numpy()]), output.numpy())


def test_states_and_their_names():
    program = trace(delayed)
    assert [(s.name, shape_text(s.shape)) for s in program.states] == [("h", "(hidden)"), ("h_history", "(3*hidden)")]
    assert [state.name for state in program.next_states] == ["h'", "h_history'"]
    assert [state.name for state in trace(delayed, {"tau": 0}).states] == ["h"]

    @cell
    def twice(x, h, *, W, V):
        return tanh(delay(x) @ W + delay(x, 2) @ W + concat(*history(x, 2)) @ V + h)

    names = {state.name: shape_text(state.shape) for state in trace(twice).states[1:]}
    assert names == {"x_history": "(input)", "x_history_2": "(2*input)", "x_history_3": "(2*input)"}


def test_the_latest_value_comes_first():
    @cell
    def window(x, h, *, W):
        one, two, three = history(x, 3)
        return 0 * h + (x + 10 * one + 100 * two + 1000 * three) @ W

    layer = Recurrent(window, 1, 1)
    torch.nn.init.ones_(layer.W_l0)
    output, (_, last) = layer(torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
    assert output.flatten().tolist() == [1, 12, 123, 1234]
    assert last.flatten().tolist() == [4, 3, 2]


def test_a_history_is_zero_after_a_reset_and_free_of_zoneout():
    layer = Recurrent(difference, F, H, zoneout=0.5)
    x = torch.randn(T, B, F)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    _, (_, last) = layer(x)
    assert_same(last[0], x[-1] @ layer.W_l0)
    layer.eval()
    assert_same(layer(x, reset=reset)[0][3:], layer(x[3:])[0])


def refused(function):
    with pytest.raises(EquationError) as error:
        trace(cell(function) if not isinstance(function, recurra.Cell) else function)
    return str(error.value)


def test_refusals():
    def of_a_parameter(x, h, *, W):
        return tanh(x @ W + h @ delay(W))

    assert "delay(x, steps) needs an input, a state, or what is computed from them" in refused(of_a_parameter)

    def negative(x, h, *, W):
        return tanh(x @ W + delay(h, -1))

    assert "needs a whole number of steps from 0 to 100,000, not -1" in refused(negative)

    def of_a_number(x, h, *, W):
        return tanh(x @ W + h + delay(recurra.sum(h)))

    assert "has shape scalar, but" in refused(of_a_number)
    assert "fix: `delay` and `history` take vectors, and no single numbers" in refused(of_a_number)
    with pytest.raises(EquationError, match="the size of state x_history follows the input's"):
        Recurrent(convolution, F, H, 2)
