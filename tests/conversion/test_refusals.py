"""Weights that cannot be converted are refused in one line that says what is wrong."""

import numpy as np
import pytest

import recurra
from recurra.errors import RecurraError
from recurra.runtime import convert
from tests.conversion.weights import close, keras_weights, onnx_weights, torch_weights, waves

WITHOUT_BIAS = {name: value for name, value in keras_weights(3, (6,)).items() if name != "bias"}


def test_the_other_layout_is_recognised():
    torch_like = {name: value.T for name, value in torch_weights(4).items()}
    with pytest.raises(RecurraError, match=r"looks like Keras' .*order='keras', names=\{'kernel': 'weight_ih_l0', "):
        convert(torch_like)
    with pytest.raises(RecurraError, match=r"weight_ih_l0.* must have shape .*looks like Keras'"):
        convert(torch_like, cell="lstm")
    turned = {name: value.T for name, value in keras_weights(4, (8,)).items()}
    with pytest.raises(RecurraError, match=r"must have shape \(units, gates\*units\); got \(8, 2\): .* like torch's"):
        convert(turned)
    half = {**keras_weights(4, (8,)), "kernel": waves((8, 3), 1)}
    with pytest.raises(
        RecurraError, match=r"kernel must have shape \(input, 4\*units=8\); got \(8, 3\): .* like torch's"
    ):
        convert(half)


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ({"arr_0": np.ones((3, 8)), "arr_1": np.ones((2, 8))}, {}, r"names=\{role: name\} says which .*: arr_0, arr_1"),
        ({}, {}, "there are none"),
        ({"kernel": np.ones((3, 8)), "bias": np.ones(8)}, {}, r"are bias, kernel \(keras\), but no recurrent_kernel"),
        ({"a.weight_ih_l0": np.ones((8, 3))}, {}, r"complete; 'a.' has weight_ih \(torch\), but no weight_hh"),
        (torch_weights(2), {}, r"weight_hh.* of shape \(8, 4\) has 2 gates; an RNN has 1, a GRU 3, an LSTM 4"),
        (torch_weights(4), {"cell": "gru"}, r"have shape \(12, 3\), \(3\*hidden, input\) of cell 'gru'; got \(16, 3\)"),
        (torch_weights(4), {"cell": "LSTM"}, r"the name of one in recurra\.cells\.all\(\); got 'LSTM': .* 'lstm'\?"),
        (torch_weights(4), {"cell": 3}, "cell must be a cell, .*; got 3"),
        (torch_weights(4), {"cell": ["lstm"]}, r"cell must be a cell, .*; got \['lstm'\]"),
        (torch_weights(4), {"order": "tf"}, "order must be 'torch', 'keras', 'onnx' or None; got 'tf'"),
        (torch_weights(4), {"order": "keras"}, r"no names end in the roles kernel, recurrent_kernel \(keras\)"),
        (torch_weights(4), {"names": []}, "names is an empty list"),
        (torch_weights(4), {"names": 3}, "names must be a text, or names by role; got int"),
        (torch_weights(4), {"names": {}}, "names has nothing; needed are all roles of one layer"),
        (torch_weights(4), {"names": {"weight_ih_l0": "weight_ih_l0"}}, "names has weight_ih_l0; needed are all roles"),
        (torch_weights(4), {"names": {"W": "a", "kernel": "b"}}, "names has W, kernel; needed are all roles"),
        (
            torch_weights(4),
            {"names": {"weight_ih": "weight_ih_l0", "weight_hh": "w"}},
            r"there is no array 'w', but weight_ih_l0 \(16, 3\), weight_hh_l0 \(16, 4\), ",
        ),
        (torch_weights(4), {"names": {"weight_ih": np.ones(3)}}, "the arrays themselves are the source"),
        (torch_weights(4), {"output": "head"}, r"output='head': no names end in the roles weight \(torch\) or kernel"),
        (torch_weights(4), {"embedding": "table"}, r"embedding='table': no names"),
        (torch_weights(4), {"batch_first": 1}, "batch_first must be true or false"),
        (keras_weights(3, (6,)), {"cell": "gru"}, r"got \(6,\): that is of reset_after=False: cell='gru_reset_before'"),
        (keras_weights(3, (2, 6)), {"cell": "gru_reset_before"}, r"\(2, 6\): that is of reset_after=True: cell='gru'"),
        (keras_weights(4, (6,)), {}, r"bias must have shape \(4\*units=8,\); got \(6,\)"),
        (keras_weights(4, (8,)), {"cell": "gru"}, r"kernel of shape \(2, 8\) has 4 gates; the cell has 3: r, z, n"),
        (keras_weights(4, (8,)), {"cell": "mgu"}, "has 4 gates; the cell has 2: f, n"),
        (keras_weights(4, (8,)), {"cell": "indrnn"}, "cell 'indrnn' has the parameters W, u, b"),
        ({**keras_weights(3, (6,)), "bias": np.ones(6, int)}, {}, "bias must be of real numbers; got int64"),
        ({**keras_weights(3, (6,)), "bias": "text"}, {}, "bias must be of real numbers; got <U4"),
        ({**keras_weights(3, (6,)), "bias": [[1], [1, 2]]}, {}, "bias is no array of numbers"),
        (WITHOUT_BIAS, {}, "a GRU without bias: say"),
        (onnx_weights(3, 1), {}, "say cell='gru_reset_before' of linear_before_reset=0"),
        (onnx_weights(4, 1), {"cell": "peephole_lstm"}, "peepholes of f, i, o, the weights of no gate"),
        ({**onnx_weights(4, 1), "P": np.ones((1, 12))}, {"cell": "lstm"}, "of no gate, the weights of f, i, o"),
        ({**onnx_weights(4, 1), "B": np.ones(32)}, {}, r"B must have shape \(directions=1, 8\*hidden=32\); got"),
        ({**onnx_weights(4, 1), "W": np.ones((16, 3))}, {}, r"W must have shape \(directions=1, 4\*hidden=16, input\)"),
        ({**onnx_weights(4, 1), "R": np.ones((16, 4))}, {}, r"R must have shape \(directions, gates\*hidden, hidden\)"),
        ({3: np.ones(3)}, {}, "the arrays must have texts as names; got 3"),
        (3, {}, "the source must be a path, or arrays by name; got int"),
    ],
)  # fmt: skip
def test_refusals_name_what_is_wrong(source, arguments, message):
    with pytest.raises(RecurraError, match=message) as error:
        convert(source, **arguments)
    assert "\n" not in str(error.value)


