"""Files that Keras wrote, read without Keras and h5py: recorded ones, and those of Keras itself where it is."""

import json
import logging
import zipfile

import numpy as np
import pytest

import recurra
from recurra.conversion.files import read_arrays
from recurra.conversion.keras_config import layers_of
from recurra.conversion.keras_graphs.network import network_of
from recurra.errors import FileFormatError, RecurraError
from recurra.runtime import convert
from tests.conversion import keras_files
from tests.conversion.weights import close, waves

IDS = np.array([[1, 4, 2]])
SHAPES = {
    "words/embeddings": (5, 2),
    "both/forward_lstm/lstm_cell/kernel": (2, 8),
    "both/forward_lstm/lstm_cell/recurrent_kernel": (2, 8),
    "both/forward_lstm/lstm_cell/bias": (8,),
    "both/backward_lstm/lstm_cell/kernel": (2, 8),
    "both/backward_lstm/lstm_cell/recurrent_kernel": (2, 8),
    "both/backward_lstm/lstm_cell/bias": (8,),
    "top/gru_cell/kernel": (2, 9),
    "top/gru_cell/recurrent_kernel": (3, 9),
    "top/gru_cell/bias": (2, 9),
    "out/kernel": (3, 2),
    "out/bias": (2,),
}
WEIGHTS = {name: waves(shape, number + 1) for number, (name, shape) in enumerate(SHAPES.items())}


def written(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(keras_files.content(suffix))
    return path


def with_config(tmp_path, change):
    """The recorded .keras file with a changed configuration."""
    path, other = written(tmp_path, ".keras"), tmp_path / "other.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                change({layer["config"]["name"]: layer for layer in config["config"]["layers"]}, config)
                data = json.dumps(config)
            target.writestr(name, data)
    return other


@pytest.mark.parametrize("suffix", keras_files.SUFFIXES)
def test_arrays(suffix, tmp_path):
    arrays = read_arrays(written(tmp_path, suffix)).arrays
    assert len(arrays) == len(WEIGHTS)
    for name, expected in WEIGHTS.items():
        layer, _, rest = name.partition("/")
        close(arrays[f"{layer}/sequential/{layer}/{rest}" if suffix == ".h5" else name], expected, 1e-7)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_whole_models(suffix, tmp_path):
    made = convert(written(tmp_path, suffix))
    assert made.batch_first
    assert "Embedding → LSTM → GRU → Linear → Softmax" in repr(made)
    close(made(IDS)[0], [keras_files.EXPECTED], 1e-6)
    turned = convert(written(tmp_path, suffix), batch_first=False)
    close(turned(IDS.T)[0][:, 0], keras_files.EXPECTED, 1e-6)


@pytest.mark.parametrize("suffix", keras_files.SUFFIXES)
def test_layers_by_name(suffix, tmp_path):
    merged = {"merge_mode": "sum"} if suffix == ".weights.h5" else {}  # the weights alone do not tell
    parts = {"names": ["both", "top"], "embedding": "words", "output": "out", "batch_first": True}
    logits = convert(written(tmp_path, suffix), **parts, **merged)(IDS)[0][0]
    exponents = np.exp(logits)
    close(exponents / exponents.sum(-1, keepdims=True), keras_files.EXPECTED, 1e-6)
    with pytest.raises(RecurraError, match=r"top gives 3 features, both takes 2$"):
        convert(written(tmp_path, suffix), names=["top", "both"], **merged)


def test_what_the_configuration_says(tmp_path, caplog):
    def last(layers, config):
        layers["top"]["config"]["return_sequences"] = False

    made = convert(with_config(tmp_path, last))
    close(made(IDS)[0], [keras_files.EXPECTED[-1]], 1e-6)  # Dense sees the last step alone, as in Keras
    with caplog.at_level(logging.INFO, "recurra"):
        convert(with_config(tmp_path, last), names="top")
    assert "otherwise than in its source: top has return_sequences=False, and gives all steps here" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING

    def mean(layers, config):
        layers["both"]["config"]["merge_mode"] = "ave"

    halved = convert(with_config(tmp_path, mean), names="both", embedding="words", batch_first=True)(IDS)[0]
    close(
        2 * halved,
        convert(written(tmp_path, ".keras"), names="both", embedding="words", batch_first=True)(IDS)[0],
        1e-6,
    )

    def apart(layers, config):
        layers["both"]["config"]["merge_mode"] = None

    with pytest.raises(RecurraError, match="both gives the outputs of both directions one by one: say merge_mode="):
        convert(with_config(tmp_path, apart))


def test_activations(tmp_path):
    x = waves((1, 4, 2), 3)

    def activated(activation, gates, version="3.15.1"):
        def change(layers, config):
            layers["top"]["config"].update(activation=activation, recurrent_activation=gates)

        path = with_config(tmp_path, change)
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / "dated.keras", "w") as target:
            for name in source.namelist():
                data = json.dumps({"keras_version": version}) if name == "metadata.json" else source.read(name)
                target.writestr(name, data)
        return convert(tmp_path / "dated.keras", names="top", batch_first=True)(x)[0]

    def expected(activation, gates):
        options = {"cell": "gru", "activation": activation, "recurrent_activation": gates, "batch_first": True}
        return convert({name: WEIGHTS[name] for name in WEIGHTS if name.startswith("top")}, **options)(x)[0]

    tanh, sigmoid, hard = recurra.tanh, recurra.sigmoid, recurra.hard_sigmoid
    close(activated("tanh", "sigmoid"), expected(tanh, sigmoid), 1e-6)
    close(activated({"class_name": "function", "config": "relu"}, "sigmoid"), expected(recurra.relu, sigmoid), 1e-6)
    close(activated("linear", "hard_sigmoid"), expected(lambda x: x, hard), 1e-6)
    close(activated("tanh", "hard_sigmoid", "2.15.0"), expected(tanh, lambda x: hard(x, 0.2)), 1e-6)
    close(activated("softsign", "sigmoid"), expected(lambda x: x / (1 + recurra.abs(x)), sigmoid), 1e-6)
    close(activated("silu", "sigmoid"), expected(lambda x: x * sigmoid(x), sigmoid), 1e-6)
    with pytest.raises(
        RecurraError, match=r"top has activation='own'; known are tanh, .* For another one write the cell"
    ):
        activated("own", "sigmoid")


