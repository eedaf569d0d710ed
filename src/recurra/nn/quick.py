"""The shortest way from a call of a layer or cell to native code: dense sequences of plain tensors, without gradients.

Everything else goes the general way (``scan.py``), which computes the same numbers. A function here returns None where
it does not apply, and never raises: the general way checks, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from recurra.engines import NativeEngine, chosen
from recurra.nn.scan import SYMBOLS, Scan, plan_of

if TYPE_CHECKING:
    from recurra._native import Kernel

_Parameter = torch.nn.Parameter


def is_quiet() -> bool:
    """Whether nobody wants to see torch's operations: no gradients, no transforms, no modes, no tracing."""
    return not (
        torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack()
        or torch._C._is_tracing()
        or forward_ad._current_level >= 0
    )


@lru_cache(maxsize=512)
def _code(engine: NativeEngine, text: str, sizes: tuple[int, int, int], double: bool) -> Kernel:
    """Native code for a scan."""
    return engine.build(plan_of(text, False)).code(dict(zip(SYMBOLS, sizes, strict=True)), double)


def _is_plain(tensor: object, shape: Sequence[int], dtype: torch.dtype) -> bool:
    """Whether native code can read or write a tensor where it is."""
    return (
        (tensor.__class__ is Tensor or tensor.__class__ is _Parameter)
        and tensor.dtype is dtype
        and tensor.is_cpu
        and tensor.shape == shape
    )


def _scan(
    scan: Scan,
    names: Sequence[str],
    parameters: Mapping[str, Any],
    extent: tuple[int, int],
    dtype: torch.dtype,
    rows: tuple[int, ...],
    states: Sequence[int],
) -> bool:
    """Run one scan.

    Args:
        scan: what to run.
        names: of its parameters.
        parameters: the module's.
        extent: steps and batch.
        dtype: of everything.
        rows: address, stride of steps and stride of rows of x, and of the output.
        states: for each state address and stride of the first, and of the last.
    """
    engine = chosen()
    if engine.__class__ is not NativeEngine or scan.masks:
        return False
    code = _code(engine, scan.text, (scan.input_size, scan.hidden_size, scan.proj_size), dtype is torch.float64)
    words = [*extent, 0, scan.reverse, 0, torch.get_num_threads()]
    for name, (_, shape) in zip(names, scan.shapes, strict=True):
        parameter = parameters.get(name)
        if not _is_plain(parameter, shape, dtype):
            return False
        words.append(parameter.data_ptr())  # type: ignore[union-attr]
        strides = parameter.stride()  # type: ignore[union-attr]
        words += (0, 0, *strides)[-2:]
    words += rows
    words += states
    words.append(0)
    code.run(words, None)
    return True


def quick_cell(module: Any, x: object, given: Any) -> Any:
    """The new states of a ``RecurrentCell``, or None."""
    scan: Scan = module._scan
    if not is_quiet() or x.__class__ is not Tensor or x.dim() != 2 or module.cell.output is not None:
        return None
    batch, dtype = x.shape[0], x.dtype
    if batch == 0 or (dtype is not torch.float32 and dtype is not torch.float64):
        return None
    if not _is_plain(x, (batch, scan.input_size), dtype) or (x.stride(1) != 1 and scan.input_size > 1):
        return None
    firsts = _firsts(scan, given, (batch,), dtype)
    if firsts is None:
        return None
    last = [x.new_empty((batch, size)) for size in scan.state_sizes]
    words: list[int] = []
    for first, value, size in zip(firsts, last, scan.state_sizes, strict=True):
        words += (0, 0) if first is None else (first.data_ptr(), first.stride(0))
        words += (value.data_ptr(), size)
    rows = (x.data_ptr(), 0, x.stride(0), last[0].data_ptr(), 0, scan.output_size)
    if not _scan(scan, module._names, module._parameters, (1, batch), dtype, rows, words):
        return None
    return tuple(last) if len(last) > 1 else last[0]


def _firsts(scan: Scan, given: Any, leading: tuple[int, ...], dtype: torch.dtype) -> list[Tensor | None] | None:
    """The first value of each state, None for zeros; None where the general way has to see to it."""
    sizes = scan.state_sizes
    if given is None:
        return [None] * len(sizes)
    states = (given,) if len(sizes) == 1 else given
    if states.__class__ is not tuple or len(states) != len(sizes):
        return None
    for state, size in zip(states, sizes, strict=True):
        if not _is_plain(state, (*leading, size), dtype) or (state.stride(-1) != 1 and size > 1):
            return None
    return list(states)


def quick_layer(module: Any, x: object, given: Any) -> Any:
    """Output and last states of a ``Recurrent``, or None."""
    if x.__class__ is not Tensor or not is_quiet() or x.dim() != 3 or (module.dropout and module.training):
        return None
    dtype = x.dtype
    if dtype is not torch.float32 and dtype is not torch.float64:
        return None
    scans: Sequence[Scan] = module._scans
    batch_first = module.batch_first
    steps, batch = (x.shape[1], x.shape[0]) if batch_first else (x.shape[0], x.shape[1])
    width = scans[0].input_size
    shape = (batch, steps, width) if batch_first else (steps, batch, width)
    if steps == 0 or batch == 0 or not _is_plain(x, shape, dtype) or (x.stride(2) != 1 and width > 1):
        return None
    firsts = _firsts(scans[0], given, (len(scans), batch), dtype)
    if firsts is None:
        return None
    last = [x.new_empty((len(scans), batch, size)) for size in scans[0].state_sizes]
    item, directions = x.element_size(), module._directions
    by_step, by_row = (x.stride(1), x.stride(0)) if batch_first else (x.stride(0), x.stride(1))
    for begin in range(0, len(scans), directions):
        width = directions * scans[begin].output_size
        if batch_first and begin + directions == len(scans):
            output, to_step, to_row = x.new_empty((batch, steps, width)), width, steps * width
        else:
            output, to_step, to_row = x.new_empty((steps, batch, width)), batch * width, width
        for number in range(begin, begin + directions):
            scan = scans[number]
            states: list[int] = []
            for first, value, size in zip(firsts, last, scan.state_sizes, strict=True):
                if first is None:
                    states += (0, 0)
                else:
                    states += (first.data_ptr() + number * first.stride(0) * item, first.stride(1))
                states += (value.data_ptr() + number * batch * size * item, size)
            to = output.data_ptr() + (number - begin) * scan.output_size * item
            rows = (x.data_ptr(), by_step, by_row, to, to_step, to_row)
            if not _scan(scan, module._all_weights[number], module._parameters, (steps, batch), dtype, rows, states):
                return None
        x, by_step, by_row = output, to_step, to_row
    return x, (tuple(last) if len(last) > 1 else last[0])
