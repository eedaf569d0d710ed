"""Checks of the arguments of layers and cells. Exceptions have the types that torch.nn raises in the same place."""

from __future__ import annotations

import numbers
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.mistakes import address
from recurra.nn.packed_checks import check_packed
from recurra.nn.running.autocast import is_autocast


def as_int(name: str, value: Any, wanted: str = "an int") -> int:
    """Convert a whole number, such as one of numpy's, to an int.

    Args:
        name: the argument's name, for the message.
        value: the number.
        wanted: the values that are accepted, for the message.

    Raises:
        TypeError: the value is no whole number.
    """
    try:
        return value if isinstance(value, bool) else operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__} ({value!r})") from None


def dimensions_of(x: Tensor) -> str:
    """The number of a tensor's dimensions, in words."""
    return "1 dimension" if x.dim() == 1 else f"{x.dim()} dimensions"


def check_sizes(input_size: object, hidden_size: object, num_layers: object) -> None:
    """Check that sizes are ints, as torch.nn demands, and positive.

    Raises:
        TypeError: a size is no int.
        ValueError: a size is below 1.
    """
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if not isinstance(value, int):
            raise TypeError(f"{name} must be an int, not {type(value).__name__} ({value!r})")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero; got {value}")


def check_flags(**flags: object) -> None:
    """Check that flags are bools.

    Raises:
        TypeError: a flag is no bool.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, not {type(value).__name__} ({value!r})")


def check_dropout(dropout: object, num_layers: int, stacklevel: int) -> float:
    """Convert a dropout probability to a float, with a warning where it can have no effect.

    Raises:
        TypeError: ``float`` does not accept it.
        ValueError: it is no number from 0 to 1.
    """
    value = float(dropout)  # type: ignore[arg-type]
    if isinstance(dropout, bool) or not isinstance(dropout, numbers.Number) or not 0 <= value <= 1:
        raise ValueError(f"dropout must be a probability, a number from 0 to 1; got {dropout!r}")
    if value > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers} {address('dropout-in-one-layer')}",
            stacklevel=stacklevel + 1,
        )
    return value


def check_proj(given: object, hidden_size: int) -> int:
    """Check the size of a projection, which is smaller than the hidden state; 0 means none.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is negative, or not smaller than the hidden state.
    """
    proj_size = as_int("proj_size", given)
    if proj_size < 0:
        raise ValueError(f"proj_size must be positive, or zero for no projection; got {proj_size}")
    if proj_size >= hidden_size:
        raise ValueError(f"proj_size must be smaller than hidden_size={hidden_size}; got {proj_size}")
    return proj_size


def swapped(shape: Sequence[int], position: int, size: int, name: str) -> str:
    """A hint for a message, if another dimension has the size that is missing at one position."""
    others = [d for d, length in enumerate(shape) if length == size and d != position % len(shape)]
    return f"; dimension {others[0]} is {size}: are the dimensions swapped, with {name} there?" if others else ""


class InputCheck:
    """Checks of a module's input, whose messages name the dimensions that were expected.

    Args:
        kind: the module's class name.
        input_size: the number of features that the module takes.
        batch_first: whether the batch stands first.
    """

    def __init__(self, kind: str, input_size: int, batch_first: bool) -> None:
        self.kind, self.input_size, self.batch_first = kind, input_size, batch_first

    def layer(self, x: object, weight: Tensor | None) -> None:
        """Check a layer's dense input.

        Args:
            x: (seq_len, batch, input_size), or batch first, or unbatched (seq_len, input_size).
            weight: the layer's first weight, if it has any.

        Raises:
            TypeError: the input is no tensor.
            ValueError: it has not 2 or 3 dimensions, or another dtype than the weights.
            RuntimeError: it has the wrong number of features, no time steps, or another device than the weights.
        """
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{self.kind} input must be a tensor or a PackedSequence, not {type(x).__name__}{_returned(x)}"
            )
        names = "batch, seq_len" if self.batch_first else "seq_len, batch"
        wanted = (
            f"{self.kind} input must be ({names}, input_size={self.input_size}) because batch_first={self.batch_first}"
        )
        if x.dim() == 2:
            wanted = f"{self.kind} input of 2 dimensions must be (seq_len, input_size={self.input_size}), unbatched"
        got = f"got {tuple(x.shape)}"
        if x.dim() not in (2, 3):
            raise ValueError(
                f"{wanted}, or unbatched (seq_len, input_size); {got}: {dimensions_of(x)} {address('input-dimensions')}"
            )
        self._kind_of_numbers(x, weight)
        if x.shape[-1] != self.input_size:
            raise RuntimeError(f"{wanted}; {got}: {self._features(x)}")
        if x.shape[1 if self.batch_first and x.dim() == 3 else 0] == 0:
            raise RuntimeError(f"{wanted}; {got}: seq_len must be larger than 0 {address('empty-sequences')}")

    def packed(self, packed: PackedSequence, weight: Tensor | None) -> int:
        """Check a layer's packed input.

        Args:
            packed: the input; its data is (sum of lengths, input_size).
            weight: the layer's first weight, if it has any.

        Returns:
            the number of sequences.

        Raises:
            ValueError: the data has another dtype than the weights, or the packed sequence is malformed.
            RuntimeError: the data has the wrong number of dimensions or features, or another device than the weights.
        """
        data = packed.data
        wanted = f"{self.kind} packed input must have data (sum of lengths, input_size={self.input_size})"
        if data.dim() != 2:
            raise RuntimeError(
                f"{wanted}; got {tuple(data.shape)}: {dimensions_of(data)} {address('input-dimensions')}"
            )
        self._kind_of_numbers(data, weight)
        if data.shape[-1] != self.input_size:
            raise RuntimeError(
                f"{wanted}; got {tuple(data.shape)}: the last dimension is {data.shape[-1]} {address('input-features')}"
            )
        return check_packed(packed)

    def cell(self, x: object) -> None:
        """Check a cell's input, (batch, input_size) or unbatched (input_size).

        Raises:
            TypeError: the input is no tensor.
            ValueError: it has not 1 or 2 dimensions.
            RuntimeError: it has the wrong number of features.
        """
        wanted = f"{self.kind} input must be (batch, input_size={self.input_size}), or unbatched ({self.input_size},)"
        if not isinstance(x, Tensor):
            raise TypeError(f"{wanted}; got a {type(x).__name__}{_returned(x)}")
        if x.dim() not in (1, 2):
            hint = "; a cell takes one step, a layer all of them" if x.dim() == 3 else ""
            raise ValueError(
                f"{wanted}; got {tuple(x.shape)}: {dimensions_of(x)}{hint} "
                f"{address('cell-for-layer' if x.dim() == 3 else 'input-dimensions')}"
            )
        if x.shape[-1] != self.input_size:
            raise RuntimeError(f"{wanted}; got {tuple(x.shape)}: {self._features(x)}")

    def _features(self, x: Tensor) -> str:
        """The end of a message about the number of features, with a hint where the reason shows."""
        hint, name = swapped(x.shape, -1, self.input_size, "input_size"), "features-not-last"
        if not hint:
            name = "input-features"
            if x.dim() == 2 and self.input_size == 1:
                hint, name = "; for one feature a step, give x.unsqueeze(-1)", "input-dimensions"
        return f"the last dimension is {x.shape[-1]}{hint} {address(name)}"

    def _kind_of_numbers(self, x: Tensor, weight: Tensor | None) -> None:
        if weight is None:
            return
        if x.dtype != weight.dtype and not is_autocast(x):
            raise ValueError(f"{self.kind} input {other_dtype(x, weight)}")
        if x.device != weight.device:
            raise RuntimeError(f"{self.kind} input {other_device(x, weight)}")


def other_dtype(x: Tensor, weight: Tensor) -> str:
    """The end of a message about an input of another dtype than the weights."""
    has = f"has dtype {x.dtype}, but its weights have {weight.dtype}"
    if not x.is_floating_point() and not x.is_complex():
        return f"{has}: tokens go through an nn.Embedding first, numbers through .to({weight.dtype}) " + address(
            "tokens-without-embedding"
        )
    return f"{has}: convert the input with x.to({weight.dtype}), or the module with .to({x.dtype}) " + address(
        "another-dtype"
    )


def other_device(x: Tensor, weight: Tensor) -> str:
    """The end of a message about an input on another device than the weights."""
    return f"is on {x.device}, but its weights are on {weight.device} {address('another-device')}"


def _returned(x: object) -> str:
    """A hint for an input that looks like what a recurrent module returned."""
    if not isinstance(x, tuple):
        return ""
    return f"; a layer returns (output, states): give the output alone {address('output-tuple')}"


def check_weights(
    kind: str,
    names: Sequence[str],
    weights: Sequence[Tensor],
    shapes: Sequence[tuple[str, tuple[int, ...]]],
) -> None:
    """Check that weights, which a caller may have replaced, still fit the module and each other.

    Args:
        kind: the module's class name.
        names: the weights' names in the module.
        weights: the weights.
        shapes: the name of each weight's parameter in the cell, and its shape.

    Raises:
        RuntimeError: a weight has another shape, or another dtype or device than the first one.
    """
    for name, weight, (_, shape) in zip(names, weights, shapes, strict=True):
        if tuple(weight.shape) != shape:
            raise RuntimeError(f"{kind}.{name} must have shape {shape}; it has {tuple(weight.shape)}")
        first = weights[0]
        if is_autocast(first):
            continue
        if weight.dtype != first.dtype or weight.device != first.device:
            raise RuntimeError(
                f"{kind}.{name} must be {first.dtype} on {first.device}, as {names[0]} is; it is {weight.dtype} on "
                f"{weight.device}"
            )


def check_autocast(kind: str, operands: Sequence[Tensor]) -> None:
    """Check that operands have one dtype after autocast, which leaves float64 as it is.

    Raises:
        RuntimeError: two operands differ in dtype.
    """
    for operand in operands:
        if operand.dtype != operands[0].dtype:
            raise RuntimeError(
                f"{kind}: under autocast its input, states and weights are {operands[0].dtype} and {operand.dtype}; "
                "autocast does not convert float64: convert it yourself"
            )


def state_label(size: int, hidden_size: int, proj_size: int) -> str:
    """The name of a state's last dimension; `features` for a state of another size, such as the previous input."""
    return "proj_size" if proj_size else "hidden_size" if size == hidden_size else "features"