def test_what_is_refused(tmp_path):
    def own_layers(layers, config):
        layers["top"]["class_name"] = "MyLayer"
        layers["both"]["class_name"] = layers["words"]["class_name"] = "Lambda"

    with pytest.raises(
        RecurraError, match=r"layers that are not converted: Lambda ×2 \(words, both\), MyLayer \(top\); names= says"
    ):
        convert(with_config(tmp_path, own_layers))

    def circle(layers, config):
        config["class_name"] = "Functional"
        config["config"].update(input_layers=[["words", 0, 0]], output_layers=[["out", 0, 0]])
        for name, others in {"both": ["top"], "top": ["both"], "out": ["top"]}.items():
            layers[name]["inbound_nodes"] = [[[each, 0, 0, {}] for each in others]]

    with pytest.raises(RecurraError, match="sequential: an input is no input layer"):
        convert(with_config(tmp_path, circle))

    def subclass(layers, config):
        config.update(class_name="Reader", config={})

    with pytest.raises(RecurraError, match="Reader is a class of its own, whose file has weights and no list"):
        convert(with_config(tmp_path, subclass))

    def masked(layers, config):
        layers["words"]["config"]["mask_zero"] = True

    with pytest.raises(RecurraError, match="merge_mode= are for chains of layers, and this model is a graph"):
        convert(with_config(tmp_path, masked), merge_mode="sum")
    assert convert(with_config(tmp_path, masked))(IDS).shape == (1, 3, 2)


def test_relu_of_a_simple_rnn(tmp_path):
    settings = {"name": "rnn", "units": 2, "activation": {"class_name": "function", "config": "relu"}}
    layer = {"class_name": "SimpleRNN", "config": {**settings, "return_sequences": True}}
    older = {"class_name": "Sequential", "config": [layer]}  # as Keras before 2.2 wrote it
    [call] = network_of(older).calls
    assert call.layer.name == "rnn"
    assert layers_of(older)["rnn"].activation("activation", "tanh") == "relu"


def test_archives_that_are_damaged(tmp_path):
    path = written(tmp_path, ".keras")

    def rewritten(**members):
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / "new.keras", "w") as target:
            for name in source.namelist():
                target.writestr(name, members.get(name.replace(".", "_"), source.read(name)))
        return tmp_path / "new.keras"

    with pytest.raises(FileFormatError, match="no HDF5 file"):
        read_arrays(rewritten(model_weights_h5=b"nothing at all"))
    for text in (b"{", b"[" * 100_000, b"\xff"):
        with pytest.raises(FileFormatError, match="the model's configuration is no JSON"):
            read_arrays(rewritten(config_json=text))


@pytest.mark.compat
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras' variables
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "ave", "mul"])
def test_models_of_keras_itself(suffix, merge_mode, tmp_path):
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, 3)),
            layers.Bidirectional(layers.GRU(4, return_sequences=True, reset_after=False), merge_mode=merge_mode),
            layers.LayerNormalization(),
            layers.SimpleRNN(5, activation="relu", return_sequences=True),
            layers.Dropout(0.5),
            layers.LSTM(4, return_sequences=True, use_bias=False),
            layers.TimeDistributed(layers.Dense(3, activation="tanh")),
            layers.Dense(2),
            layers.Activation("sigmoid"),
        ]
    )
    draw = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(draw.standard_normal(weight.shape) * 0.5)
    x = draw.standard_normal((2, 5, 3)).astype(np.float32)
    model.save(tmp_path / f"model{suffix}")
    expected = keras.ops.convert_to_numpy(model(x))
    close(convert(tmp_path / f"model{suffix}")(x)[0], expected, 1e-5)
