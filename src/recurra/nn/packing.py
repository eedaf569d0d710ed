"""torch's functions for sequences of different lengths in one batch, with checks that torch lacks.

The functions take and return torch's own ``PackedSequence``. Beyond torch, ``allow_empty=True`` admits sequences of
length 0: such a packed sequence has more entries in ``sorted_indices`` than rows in its first step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import SupportsInt

import torch
from torch import Tensor
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence, invert_permutation, pad_sequence

from recurra.mistakes import address
from recurra.nn.packed_checks import check_packed
from recurra.nn.running.exported_packing import has_all_rows

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

Lengths = Tensor | Sequence[int]


def pack_padded_sequence(
    input: Tensor,
    lengths: Lengths,
    batch_first: bool = False,
    enforce_sorted: bool = True,
    *,
    allow_empty: bool = False,
) -> PackedSequence:
    """Pack padded sequences, as torch.nn.utils.rnn.pack_padded_sequence does.

    Args:
        input: (seq_len, batch, …), or (batch, seq_len, …) with ``batch_first``.
        lengths: the length of each sequence, (batch,); a list, or a tensor on any device, of integers or, as
            ``mask.sum(1)`` gives them, of floats that are whole numbers.
        batch_first: whether the batch stands first. Default False.
        enforce_sorted: whether lengths must be in decreasing order. Default True.
        allow_empty: whether lengths may be 0; a layer returns such a sequence's state unchanged. Default False.

    Returns:
        the packed sequences.

    Raises:
        TypeError: input is no tensor, or the lengths are no list or tensor.
        ValueError: a length is no whole number.
        RuntimeError: the wrong number of lengths, one below 1 (0 with ``allow_empty``) or beyond seq_len, lengths that
            are not in decreasing order although ``enforce_sorted`` asks for it, or no sequence with a time step.
    """
    if has_all_rows():  # the numbers are not known
        given = lengths if isinstance(lengths, Tensor) else torch.as_tensor(lengths)
        return rnn.pack_padded_sequence(input, given, batch_first, enforce_sorted)
    numbers = _check_lengths(input, lengths, batch_first, 0 if allow_empty else 1)
    if enforce_sorted and numbers != sorted(numbers, reverse=True):
        raise RuntimeError(
            f"lengths must be in decreasing order with enforce_sorted=True; got {numbers}: sort them, or give "
            f"enforce_sorted=False {address('lengths-not-sorted')}"
        )
    if 0 not in numbers:
        return rnn.pack_padded_sequence(input, torch.tensor(numbers), batch_first, enforce_sorted)
    order = sorted(range(len(numbers)), key=lambda row: -numbers[row])
    filled = [row for row in order if numbers[row] > 0]
    if not filled:
        raise RuntimeError(f"all sequences are empty: at least one must have a time step {address('empty-sequences')}")
    sorted_indices = torch.tensor(order, device=input.device)
    part = input.index_select(0 if batch_first else 1, sorted_indices[: len(filled)])
    packed = rnn.pack_padded_sequence(part, torch.tensor([numbers[row] for row in filled]), batch_first)
    return PackedSequence(packed.data, packed.batch_sizes, sorted_indices, invert_permutation(sorted_indices))


def _check_lengths(input: Tensor, lengths: Lengths, batch_first: bool, least: int) -> list[int]:
    if not isinstance(input, Tensor):
        raise TypeError(f"input must be a padded tensor (seq_len, batch, …), not {type(input).__name__}")
    if input.dim() < 2:
        raise RuntimeError(f"input must be (seq_len, batch, …), at least 2 dimensions; got {tuple(input.shape)}")
    numbers = _whole_numbers(lengths)
    batch, steps = input.shape[:2] if batch_first else (input.shape[1], input.shape[0])
    names = "(batch, seq_len, …)" if batch_first else "(seq_len, batch, …)"
    if len(numbers) != batch:
        hint = f", as many as seq_len: is batch_first as meant? {address('batch-first-on-one-side')}"
        raise RuntimeError(
            f"lengths must be one for each of the batch={batch} sequences of input {names} {tuple(input.shape)}; "
            f"got {len(numbers)}{hint if len(numbers) == steps else ''}"
        )
    for row, length in enumerate(numbers):
        if length < least:
            hint = f"; allow_empty=True admits empty sequences {address('empty-sequences')}" if length == 0 else ""
            raise RuntimeError(f"lengths must be at least {least}; sequence {row} has {length}{hint}")
        if length > steps:
            raise RuntimeError(f"sequence {row} has length {length}, beyond seq_len={steps} of input {names}")
    return numbers


def _whole_numbers(lengths: Lengths) -> list[int]:
    if isinstance(lengths, Tensor):
        if lengths.dim() != 1 or lengths.is_complex() or lengths.dtype == torch.bool:
            raise RuntimeError(
                f"lengths must be whole numbers of shape (batch,); got {lengths.dtype} of {tuple(lengths.shape)}"
            )
        return [_whole_number(length) for length in lengths.tolist()]
    if not isinstance(lengths, Iterable) or isinstance(lengths, (str, bytes)):
        raise TypeError(f"lengths must be a list or a tensor of whole numbers, not {type(lengths).__name__}")
    return [_whole_number(length) for length in lengths]


def _whole_number(length: object) -> int:
    if isinstance(length, SupportsInt) and not isinstance(length, (str, bytes)):
        with suppress(ValueError, OverflowError):  # raised for what is no number, and for infinity
            if int(length) == length:
                return int(length)
    raise ValueError(f"lengths must be whole numbers; got {length!r}")


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Pad packed sequences, as torch.nn.utils.rnn.pad_packed_sequence does.

    Args:
        sequence: the packed sequences.
        batch_first: whether the result has the batch first. Default False.
        padding_value: the value behind the end of each sequence. Default 0.
        total_length: the number of steps to pad to. Default: the longest length.

    Returns:
        the sequences, (seq_len, batch, …) or (batch, seq_len, …), and the lengths, int64 (batch,) on the CPU.

    Raises:
        TypeError: ``sequence`` is no PackedSequence.
        ValueError: the packed sequence is malformed, or ``total_length`` is below the longest length.
        RuntimeError: it has no time steps.
    """
    if not isinstance(sequence, PackedSequence):
        raise TypeError(f"a PackedSequence is needed, not a {type(sequence).__name__}")
    batch = check_packed(sequence)
    if has_all_rows() or batch == int(sequence.batch_sizes[0]):
        return rnn.pad_packed_sequence(sequence, batch_first, padding_value, total_length)
    filled = int(sequence.batch_sizes[0])
    dense = PackedSequence(sequence.data, sequence.batch_sizes)
    padded, lengths = rnn.pad_packed_sequence(dense, batch_first, padding_value, total_length)
    dimension = 0 if batch_first else 1
    shape = list(padded.shape)
    shape[dimension] = batch - filled
    padded = torch.cat([padded, padded.new_full(shape, padding_value)], dimension)
    lengths = torch.cat([lengths, lengths.new_zeros(batch - filled)])
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(dimension, order), lengths[order.cpu()]


