"""Activations, as settings of layers and as layers of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recurra.conversion.keras_config import KerasLayer
from recurra.conversion.keras_graphs.table import RuleCall, keras_rule
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter

ActivationWriter = Callable[[KerasWriter, str], str]


def _plain(operator: str, alpha: float | None = None) -> ActivationWriter:
    if alpha is None:
        return lambda w, x: str(w.node(operator, x))
    return lambda w, x: str(w.node(operator, x, alpha=alpha))


def _hard_sigmoid(w: KerasWriter, x: str) -> str:
    return str(w.node("HardSigmoid", x, alpha=1 / 6, beta=0.5))


def _older_hard_sigmoid(w: KerasWriter, x: str) -> str:
    return str(w.node("HardSigmoid", x, alpha=0.2, beta=0.5))


def _shrunk(w: KerasWriter, x: str) -> str:
    """x where it is beyond ±0.5, and 0 between."""
    return str(w.node("Where", _is_far(w, x), x, w.constant(0.0)))


def _softly_shrunk(w: KerasWriter, x: str) -> str:
    """x nearer to zero by 0.5, and 0 between."""
    moved = w.node("Sub", x, w.node("Mul", w.node("Sign", x), w.constant(0.5)))
    return str(w.node("Where", _is_far(w, x), moved, w.constant(0.0)))


def _is_far(w: KerasWriter, x: str) -> str:
    return str(w.node("Greater", w.node("Abs", x), w.constant(0.5)))


def _squareplus(w: KerasWriter, x: str) -> str:
    """(x + √(x² + 4)) / 2."""
    root = w.node("Sqrt", w.node("Add", w.node("Mul", x, x), w.constant(4.0)))
    return str(w.node("Mul", w.node("Add", x, root), w.constant(0.5)))


def _log_sigmoid(w: KerasWriter, x: str) -> str:
    return str(w.node("Neg", w.node("Softplus", w.node("Neg", x))))


# Activations by Keras' names without underscores.
ACTIVATIONS: Mapping[str, ActivationWriter] = {
    "linear": lambda w, x: x,
    "relu": _plain("Relu"),
    "relu6": lambda w, x: str(w.node("Clip", x, w.constant(0.0), w.constant(6.0))),
    "tanh": _plain("Tanh"),
    "sigmoid": _plain("Sigmoid"),
    "softmax": lambda w, x: str(w.node("Softmax", x, axis=-1)),
    "logsoftmax": lambda w, x: str(w.node("LogSoftmax", x, axis=-1)),
    "elu": _plain("Elu", alpha=1.0),
    "selu": _plain("Selu"),
    "celu": _plain("Celu", alpha=1.0),
    "silu": lambda w, x: str(w.node("Mul", x, w.node("Sigmoid", x))),
    "gelu": lambda w, x: str(w.node("Gelu", x)),
    "mish": _plain("Mish"),
    "softplus": _plain("Softplus"),
    "softsign": _plain("Softsign"),
    "exponential": _plain("Exp"),
    "hardsigmoid": _hard_sigmoid,
    "hardsilu": lambda w, x: str(w.node("Mul", x, _hard_sigmoid(w, x))),
    "hardtanh": lambda w, x: str(w.node("Clip", x, w.constant(-1.0), w.constant(1.0))),
    "leakyrelu": _plain("LeakyRelu", alpha=0.2),
    "logsigmoid": _log_sigmoid,
    "tanhshrink": lambda w, x: str(w.node("Sub", x, w.node("Tanh", x))),
    "softshrink": _softly_shrunk,
    "hardshrink": _shrunk,
    "squareplus": _squareplus,
}
_OTHER_NAMES = {"swish": "silu", "hardswish": "hardsilu"}


def activated(w: KerasWriter, x: str, layer: KerasLayer, setting: str = "activation") -> str:
    """x behind the activation that a setting of a layer names.

    Raises:
        ValueError: it is not known.
    """
    word = layer.activation(setting, "linear")
    word = _OTHER_NAMES.get(word, word)
    if word not in ACTIVATIONS:
        raise ValueError(f"its activation {word!r} is not known, only {', '.join(ACTIVATIONS)}")
    if word == "hardsigmoid" and layer.is_older:
        return _older_hard_sigmoid(w, x)
    return ACTIVATIONS[word](w, x)


@keras_rule("Activation")
def _activation(w: KerasWriter, call: RuleCall) -> KerasValue:
    return call.x.named(activated(w, w.real(call.x), call.layer))


@keras_rule("ReLU")
def _relu(w: KerasWriter, call: RuleCall) -> KerasValue:
    """max(x, 0), at most max_value; below the threshold (x - threshold) * negative_slope."""
    slope, threshold = call.number("negative_slope", 0.0), call.number("threshold", 0.0)
    x = w.real(call.x)
    if threshold:
        above = w.node("GreaterOrEqual", x, w.constant(threshold))
        below = w.node("Mul", w.node("Sub", x, w.constant(threshold)), w.constant(slope))
        y = str(w.node("Where", above, x, below))
    else:
        y = str(w.node("LeakyRelu", x, alpha=slope) if slope else w.node("Relu", x))
    if call.settings.get("max_value") is not None:
        y = str(w.node("Min", y, w.constant(call.number("max_value", 0.0))))
    return call.x.named(y)


@keras_rule("LeakyReLU")
def _leaky_relu(w: KerasWriter, call: RuleCall) -> KerasValue:
    older = call.number("alpha", 0.3)  # the setting's name before Keras 3
    return call.x.named(str(w.node("LeakyRelu", w.real(call.x), alpha=call.number("negative_slope", older))))


@keras_rule("ELU")
def _elu(w: KerasWriter, call: RuleCall) -> KerasValue:
    return call.x.named(str(w.node("Elu", w.real(call.x), alpha=call.number("alpha", 1.0))))


@keras_rule("PReLU")
def _prelu(w: KerasWriter, call: RuleCall) -> KerasValue:
    (slope,) = call.weights.take("alpha")
    return call.x.named(str(w.node("PRelu", w.real(call.x), w.constant(slope, f"{w.label}.alpha"))))


@keras_rule("Softmax")
def _softmax(w: KerasWriter, call: RuleCall) -> KerasValue:
    axis = call.settings.get("axis", -1)
    if type(axis) is not int:
        raise ValueError(f"softmax over the axes {axis} is not supported, only over one")
    x = w.real(call.x)
    mask = call.mask if axis in (-1, call.x.rank - 1) and call.x.rank == 2 else None
    if call.mask is not None and mask is None:
        raise ValueError("softmax of masked steps is not supported")
    if mask is not None:
        x = str(w.node("Where", mask, x, w.node("Sub", x, w.constant(1e9))))
    return call.x.named(str(w.node("Softmax", x, axis=axis)))
