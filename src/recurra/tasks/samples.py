"""Inputs on which a quantized model is compared with its original: a file's, text that the model writes, or noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recurra.conversion.arrays import Arrays
from recurra.errors import RecurraError, RunError
from recurra.runtime import Model

Array = np.ndarray[Any, np.dtype[Any]]
STEPS, BATCH = 256, 8  # of inputs that are made
_X, _LENGTHS = "x", "lengths"


@dataclass(frozen=True, eq=False)
class Sample:
    """An input of a model.

    Attributes:
        x: (steps, batch, input_size), or tokens (steps, batch); for a cell (batch, …).
        text: what it is, for people.
        further: the inputs beside the first one, by name: (steps, batch, size), for a cell (batch, size).
        lengths: (batch,), the length of each sequence; None where they are equally long.
    """

    x: Array
    text: str
    further: Mapping[str, Array] = field(default_factory=dict)
    lengths: Array | None = None

    def output(self, model: Model) -> Array:
        """The model's output, float64, with the steps first as in the input."""
        is_turned = model.batch_first and not model.is_cell
        x, further = self.x, dict(self.further)
        if is_turned:
            x, further = x.swapaxes(0, 1), {name: each.swapaxes(0, 1) for name, each in further.items()}
        output, _ = model(x, lengths=self.lengths, **further)
        return (output.swapaxes(0, 1) if is_turned else output).astype(np.float64)


def sample_of(path: Path, model: Model) -> Sample:
    """The input that a file holds: a .npy, or an .npz with x, further inputs by name, and perhaps lengths.

    Args:
        path: the file's path.
        model: the model, whose layout the arrays have; they may lack the batch.

    Raises:
        RunError: the file has no x, or an array that is no input of the model.
        FileFormatError: the file cannot be read, is damaged, or has another format.
        RecurraError: an array does not hold numbers, or does not fit the model.
    """
    arrays = Arrays.of(path)
    wanted = [each.name for each in model.layout.interface.further_inputs]
    names = [_X, *wanted, *(() if model.is_cell else (_LENGTHS,))]
    strange = [name for name in arrays.values if name not in names]
    if _X not in arrays.values or strange:
        found = ", ".join(arrays.values)[:200] or "none"
        besides = ", ".join(names[1:]) or "none"
        raise RunError(f"{path}: the arrays of a sample are x and perhaps {besides}; found {found}")
    given = {name: _numbers(path, name, arrays.values[name]) for name in arrays.values}
    x, lengths = given.pop(_X), given.pop(_LENGTHS, None)
    rows, is_batched = model.layout.rows(x)
    if not is_batched:  # a batch of one sequence
        axis = 1 if not model.is_cell and not model.batch_first else 0
        x, given = np.expand_dims(x, axis), {name: np.expand_dims(each, axis) for name, each in given.items()}
    if model.batch_first and not model.is_cell:
        x, given = x.swapaxes(0, 1), {name: each.swapaxes(0, 1) for name, each in given.items()}
    steps, batch = rows.shape[:2]
    size = "" if model.is_cell else f"{steps} step{'s' * (steps != 1)} of "
    text = f"{path.name}, {size}{batch} sequence{'s' * (batch != 1)}"
    return Sample(x, text, given, lengths)


def _numbers(path: Path, name: str, value: object) -> Array:
    if not isinstance(value, np.ndarray):
        raise RunError(f"{path}: {name} is no array of numbers")
    return value


def made_sample(model: Model, random: np.random.Generator) -> Sample:
    """Text that the model writes, if it has a vocabulary; else uniformly drawn tokens, or standard normal numbers."""
    shape = (BATCH,) if model.is_cell else (STEPS, BATCH)
    further = ones(model, shape)
    count = model.layout.interface.tokens
    if count is None:
        x = random.standard_normal((*shape, model.input_size or 1)).astype(model.dtype)
        return Sample(x, "noise; --sample FILE measures on your input", further)
    if model.vocabulary is None or model.is_cell:
        return Sample(random.integers(0, count, shape), "random tokens; --sample FILE measures on yours", further)
    try:
        stream = model.stream(BATCH)
    except RecurraError:  # bidirectional: it cannot be stepped, and so cannot write
        return Sample(random.integers(0, count, shape), "random tokens; --sample FILE measures on yours", further)
    ids = [np.full(BATCH, model.vocabulary.start, np.int64)]
    for _ in range(STEPS):
        logits = stream.step(ids[-1], **ones(model, (BATCH,))).astype(np.float64)
        # The index of the largest logit after adding Gumbel noise is a draw from the softmax (Gumbel 1954).
        ids.append((logits + random.gumbel(size=logits.shape)).argmax(-1))
    return Sample(np.stack(ids), "text that the model wrote", ones(model, (STEPS + 1, BATCH)))


def ones(model: Model, leading: tuple[int, ...]) -> dict[str, Array]:
    """Inputs beside the first one that are all 1: equal intervals, and masks of what is known."""
    wanted = model.layout.interface.further_inputs
    return {each.name: np.ones((*leading, each.size), model.dtype) for each in wanted}
