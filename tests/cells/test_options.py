"""Options of LSTMs and GRUs: other activations, a bound of the cell state, projections; beside plain torch."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import recurra
from recurra import cells
from recurra.cells.known import find_known
from recurra.compiler import plan, trace
from recurra.engines import Call, reference
from recurra.errors import EquationError
from recurra.nn import GRU, LSTM, Recurrent
from recurra.program import Sizes
from tests.onnx.exporting.exported import File, as_state, feed_of, flat, input_of, states_of


def hard_sigmoid(x):
    """As torch.nn.functional.hardsigmoid, whose gradient in float64 is 1/6 in float32."""
    return torch.clamp(x / 6 + 0.5, 0, 1)


ACTIVATIONS = {
    "hard_sigmoid": hard_sigmoid,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
}


def made(cell, proj_size=0, **options):
    torch.manual_seed(0)
    layer = Recurrent(cell, 3, 4, proj_size=proj_size, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(3)
    return layer


def weight(layer, name):
    return getattr(layer, f"{name}_l0")


def lstm_step(layer, x, h, c, gate, activation, bound):
    a = x @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
    i, f, g, o = a.chunk(4, -1)
    c = gate(f) * c + gate(i) * activation(g)
    if bound is not None:
        c = torch.clamp(c, -bound, bound)
    return gate(o) * activation(c), c


def gru_step(layer, x, h, gate, activation):
    a, b = x @ layer.weight_ih_l0.T + layer.bias_ih_l0, h @ layer.weight_hh_l0.T + layer.bias_hh_l0
    (r_x, z_x, n_x), (r_h, z_h, n_h) = a.chunk(3, -1), b.chunk(3, -1)
    n = activation(n_x + gate(r_x + r_h) * n_h)
    z = gate(z_x + z_h)
    return ((1 - z) * n + z * h,)


def peephole_step(layer, x, h, c, activation=torch.tanh):
    def summed(gate):
        return x @ weight(layer, f"W_{gate}") + h @ weight(layer, f"U_{gate}") + weight(layer, f"b_{gate}")

    i = torch.sigmoid(summed("i") + layer.p_i_l0 * c)
    f = torch.sigmoid(summed("f") + layer.p_f_l0 * c)
    c = f * c + i * activation(summed("g"))
    o = torch.sigmoid(summed("o") + layer.p_o_l0 * c)
    return (o * activation(c)) @ layer.weight_hr_l0.T, c


def check(layer, step):
    """Output, last states and all gradients on both engines, beside a loop over steps."""
    x, states = input_of(layer, 4, 3).requires_grad_(), [state.requires_grad_() for state in states_of(layer, 3)]
    leaves = [x, *states, *layer.parameters()]
    now, outputs = [state[0] for state in states], []
    for given in x:
        now = list(step(given, *now))
        outputs.append(now[0])
    expected = [torch.stack(outputs), *(state[None] for state in now)]
    expected += torch.autograd.grad(sum(value.square().sum() for value in expected), leaves)
    for which in ("native", "reference"):
        with recurra.engine(which):
            output, last = layer(x, as_state(states))
            found = [output, *(last if isinstance(last, tuple) else (last,))]
            found += torch.autograd.grad(sum(value.square().sum() for value in found), leaves)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"recurrent_activation": "hard_sigmoid"},
        {"activation": "relu"},
        {"cell_clip": 0.3},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid", "cell_clip": 1},
    ],
)
@pytest.mark.parametrize("proj_size", [0, 2])
def test_an_lstm_with_other_activations_and_a_bound(options, proj_size):
    layer = made(cells.lstm, proj_size, **options)
    gate = ACTIVATIONS[options.get("recurrent_activation", "sigmoid")]
    activation = ACTIVATIONS[options.get("activation", "tanh")]

    def step(x, h, c):
        h, c = lstm_step(layer, x, h, c, gate, activation, options.get("cell_clip"))
        return (h @ layer.weight_hr_l0.T if proj_size else h), c

    check(layer, step)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_gru_with_other_activations(activation):
    layer = made(cells.gru, recurrent_activation="hard_sigmoid", activation=activation)
    check(layer, lambda x, h: gru_step(layer, x, h, hard_sigmoid, ACTIVATIONS[activation]))


def test_layers_with_torch_s_names_take_them():
    torch.manual_seed(0)
    layer = LSTM(3, 4, activation="relu", cell_clip=0.2, dtype=torch.float64)
    check(layer, lambda x, h, c: lstm_step(layer, x, h, c, torch.sigmoid, torch.relu, 0.2))
    layer = GRU(3, 4, recurrent_activation="hard_sigmoid", dtype=torch.float64)
    check(layer, lambda x, h: gru_step(layer, x, h, hard_sigmoid, torch.tanh))


def test_context_units_are_as_many_as_one_likes():
    layer = made(cells.scrn, sizes={"s": 2, "y": 5})
    assert layer.state_sizes == (4, 2)
    x, states = input_of(layer, 4, 3), states_of(layer, 3)
    output, (_, last) = layer(x, as_state(states))
    assert output.shape == (4, 3, 5)
    s = states[1][0]
    for given in x:
        s = 0.05 * (given @ layer.B_l0) + 0.95 * s
    torch.testing.assert_close(last[0], s)


def test_functions_of_one_s_own_are_options():
    def twice_tanh(x):
        return 2 * recurra.tanh(x)

    layer = made(cells.lstm, activation=twice_tanh)
    check(layer, lambda x, h, c: lstm_step(layer, x, h, c, torch.sigmoid, lambda a: 2 * torch.tanh(a), None))


def test_a_projected_lstm_with_peepholes():
    """Sak et al. 2014: the peepholes see the whole cell state, the gates the projected output."""
    layer = made(cells.peephole_lstm, 2)
    assert layer.state_sizes == (2, 4)
    check(layer, lambda x, h, c: peephole_step(layer, x, h, c))


@pytest.mark.parametrize("slope", [1 / 6, 0.2])
def test_hard_sigmoid(slope):
    @recurra.equations.feed_forward
    def piecewise(x):
        return recurra.hard_sigmoid(x, slope)

    x = np.linspace(-5, 5, 101)
    made = plan(trace(piecewise))
    [output] = [reference().build(made).forward(Call(x[None], [1], [], [], Sizes(101, 101))).output]
    np.testing.assert_allclose(output[0], np.clip(slope * x + 0.5, 0, 1))
    if slope == 1 / 6:
        np.testing.assert_allclose(output[0], functional.hardsigmoid(torch.from_numpy(x)), atol=1e-15)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (cells.lstm, {"cell_clip": 3.0}),
        (cells.lstm, {"activation": "relu"}),
        (cells.gru, {"recurrent_activation": "hard_sigmoid"}),
    ],
)
def test_no_other_library_s_layer_is_taken_for_it(cell, options, tmp_path):
    assert find_known(trace(cell)) is not None
    assert find_known(trace(cell, options)) is None
    layer = Recurrent(cell, 3, 4, **options).eval()
    file = File(layer, tmp_path)
    x, states = input_of(layer, 4, 3), states_of(layer, 3)
    found, mine = file.run(feed_of(layer, x, states)), flat(layer(x, as_state(states)))
    for array, expected in zip(found, mine, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bound", [0, -1.0, True, "3", float("nan")])
def test_a_bound_that_is_none_is_refused(bound):
    with pytest.raises(EquationError, match="cell 'lstm': cell_clip must be a number above 0, or None for no bound"):
        Recurrent(cells.lstm, 3, 4, cell_clip=bound)