def check_state(kind: str, name: str, state: object, expected: tuple[tuple[str, int], ...], x: Tensor) -> None:
    """Check one given state.

    Args:
        kind: the module's class name.
        name: the state's name, such as ``h_0``.
        state: the given state.
        expected: the name and length of each dimension.
        x: the input, whose dtype and device the state must have.

    Raises:
        TypeError: the state is no tensor.
        RuntimeError: it has another shape, dtype or device.
    """
    wanted = f"{kind} {name} must be a tensor ({', '.join(f'{label}={length}' for label, length in expected)})"
    if not isinstance(state, Tensor):
        raise TypeError(f"{wanted}; got a {type(state).__name__} {address('h0-shape')}")
    lengths = tuple(length for _, length in expected)
    got = f"got {tuple(state.shape)}"
    if state.dim() != len(lengths):
        batched = "batched" if len(expected) == 3 or (len(expected) == 2 and expected[0][0] == "batch") else "unbatched"
        raise RuntimeError(f"{wanted} for {batched} input; {got}: {dimensions_of(state)} {address('h0-shape')}")
    for position, (label, length) in enumerate(expected):
        if state.shape[position] != length:
            hint = _state_hint(state, lengths, label, position, x)
            raise RuntimeError(f"{wanted}; {got}: {label} is {state.shape[position]}{hint}")
    if state.device != x.device:
        raise RuntimeError(
            f"{wanted} on {x.device}, where the input is; it is on {state.device} {address('another-device')}"
        )
    if state.dtype != x.dtype and not is_autocast(x):
        raise RuntimeError(f"{wanted} of the input's dtype {x.dtype}; it has {state.dtype} {address('another-dtype')}")


