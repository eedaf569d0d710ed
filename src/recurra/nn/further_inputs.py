"""Inputs beside the first one, of cells that have several, such as elapsed time or a mask: checked and laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.errors import EquationError
from recurra.model.interface import FurtherInput
from recurra.nn.input_form import Input, InputForm
from recurra.nn.running.autocast import is_autocast
from recurra.nn.running.scan import Scan

GivenInputs = Mapping[str, Input]  # of a call, by name


def further_inputs(scans: Sequence[Scan]) -> tuple[FurtherInput, ...]:
    """The inputs beside the first one of a module's cell, which all layers and directions get.

    Raises:
        EquationError: the size of one follows the first input's, which differs between layers.
    """
    program = scans[0].program
    for each in program.further_inputs:
        if len({each.size.value(scan.sizes) for scan in scans}) > 1:
            raise EquationError(
                f"cell {program.name!r}: the size of input {each.name} follows the first input's, which differs "
                "between layers here: use one layer, or equal sizes"
            )
    return tuple(FurtherInput(i.name, i.size.value(scans[0].sizes), i.default) for i in program.further_inputs)


def joined(module: Any, x: object, given: GivenInputs) -> Tensor | None:
    """All inputs of a layer side by side, for a direct call; None where only a checked call can run it."""
    wanted: Sequence[FurtherInput] = module._further
    if not isinstance(x, Tensor) or module.num_layers > 1 or not given.keys() <= {each.name for each in wanted}:
        return None
    leading, parts = x.shape[:-1], [x]
    for each in wanted:
        value = given.get(each.name)
        if value is None and each.default is not None:
            value = x.new_full((1,) * x.dim(), each.default).expand(*leading, each.size)
        if not isinstance(value, Tensor) or value.dtype != x.dtype or value.device != x.device:
            return None
        if each.size == 1 and value.dim() == len(leading):
            value = value.unsqueeze(-1)
        if value.shape != (*leading, each.size):
            return None
        parts.append(value)
    return torch.cat(parts, -1)


class _Check:
    """Checks of inputs beside the first one, whose messages name the input and its dimensions.

    Args:
        kind: the module's class name.
        wanted: the inputs.
        names: the names of the dimensions before the features, such as ``("seq_len", "batch")``.
        like: the first input's rows, whose dtype and device the others must have.
    """

    def __init__(self, kind: str, wanted: Sequence[FurtherInput], names: Sequence[str], like: Tensor) -> None:
        self.kind, self.wanted, self.names, self.like = kind, wanted, names, like

    def refuse_unknown(self, given: GivenInputs) -> None:
        """Refuse an input that the cell does not have."""
        unknown = [name for name in given if name not in {each.name for each in self.wanted}]
        if unknown:
            takes = ", ".join(each.name for each in self.wanted)
            has = f"the inputs of its cell beside the first are: {takes}" if takes else "its cell has one input alone"
            raise TypeError(f"{self.kind} got an unexpected input {unknown[0]!r}: {has}")

    def default(self, wanted: FurtherInput, leading: Sequence[int]) -> Tensor:
        """The input where it is not given."""
        if wanted.default is None:
            raise TypeError(
                f"{self.kind} needs the input {wanted.name} too: {wanted.name}= {self._text(wanted, leading)}"
            )
        return self.like.new_full((1,) * self.like.dim(), wanted.default).expand(*self.like.shape[:-1], wanted.size)

    def featured(self, wanted: FurtherInput, value: object, leading: Sequence[int], packed: bool = False) -> Tensor:
        """An input with its features as the last dimension, checked."""
        expected = f"{self.kind} input {wanted.name} must be {self._text(wanted, leading, packed)}"
        if not isinstance(value, Tensor):
            raise TypeError(f"{expected}; got a {type(value).__name__}")
        got = tuple(value.shape)
        if wanted.size == 1 and value.dim() == len(leading):
            value = value.unsqueeze(-1)
        if tuple(value.shape) != (*leading, wanted.size):
            raise RuntimeError(f"{expected}; got {got}")
        if value.device != self.like.device:
            raise RuntimeError(f"{expected} on {self.like.device}, where the first input is; it is on {value.device}")
        if not value.is_floating_point():  # counts, and masks of bools
            value = value.to(self.like.dtype)
        if value.dtype != self.like.dtype and not is_autocast(self.like):
            raise RuntimeError(f"{expected} of the first input's dtype {self.like.dtype}; it has {value.dtype}")
        return value

    def _text(self, wanted: FurtherInput, leading: Sequence[int], packed: bool = False) -> str:
        names = ("sum of lengths",) if packed else self.names
        lengths = ", ".join(f"{name}={length}" for name, length in zip(names, leading, strict=True))
        shape = f"({lengths}, {wanted.size})" if lengths else f"({wanted.size},)"
        return f"{shape} or ({lengths})" if wanted.size == 1 else shape


def cell_rows(kind: str, wanted: Sequence[FurtherInput], given: GivenInputs, x: Tensor) -> list[Tensor]:
    """The inputs of one step beside x, each (batch, size), or (size,) where x has no batch.

    Args:
        kind: the module's class name.
        wanted: the inputs.
        given: those that the call gives.
        x: (batch, input_size) or (input_size,).

    Raises:
        TypeError: an input is missing or not known, or no tensor.
        RuntimeError: one has another shape, dtype or device.
    """
    check = _Check(kind, wanted, ("batch",)[: x.dim() - 1], x)
    check.refuse_unknown(given)
    leading = x.shape[:-1]
    return [
        check.featured(each, given[each.name], leading) if each.name in given else check.default(each, leading)
        for each in wanted
    ]


def layer_rows(
    kind: str,
    wanted: Sequence[FurtherInput],
    given: GivenInputs,
    rows: Tensor,
    form: InputForm,
    batch_first: bool,
) -> list[Tensor]:
    """The inputs beside x, laid out as x's rows: (T, batch, size), or (rows, size) of packed sequences.

    Args:
        kind: the module's class name.
        wanted: the inputs.
        given: those that the call gives, laid out as x.
        rows: the first input's rows.
        form: the layout of x.
        batch_first: whether the batch is the first dimension.

    Raises:
        TypeError: an input is missing or not known, or no tensor.
        RuntimeError: one has another shape, dtype or device, or is packed otherwise.
    """
    packed = form.packed
    swap = batch_first and form.is_batched
    names = ("batch", "seq_len") if swap else ("seq_len", "batch") if form.is_batched else ("seq_len",)
    check = _Check(kind, wanted, names, rows)
    check.refuse_unknown(given)
    steps = rows.shape[0] if packed is None else packed.batch_sizes.shape[0]
    leading = (form.batch, steps) if swap else (steps, form.batch) if form.is_batched else (steps,)
    found = []
    for each in wanted:
        value = given.get(each.name)
        if value is None:
            found.append(check.default(each, leading))
        elif packed is not None and isinstance(value, PackedSequence):
            _check_same_packing(kind, each.name, value, packed)
            found.append(check.featured(each, value.data, rows.shape[:1], packed=True))
        elif packed is not None:
            found.append(_packed(check.featured(each, value, _longest(value, leading, swap)), packed, form, swap))
        else:
            dense = check.featured(each, value, leading)
            found.append(dense.transpose(0, 1) if swap else dense if form.is_batched else dense.unsqueeze(1))
    return found


def _longest(value: object, leading: Sequence[int], swap: bool) -> tuple[int, ...]:
    """The leading dimensions of a padded input, which may have more steps than the longest packed sequence."""
    time = 1 if swap else 0
    if isinstance(value, Tensor) and value.dim() > time and value.shape[time] > leading[time]:
        return tuple(value.shape[time] if d == time else length for d, length in enumerate(leading))
    return tuple(leading)


def _packed(value: Tensor, packed: PackedSequence, form: InputForm, swap: bool) -> Tensor:
    """A padded input as the rows of packed sequences."""
    ordered = form.rows_in(value.transpose(0, 1) if swap else value)
    return torch.cat([ordered[t, :size] for t, size in enumerate(packed.batch_sizes.tolist())])


def _check_same_packing(kind: str, name: str, given: PackedSequence, x: PackedSequence) -> None:
    """Refuse an input that is packed with other lengths than the first one, or in another order."""
    order, wanted = given.sorted_indices, x.sorted_indices
    is_same = torch.equal(given.batch_sizes, x.batch_sizes) and (
        order is wanted or (order is not None and wanted is not None and torch.equal(order, wanted))
    )
    if not is_same:
        raise RuntimeError(
            f"{kind} input {name} must be packed as the first input is: the same lengths, in the same order"
        )
