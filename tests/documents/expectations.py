"""What is true once a page was followed, besides that nothing failed: from its names, folder and printed lines."""

import re
from pathlib import Path

import numpy as np
import torch

import recurra
from recurra.compiler import trace
from tests.conversion import keras_files


def readme(names, printed):
    assert names["LSTMCell"] is recurra.nn.LSTMCell
    assert names["h_n"].shape == names["c_n"].shape == (4, 3, 20)
    assert "weight" not in dict(names["layer"].named_parameters())
    assert type(names["stream"]).__name__ == "Stream"
    assert names["y"].shape == (9,)


def accelerate(names, printed):
    assert "replaced 0 (LSTM)" in printed
    assert type(names["model"][0]) is torch.nn.LSTM


def cells(names, printed):
    assert trace(names["gru"]) == trace(recurra.cells.gru)


def convert(names, printed):
    trained, ids = names["trained"], torch.tensor([[4], [8], [15]])
    with torch.no_grad():
        expected = trained["head"](trained["lstm"](trained["embedding"](ids))[0])
    model = recurra.convert("last.ckpt", embedding="embedding", names="lstm", output="head")
    np.testing.assert_allclose(model(ids.numpy())[0], expected.numpy(), rtol=0, atol=1e-6)
    assert names["logits"].shape == (1, 1, 74)
    np.testing.assert_allclose(names["probabilities"], [keras_files.EXPECTED], rtol=0, atol=1e-6)
    logits, _ = names["logits_of"](np.array([[1, 4, 2]]))
    np.testing.assert_allclose(
        np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), names["probabilities"], atol=1e-6
    )
    assert "LSTM" in repr(names["model"])


def deploy(names, printed):
    assert "root mean square" in printed
    assert "bits per token" in printed
    assert "recurrent: Recurrent(" in printed
    score = re.search(r"\n\d+\.\d\d bits per character, most of them at token [0-3]\n", printed)
    assert "<GraphModel detector.safetensors: sound: float32 (" in printed
    assert printed[: score.start()][-len("The ") - 300 :].startswith("The ")


def onnx(names, printed):
    assert names["output"].shape == (100, 1, 4)
    assert names["h"].shape == (2, 1, 64)


def series(names, printed):
    assert "['shop', 'date', 'forecast', 'q10', 'q50', 'q90']" in printed
    assert {path.name for path in Path().iterdir()} >= {"airline", "forecast.html", "tested.csv", "model.safetensors"}


EXPECTED = {
    "README.md": readme,
    "docs/accelerate.md": accelerate,
    "docs/cells.md": cells,
    "docs/convert.md": convert,
    "docs/deploy.md": deploy,
    "docs/onnx.md": onnx,
    "docs/series.md": series,
}


def expect(page, names, printed):
    """Check what a page leaves behind."""
    if page in EXPECTED:
        EXPECTED[page](names, printed)