def _state_hint(state: Tensor, expected: tuple[int, ...], label: str, position: int, x: Tensor) -> str:
    """The end of a message about a state of the right number of dimensions and of a wrong length of one of them."""
    if len(expected) == 3 and (state.shape[1], state.shape[0], state.shape[2]) == expected:
        hint = "the first two are swapped: states have the batch second, with batch_first too"
        return f"; {hint} {address('h0-shape')}"
    if label != "batch":
        return f" {address('h0-shape')}"
    if x.dim() == 3 and x.shape[0] == state.shape[position]:  # steps first, however the caller's input is laid out
        hint = f"the input has {x.shape[0]} steps: are its batch and time swapped, or is batch_first not as meant?"
        return f"; {hint} {address('batch-and-time-swapped')}"
    return f" {address('smaller-last-batch')}"


def check_states(kind: str, names: Sequence[str], given: Any) -> list[Any]:
    """List the given states: a single state is given by itself, several as a tuple or list.

    Args:
        kind: the module's class name.
        names: the states' names.
        given: the argument.

    Raises:
        TypeError: the argument is neither.
        RuntimeError: the number of states is wrong.
    """
    if len(names) == 1:
        if isinstance(given, (tuple, list)):
            raise TypeError(
                f"{kind} has one state, {names[0]}: give the tensor itself, not a {type(given).__name__} "
                f"{address('lstm-state-for-gru')}"
            )
        return [given]
    count = "two" if len(names) == 2 else str(len(names))
    wanted = f"{kind} has {count} states: give them as a tuple ({', '.join(names)})"
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"{wanted}, not a {type(given).__name__} {address('lstm-state-for-gru')}")
    if len(given) != len(names):
        raise RuntimeError(f"{wanted}; got {len(given)} {address('lstm-state-for-gru')}")
    return list(given)


def check_reset(kind: str, reset: object, steps: int, batch: int | None, x: Tensor) -> None:
    """Check a reset mask, bool (seq_len, batch), or (seq_len,) for unbatched input.

    Args:
        kind: the module's class name.
        reset: the mask.
        steps: seq_len.
        batch: the number of sequences; None for unbatched input.
        x: the input, whose device the mask must have.

    Raises:
        TypeError: the mask is no tensor of bools.
        RuntimeError: it has another shape or device.
    """
    shape = (steps,) if batch is None else (steps, batch)
    names = f"(seq_len={steps},)" if batch is None else f"(seq_len={steps}, batch={batch}), with batch_first too"
    wanted = f"{kind} reset must be a bool tensor {names}"
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
        raise TypeError(f"{wanted}; got {reset.dtype if isinstance(reset, Tensor) else type(reset).__name__}")
    if tuple(reset.shape) != shape:
        hint = "; the two are swapped" if tuple(reset.shape) == shape[::-1] and batch is not None else ""
        raise RuntimeError(f"{wanted}; got {tuple(reset.shape)}{hint}")
    if reset.device != x.device:
        raise RuntimeError(f"{wanted} on {x.device}, where the input is; it is on {reset.device}")
