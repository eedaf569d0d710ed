"""Checks of packed sequences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.engines.torch_internals import is_jit_traced
from recurra.mistakes import address
from recurra.nn.running.exported_packing import batch_of, has_all_rows


def check_packed(packed: PackedSequence) -> int:
    """Check a packed sequence: step sizes are positive and never increase, and they and the indices fit the data.

    The numbers of indices on a device are not checked, as the host would have to wait for them.

    Returns:
        the number of sequences, with those of length 0.

    Raises:
        ValueError: the packed sequence is malformed; a well-made one is never refused.
        RuntimeError: it has no time steps.
    """
    data, batch_sizes, order, back = packed
    if batch_sizes.is_floating_point() and torch.compiler.is_exporting():  # torch's own account of the packing is wrong
        raise RuntimeError(
            "torch.export does not record pack_padded_sequence rightly: give padded input; recurra.save(…, example=…), "
            "torch.jit.trace and torch.onnx.export(dynamo=False) record packed sequences"
        )
    if batch_sizes.dim() != 1 or batch_sizes.is_floating_point() or batch_sizes.dtype == torch.bool:
        raise ValueError(f"packed batch_sizes must be whole numbers (steps,); got {tuple(batch_sizes.shape)}")
    if batch_sizes.shape[0] == 0:
        wanted = "packed input must have at least one time step"
        raise RuntimeError(f"{wanted}: all of its sequences are empty {address('empty-sequences')}")
    if has_all_rows():
        return batch_of(data, batch_sizes)
    if torch.compiler.is_compiling():  # numbers are not known while a graph is made
        return int(batch_sizes[0]) if order is None else order.shape[0]
    if is_jit_traced():  # a number of the example's would be fixed in the graph
        count: Any = batch_sizes[0] if order is None else order.shape[0]
        return count  # type: ignore[no-any-return]  # torch takes a recorded tensor for a size
    sizes = batch_sizes.tolist()
    if min(sizes) <= 0 or sizes != sorted(sizes, reverse=True):
        raise ValueError(f"packed batch_sizes must be positive and never increase; got {sizes}")
    if sum(sizes) != data.shape[0]:
        raise ValueError(
            f"packed batch_sizes add up to {sum(sizes)} rows, but the packed data has {data.shape[0]}: {sizes}"
        )
    if order is None and back is None:
        return int(sizes[0])
    counts = [
        _check_order(name, indices, sizes[0]) for name, indices in zip(packed._fields[2:], (order, back), strict=True)
    ]
    if counts[0] != counts[1]:
        raise ValueError(f"packed sorted_indices are for {counts[0]} sequences, unsorted_indices for {counts[1]}")
    if order is not None and back is not None and _is_readable(order, back) and not _reverses(order, back):
        raise ValueError(f"packed unsorted_indices do not undo sorted_indices: {back.tolist()} and {order.tolist()}")
    return counts[0]


def _check_order(name: str, indices: Tensor | None, least: int) -> int:
    """Check an order of sequences, which holds each of 0, 1, … once, and return the number of sequences."""
    if indices is None or indices.dim() != 1 or indices.shape[0] < least:
        raise ValueError(f"packed {name} must be (batch,), for at least the {least} sequences of the first step")
    if _is_readable(indices) and sorted(indices.tolist()) != list(range(indices.shape[0])):
        raise ValueError(f"packed {name} must hold each of 0 … {indices.shape[0] - 1} once; got {indices.tolist()}")
    return int(indices.shape[0])


def _is_readable(*indices: Tensor) -> bool:
    """Tell whether numbers can be read without waiting for a device."""
    return all(each.is_cpu for each in indices)


def _reverses(order: Tensor, back: Tensor) -> bool:
    """Tell whether one order of sequences reverses another."""
    return bool(order[back].tolist() == list(range(len(order))))
