"""The layout of an input of torch, checked as the layers check it."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.look.batch_form import BatchForm
from recurra.look.layer_sizes import LayerSizes
from recurra.nn.checks import InputCheck, check_state, check_states, state_label
from recurra.nn.layer_states import ExpectedStates


def arguments(x: Any) -> tuple[Any, ...]:
    """The arguments of a call: a tuple is all of them, anything else is the only one."""
    is_one = not isinstance(x, (tuple, list)) or isinstance(x, PackedSequence)
    return (x,) if is_one else tuple(x)


def form_of(kind: str, sizes: LayerSizes, is_cell: bool, given: tuple[Any, ...]) -> tuple[BatchForm, bool]:
    """The layout of a module's input, and whether its gradient is wanted.

    Args:
        kind: the module's class name.
        sizes: its sizes.
        is_cell: whether it runs one step.
        given: the arguments: the input, and states if they are given.

    Raises:
        TypeError: the input or a state is no tensor, or there are other arguments.
        ValueError, RuntimeError: a shape does not fit; the message names the dimensions.
    """
    if not 1 <= len(given) <= 2:
        raise TypeError(f"{kind} takes an input, or an input and its states (x, h_0); got {len(given)} values")
    x, state = given[0], given[1] if len(given) == 2 else None
    check = InputCheck(kind, sizes.input_size, sizes.batch_first)
    if is_cell:
        check.cell(x)
        form = BatchForm(x.shape[0] if x.dim() == 2 else 1, 1, x.dim() == 2)
    elif isinstance(x, PackedSequence):
        form = _packed(x, check.packed(x, None))
    else:
        check.layer(x, None)
        form = _dense(x, sizes.batch_first)
    data = x.data if isinstance(x, PackedSequence) else x
    if state is not None:
        _check_states(kind, sizes, is_cell, form, state, data)
    return form, bool(data.requires_grad)


def _packed(x: PackedSequence, batch: int) -> BatchForm:
    batch_sizes = tuple(int(size) for size in x.batch_sizes)
    order = None if x.sorted_indices is None else tuple(int(number) for number in x.sorted_indices)
    return BatchForm(batch, len(batch_sizes), True, batch_sizes, order)


def _dense(x: Tensor, batch_first: bool) -> BatchForm:
    if x.dim() == 2:
        return BatchForm(1, x.shape[0], False)
    batch, steps = (x.shape[0], x.shape[1]) if batch_first else (x.shape[1], x.shape[0])
    return BatchForm(batch, steps)


def _check_states(kind: str, sizes: LayerSizes, is_cell: bool, form: BatchForm, given: Any, x: Tensor) -> None:
    names = [state.name for state in sizes.program.states]
    if not is_cell:
        widths = [sizes.state_sizes(layer) for layer in range(sizes.num_layers)]
        expected = ExpectedStates(kind, [f"{name}_0" for name in names], sizes.arrangement, widths, sizes.proj_size)
        expected.check(given, x, form.batch if form.is_batched else None)
        return
    batch = [("batch", form.batch or 0)] if form.is_batched else []
    for number, state in enumerate(check_states(kind, names, given)):
        size = sizes.state_sizes()[number]
        check_state(kind, names[number], state, (*batch, (state_label(size, sizes.hidden_sizes[0], 0), size)), x)
