import math

import numpy as np
import pytest

from recurra.model import KINDS, Part
from recurra.model.kinds import kinds_of
from recurra.runtime import Model
from tests.runtime.models import described, linear, model


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def norm(x, eps):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def gelu_by_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))


CASES = {
    "ReLU": ({}, lambda x: np.maximum(x, 0)),
    "Tanh": ({}, np.tanh),
    "Sigmoid": ({}, lambda x: 1 / (1 + np.exp(-x))),
    "SiLU": ({}, lambda x: x / (1 + np.exp(-x))),
    "Softsign": ({}, lambda x: x / (1 + np.abs(x))),
    "Hardtanh": ({"min_val": -0.5, "max_val": 2}, lambda x: np.clip(x, -0.5, 2)),
    "ELU": ({"alpha": 1.5}, lambda x: np.where(x > 0, x, 1.5 * np.expm1(x))),
    "LeakyReLU": ({"negative_slope": 0.2}, lambda x: np.where(x > 0, x, 0.2 * x)),
    "Softplus": ({"beta": 2.0, "threshold": 20.0}, lambda x: np.log1p(np.exp(2 * x)) / 2),
    "GELU": ({"approximate": "tanh"}, gelu_by_tanh),
    "ReLU6": ({}, lambda x: np.clip(x, 0, 6)),
    "LogSigmoid": ({}, lambda x: -np.log1p(np.exp(-x))),
    "Mish": ({}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "Hardsigmoid": ({}, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "Hardswish": ({}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "CELU": ({"alpha": 0.7}, lambda x: np.where(x > 0, x, 0.7 * np.expm1(x / 0.7))),
    "SELU": ({}, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    "Tanhshrink": ({}, lambda x: x - np.tanh(x)),
    "Softshrink": ({"lambd": 0.5}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    "Hardshrink": ({"lambd": 0.5}, lambda x: x * (np.abs(x) > 0.5)),
    "Threshold": ({"threshold": 0.2, "value": -3.0}, lambda x: np.where(x > 0.2, x, -3.0)),
    "Softmin": ({"dim": -1}, lambda x: softmax(-x)),
    "Softmax": ({"dim": -1}, softmax),
    "LogSoftmax": ({"dim": -1}, lambda x: np.log(softmax(x))),
    "LayerNorm": ({"features": 7, "eps": 1e-5, "elementwise_affine": False, "bias": False}, lambda x: norm(x, 1e-5)),
    "RMSNorm": (
        {"features": 7, "eps": 1e-3, "elementwise_affine": False},
        lambda x: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-3),
    ),
}
X = (np.random.default_rng(0).standard_normal((4, 3, 7)) * 3).astype(np.float64)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers(kind, dtype):
    settings, expected = CASES[kind]
    root = Part("Stack", {}, (("a", Part(kind, settings)), ("b", linear(7, 7, bias=False))))
    made = described(root, dtype=dtype)
    made.weights["b.weight"].data[:] = np.eye(7)
    output, _ = Model(made)(X)
    np.testing.assert_allclose(output, expected(X), rtol=0, atol=2e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize(("approximate", "expected"), [("none", gelu), ("tanh", gelu_by_tanh)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 4e-7), (np.float64, 4e-16)])
def test_gelu_everywhere(approximate, expected, dtype, tolerance):
    """GELU errs by a few units in the last place of x at most, while x² is finite; infinity and NaN are right too."""
    root = Part("Stack", {}, (("a", linear(1, 1, bias=False)), ("b", Part("GELU", {"approximate": approximate}))))
    content = described(root, dtype=dtype)
    content.weights["a.weight"].data[:] = 1
    made = Model(content)
    x = np.concatenate([np.linspace(-12, 12, 100_001), [1e-30, 1e4, -1e4]]).astype(dtype).reshape(-1, 1, 1)
    output, _ = made(x)
    wide = np.asarray(x, np.float64)
    assert (np.abs(output - expected(wide)) <= tolerance * np.maximum(np.abs(wide), 1)).all()
    special, _ = made(np.array([np.inf, np.nan], dtype).reshape(-1, 1, 1))
    assert special[0] == np.inf
    assert np.isnan(special[1]).all()


def test_linear_and_affine_norms():
    made = described(Part("Stack", {}, (("a", linear(7, 5)),)), dtype=np.float64)
    weight, bias = made.weights["a.weight"].data, made.weights["a.bias"].data
    np.testing.assert_allclose(Model(made)(X)[0], X @ weight.T + bias, atol=1e-12)
    for settings, names in (
        ({"elementwise_affine": True, "bias": True}, ("weight", "bias")),
        ({"elementwise_affine": True, "bias": False}, ("weight",)),
    ):
        made = described(Part("LayerNorm", {"features": 7, "eps": 1e-5, **settings}), dtype=np.float64)
        assert tuple(made.weights) == names
        expected = norm(X, 1e-5) * made.weights["weight"].data
        expected = expected + (made.weights["bias"].data if "bias" in names else 0)
        np.testing.assert_allclose(Model(made)(X)[0], expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_prelu_has_a_slope(dtype):
    made = described(Part("PReLU", {}), dtype=dtype)
    made.weights["weight"].data[:] = 0.25
    np.testing.assert_array_equal(Model(made)(X.astype(dtype))[0], np.where(X > 0, X, 0.25 * X).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rms_norm_without_eps_takes_that_of_the_dtype(dtype):
    part = Part("RMSNorm", {"features": 7, "eps": None, "elementwise_affine": True})
    made = described(part, dtype=dtype)
    made.weights["weight"].data[:] = 1
    output, _ = Model(made)(X * 1e-9)
    eps = np.finfo(dtype).eps
    expected = X * 1e-9 / np.sqrt((X * X * 1e-18).mean(-1, keepdims=True) + eps)
    np.testing.assert_allclose(output, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-12)])
def test_the_adaptive_softmax_gives_log_probabilities(dtype, tolerance):
    """The clusters' probabilities are shared out among their classes (Grave et al. 2017, eq. 5)."""
    settings = {"in_features": 7, "n_classes": 9, "cutoffs": (3, 5), "div_value": 2.0, "head_bias": True}
    made = described(Part("AdaptiveSoftmax", settings), dtype=dtype)
    weights = {name: np.asarray(weight.data, np.float64) for name, weight in made.weights.items()}
    assert {name: value.shape for name, value in weights.items()} == {
        "head.weight": (5, 7), "head.bias": (5,), "tail.0.0.weight": (3, 7), "tail.0.1.weight": (2, 3),
        "tail.1.0.weight": (1, 7), "tail.1.1.weight": (4, 1),
    }  # fmt: skip
    head = softmax(X @ weights["head.weight"].T + weights["head.bias"])
    tails = [
        head[..., 3 + n : 4 + n] * softmax(X @ weights[f"tail.{n}.0.weight"].T @ weights[f"tail.{n}.1.weight"].T)
        for n in range(2)
    ]
    probabilities = np.concatenate([head[..., :3], *tails], -1)
    np.testing.assert_allclose(probabilities.sum(-1), 1)
    np.testing.assert_allclose(Model(made)(X.astype(dtype))[0], np.log(probabilities), rtol=0, atol=tolerance)


def test_every_kind_of_part_is_run():
    assert set(kinds_of("rows")) == {*CASES, "Linear", "PReLU", "AdaptiveSoftmax"}
    assert {name for name, kind in KINDS.items() if kind.program is not None} == set(kinds_of("rows"))


def test_a_step_alone_is_the_step_among_others():
    made = model(linear(7, 33))
    whole, _ = made(X.astype(np.float32))
    for t in range(4):
        assert np.array_equal(made(X[t : t + 1].astype(np.float32))[0][0], whole[t])
        assert np.array_equal(made(X[t : t + 1, 1:2].astype(np.float32))[0][0, 0], whole[t, 1])