def test_incomplete_layers_are_refused():
    weights = torch_weights(4, layers=2, directions=2)
    for name, message in (
        ("weight_hh_l1_reverse", "weight_hh is missing in layer 1, backward, of ''"),
        ("bias_ih_l0", "bias_ih is missing in layer 0, forward"),
    ):
        with pytest.raises(RecurraError, match=message):
            convert({key: value for key, value in weights.items() if key != name})
    one = torch_weights(4)
    with pytest.raises(RecurraError, match="of the cell's biases, bias_hh is missing: there must be all or none"):
        convert({key: value for key, value in one.items() if key != "bias_hh_l0"})
    with pytest.raises(RecurraError, match="w_hh and weight_hh_l0 are both weight_hh in layer 0, forward"):
        convert({"w_hh": one["weight_hh_l0"], **one})
    wrong = {**weights, "weight_ih_l1": weights["weight_ih_l1"][:, :5]}
    with pytest.raises(RecurraError, match=r"weight_ih \(weight_ih_l1\) must have shape \(16, 8\), .*; got \(16, 5\)"):
        convert(wrong)


def test_an_option_that_the_cell_does_not_have():
    with pytest.raises(TypeError, match="cell 'lstm' has no option nonlinearity"):
        convert(torch_weights(4), nonlinearity="relu")


def test_what_stands_around_must_fit():
    source = {**torch_weights(4), "fc_w": np.ones((7, 4), np.float32), "fc_b": np.ones(6, np.float32)}
    source |= {"emb": np.ones((9, 5), np.float32), "dense/kernel": np.ones((7, 4), np.float32)}
    with pytest.raises(RecurraError, match=r"bias \(fc_b\) must have shape \(out=7,\); got \(6,\)"):
        convert(source, output="fc")
    with pytest.raises(
        RecurraError, match=r"kernel \(dense/kernel\) must have shape \(in=4, out\); got \(7, 4\): the other"
    ):
        convert(source, output="dense")
    with pytest.raises(RecurraError, match=r"emb gives 5 features, recurrent takes 3$"):
        convert(source, embedding="emb")
    with pytest.raises(RecurraError, match=r"embedding \(fc_b\) must have shape \(tokens, features\); got \(6,\)"):
        convert(source, embedding="fc_b")
    made = convert(source, output={"weight": "dense/kernel"})
    close(
        made(np.ones((2, 1, 3)))[0],
        convert(torch_weights(4))(np.ones((2, 1, 3)))[0].sum(-1, keepdims=True) + np.zeros(7),
        1e-6,
    )


def _parts(**shapes):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


@recurra.cell
def joined(x, h, *, W, U):
    third, _, _ = recurra.split(x, 3)
    return recurra.tanh(recurra.concat(third, h, h) @ W + h @ U)


@recurra.cell
def open_sum(x, h, *, W, b):
    return recurra.tanh(recurra.concat(x, h) @ W + b)


@pytest.mark.parametrize(
    ("cell", "source", "message"),
    [
        (joined, _parts(W=(410, 300), U=(300, 300)), r"410 = input/3 \+ 2\*hidden of W cannot hold with hidden=300"),
        (
            joined,
            _parts(W=(410, 96), U=(96, 95)),
            r"U must have shape \(96, 96\), .*; got \(96, 95\): 95 = hidden cannot",
        ),
        (open_sum, _parts(W=(7, 7), b=(7,)), r"7 = input \+ hidden of W cannot hold with hidden=7: input would be 0$"),
    ],
)
def test_the_one_equation_that_cannot_hold(cell, source, message):
    with pytest.raises(RecurraError, match=message) as refused:
        convert(source, cell=cell)
    assert len(str(refused.value)) < 250


def test_sizes_that_several_equations_give_together():
    @recurra.cell
    def scaled(x, h, *, b, c):
        return recurra.tanh(h * recurra.mean(recurra.concat(x, h) * b) + recurra.mean(recurra.concat(x, h, h) * c))

    model = convert(_parts(b=(3 + 4,), c=(3 + 2 * 4,)), cell=scaled)
    assert model(np.zeros((2, 1, 3), np.float32))[0].shape == (2, 1, 4)
    with pytest.raises(RecurraError, match=r"7 = input \+ hidden of b cannot hold with input=7: hidden would be 0"):
        convert(_parts(b=(7,), c=(7,)), cell=scaled)
