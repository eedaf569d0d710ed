"""Keras' layouts, compared with recorded results of Keras, and with Keras itself where it is installed."""

import numpy as np
import pytest

import recurra
from recurra import clip, split, tanh
from recurra.errors import RecurraError
from recurra.runtime import convert
from tests.conversion.weights import close, keras_weights, waves

# The outputs of Keras 3.15.1 for waves((1, 3, 3), 0.5) with waves(shape, n + 1) as weight n; from its numpy backend,
# whose products are float32.
KERAS = {
    "SimpleRNN": ((1, (2,)), [
        [0.11096092, -0.84630656], [0.80962521, 0.5969339], [-0.02674556, -0.96050137],
    ]),
    "LSTM": ((4, (8,)), [
        [0.31388265, 0.05752193], [0.10166242, 0.13098826], [0.28062674, 0.0479529],
    ]),
    "GRU": ((3, (2, 6)), [
        [-0.11466369, 0.00010219], [0.64429948, 0.95522403], [0.58640161, 0.68931805],
    ]),
    "GRU(reset_after=False)": ((3, (6,)), [
        [-0.16701263, -0.02843324], [0.737166, 0.91284211], [0.64903158, 0.75961798],
    ]),
}  # fmt: skip
KERAS_BIDIRECTIONAL = {
    "GRU": [
        [-0.11466369, 0.00010219, 0.58448648, -0.26649535],
        [0.64429948, 0.95522403, -0.22769523, -0.32556703],
        [0.58640161, 0.68931805, 0.68695331, -0.29329392],
    ],
    "LSTM": [
        [0.31388265, 0.05752193, -0.04873874, -0.45634398],
        [0.10166242, 0.13098826, 0.01013776, -0.11599563],
        [0.28062674, 0.0479529, -0.1184147, -0.49295008],
    ],
}
X = waves((1, 3, 3), 0.5)


@pytest.mark.parametrize("kind", KERAS)
def test_keras(kind, tmp_path):
    (gates, bias), expected = KERAS[kind]
    path = tmp_path / "layer.npz"
    np.savez(path, **{f"sequential/layer/cell/{name}": value for name, value in keras_weights(gates, bias).items()})
    cell = {"SimpleRNN": "rnn", "LSTM": "lstm", "GRU": "gru"}.get(kind, "gru_reset_before")
    for arguments in ({}, {"cell": cell}, {"order": "keras", "names": "layer"}):
        output, _ = convert(path, batch_first=True, **arguments)(X)
        close(output[0], expected, 1e-6)


@pytest.mark.parametrize("kind", KERAS_BIDIRECTIONAL)
@pytest.mark.parametrize("name", ["both/{}_layer/cell/{}", "both/{}_layer/cell_{}/{}:0", "{}_{}"])
def test_keras_in_both_directions(kind, name):
    (gates, bias), _ = KERAS[kind]
    source = {}
    for number, direction in enumerate(("forward", "backward")):
        for role, value in keras_weights(gates, bias, 1 + 3 * number).items():
            source[name.format(*(direction, number, role) if ":0" in name else (direction, role))] = value
    output, _ = convert(source, batch_first=True)(X)
    close(output[0], KERAS_BIDIRECTIONAL[kind], 1e-6)
    wrong = {key: value[:, :-1] if "backward" in key and "recurrent" in key else value for key, value in source.items()}
    with pytest.raises(
        RecurraError, match=r"recurrent_kernel \(.*backward.*\) must have shape .*, as recurrent_kernel"
    ):
        convert(wrong)


