"""Pooling over windows of steps, and over all steps."""

from __future__ import annotations

from recurra.conversion.keras_graphs.rules.windows import channels_first, padding_of, windows
from recurra.conversion.keras_graphs.table import RuleCall, keras_rule
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter


@keras_rule("MaxPooling1D", "AveragePooling1D", "MaxPool1D", "AvgPool1D")
def _pool(w: KerasWriter, call: RuleCall) -> KerasValue:
    """The maximum or the mean of each window; steps that "same" adds do not count."""
    size = call.size("pool_size", 2)
    stride = size if call.settings.get("strides") is None else call.size("strides", size)
    padding = padding_of(call, "valid", "same")
    y = w.node(
        "MaxPool" if call.layer.kind.startswith("Max") else "AveragePool", channels_first(w, call, call.x),
        kernel_shape=(size,), strides=(stride,), auto_pad="SAME_UPPER" if padding == "same" else "VALID",
    )  # fmt: skip
    steps = windows(call.x.shape[1], size, stride, padding)
    return KerasValue(w.transpose(y, (0, 2, 1)), (None, steps, call.x.shape[2]))


def _whole(call: RuleCall) -> tuple[int, int, tuple[int | None, ...]]:
    """The axis of time, whether it stays with size 1, and the shape of the result.

    Raises:
        ValueError: the input is no sequence.
    """
    if call.x.rank != 3:
        raise ValueError(f"its input must be (batch, steps, features); it has {call.x.rank} dimensions")
    axis = 1 if call.settings.get("data_format", "channels_last") == "channels_last" else 2
    keeps = int(call.flag("keepdims"))
    left = call.x.shape[3 - axis]
    return axis, keeps, (None, left) if not keeps else (None, 1, left) if axis == 1 else (None, left, 1)


@keras_rule("GlobalMaxPooling1D", "GlobalMaxPool1D")
def _largest(w: KerasWriter, call: RuleCall) -> KerasValue:
    axis, keeps, shape = _whole(call)
    return KerasValue(str(w.node("ReduceMax", w.real(call.x), w.whole(axis), keepdims=keeps)), shape)


@keras_rule("GlobalAveragePooling1D", "GlobalAvgPool1D")
def _mean(w: KerasWriter, call: RuleCall) -> KerasValue:
    """The mean over all steps, or over those that the mask has."""
    axis, keeps, shape = _whole(call)
    x, along = w.real(call.x), w.whole(axis)
    if call.mask is None:
        return KerasValue(str(w.node("ReduceMean", x, along, keepdims=keeps)), shape)
    seen = str(w.node("Unsqueeze", call.mask, w.whole(3 - axis)))
    summed = w.node("ReduceSum", w.node("Where", seen, x, w.constant(0.0)), along, keepdims=keeps)
    count = w.node("ReduceSum", w.cast(seen, w.dtype), along, keepdims=keeps)
    return KerasValue(str(w.node("Div", summed, count)), shape)
