"""What pages suppose that their readers have: names and files. Everybody has two texts, book.txt and other.txt."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

import recurra
from recurra import equations
from tests.conversion import keras_files
from tests.conversion.weights import keras_weights, onnx_weights, torch_weights
from tests.pages import ROOT, blocks


def two_texts():
    Path("book.txt").write_text("The cat sat on the mat\nThe dog sat on the log\n" * 40, encoding="utf-8")
    Path("other.txt").write_text("The dog sat on the mat\n" * 5, encoding="utf-8")


def readme(names):
    table_of_sales()
    shutil.copytree(ROOT / "examples", "examples")
    names.update(x=torch.randn(5, 3, 100), model=torch.nn.Sequential(torch.nn.LSTM(3, 4)))


def table_of_sales():
    """The table that the tutorial on time series makes."""
    exec(blocks("docs/series.md", "python")[0], {})


def contributing(names):
    names.update({name: getattr(equations, name) for name in equations.FUNCTIONS}, cell=recurra.cell)


def accelerate(names):
    def model():
        return torch.nn.Sequential(torch.nn.LSTM(3, 4))

    names.update(
        model=model(),
        forecast=SimpleNamespace(models=[model()]),
        predictor=SimpleNamespace(prediction_net=model()),
        encoder=model(),
        pytorch_lightning=SimpleNamespace(Callback=object),
    )
    names["model"].model = model()


def cells(names):
    names.update({name: getattr(equations, name) for name in equations.FUNCTIONS}, recurra=recurra)


def convert(names):
    np.savez("weights.npz", **torch_weights(4, 16, 8))
    for suffix in (".keras", ".weights.h5"):
        Path(f"trained{suffix}").write_bytes(keras_files.content(suffix))
    np.savez("lstm.npz", **keras_weights(4, (8,)))
    np.savez("plain.npz", *keras_weights(4, (8,)).values())
    np.savez("checkpoint20.npz", **g2p_model())
    onnx_model("model.onnx")


def g2p_model():
    names = ("w_ih", "w_hh", "b_ih", "b_hh")
    gru = torch_weights(3, 6, 8).values()
    weights = {f"{side}_{name}": value for side in ("enc", "dec") for name, value in zip(names, gru, strict=True)}
    tables = {"enc_emb": (29, 6), "dec_emb": (74, 6), "fc_w": (74, 8), "fc_b": (74,)}
    return weights | {name: np.ones(shape, np.float32) for name, shape in tables.items()}


def onnx_model(path):
    import onnx

    node = onnx.helper.make_node("GRU", ["X", "w", "r", "b"], ["Y"], hidden_size=4, linear_before_reset=1)
    arrays = [onnx.numpy_helper.from_array(value, name.lower()) for name, value in onnx_weights(3, 1).items()]
    x = onnx.helper.make_tensor_value_info("X", 1, [5, 2, 3])
    y = onnx.helper.make_tensor_value_info("Y", 1, [5, 1, 2, 4])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "layer", [x], [y], arrays)), path)


SUPPOSED = {
    "README.md": readme,
    "CONTRIBUTING.md": contributing,
    "docs/accelerate.md": accelerate,
    "docs/cells.md": cells,
    "docs/convert.md": convert,
}


def suppose(page):
    """Make the files that a page supposes in the working folder, and return the names."""
    two_texts()
    names = {}
    if page in SUPPOSED:
        SUPPOSED[page](names)
    return names