def test_keras_by_names_and_without_bias():
    weights = keras_weights(4, (8,))
    del weights["bias"]
    source = dict(zip(("arr_0", "arr_1"), weights.values(), strict=True))
    made = convert(source, names={"kernel": "arr_0", "recurrent_kernel": "arr_1"}, batch_first=True)
    expected, _ = convert({**weights, "bias": np.zeros(8)}, batch_first=True)(X)
    close(made(X)[0], expected)
    assert "bias_ih_l0" not in made.description.weights


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_layouts_of_cudnn(kind, gates):
    """The arrays of CuDNNLSTM and CuDNNGRU that hold the weights of a layer with recorded results."""
    weights = keras_weights(gates, (2 * gates,) if kind == "LSTM" else (2, 2 * gates))
    source = {}
    for role in ("kernel", "recurrent_kernel"):
        features, columns = weights[role].shape
        source[role] = np.empty((features, columns))
        for gate in range(gates):  # cuDNN has (units, features), in memory of the shape (features, units)
            own = slice(gate * columns // gates, (gate + 1) * columns // gates)
            source[role][:, own] = weights[role][:, own].T.reshape(features, columns // gates)
    bias = weights["bias"]
    source["bias"] = np.concatenate([bias * 0.25, bias * 0.75]) if kind == "LSTM" else bias.reshape(-1)
    close(convert(source, batch_first=True)(X)[0][0], KERAS[kind][1], 1e-6)
    if kind == "GRU":
        with pytest.raises(RecurraError, match=r"got \(12,\): that is of CuDNNGRU, which resets after: cell='gru'"):
            convert(source, cell="gru_reset_before")


@pytest.mark.parametrize("merge_mode", ["sum", "ave", "mul"])
def test_directions_are_merged(merge_mode):
    source = {}
    for number, direction in enumerate(("forward", "backward")):
        weights = keras_weights(4, (8,), 1 + 3 * number)
        source |= {f"both/{direction}_lstm/lstm_cell/{role}": value for role, value in weights.items()}
    source |= {"dense/kernel": waves((2, 5), 3), "dense/bias": waves((5,), 1)}
    forward, backward = np.split(np.array(KERAS_BIDIRECTIONAL["LSTM"]), 2, axis=1)
    merged = {"sum": forward + backward, "ave": (forward + backward) / 2, "mul": forward * backward}[merge_mode]
    model = convert(source, names="both", batch_first=True, merge_mode=merge_mode)
    close(model(X)[0][0], merged, 1e-6)
    model = convert(source, names="both", output="dense", batch_first=True, merge_mode=merge_mode)
    close(model(X)[0][0], merged @ source["dense/kernel"] + source["dense/bias"], 1e-6)


def test_merge_modes_that_do_not_fit():
    source = {}
    for direction in ("forward", "backward"):
        source |= {f"both/{direction}_lstm/{role}": value for role, value in keras_weights(4, (8,)).items()}
    source["dense/kernel"] = waves((2, 5), 3)
    with pytest.raises(
        RecurraError, match="both gives 4 features, dense takes 2: merge_mode='sum', 'ave' or 'mul' makes 2"
    ):
        convert(source, names="both", output="dense")
    with pytest.raises(RecurraError, match="merge_mode must be 'concat', 'sum', 'mul' or 'ave', not 'max'"):
        convert(source, names="both", merge_mode="max")
    with pytest.raises(RecurraError, match="merges two directions: it needs a layer with the weights of both"):
        convert(keras_weights(4, (8,)), merge_mode="sum")


def test_a_whole_keras_model():
    source = {
        "sequential/embedding/embeddings": waves((5, 3), 1),
        "sequential/gru/gru_cell/kernel": waves((3, 6), 2),
        "sequential/gru/gru_cell/recurrent_kernel": waves((2, 6), 3),
        "sequential/gru/gru_cell/bias": waves((2, 6), 4),
        "sequential/gru_1/gru_cell/kernel": waves((2, 9), 2),
        "sequential/gru_1/gru_cell/recurrent_kernel": waves((3, 9), 3),
        "sequential/gru_1/gru_cell/bias": waves((2, 9), 4),
        "sequential/dense/kernel": waves((3, 4), 5),
        "sequential/dense/bias": waves((4,), 6),
    }
    made = convert(source, names=["gru", "gru_1"], embedding="embedding", output="dense", batch_first=True)
    ids = np.array([[1, 4, 2]])
    hidden = source["sequential/embedding/embeddings"][ids]
    for name in ("gru", "gru_1"):
        hidden, _ = convert(source, names=name, batch_first=True)(hidden)
    close(made(ids)[0], hidden @ source["sequential/dense/kernel"] + source["sequential/dense/bias"])
    assert "<Model Embedding → GRU → GRU → Linear" in repr(made)


def test_another_activation_of_keras_is_a_cell_of_ones_own():
    @recurra.cell
    def hard_lstm(x, h, c, *, weight_ih, weight_hh, bias_ih, bias_hh):
        a_i, a_f, a_g, a_o = split(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 4)
        i, f, o = (clip(a / 6 + 0.5, 0, 1) for a in (a_i, a_f, a_o))
        c = f * c + i * tanh(a_g)
        h = o * tanh(c)
        return h, c

    output, _ = convert(keras_weights(4, (8,)), cell=hard_lstm, batch_first=True)(X)
    # Keras 3.15.1: LSTM(recurrent_activation="hard_sigmoid")
    close(output[0], [
        [0.27440074, 0.09143567], [0.111925, 0.14297165], [0.27103591, 0.08290379],
    ], 1e-6)  # fmt: skip
    relu, _ = convert(keras_weights(1, (2,)), nonlinearity="relu", batch_first=True)(X)
    close(relu[0], [[0.11141971, 0.0], [0.48587042, 0.0], [0.13061976, 0.0]], 1e-6)


@pytest.mark.compat
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras' variables
def test_layers_of_keras_itself():
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Embedding(9, 5),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.GRU(6, reset_after=False, return_sequences=True),
            layers.SimpleRNN(2, return_sequences=True),
            layers.Dense(7),
        ]
    )
    ids = np.random.default_rng(0).integers(0, 9, (3, 11))
    model(ids)
    for number, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(number).standard_normal(weight.shape) * 0.5)
    expected = keras.ops.convert_to_numpy(model(ids))
    source = {weight.path: weight for weight in model.weights}
    table, both, *single, last, dense = (each.name for each in model.layers)
    hidden, _ = convert(source, embedding=table, names=both, batch_first=True)(ids)
    for name in single:
        hidden, _ = convert(source, names=name, batch_first=True)(hidden)
    output, _ = convert(source, names=last, output=dense, batch_first=True)(hidden)
    close(output, expected, 1e-5)
