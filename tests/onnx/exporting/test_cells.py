"""All cells as ONNX graphs: onnxruntime and onnx's evaluator compute what the layer computes."""

import pytest
import torch

import recurra
from recurra import cell, nn, relu, sigmoid, tanh
from recurra.cells import gru, lstm, rnn
from tests.onnx.exporting.exported import (
    CELLS,
    ONE_LAYER,
    File,
    as_state,
    assert_close,
    assert_same,
    feed_of,
    flat,
    input_of,
    layer_of,
    packed_results,
    states_of,
)  # fmt: skip

OPTIONS = (
    {},
    {"bidirectional": True},
    {"num_layers": 2, "batch_first": True, "bias": False},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
)
SHAPES = [(7, 3), (1, 1), (1, 4), (5, 1)]  # steps, batch
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
EVERY_CELL = pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name in CELLS for options in (OPTIONS[:1] if name in ONE_LAYER else OPTIONS)],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "plain",
)


@DTYPES
@EVERY_CELL
def test_any_number_of_steps_and_sequences(name, options, dtype, tmp_path):
    layer = layer_of(name, dtype, **options)
    file = File(layer, tmp_path)
    for steps, batch in SHAPES:
        x, states = input_of(layer, steps, batch), states_of(layer, batch)
        expected = flat(layer(x, as_state(states)))
        assert_same(file, feed_of(layer, x, states), expected, dtype, f"{steps} steps of {batch}")
    x = input_of(layer, 4, 2)
    assert_same(file, {"x": x.numpy()}, flat(layer(x)), dtype, "states left out")


@DTYPES
@EVERY_CELL
def test_lengths(name, options, dtype, tmp_path):
    layer = layer_of(name, dtype, **options)
    file = File(layer, tmp_path, lengths=True)
    for steps, lengths in ((6, [2, 6, 0, 1]), (3, [3]), (1, [1, 1]), (5, [2, 3])):
        x, states = input_of(layer, steps, len(lengths)), states_of(layer, len(lengths))
        expected = packed_results(layer, x, lengths, states)
        dirty = (x if not layer.batch_first else x.transpose(0, 1)).clone()
        for row, length in enumerate(lengths):
            dirty[length:, row] = float("nan")
        x = dirty.transpose(0, 1) if layer.batch_first else dirty
        assert_same(file, feed_of(layer, x, states, lengths), expected, dtype, str(lengths))


@EVERY_CELL
def test_states_carry_on(name, options, tmp_path):
    """Several calls that pass the states on equal one long call; backwards, the second part comes first."""
    if options.get("bidirectional"):
        options = {**options, "bidirectional": False}
    layer = layer_of(name, **options)
    file, x = File(layer, tmp_path), input_of(layer, 9, 2).numpy()
    whole, *last = file.run({"x": x})
    axis, feed = int(layer.batch_first), {}
    for begin, end in ((0, 4), (4, 5), (5, 9)):
        part = x[:, begin:end] if axis else x[begin:end]
        output, *states = file.run({"x": part, **feed})
        expected = whole[:, begin:end] if axis else whole[begin:end]
        assert abs(output - expected).max() <= 1e-6
        feed = {f"{state}_0": value for state, value in zip(layer.cell.states, states, strict=True)}
    assert max(abs(a - b).max() for a, b in zip(states, last, strict=True)) <= 1e-6


@DTYPES
@EVERY_CELL
def test_recurra_loads_it_back(name, options, dtype, tmp_path):
    layer = layer_of(name, dtype, **options)
    for lengths in (None, [2, 4, 0]):
        file = File(layer, tmp_path, lengths=lengths is not None)
        x, states = input_of(layer, 4, 3), states_of(layer, 3)
        feed = feed_of(layer, x, states, lengths)
        assert_close(recurra.onnx.load(file.path).run(None, feed), file.run(feed), dtype)


