"""Inputs beside the first one, such as elapsed time or a mask: arrays, checked and laid out for stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.errors import RecurraError
from recurra.model.interface import FurtherInput
from recurra.packed.packed_program import Array
from recurra.program import Program
from recurra.runtime.inputs import array_of

FurtherArrays = Mapping[str, Array]  # by name, each (T, batch, size)


def further_arrays(
    wanted: Sequence[FurtherInput],
    given: Mapping[str, Any],
    dimensions: Mapping[str, int],
    dtype: np.dtype[Any],
) -> dict[str, Array]:
    """The inputs beside the first one, each (T, batch, size).

    Args:
        wanted: the model's inputs beside the first one.
        given: those that a call gives: (…, size), or without the last dimension where the size is 1; None for a
            default.
        dimensions: the names and lengths of the dimensions before the features, in the caller's order: some of
            ``seq_len`` and ``batch``.
        dtype: the model's dtype.

    Raises:
        TypeError: an input is missing, not known, or not numbers.
        RecurraError: an input has another shape; the message names the dimensions.
    """
    names = [each.name for each in wanted]
    unknown = [name for name in given if name not in names]
    if unknown:
        has = f"beside the first one it has: {', '.join(names)}" if names else "it has one input alone"
        raise TypeError(f"the model has no input {unknown[0]!r}: {has}")
    found = {}
    for each in wanted:
        array = _array(each, given.get(each.name), dimensions, dtype)
        if tuple(dimensions) == ("batch", "seq_len"):
            array = array.swapaxes(0, 1)
        if "seq_len" not in dimensions:
            array = array[None]
        found[each.name] = array if "batch" in dimensions else array[:, None]
    return found


def _array(wanted: FurtherInput, given: Any, dimensions: Mapping[str, int], dtype: np.dtype[Any]) -> Array:
    """One input with its features as the last dimension, in the caller's order of dimensions."""
    leading = tuple(dimensions.values())
    lengths = ", ".join(f"{name}={length}" for name, length in dimensions.items())
    shape = f"({lengths}, {wanted.size})" if lengths else f"({wanted.size},)"
    expected = f"{shape} or ({lengths})" if wanted.size == 1 else shape
    if given is None:
        if wanted.default is None:
            raise TypeError(f"the model needs the input {wanted.name} too: {wanted.name}= {expected}")
        return np.full((*leading, wanted.size), wanted.default, dtype)
    array = array_of(f"the input {wanted.name}", given)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"the input {wanted.name} must be numbers; got {array.dtype}")
    if array.shape not in ((*leading, wanted.size), leading if wanted.size == 1 else ()):
        raise RecurraError(f"the input {wanted.name} must be {expected}; got {array.shape}")
    return np.asarray(array.reshape(*leading, wanted.size), dtype)


def beside(x: Array, program: Program, inputs: FurtherArrays) -> Array:
    """A layer's input as its program takes it: the inputs beside the first one, if it has any, beside x."""
    further = [inputs[each.name] for each in program.further_inputs]
    return np.concatenate([x, *further], -1) if further else x
