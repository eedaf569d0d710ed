"""Export of a trained model: finding it, quantizing it, and measuring the errors and the speed of that."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.conversion.reading import read
from recurra.errors import RecurraError, RunError
from recurra.model import Description
from recurra.model.file import CONFIG, MODEL
from recurra.model.quantize import quantize
from recurra.runtime import Model

Array = np.ndarray[Any, np.dtype[Any]]
WEIGHTS = ("as-is", "bf16", "int8")
STEPS, BATCH, ROUNDS = 256, 8, 40  # of a comparison


@dataclass(frozen=True)
class Comparison:
    """A comparison of a quantized model with its original.

    Attributes:
        largest: the largest difference of outputs.
        relative: the root mean square of the differences, divided by that of the original's outputs.
        bits: the cross-entropy in bits per token, original and quantized, on text that the original wrote; None for a
            cell, and where there is no vocabulary.
        microseconds: the time of a step of one stream, original and quantized; None where the model cannot be stepped.
    """

    largest: float
    relative: float
    bits: tuple[float, float] | None
    microseconds: tuple[float, float] | None


def source_of(path: Path) -> Path:
    """The file of a model: the path itself, or the file in a run folder.

    Raises:
        RunError: there is nothing of that name.
    """
    try:
        path = path / MODEL if path.is_dir() else path
        is_there = path.exists()
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    if not is_there:
        raise RunError(f"{path}: there is no such model")
    return path


def check_target(target: Path) -> None:
    """Refuse a target that is the model of a training, whose weights must stay as they are.

    Raises:
        RunError: the target is such a model.
    """
    if target.name == MODEL and (target.parent / CONFIG).exists():
        raise RunError(f"{target} is the model of a training: name another file")


def load_description(path: Path) -> Description:
    """Read the model of a run folder or of a file.

    Raises:
        RunError: there is no such model.
        FileFormatError: the file is damaged.
    """
    return read(source_of(path))


def with_weights(description: Description, weights: str) -> Description:
    """The model with its weights as they are, or quantized.

    Args:
        description: the model.
        weights: ``"as-is"``, ``"bf16"`` or ``"int8"``.

    Raises:
        RecurraError: ``weights`` is something else, or the model cannot be quantized so.
    """
    if weights not in WEIGHTS:
        raise RunError(f"--weights must be one of {', '.join(WEIGHTS)}; got {weights!r}")
    return description if weights == WEIGHTS[0] else quantize(description, "bf16" if weights == "bf16" else "int8")


def compare(before: Description, after: Description, seed: int = 0) -> Comparison:
    """Measure the errors and the speed of quantized weights.

    The input is text that the original writes, if it has a vocabulary; else standard normal numbers, or uniformly drawn
    tokens. The steps of the two models are timed in turns. Of several models in one file, each is compared with its own
    original: the errors are those of the worst, and the times are added.
    """
    results = [_compared(*pair, seed) for pair in zip(_models(before), _models(after), strict=True)]
    times = [result.microseconds for result in results if result.microseconds is not None]
    return Comparison(
        max(result.largest for result in results),
        max(result.relative for result in results),
        results[0].bits,
        (sum(one for one, _ in times), sum(other for _, other in times)) if len(times) == len(results) else None,
    )


def _models(description: Description) -> list[Description]:
    """The models of a file that run by themselves: those inside, or the one that it is."""
    return [model for member in description.members() for model in _models(member)] or [description]


def _compared(before: Description, after: Description, seed: int) -> Comparison:
    """The comparison of one model that runs by itself with its original."""
    models = Model(before), Model(after)
    random = np.random.default_rng(seed)
    x = _input(models[0], random)
    outputs = [_output(model, x) for model in models]
    difference = outputs[1] - outputs[0]
    size = float(np.sqrt(np.mean(outputs[0] ** 2)))
    bits = None
    if before.vocabulary is not None and not models[0].is_cell:
        bits = _bits(outputs[0], x), _bits(outputs[1], x)
    return Comparison(
        float(np.abs(difference).max(initial=0)),
        float(np.sqrt(np.mean(difference**2))) / size if size else 0.0,
        bits,
        _times(models, x),
    )


def _output(model: Model, x: Array) -> Array:
    """The output for an input (steps, batch, …), or for a cell (batch, …), laid out as the input."""
    swapped = model.batch_first and not model.is_cell
    x = x.swapaxes(0, 1) if swapped else x
    output, _ = model(x, **_further(model, x.shape[: 1 if model.is_cell else 2]))
    return (output.swapaxes(0, 1) if swapped else output).astype(np.float64)


def _further(model: Model, leading: tuple[int, ...]) -> dict[str, Array]:
    """The inputs beside the first one, all 1: equal intervals, and masks of what is known."""
    wanted = model.layout.interface.further_inputs
    return {each.name: np.ones((*leading, each.size), model.dtype) for each in wanted}


def _input(model: Model, random: np.random.Generator) -> Array:
    """An input (steps, batch, input_size), or tokens (steps, batch); for a cell a single step."""
    shape = (BATCH,) if model.is_cell else (STEPS, BATCH)
    count = model.layout.interface.tokens
    if count is None:
        return random.standard_normal((*shape, model.input_size or 1)).astype(model.dtype)
    if model.vocabulary is None or model.is_cell:
        return random.integers(0, count, shape)
    try:
        stream = model.stream(BATCH)
    except RecurraError:  # bidirectional: it cannot be stepped, and so cannot write
        return random.integers(0, count, shape)
    ids = [np.full(BATCH, model.vocabulary.start, np.int64)]
    for _ in range(STEPS):
        logits = stream.step(ids[-1], **_further(model, (BATCH,))).astype(np.float64)
        # The index of the largest logit after adding Gumbel noise is a draw from the softmax (Gumbel 1954).
        ids.append((logits + random.gumbel(size=logits.shape)).argmax(-1))
    return np.stack(ids)


def _bits(logits: Array, ids: Array) -> float:
    """The mean cross-entropy of all tokens but the first, in bits."""
    flat = logits[:-1] - logits[:-1].max(-1, keepdims=True)
    log_total = np.log(np.exp(flat).sum(-1))
    picked = np.take_along_axis(flat, ids[1:, :, None], -1)[..., 0]
    return float(np.mean(log_total - picked) / np.log(2))


def _times(models: tuple[Model, Model], x: Array) -> tuple[float, float] | None:
    """The median time of a step of one sequence, in microseconds, for both models, timed in turns."""
    try:
        streams = [model.stream() for model in models]
    except RecurraError:
        return None
    steps = [np.ascontiguousarray(row[:1]) for row in (x if not models[0].is_cell else x[None])][:64]
    further = _further(models[0], (1,))
    measured: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for stream, times in zip(streams, measured, strict=True):
            begin = time.perf_counter()
            for step in steps:
                stream.step(step, **further)
            times.append((time.perf_counter() - begin) / len(steps) * 1e6)
    return statistics.median(measured[0]), statistics.median(measured[1])
