"""Networks that others trained, each as one cell with made-up weights, beside the same loop in plain torch."""

import numpy as np
import onnxruntime
import pytest
import torch

import recurra
from recurra import cell, concat, layer_norm, maximum, relu, sigmoid, split, sqrt, sum, tanh
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


def keras_gru(x, h, W, U, b, activation):
    """A GRU that resets before the product, with gates in the order z, r, candidate."""
    z_x, r_x, n_x = split(x @ W + b, 3)
    U_z, U_r, U_n = split(U, 3)
    z, r = sigmoid(z_x + h @ U_z), sigmoid(r_x + h @ U_r)
    return z * h + (1 - z) * activation(n_x + (r * h) @ U_n)


@cell(output="y", sizes={"vad": 24, "noise": 48, "dense": 24, "gains": 22, "speech": 1})
def noise_suppressor(x, denoise, noise, vad, *, D, d, W_v, U_v, b_v, W_n, U_n, b_n, W_d, U_d, b_d, G, g, S, s):
    """RNNoise (Valin 2018): three GRUs with skips that see the features again; the gains of 22 bands, and speech."""
    dense = tanh(x @ D + d)
    vad = keras_gru(dense, vad, W_v, U_v, b_v, tanh)
    noise = keras_gru(concat(dense, vad, x), noise, W_n, U_n, b_n, relu)
    denoise = keras_gru(concat(vad, noise, x), denoise, W_d, U_d, b_d, tanh)
    gains = sigmoid(denoise @ G + g)
    speech = sigmoid(vad @ S + s)
    y = concat(gains, speech)
    return denoise, noise, vad


def noise_loop(x, p):
    def gru(x, h, name, activation):
        W, U, b, n = p[f"W_{name}"], p[f"U_{name}"], p[f"b_{name}"], h.shape[1]
        gates = torch.sigmoid(x @ W[:, : 2 * n] + h @ U[:, : 2 * n] + b[: 2 * n])
        z, r = gates[:, :n], gates[:, n:]
        candidate = activation(x @ W[:, 2 * n :] + (r * h) @ U[:, 2 * n :] + b[2 * n :])
        return candidate + z * (h - candidate)

    denoise, noise, vad = (x.new_zeros(x.shape[1], size) for size in (96, 48, 24))
    outputs = []
    for step in x:
        dense = torch.tanh(torch.addmm(p["d"], step, p["D"]))
        vad = gru(dense, vad, "v", torch.tanh)
        noise = gru(torch.cat([dense, vad, step], 1), noise, "n", torch.relu)
        denoise = gru(torch.cat([vad, noise, step], 1), denoise, "d", torch.tanh)
        gains = torch.sigmoid(torch.addmm(p["g"], denoise, p["G"]))
        outputs.append(torch.cat([gains, torch.sigmoid(torch.addmm(p["s"], vad, p["S"]))], 1))
    return torch.stack(outputs), (denoise, noise, vad)


def test_three_recurrent_layers_with_skips(tmp_path):
    layer = layer_of(noise_suppressor, 42, 96)
    assert tuple(layer.W_n_l0.shape) == (90, 144)
    assert tuple(layer.W_d_l0.shape) == (114, 288)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(0.3)  # gates that are not all shut
    check(layer, noise_loop, torch.randn(4, 2, 42, dtype=torch.float64), tmp_path)


@cell
def bodies_gru(x, h, *, M, W, U, gamma_x, beta_x, gamma_h, beta_h, bodies=3):
    """A GRU with layer normalisation whose state is one of each body; each gets a message of all others."""
    states = split(h, bodies)
    new = []
    for body, (features, state) in enumerate(zip(split(x, bodies), states, strict=True)):
        message = 0.0
        for other, sender in enumerate(states):
            if other != body:
                message = message + relu(concat(sender, state) @ M)
        r_x, z_x, n_x = split(layer_norm(concat(features, message) @ W, gamma_x, beta_x), 3)
        r_h, z_h, n_h = split(layer_norm(state @ U, gamma_h, beta_h), 3)
        r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
        new.append((1 - z) * tanh(n_x + r * n_h) + z * state)
    h = concat(*new)
    return h


def bodies_loop(x, p):
    """The same on tensors (batch, bodies, features), with the messages of all pairs at once."""
    bodies, size = 3, p["U"].shape[0]
    h = x.new_zeros(x.shape[1], bodies, size)
    apart = 1 - torch.eye(bodies, dtype=x.dtype)
    outputs = []
    for step in x:
        pairs = torch.cat([h[:, None].expand(-1, bodies, -1, -1), h[:, :, None].expand(-1, -1, bodies, -1)], -1)
        messages = (torch.relu(pairs @ p["M"]) * apart[..., None]).sum(2)
        given = torch.cat([step.unflatten(1, (bodies, -1)), messages], -1) @ p["W"]
        given = torch.nn.functional.layer_norm(given, given.shape[-1:], p["gamma_x"], p["beta_x"])
        known = torch.nn.functional.layer_norm(h @ p["U"], given.shape[-1:], p["gamma_h"], p["beta_h"])
        r = torch.sigmoid((given + known)[..., :size])
        z = torch.sigmoid((given + known)[..., size : 2 * size])
        n = torch.tanh(given[..., 2 * size :] + r * known[..., 2 * size :])
        h = n + z * (h - n)
        outputs.append(h.flatten(1))
    return torch.stack(outputs), (h.flatten(1),)


@pytest.mark.parametrize("messages", [5, "hidden/3"])
def test_messages_between_bodies(tmp_path, messages):
    layer = layer_of(bodies_gru, 6, 12, sizes={"M": ("2*hidden/3", messages)})
    assert tuple(layer.M_l0.shape) == (8, 5 if messages == 5 else 4)
    check(layer, bodies_loop, torch.randn(5, 2, 6, dtype=torch.float64), tmp_path)
