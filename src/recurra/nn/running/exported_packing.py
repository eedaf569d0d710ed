"""Packed sequences in a program of torch.export, whose lengths stay free.

The number of rows of packed data follows from numbers, and torch.export records it wrongly. Inside ``all_rows`` packed
data holds a row for every sequence in every step, also after a sequence's end; the number of rows is steps × batch. So
operations on rows stay as they are, and ``batch_sizes`` says which rows count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from recurra.engines.torch_internals import fixed_size, promise

_all_rows = ContextVar("all_rows", default=False)


def has_all_rows() -> bool:
    """Tell whether packed data holds a row for every sequence in every step."""
    return _all_rows.get()


@contextmanager
def all_rows() -> Iterator[None]:
    """Have layers take packed data with all rows inside the block."""
    token = _all_rows.set(True)
    try:
        yield
    finally:
        _all_rows.reset(token)


def batch_of(data: Tensor, batch_sizes: Tensor) -> int:
    """The number of sequences of packed data that holds all rows."""
    return data.shape[0] // batch_sizes.shape[0]


def packed_rows(input: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """All rows of (steps, batch, …), as many steps as the longest sequence has; and the batch size of each step."""
    padded = input.transpose(0, 1) if batch_first else input
    lengths = lengths.to(torch.int64)
    steps: Any = lengths.max().item()
    promise(steps >= 1)
    promise(steps <= padded.shape[0])
    batch_sizes = (lengths > torch.arange(steps).unsqueeze(1)).sum(1)
    return padded[:steps].flatten(0, 1), batch_sizes


def padded_rows(
    data: Tensor, batch_sizes: Tensor, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Tensor, Tensor]:
    """The rows as (steps, batch, …), with the padding's value after the end of each sequence; and the lengths."""
    steps, batch = batch_sizes.shape[0], batch_of(data, batch_sizes)
    numbers = torch.arange(batch)
    is_inside = batch_sizes.unsqueeze(1) > numbers
    rows = data.view(steps, batch, *data.shape[1:])
    rows = rows.where(is_inside.view(steps, batch, *(1,) * (data.dim() - 1)), padding_value)
    if fixed_size(total_length - steps) != 0:
        rows = functional.pad(rows, (*(0, 0) * (rows.dim() - 1), 0, total_length - steps), value=padding_value)
    return rows.transpose(0, 1) if batch_first else rows, is_inside.sum(0)
