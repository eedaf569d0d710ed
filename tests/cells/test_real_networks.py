"""Networks that others trained, each as one cell with made-up weights, beside the same loop in plain torch."""

import numpy as np
import onnxruntime
import pytest
import torch

import recurra
from recurra import cell, maximum, sigmoid, split, sqrt, sum, tanh
from recurra.compiler import plan

EXACT = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def layer_of(made, *sizes, **options):
    """A layer in float64 whose weights differ enough from each other for an error to show."""
    layer = recurra.nn.Recurrent(made, *sizes, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0.1, 0.4)
    return layer


def check(layer, loop, x, tmp_path):
    """Compare a layer's output, last states and gradients with a loop's, on every engine; then streams and ONNX.

    Args:
        layer: one layer in one direction.
        loop: computes output and last states from x, zeros for states by width, and the parameters by name.
        x: (T, batch, input).
        tmp_path: the folder for the ONNX file.
    """
    parameters = dict(layer.named_parameters())
    wanted, last = loop(x, {name.removesuffix("_l0"): value for name, value in parameters.items()})
    expected = torch.autograd.grad((wanted**2).sum(), list(parameters.values()))
    for engine in ("native", "reference"):
        with recurra.engine(engine):
            output, states = layer(x)
        torch.testing.assert_close(output, wanted, **EXACT)
        states = states if isinstance(states, tuple) else (states,)
        for state, value in zip(states, last, strict=True):
            torch.testing.assert_close(state[0], value, **EXACT)
        found = torch.autograd.grad((output**2).sum(), list(parameters.values()))
        for name, a, b in zip(parameters, found, expected, strict=True):
            torch.testing.assert_close(a, b, **EXACT, msg=name)
    recurra.save(layer.eval(), tmp_path / "layer.safetensors")
    model = recurra.runtime.load(tmp_path / "layer.safetensors")
    whole, _ = model(x.numpy())
    stream = model.stream(batch=x.shape[1])
    steps = np.stack([stream.step(step) for step in x.numpy()])
    assert (steps == whole).all()
    np.testing.assert_allclose(whole, wanted.detach().numpy(), **EXACT)
    recurra.onnx.export(layer, tmp_path / "layer.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "layer.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-6, atol=1e-6)


@cell
def sentiment_lstm(x, h, c, *, wx, wh, wmx, wmh, gx, gh, gmx, gmh, b):
    """The multiplicative LSTM with normalised weights of Radford et al. 2017; gates in the order i, f, o, u."""

    def normalised(w, g):
        return w / sqrt(maximum(sum(w**2, axis=0), 1e-12)) * g

    m = (x @ normalised(wmx, gmx)) * (h @ normalised(wmh, gmh))
    i, f, o, u = split(x @ normalised(wx, gx) + m @ normalised(wh, gh) + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(u)
    h = sigmoid(o) * tanh(c)
    return h, c


def sentiment_loop(x, p):
    """The same by torch's own normalisation of columns."""
    w = {name: torch.nn.functional.normalize(p[f"w{name}"], dim=0) * p[f"g{name}"] for name in ("x", "h", "mx", "mh")}
    h = c = torch.zeros(x.shape[1], p["b"].shape[0] // 4, dtype=x.dtype)
    outputs = []
    for step in x:
        m = torch.mm(step, w["mx"]) * torch.mm(h, w["mh"])
        i, f, o, u = torch.chunk(torch.mm(step, w["x"]) + torch.mm(m, w["h"]) + p["b"], 4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * u.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def test_a_weight_normalised_multiplicative_lstm(tmp_path):
    layer = layer_of(sentiment_lstm, 5, 7)
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "wx_l0": (5, 28), "wh_l0": (7, 28), "wmx_l0": (5, 7), "wmh_l0": (7, 7),
        "gx_l0": (28,), "gh_l0": (28,), "gmx_l0": (7,), "gmh_l0": (7,), "b_l0": (28,),
    }  # fmt: skip
    check(layer, sentiment_loop, torch.randn(6, 3, 5, dtype=torch.float64), tmp_path)
    once, *later = plan(layer.program).stages
    made = {equation.operation for stage in later for equation in stage}
    assert {"sqrt", "sum_along", "broadcast"} <= {equation.operation for equation in once}
    assert not made & {"sqrt", "sum_along", "divide", "power"}
