"""Normalization by statistics of the steps, or by stored ones."""

from __future__ import annotations

import numpy as np

from recurra.conversion.arrays import Array
from recurra.conversion.keras_config import sole
from recurra.conversion.keras_graphs.table import RuleCall, as_vector, keras_rule, known_width
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter


def unit_length(w: KerasWriter, x: str, axis: int | list[int]) -> str:
    """x divided by its length along axes."""
    axes = w.whole(*([axis] if isinstance(axis, int) else axis))
    square = w.node("ReduceSum", w.node("Mul", x, x), axes, keepdims=1)
    return str(w.node("Div", x, w.node("Max", w.node("Sqrt", square), w.constant(1e-12))))


def _last_axis(call: RuleCall) -> None:
    """Refuse another axis than that of the features.

    Raises:
        ValueError: it is another one.
    """
    axis = sole(call.settings.get("axis", -1))
    if axis not in (-1, call.x.rank - 1):
        raise ValueError(f"normalization over axis {str(axis)[:40]} is not supported, only over the last one")


def _parameters(call: RuleCall, *flags: tuple[str, str], stored: tuple[str, ...] = ()) -> dict[str, Array]:
    """The vectors that the settings say the layer has, and others that it always has, by name."""
    roles = [*(role for role, flag in flags if call.flag(flag, True)), *stored]
    arrays = call.weights.take(*roles) if roles else []
    width = known_width(call.x)
    return {role: as_vector(array, role, width) for role, array in zip(roles, arrays, strict=True)}


@keras_rule("LayerNormalization")
def _layer_norm(w: KerasWriter, call: RuleCall) -> KerasValue:
    _last_axis(call)
    epsilon = call.number("epsilon", 1e-3)
    if call.flag("rms_scaling"):
        (gamma,) = call.weights.take("gamma")
        return call.x.named(_rms(w, w.real(call.x), as_vector(gamma, "gamma", known_width(call.x)), epsilon))
    given = _parameters(call, ("gamma", "scale"), ("beta", "center"))
    gamma = given.get("gamma", np.ones(known_width(call.x)))
    operands = [w.real(call.x), w.constant(gamma, f"{w.label}.gamma")]
    if "beta" in given:
        operands.append(w.constant(given["beta"], f"{w.label}.beta"))
    return call.x.named(str(w.node("LayerNormalization", *operands, axis=-1, epsilon=epsilon)))


def _rms(w: KerasWriter, x: str, gamma: Array, epsilon: float) -> str:
    """x divided by its root mean square, times a scale."""
    mean = w.node("ReduceMean", w.node("Mul", x, x), w.whole(-1), keepdims=1)
    root = w.node("Sqrt", w.node("Add", mean, w.constant(epsilon)))
    return str(w.node("Mul", w.node("Div", x, root), w.constant(gamma, f"{w.label}.gamma")))


@keras_rule("RMSNormalization")
def _rms_norm(w: KerasWriter, call: RuleCall) -> KerasValue:
    _last_axis(call)
    (scale,) = call.weights.take("scale")
    scale = as_vector(scale, "scale", known_width(call.x))
    return call.x.named(_rms(w, w.real(call.x), scale, call.number("epsilon", 1e-6)))


@keras_rule("BatchNormalization")
def _batch_norm(w: KerasWriter, call: RuleCall) -> KerasValue:
    """x by the stored mean and variance of each feature, as one scale and one offset."""
    _last_axis(call)
    given = _parameters(
        call, ("gamma", "scale"), ("beta", "center"), stored=("moving_mean", "moving_variance")
    )  # fmt: skip
    deviation = np.sqrt(given["moving_variance"].astype(np.float64) + call.number("epsilon", 1e-3))
    scale = given.get("gamma", np.float64(1)) / deviation
    offset = given.get("beta", np.float64(0)) - given["moving_mean"] * scale
    y = w.node("Mul", w.real(call.x), w.constant(scale, f"{w.label}.scale"))
    return call.x.named(str(w.node("Add", y, w.constant(offset, f"{w.label}.offset"))))


@keras_rule("UnitNormalization")
def _unit_norm(w: KerasWriter, call: RuleCall) -> KerasValue:
    axis = call.settings.get("axis", -1)
    if not (type(axis) is int or (isinstance(axis, list) and axis and all(type(each) is int for each in axis))):
        raise ValueError(f"axis must be a whole number, or a list of some; it is {str(axis)[:40]}")
    return call.x.named(unit_length(w, w.real(call.x), axis))


@keras_rule("Rescaling")
def _rescaling(w: KerasWriter, call: RuleCall) -> KerasValue:
    y = w.node("Mul", w.real(call.x), w.constant(call.number("scale", 1.0)))
    return KerasValue(str(w.node("Add", y, w.constant(call.number("offset", 0.0)))), call.x.shape, call.x.mask)
