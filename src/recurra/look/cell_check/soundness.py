"""Tests of one cell: the same results on every engine and in every layout, and the right gradients."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.engines import ENGINES, engine
from recurra.equations import Cell
from recurra.look.cell_check.trials import Trial, fitting_sizes, random_inputs, results, trained, trials

if TYPE_CHECKING:
    from torch import Tensor

    from recurra.nn import Recurrent

_TRIALS = 4
_ROUNDING = 1e-10  # float64, relative to the largest value of an array
_STEP = 1e-6  # of finite differences
_SLOPE = 1e-5  # finite differences against gradients, relative
_LONG = 1000  # steps over which numbers must stay finite
_SUSPECTS = {  # where numbers are not finite
    "divide": "a division",
    "sqrt": "a root",
    "log": "a logarithm",
    "power": "a power",
    "exp": "an exponential",
}


@dataclass(frozen=True)
class CheckedProperty:
    """One thing that was checked.

    Attributes:
        name: of the property, such as ``engines``.
        holds: whether the cell has it.
        text: what was compared, and how far apart it was; or what is wrong.
    """

    name: str
    holds: bool
    text: str


def properties(cell: Cell, options: Mapping[str, Any], seed: int) -> tuple[CheckedProperty, ...]:
    """All properties of a cell whose equations are right in themselves. Seeds torch's generator.

    Args:
        cell: the cell.
        options: values for its options.
        seed: of sizes, weights and inputs.

    Raises:
        EquationError: the cell's equations contradict themselves, or fit no size.
    """
    drawn = list(trials(cell, options, seed, _TRIALS))
    named: list[tuple[str, Callable[[], CheckedProperty]]] = [
        ("finite", lambda: _finite(cell, options, seed)),
        ("engines", lambda: _engines(drawn)),
        ("gradients", lambda: _gradients(drawn, seed)),
        ("packed", lambda: _packed(drawn)),
        ("streams", lambda: _streams(cell, options, seed)),
    ]
    return tuple(_tried(name, check) for name, check in named)


def _tried(name: str, check: Callable[[], CheckedProperty]) -> CheckedProperty:
    """A property; one whose check raises does not hold."""
    try:
        return check()
    except (RuntimeError, ValueError, TypeError) as error:  # an engine may refuse what another runs
        return CheckedProperty(name, False, f"{type(error).__name__}: {error}")


def _runs_on(trial: Trial) -> list[str]:
    """The engines that run a trial, the reference engine last."""
    plan = trial.layer._scans[0].plan
    return [name for name, each in ENGINES.items() if each.refuses(plan, "float64") is None]


def _results(trial: Trial, name: str, weights: Sequence[Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs and gradients by name on one engine; each gradient is that of a weighted sum of all results.

    Args:
        trial: what to run.
        name: of the engine.
        weights: random numbers shaped as the output and each last state.
    """
    import torch

    inputs, states = _leaves(trial.inputs), _leaves(trial.states)
    sources = {**inputs, **{f"{name}_0": state for name, state in states.items()}, **trained(trial.layer)}
    with engine(name):
        found = Trial(trial.layer, inputs, states).run()
        total = torch.stack([(value * weight).sum() for value, weight in zip(found, weights, strict=True)]).sum()
        raw = torch.autograd.grad(total, list(sources.values()), allow_unused=True)
    pairs = zip(sources.items(), raw, strict=True)
    gradients = {key: torch.zeros_like(source) if gradient is None else gradient for (key, source), gradient in pairs}
    names = ["output", *(f"{state}_n" for state in states)]
    return {key: value.detach() for key, value in zip(names, found, strict=True)}, gradients


