"""What stands around recurrent layers, as equations: linear maps, norms, activations, by kind of part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recurra import equations as eq
from recurra.compiler import drop_biases, trace
from recurra.equations import Cell, feed_forward
from recurra.model import Part
from recurra.program import Program

Options = dict[str, Any]


@feed_forward
def _linear(x: Any, *, weight: Any, bias: Any) -> Any:
    return x @ weight.T + bias


@feed_forward
def _layer_norm(x: Any, *, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    return eq.layer_norm(x, weight, bias, eps)


@feed_forward
def _layer_norm_plain(x: Any, *, eps: float = 1e-5) -> Any:
    return eq.layer_norm(x, None, None, eps)


@feed_forward
def _rms_norm(x: Any, *, weight: Any, eps: float = 1e-5) -> Any:
    return eq.rms_norm(x, weight, eps)


@feed_forward
def _rms_norm_plain(x: Any, *, eps: float = 1e-5) -> Any:
    return eq.rms_norm(x, None, eps)


@feed_forward
def _relu(x: Any) -> Any:
    return eq.relu(x)


@feed_forward
def _tanh(x: Any) -> Any:
    return eq.tanh(x)


@feed_forward
def _sigmoid(x: Any) -> Any:
    return eq.sigmoid(x)


@feed_forward
def _silu(x: Any) -> Any:
    return x * eq.sigmoid(x)


@feed_forward
def _softsign(x: Any) -> Any:
    return x / (1 + eq.abs(x))


@feed_forward
def _hardtanh(x: Any, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return eq.clip(x, min_val, max_val)


@feed_forward
def _elu(x: Any, *, alpha: float = 1.0) -> Any:
    return eq.where(x > 0, x, alpha * (eq.exp(eq.minimum(x, 0.0)) - 1))


@feed_forward
def _leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    return eq.where(x > 0, x, negative_slope * x)


@feed_forward
def _softplus(x: Any, *, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return eq.where(beta * x > threshold, x, eq.softplus(beta * x) / beta)


@feed_forward
def _gelu(x: Any) -> Any:
    """The approximation by tanh (Hendrycks & Gimpel 2016)."""
    return 0.5 * x * (1 + eq.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


@feed_forward
def _softmax(x: Any) -> Any:
    return eq.softmax(x)


@feed_forward
def _log_softmax(x: Any) -> Any:
    centred = x - eq.max(x)
    return centred - eq.log(eq.sum(eq.exp(centred)))


def _float(part: Part, *names: str) -> Options:
    return {name: part.number(name) for name in names}


Make = Callable[[Part, bool], Program]  # of a part, in float64 or float32


def _affine(cell: Cell, plain: Cell) -> Make:
    def program(part: Part, double: bool) -> Program:
        # torch's RMSNorm without eps takes the smallest step above 1 that the dtype knows.
        smallest = 2.0**-52 if double else 2.0**-23
        options = {"eps": smallest if part.settings["eps"] is None else part.number("eps")}
        if not part.flag("elementwise_affine"):
            return trace(plain, options)
        traced = trace(cell, options)
        return drop_biases(traced) if part.settings.get("bias") is False else traced

    return program


def _with(cell: Cell, *names: str) -> Make:
    return lambda part, double: trace(cell, _float(part, *names))


PROGRAMS: Mapping[str, Make] = {
    "Linear": lambda part, double: trace(_linear) if part.flag("bias") else drop_biases(trace(_linear)),
    "LayerNorm": _affine(_layer_norm, _layer_norm_plain),
    "RMSNorm": _affine(_rms_norm, _rms_norm_plain),
    "ReLU": _with(_relu),
    "Tanh": _with(_tanh),
    "Sigmoid": _with(_sigmoid),
    "SiLU": _with(_silu),
    "Softsign": _with(_softsign),
    "Hardtanh": _with(_hardtanh, "min_val", "max_val"),
    "ELU": _with(_elu, "alpha"),
    "LeakyReLU": _with(_leaky_relu, "negative_slope"),
    "Softplus": _with(_softplus, "beta", "threshold"),
    "GELU": _with(_gelu),
    "Softmax": _with(_softmax),
    "LogSoftmax": _with(_log_softmax),
}
