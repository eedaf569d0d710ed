"""The code of docs/convert.md runs, block after block, in a folder with the files that it mentions."""

import re
from pathlib import Path

import numpy as np
import pytest

import recurra
from tests.conversion.weights import keras_weights, onnx_weights, torch_weights

PAGE = Path(__file__).parents[2] / "docs" / "convert.md"


def block(number):
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)[number]


def run(number, names=None):
    names = {"np": np, "recurra": recurra} if names is None else names
    file = Path("block.py")
    file.write_text(block(number), encoding="utf-8")
    exec(compile(file.read_text(encoding="utf-8"), file, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_first_example():
    np.savez("weights.npz", **torch_weights(4, 16, 8))
    names = run(0)
    assert names["output"].shape == (20, 1, 8)
    assert recurra.runtime.load("model.safetensors").input_size == 16


def test_torch():
    torch = pytest.importorskip("torch")
    names = run(1)
    trained, ids = names["trained"], torch.tensor([[4], [8], [15]])
    with torch.no_grad():
        expected = trained["head"](trained["lstm"](trained["embedding"](ids))[0])
    np.testing.assert_allclose(names["logits"], expected.numpy(), rtol=0, atol=1e-6)


@pytest.mark.compat
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras' variables
def test_saving_from_keras():
    import keras

    trained = run(2)["trained"]
    table, both, gru, dense = (layer.name for layer in trained.layers)  # numbered, if other layers were made before
    model = recurra.convert("keras.npz", embedding=table, names=[both, gru], output=dense, batch_first=True)
    output, _ = model(np.array([[3, 5, 7]]))
    expected = keras.ops.convert_to_numpy(trained(np.array([[3, 5, 7]])))
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)


def test_reading_what_keras_saved():
    weights = {"sequential/embedding/embeddings": np.ones((9, 3)), "sequential/dense/kernel": np.ones((2, 4))}
    lstm = {"kernel": (3, 8), "recurrent_kernel": (2, 8), "bias": (8,)}
    gru = {"kernel": (4, 6), "recurrent_kernel": (2, 6), "bias": (2, 6)}
    cells = {"bidirectional/forward_lstm/lstm_cell": lstm, "bidirectional/backward_lstm/lstm_cell": lstm}
    for name, shapes in {**cells, "gru/gru_cell": gru}.items():
        weights |= {f"sequential/{name}/{role}": np.ones(shape) for role, shape in shapes.items()}
    np.savez("keras.npz", **weights)
    model = run(3)["model"]
    assert model([[1, 2]])[0].shape == (1, 2, 4)
    np.savez("lstm.npz", **keras_weights(4, (8,)))
    names = run(4)
    assert [part.program.name for _, part in names["model"].description.root.walk()] == ["hard_lstm"]


def test_onnx():
    onnx = pytest.importorskip("onnx")
    weights = onnx_weights(3, 1)
    node = onnx.helper.make_node("GRU", ["X", "w", "r", "b"], ["Y"], hidden_size=4, linear_before_reset=1)
    initializers = [onnx.numpy_helper.from_array(value, name.lower()) for name, value in weights.items()]
    x = onnx.helper.make_tensor_value_info("X", 1, [5, 2, 3])
    y = onnx.helper.make_tensor_value_info("Y", 1, [5, 1, 2, 4])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "layer", [x], [y], initializers)), "model.onnx")
    model = run(5)["model"]
    inputs = np.ones((5, 2, 3), np.float32)
    assert np.array_equal(model(inputs)[0], recurra.convert(weights, cell="gru")(inputs)[0])


def test_any_names():
    names = ("w_ih", "w_hh", "b_ih", "b_hh")
    weights = {
        f"{side}_{name}": value
        for side in ("enc", "dec")
        for name, value in zip(names, torch_weights(3, 6, 8).values(), strict=True)
    }
    tables = {"enc_emb": (29, 6), "dec_emb": (74, 6), "fc_w": (74, 8), "fc_b": (74,)}
    np.savez("checkpoint20.npz", **weights, **{name: np.ones(shape, np.float32) for name, shape in tables.items()})
    assert run(6)["logits"].shape == (1, 1, 74)
    np.savez("plain.npz", *keras_weights(4, (8,)).values())
    assert "LSTM" in repr(run(7)["model"])


def test_every_block_is_run():
    with pytest.raises(IndexError):
        block(8)