def _leaves(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of arrays that get gradients."""
    return {name: array.clone().requires_grad_() for name, array in arrays.items()}


def _weights(trial: Trial, seed: int) -> list[Tensor]:
    import torch

    numbers = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        found = trial.run()
    return [torch.randn(value.shape, generator=numbers, dtype=value.dtype) for value in found]


def _furthest(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> tuple[float, str]:
    """The largest difference relative to the largest value of its array, and the array's name.

    Equal infinities, and NaN on both sides, do not differ; NaN on one side is an infinite difference.
    """
    import torch

    worst = 0.0, next(iter(theirs))
    for name, expected in theirs.items():
        if not expected.numel():
            continue
        values = mine[name]
        is_equal = (values == expected) | (values.isnan() & expected.isnan())
        off = torch.where(is_equal, 0.0, (values - expected).abs()).nan_to_num(math.inf, math.inf).max()
        scale = torch.where(expected.isfinite(), expected.abs(), 0.0).max().clamp(min=1e-3)
        worst = max(worst, (float(off / scale), name))
    return worst


def _engines(drawn: Sequence[Trial]) -> CheckedProperty:
    """All engines give the reference engine's outputs and last states."""
    names = _runs_on(drawn[0])
    worst, where = 0.0, ""
    for trial in drawn:
        weights = _weights(trial, 0)
        *others, reference = (_results(trial, name, weights)[0] for name in names)
        for name, mine in zip(names, others, strict=False):
            off, key = _furthest(mine, reference)
            if off > worst:
                worst, where = off, f"{key} on {name} at {_at(trial)}"
    if len(names) == 1:
        return CheckedProperty("engines", True, "only the reference engine runs it here: nothing to compare")
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    text = f"{listed} agree to {worst:.0e} at {len(drawn)} random sizes, in float64"
    if worst > _ROUNDING:
        text = f"{where} differs from the reference engine by {worst:.0e} of its largest value"
    return CheckedProperty("engines", worst <= _ROUNDING, text)


def _at(trial: Trial) -> str:
    return "seq_len={}, batch={}, input_size={}, hidden_size={}".format(*trial.sizes)


def _gradients(drawn: Sequence[Trial], seed: int) -> CheckedProperty:
    """Gradients are torch's, which differentiates the reference engine's operations; and finite differences'.

    A cell with ``detach`` holds gradients back, so that finite differences are others.
    """
    names = _runs_on(drawn[0])
    worst, where = 0.0, ""
    for trial in drawn:
        weights = _weights(trial, seed)
        gradients = [_results(trial, name, weights)[1] for name in names]
        for name, mine in zip(names, gradients[:-1], strict=False):
            off, key = _furthest(mine, gradients[-1])
            if off > worst:
                worst, where = off, f"that of {key} on {name} at {_at(trial)}"
    if worst > _ROUNDING:
        return CheckedProperty("gradients", False, f"{where} differs from torch's by {worst:.0e} of its largest value")
    if any(equation.operation == "detach" for equation in drawn[0].layer.program.equations):
        text = f"those of torch to {worst:.0e}; finite differences show what `detach` holds back"
        return CheckedProperty("gradients", True, text)
    slopes = min(_slopes(drawn[-1], number, names[0]) for number in (seed, seed + 1))  # a kink may spoil one
    text = f"those of torch to {worst:.0e}, and of finite differences to {slopes[0]:.0e}"
    if slopes[0] > _SLOPE:
        text = f"that of {slopes[1]} differs from finite differences by {slopes[0]:.0e}: {names[0]} engine"
    return CheckedProperty("gradients", slopes[0] <= _SLOPE, text)


def _slopes(trial: Trial, seed: int, name: str) -> tuple[float, str]:
    """The largest relative difference of gradients and finite differences along a random direction of each source."""
    import torch

    weights = _weights(trial, seed)
    _, gradients = _results(trial, name, weights)
    numbers = torch.Generator().manual_seed(seed)
    worst = 0.0, "x"
    for key, gradient in gradients.items():
        direction = torch.randn(gradient.shape, generator=numbers, dtype=gradient.dtype)
        direction = direction / direction.norm().clamp(min=1e-12)
        measured, expected = _slope(trial, key, direction, name, weights), float((gradient * direction).sum())
        off = abs(measured - expected) / max(float(gradient.norm()), abs(measured), 1e-2)
        if off > worst[0] and not _jumps(trial, key, direction, name, weights, measured):
            worst = off, key
    return worst


def _slope(
    trial: Trial, key: str, direction: Tensor, name: str, weights: Sequence[Tensor], step: float = _STEP
) -> float:
    """The slope of the weighted sum of all results along a direction of one array, by a central difference."""
    up, down = (_total(_moved(trial, key, sign * step * direction), name, weights) for sign in (1, -1))
    return (up - down) / (2 * step)


def _jumps(trial: Trial, key: str, direction: Tensor, name: str, weights: Sequence[Tensor], measured: float) -> bool:
    """Whether results jump there, as a counter's do at whole numbers: a shorter difference is then far steeper."""
    return abs(_slope(trial, key, direction, name, weights, _STEP / 10)) > 5 * abs(measured)


def _moved(trial: Trial, key: str, change: Tensor) -> Trial:
    """A trial with one of its arrays changed."""
    import copy

    import torch

    state = key.removesuffix("_0")
    if key in trial.inputs:
        return replace(trial, inputs={**trial.inputs, key: trial.inputs[key] + change})
    if state != key and state in trial.states:
        return replace(trial, states={**trial.states, state: trial.states[state] + change})
    layer = copy.deepcopy(trial.layer)
    with torch.no_grad():
        layer.get_parameter(key).add_(change)
    return replace(trial, layer=layer)


def _total(trial: Trial, name: str, weights: Sequence[Tensor]) -> float:
    """The weighted sum of all results."""
    import torch

    with torch.no_grad(), engine(name):
        found = trial.run()
    return sum(float((value * weight).sum()) for value, weight in zip(found, weights, strict=True))


def _finite(cell: Cell, options: Mapping[str, Any], seed: int) -> CheckedProperty:
    """Outputs and gradients are finite from zero states on, as they start by default, over many steps in float32."""
    import torch

    torch.manual_seed(seed)
    layer = fitting_sizes(cell, options, 8, 16)
    for steps, count in ((1, "one step"), (20, "20 steps"), (_LONG, f"{_LONG:,} steps")):
        values = results(layer, random_inputs(layer, steps, 2))
        if not all(bool(value.isfinite().all()) for value in values):
            text = f"from zero states, numbers are not finite after {count}"
            return CheckedProperty("finite", False, f"{text}{_hint(layer)}")
        if steps < _LONG:
            sources = trained(layer)
            total = torch.stack([value.square().sum() for value in values]).sum()
            found = torch.autograd.grad(total, list(sources.values()), allow_unused=True) if sources else ()
            for name, gradient in zip(sources, found, strict=True):
                if gradient is not None and not gradient.isfinite().all():
                    text = f"from zero states, the gradient of {name} is not finite after {count}"
                    return CheckedProperty("finite", False, f"{text}{_hint(layer)}")
    size = float(values[0].detach().abs().max())
    return CheckedProperty("finite", True, f"from zero states over {_LONG:,} steps; the output is up to {size:.2g}")


def _hint(layer: Recurrent) -> str:
    """A guess at the operation that makes numbers infinite."""
    words = {
        "divide": "a division",
        "sqrt": "a root",
        "log": "a logarithm",
        "power": "a power",
        "exp": "an exponential",
    }
    used = {equation.operation for equation in layer.program.equations}
    found = [word for operation, word in words.items() if operation in used]
    return f"; look at {' and '.join(found)}" if found else ""


def _packed(drawn: Sequence[Trial]) -> CheckedProperty:
    """Each sequence of a packed batch gives what it gives alone."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    trial, draw = drawn[-1], random.Random(len(drawn))
    steps, batch, *_ = trial.sizes
    lengths = [draw.randrange(1, steps + 1) for _ in range(batch)]
    packed = {name: pack_padded_sequence(x, lengths, enforce_sorted=False) for name, x in trial.inputs.items()}
    worst = 0.0
    with torch.no_grad():
        rows, *ends = results(trial.layer, packed)
        output = pad_packed_sequence(rows)[0]
        for row, length in enumerate(lengths):
            alone = results(trial.layer, {name: x[:length, row : row + 1] for name, x in trial.inputs.items()})
            mine = [output[:length, row : row + 1], *(end[:, row : row + 1] for end in ends)]
            names = [str(number) for number in range(len(mine))]
            off, _ = _furthest(dict(zip(names, mine, strict=True)), dict(zip(names, alone, strict=True)))
            worst = max(worst, off)
    how = "to the bit" if worst == 0 else f"to {worst:.0e}"
    if worst > _ROUNDING:
        return CheckedProperty("packed", False, f"a packed batch differs from its sequences alone by {worst:.0e}")
    text = f"{batch} sequences of {min(lengths)} to {max(lengths)} steps give what each gives alone, {how}"
    return CheckedProperty("packed", True, text)


def _streams(cell: Cell, options: Mapping[str, Any], seed: int) -> CheckedProperty:
    """A saved file that runs step by step gives the bits of the whole sequence, and those of the layer."""
    import numpy as np
    import torch

    from recurra import nn, runtime

    torch.manual_seed(seed)
    layer = fitting_sizes(cell, options, 6, 12).eval()
    inputs = random_inputs(layer, 9, 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cell.safetensors"
        nn.save(layer, path)
        model = runtime.load(path)
    with torch.no_grad():
        expected = results(layer, inputs)[0].numpy()
    (_, x), *others = ((name, array.numpy()) for name, array in inputs.items())
    whole, _ = model(x, **dict(others))
    stream = model.stream(2)
    stepped = np.stack([stream.step(step, **{name: array[t] for name, array in others}) for t, step in enumerate(x)])
    if not np.array_equal(stepped, whole, equal_nan=True):
        off = float(np.abs(stepped - whole).max())
        return CheckedProperty("streams", False, f"step by step, a stream differs from the whole sequence by {off:.0e}")
    if not np.array_equal(whole, expected, equal_nan=True):
        off = float(np.abs(whole - expected).max())
        return CheckedProperty("streams", False, f"the saved file differs from the layer by {off:.0e}")
    return CheckedProperty("streams", True, "saved, loaded without torch and run step by step: the layer's bits")