def unpad_sequence(padded_sequences: Tensor, lengths: Lengths, batch_first: bool = False) -> list[Tensor]:
    """Cut padded sequences to their lengths, as torch.nn.utils.rnn.unpad_sequence does; the argument stays unchanged.

    Args:
        padded_sequences: (seq_len, batch, …), or (batch, seq_len, …) with ``batch_first``.
        lengths: the length of each sequence, (batch,); 0 gives an empty one.
        batch_first: whether the batch stands first. Default False.

    Returns:
        one tensor (length, …) for each sequence.

    Raises:
        TypeError: ``padded_sequences`` is no tensor, or the lengths are no list or tensor.
        ValueError: the wrong number of lengths, or one that is no whole number.
        RuntimeError: a negative length, or one beyond seq_len.
    """
    if isinstance(padded_sequences, Tensor) and padded_sequences.dim() > 1:
        batch = padded_sequences.shape[0 if batch_first else 1]
        if len(lengths) != batch:
            raise ValueError(f"lengths must be one for each of the batch={batch} sequences; got {len(lengths)}")
    numbers = _check_lengths(padded_sequences, lengths, batch_first, 0)
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(rows, numbers, strict=True)]


def pack_sequence(
    sequences: Iterable[Tensor], enforce_sorted: bool = True, *, allow_empty: bool = False
) -> PackedSequence:
    """Pack sequences, as torch.nn.utils.rnn.pack_sequence does.

    Args:
        sequences: tensors (length, …).
        enforce_sorted: whether lengths must be in decreasing order. Default True.
        allow_empty: whether sequences may be empty. Default False.

    Returns:
        the packed sequences.

    Raises:
        RuntimeError: no sequences, an empty one without ``allow_empty``, or lengths that are not in decreasing order
            although ``enforce_sorted`` asks for it.
    """
    tensors = list(sequences)
    lengths = [tensor.shape[0] for tensor in tensors]
    return pack_padded_sequence(pad_sequence(tensors), lengths, enforce_sorted=enforce_sorted, allow_empty=allow_empty)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Unpack sequences, as torch.nn.utils.rnn.unpack_sequence does.

    Returns:
        one tensor (length, …) for each sequence, in the caller's order.

    Raises:
        TypeError: ``packed_sequences`` is no PackedSequence.
        ValueError: the packed sequence is malformed.
        RuntimeError: it has no time steps.
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
