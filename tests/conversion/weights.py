"""Weights in the layouts of other libraries, and their results computed with numpy."""

import numpy as np


def waves(shape, start):
    """Deterministic weights of this shape."""
    return np.sin(np.arange(start, start + np.prod(shape), dtype=np.float64)).reshape(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def torch_weights(gates, input_size=3, hidden=4, layers=1, directions=1, bias=True, seed=0):
    random = np.random.default_rng(seed)
    weights = {}
    for layer in range(layers):
        width = hidden * directions if layer else input_size
        for end in ("", "_reverse")[:directions]:
            shapes = {"weight_ih": (gates * hidden, width), "weight_hh": (gates * hidden, hidden)}
            shapes.update({"bias_ih": (gates * hidden,), "bias_hh": (gates * hidden,)} if bias else {})
            for name, shape in shapes.items():
                weights[f"{name}_l{layer}{end}"] = random.standard_normal(shape).astype(np.float32) * 0.4
    return weights


def keras_weights(gates, bias, first=1):
    shapes = {"kernel": (3, 2 * gates), "recurrent_kernel": (2, 2 * gates), "bias": bias}
    return {name: waves(shape, first + number) for number, (name, shape) in enumerate(shapes.items())}


def onnx_weights(gates, directions, input_size=3, hidden=4, seed=0):
    random = np.random.default_rng(seed)
    shapes = {"W": (gates * hidden, input_size), "R": (gates * hidden, hidden), "B": (2 * gates * hidden,)}
    return {
        name: (random.standard_normal((directions, *shape)) * 0.4).astype(np.float32) for name, shape in shapes.items()
    }