@DTYPES
@pytest.mark.parametrize("name", CELLS)
def test_one_step(name, dtype, tmp_path):
    torch.manual_seed(0)
    width = 6 if name == "intersection" else 5
    one = nn.RecurrentCell(CELLS[name], width, 6, dtype=dtype).eval()
    file = File(one, tmp_path)
    assert file.operators == []
    names = list(one.cell.states)
    for batch in (1, 3):
        x = torch.randn(batch, width, dtype=dtype)
        states = [torch.randn(batch, size, dtype=dtype) for size in one._scan.state_sizes]
        results = flat(one(x, as_state(states)))
        expected = results if one.cell.output else [results[0], *results]
        feed = {"x": x.numpy(), **{f"{n}_0": state.numpy() for n, state in zip(names, states, strict=True)}}
        assert_same(file, feed, expected, dtype, f"{batch} sequences")
    assert file.names == (["x", *(f"{n}_0" for n in names)], ["output", *(f"{n}_n" for n in names)])


# ---- the node that a program becomes ----

NODES = {"lstm": "LSTM", "peephole_lstm": "LSTM", "gru": "GRU", "gru_reset_before": "GRU", "rnn": "RNN"}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("bias", [True, False])
def test_the_node_of_a_program(name, bias, tmp_path):
    assert File(layer_of(name, bias=bias), tmp_path).operators == [NODES.get(name, "Scan")]


def test_both_directions_are_one_node(tmp_path):
    file = File(layer_of("gru", num_layers=3, bidirectional=True), tmp_path)
    nodes = [node for node in file.proto.graph.node if node.op_type == "GRU"]
    attributes = [{a.name: a.s or a.i for a in node.attribute} for node in nodes]
    assert attributes == [{"direction": b"bidirectional", "hidden_size": 6, "linear_before_reset": 1}] * 3


@pytest.mark.parametrize("function", [tanh, relu, sigmoid], ids=lambda function: function.__name__)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}], ids=["plain", "both"])
def test_activations_of_an_rnn(function, options, tmp_path):
    layer = layer_of(rnn, nonlinearity=function, **options)
    file = File(layer, tmp_path)
    assert set(file.operators) == {"RNN"}
    x, states = input_of(layer, 5, 2), states_of(layer, 2)
    assert_same(file, feed_of(layer, x, states), flat(layer(x, as_state(states))), torch.float32)


@cell
def my_own_lstm(u, a, b, *, w, v, p, q):
    """The equations of an LSTM under other names."""
    from recurra import split

    one, two, three, four = split(u @ w.T + p + a @ v.T + q, 4)
    i, f, g, o = sigmoid(one), sigmoid(two), tanh(three), sigmoid(four)
    b = f * b + i * g
    a = o * tanh(b)
    return a, b


@cell
def almost_an_lstm(x, h, c, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """The equations of an LSTM with its gates in another order."""
    from recurra import split

    a_f, a_i, a_g, a_o = split(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c


@pytest.mark.parametrize(("made", "node"), [(my_own_lstm, "LSTM"), (almost_an_lstm, "Scan")])
def test_the_equations_decide_not_the_names(made, node, tmp_path):
    layer = layer_of(made, num_layers=2)
    file = File(layer, tmp_path)
    assert file.operators == [node] * 2
    x, states = input_of(layer, 5, 2), states_of(layer, 2)
    assert_same(file, feed_of(layer, x, states), flat(layer(x, as_state(states))), torch.float32)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}])
def test_a_projection(options, tmp_path):
    torch.manual_seed(0)
    layer = nn.LSTM(5, 6, proj_size=3, **options).eval()
    file = File(layer, tmp_path)
    assert set(file.operators) == {"Scan"}
    x, states = input_of(layer, 5, 2), states_of(layer, 2)
    assert_same(file, feed_of(layer, x, states), flat(layer(x, as_state(states))), torch.float32)


@pytest.mark.parametrize("made", [lstm, gru, rnn], ids=lambda made: made.name)
def test_torch_s_own_modules(made, tmp_path):
    torch.manual_seed(0)
    layer = getattr(torch.nn, made.name.upper())(5, 6, num_layers=2, bidirectional=True, dropout=0.5).eval()
    x = torch.randn(4, 3, 5)
    assert_same(File(layer, tmp_path), {"x": x.numpy()}, flat(layer(x)), torch.float32)
