"""Operators that select elements, write them elsewhere or change their order."""

from __future__ import annotations

import numpy as np

from recurra.graph.operators.limits import checked_shape, is_small
from recurra.graph.operators.shaping import axis_of
from recurra.graph.table import Array, one_of, operator

# The ways in which a scatter combines an update with the old element, by the ufuncs' method ``at``.
_REDUCTIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@operator("Gather")
def gather(data: Array, indices: Array, *, axis: int = 0) -> Array:
    """The parts of data at these indices of an axis."""
    place = axis_of(axis, data.ndim)
    if not is_small((data, indices)):
        checked_shape((*data.shape[:place], *indices.shape, *data.shape[place + 1 :]), data.dtype)
    return np.take(data, indices, place)


@operator("GatherElements")
def gather_elements(data: Array, indices: Array, *, axis: int = 0) -> Array:
    """Elements of data, each at an index of its own along an axis."""
    return data[_places(indices, axis_of(axis, data.ndim))]


@operator("GatherND")
def gather_at(data: Array, indices: Array, *, batch_dims: int = 0) -> Array:
    """The parts of data at the positions that the last dimension of the indices holds."""
    if not is_small((data, indices)):
        checked_shape((*indices.shape[:-1], *data.shape[batch_dims + indices.shape[-1] :]), data.dtype)
    if not batch_dims:
        return data[tuple(np.moveaxis(indices, -1, 0))]
    batch = data.shape[:batch_dims]
    pairs = zip(
        data.reshape(-1, *data.shape[batch_dims:]), indices.reshape(-1, *indices.shape[batch_dims:]), strict=True
    )
    parts = [gather_at(part, places) for part, places in pairs]
    return np.stack(parts).reshape(*batch, *parts[0].shape)


def _places(indices: Array, axis: int) -> tuple[Array, ...]:
    """The position of each element: its index along one axis, its own position along the others."""
    places: list[Array] = list(np.indices(indices.shape, sparse=True))
    places[axis] = indices
    return tuple(places)


@operator("ScatterElements", reduction=one_of("none", *_REDUCTIONS))
def scatter_elements(data: Array, indices: Array, updates: Array, *, axis: int = 0, reduction: str = "none") -> Array:
    """Data with each update written at its own index along an axis."""
    return _scatter(data, _places(indices, axis_of(axis, data.ndim)), updates, reduction)


@operator("ScatterND", reduction=one_of("none", *_REDUCTIONS))
def scatter_at(data: Array, indices: Array, updates: Array, *, reduction: str = "none") -> Array:
    """Data with updates written at the positions that the last dimension of the indices holds."""
    return _scatter(data, tuple(np.moveaxis(indices, -1, 0)), updates, reduction)


def _scatter(data: Array, places: tuple[Array, ...], updates: Array, reduction: str) -> Array:
    result = data.copy()
    if reduction == "none":
        result[places] = updates
    else:
        _REDUCTIONS[reduction].at(result, places, updates)
    return result


@operator("ReverseSequence")
def reverse_sequence(x: Array, lengths: Array, *, batch_axis: int = 1, time_axis: int = 0) -> Array:
    """Each sequence of a batch, reversed within its own length."""
    if {batch_axis, time_axis} != {0, 1}:
        raise ValueError(f"batch and time must be axes 0 and 1, not {batch_axis} and {time_axis}")
    rows = x.swapaxes(0, 1) if batch_axis else x
    if lengths.shape != rows.shape[:1] or ((lengths < 0) | (lengths > rows.shape[1])).any():
        raise ValueError(f"lengths must be {rows.shape[0]} numbers from 0 to {rows.shape[1]}")
    steps = np.arange(rows.shape[1])
    order = np.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    turned = rows[np.arange(rows.shape[0])[:, None], order]
    return turned.swapaxes(0, 1) if batch_axis else turned


@operator("Trilu")
def triangle(x: Array, k: Array | None = None, *, upper: int = 1) -> Array:
    """The upper or lower triangle of matrices, and 0 elsewhere."""
    if x.ndim < 2:
        raise ValueError(f"matrices are needed, not {x.ndim} dimensions")
    diagonal = 0 if k is None else int(k.item())
    return np.triu(x, diagonal) if upper else np.tril(x, diagonal)


@operator("NonZero")
def places_of_nonzero(x: Array) -> Array:
    """The positions of all elements that are not 0, as columns."""
    x = np.atleast_1d(x)
    checked_shape((x.ndim, np.count_nonzero(x)), np.dtype(np.int64))
    return np.array(np.nonzero(x), np.int64)


@operator("TopK", since=11, outputs=2)
def largest(x: Array, k: Array, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Array, Array]:
    """The k largest (or smallest) elements along an axis, sorted, and their indices; the first of equal ones wins."""
    place = axis_of(axis, x.ndim)
    checked_shape(x.shape, np.dtype(np.int64))  # of the indices
    count = int(k.item())
    if not 0 <= count <= x.shape[place]:
        raise ValueError(f"k={count} of {x.shape[place]} elements along axis {place}")
    if largest:  # sorted stably from the back, then reversed: the first of equal ones stays first
        backwards = np.argsort(np.flip(x, place), place, kind="stable")
        order = x.shape[place] - 1 - np.flip(backwards, place)
    else:
        order = np.argsort(x, place, kind="stable")
    order = np.take(order, np.arange(count), place)
    return np.take_along_axis(x, order, place), order.astype(np.int64)
