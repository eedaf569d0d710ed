"""Layers of Keras over time as parts of a Stack: causal convolutions, pooling over all steps, last steps."""

from __future__ import annotations

from recurra.cells.over_time import convolution, running_max, running_mean
from recurra.conversion.arrays import Arrays
from recurra.conversion.keras_config import KerasLayer, sole
from recurra.conversion.keras_graphs.naming import LayerNames
from recurra.conversion.keras_graphs.table import LayerWeights
from recurra.conversion.layer import BuiltPart
from recurra.errors import RecurraError
from recurra.model import Part
from recurra.model.kinds import features
from recurra.model.part import Setting
from recurra.program import Program

_POOLING = {
    "GlobalMaxPooling1D": running_max, "GlobalMaxPool1D": running_max,
    "GlobalAveragePooling1D": running_mean, "GlobalAvgPool1D": running_mean,
}  # fmt: skip
POOLED = tuple(_POOLING)


def convolved(arrays: Arrays, name: str, found: KerasLayer, batch_first: bool) -> BuiltPart:
    """A causal Conv1D of stride 1 in one group; a kernel of one step is a linear map.

    Raises:
        RecurraError: its arrays do not fit.
    """
    has_bias = found.settings.get("use_bias", True) is True
    names = LayerNames(arrays).of(found, ())
    kernel, *bias = LayerWeights(arrays, names).take("kernel", *(["bias"] if has_bias else []))
    if kernel.ndim != 3 or not kernel.size or any(each.shape != kernel.shape[2:] for each in bias):
        raise RecurraError(f"{found.name[:60]}: kernel (taps, in, out) and bias (out,) are needed; got {kernel.shape}")
    taps, width, units = kernel.shape
    given = found.settings.get("dilation_rate", 1)
    dilation = sole(given)
    if type(dilation) is not int or dilation < 1:
        raise RecurraError(f"{found.name[:60]} has dilation_rate={str(given)[:40]}")
    text = f"convolution {', '.join(names.values())} {kernel.shape}"
    if taps == 1:
        settings: dict[str, Setting] = {"in_features": width, "out_features": units, "bias": has_bias}
        weights = {"weight": kernel[0].T, **({"bias": bias[0]} if has_bias else {})}
        return BuiltPart(name, Part("Linear", settings), weights, found.name, text)
    matrix = kernel[::-1].transpose(2, 0, 1).reshape(units, taps * width)  # the present step first
    weights = {"weight_l0": matrix, **({"bias_l0": bias[0]} if has_bias else {})}
    part = _over_time(convolution(taps, dilation, has_bias), width, units, batch_first, has_bias)
    return BuiltPart(name, part, weights, found.name, text)


def pooled(name: str, found: KerasLayer, before: BuiltPart | None, batch_first: bool) -> list[BuiltPart]:
    """Pooling over all steps: over those so far, then the last step.

    Raises:
        RecurraError: the number of features before it is not known.
    """
    width = None if before is None else features(before.part)[1]
    if width is None:
        raise RecurraError(f"{found.name[:60]} stands before all layers that say how many features it gets")
    part = _over_time(_POOLING[found.kind](), width, width, batch_first, False)
    return [
        BuiltPart(name, part, {}, found.name, f"{found.kind} over the steps so far"),
        last_step(f"{name}_last", found, batch_first),
    ]


def last_step(name: str, found: KerasLayer, batch_first: bool) -> BuiltPart:
    """The last step alone; of two directions the last one that each computes."""
    settings: dict[str, Setting] = {"batch_first": batch_first, "bidirectional": found.kind == "Bidirectional"}
    return BuiltPart(name, Part("LastStep", settings), {}, found.name, "the last step")


def _over_time(program: Program, width: int, units: int, batch_first: bool, has_bias: bool) -> Part:
    settings: dict[str, Setting] = {
        "input_size": width, "hidden_size": units, "num_layers": 1, "bias": has_bias, "batch_first": batch_first,
        "dropout": 0.0, "bidirectional": False, "proj_size": 0, "program": program, "init": {},
    }  # fmt: skip
    return Part("Recurrent", settings)
