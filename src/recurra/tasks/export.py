"""Export of a trained model: finding it, quantizing it, and measuring the errors and the speed of that."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.conversion.reading import read
from recurra.errors import RecurraError, RunError
from recurra.model import Description, kinds
from recurra.model.file import CONFIG, MODEL
from recurra.model.quantize import quantize
from recurra.program import Products
from recurra.runtime import Model
from recurra.tasks.samples import Sample, made_sample, ones, sample_of

Array = np.ndarray[Any, np.dtype[Any]]
WEIGHTS = ("as-is", "bf16", "int8")
COMPUTE: Mapping[str, Products] = {"float32": "float32", "bf16": "bfloat16", "int8": "int8"}
ROUNDS = 40  # of a comparison of speed


@dataclass(frozen=True)
class Comparison:
    """A comparison of a quantized model with its original.

    Attributes:
        largest: the largest difference of outputs.
        relative: the root mean square of the differences, divided by that of the original's outputs.
        sample: the input that was used, for people.
        bits: the cross-entropy in bits per token, original and quantized, on these tokens; None for a cell, and where
            there is no vocabulary.
        microseconds: the time of a step of one stream, original and quantized; None where the model cannot be stepped.
    """

    largest: float
    relative: float
    sample: str
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


def with_compute(description: Description, compute: str) -> Description:
    """The model whose matrix products have these operands, wherever it is loaded.

    Args:
        description: the model.
        compute: ``"float32"``, ``"bf16"`` or ``"int8"``.

    Raises:
        RunError: ``compute`` is none of these.
    """
    if compute not in COMPUTE:
        raise RunError(f"--compute must be one of {', '.join(COMPUTE)}; got {compute!r}")
    root = kinds.with_compute(description.root, COMPUTE[compute])
    return Description(root, description.weights, description.annotations)


def compare(before: Description, after: Description, sample: Path | None = None, seed: int = 0) -> Comparison:
    """Measure the errors and the speed of quantized weights or products.

    The steps of the two models are timed in turns. Of several models in one file, each is compared with its own
    original: the errors are those of the worst, and the times are added.

    Args:
        before: the original.
        after: the same with quantized weights or products.
        sample: a file with an input (``sample_of``). Default None: text that the original writes, or noise.
        seed: of the noise.

    Raises:
        RunError: the file's arrays are no inputs of the model, or the file holds several models.
        RecurraError: the file cannot be read, or an input does not fit.
    """
    models = _models(before)
    if sample is not None and len(models) > 1:
        raise RunError(f"--sample is for a file with one model; this one holds {len(models)}, with inputs of their own")
    results = [_compared(*pair, sample, seed) for pair in zip(models, _models(after), strict=True)]
    times = [result.microseconds for result in results if result.microseconds is not None]
    return Comparison(
        max(result.largest for result in results),
        max(result.relative for result in results),
        results[0].sample,
        results[0].bits,
        (sum(one for one, _ in times), sum(other for _, other in times)) if len(times) == len(results) else None,
    )


def _models(description: Description) -> list[Description]:
    """The models of a file that run by themselves: those inside, or the one that it is."""
    return [model for member in description.members() for model in _models(member)] or [description]


def _compared(before: Description, after: Description, path: Path | None, seed: int) -> Comparison:
    """The comparison of one model that runs by itself with its original."""
    models = Model(before), Model(after)
    sample = made_sample(models[0], np.random.default_rng(seed)) if path is None else sample_of(path, models[0])
    outputs = [sample.output(model) for model in models]
    difference = outputs[1] - outputs[0]
    size = float(np.sqrt(np.mean(outputs[0] ** 2))) if difference.size else 0.0
    bits = None
    if before.vocabulary is not None and not models[0].is_cell and sample.lengths is None and len(sample.x) > 1:
        bits = _bits(outputs[0], sample.x), _bits(outputs[1], sample.x)
    return Comparison(
        float(np.abs(difference).max(initial=0)),
        float(np.sqrt(np.mean(difference**2))) / size if size else 0.0,
        sample.text,
        bits,
        _times(models, sample),
    )


def _bits(logits: Array, ids: Array) -> float:
    """The mean cross-entropy of all tokens but the first, in bits."""
    flat = logits[:-1] - logits[:-1].max(-1, keepdims=True)
    log_total = np.log(np.exp(flat).sum(-1))
    picked = np.take_along_axis(flat, ids[1:, :, None], -1)[..., 0]
    return float(np.mean(log_total - picked) / np.log(2))


def _times(models: tuple[Model, Model], sample: Sample) -> tuple[float, float] | None:
    """The median time of a step of one sequence, in microseconds, for both models, timed in turns."""
    try:
        streams = [model.stream() for model in models]
    except RecurraError:
        return None
    steps = [np.ascontiguousarray(row[:1]) for row in (sample.x if not models[0].is_cell else sample.x[None])][:64]
    further = ones(models[0], (1,))
    measured: list[list[float]] = [[], []]
    if not steps:
        return None
    for _ in range(ROUNDS):
        for stream, times in zip(streams, measured, strict=True):
            begin = time.perf_counter()
            for step in steps:
                stream.step(step, **further)
            times.append((time.perf_counter() - begin) / len(steps) * 1e6)
    return statistics.median(measured[0]), statistics.median(measured[1])
