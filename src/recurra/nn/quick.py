"""The shortest way from a call of a layer or cell to native code: dense sequences of plain tensors.

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
from recurra.nn.freezing import packed
from recurra.nn.gradient import stores
from recurra.nn.quick_gradient import QuickScan
from recurra.nn.scan import SYMBOLS, Scan, plan_of

if TYPE_CHECKING:
    from recurra._native import Kernel
    from recurra.engines.native.kernel import NativeKernel, Training

_Parameter = torch.nn.Parameter


def is_quiet() -> bool:
    """Whether nobody wants to see torch's operations: no transforms, no modes, no tracing."""
    return not (
        torch.is_autocast_enabled("cpu")
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
        and not tensor.is_neg()
    )


def _plain_parameters(
    scan: Scan, names: Sequence[str], parameters: Mapping[str, Any], dtype: torch.dtype
) -> list[Tensor] | None:
    """A scan's parameters; None where one of them is not as it was made."""
    found = []
    for name, (_, shape) in zip(names, scan.shapes, strict=True):
        parameter = parameters.get(name)
        if not _is_plain(parameter, shape, dtype) or len(shape) > 2:
            return None
        found.append(parameter)
    return found  # type: ignore[return-value]


def _native() -> NativeEngine | None:
    """The native engine, if it is the one that runs."""
    engine = chosen()
    return engine if engine.__class__ is NativeEngine else None


def _infer(
    engine: NativeEngine,
    scan: Scan,
    parameters: Sequence[Tensor],
    extent: tuple[int, int],
    double: bool,
    rows: tuple[int, ...],
    states: Sequence[int],
    kept: dict[tuple[int, bool], Any] | None,
    number: int,
) -> None:
    """Run one scan without a gradient.

    Args:
        engine: the native one.
        scan: what to run.
        parameters: in its order.
        extent: steps and batch.
        double: whether all is float64.
        rows: address, stride of steps and stride of rows of x, and of the output.
        states: for each state address and stride of the first, and of the last.
        kept: where a frozen module's packed weights are.
        number: which of the module's scans it is.
    """
    code = _code(engine, scan.text, (scan.input_size, scan.hidden_size, scan.proj_size), double)
    weights: list[int] = []
    for parameter in parameters:
        weights.append(parameter.data_ptr())
        weights += (0, 0, *parameter.stride())[-2:]
    prepared = None
    if kept is not None:
        prepared = kept.get((number, double))
        if prepared is None:
            prepared = kept[number, double] = code.prepare(weights)
    code.run([*extent, 0, scan.reverse, 0, torch.get_num_threads(), *weights, *rows, *states, 0], prepared)


def _train(
    engine: NativeEngine,
    scan: Scan,
    x: Tensor,
    firsts: Sequence[Tensor | None],
    parameters: Sequence[Tensor],
    given: bool,
) -> tuple[Tensor, ...]:
    """Run one scan on (steps, batch, input) under autograd: output and last states."""
    wanted = tuple(value is not None and value.requires_grad for value in (x, *firsts, *parameters))
    sizes = (scan.input_size, scan.hidden_size, scan.proj_size)
    store = stores(x.shape[0] * x.shape[1], x.element_size(), scan.input_size, scan.state_sizes)
    kernel, training, named = _training(engine, scan.text, sizes, x.dtype is torch.float64, wanted, given, store)
    states, width = scan.state_sizes, scan.output_size
    values: tuple[Tensor, ...] = QuickScan.apply(
        kernel, training, named, scan.reverse, states, width, x, *firsts, *parameters
    )  # type: ignore[no-untyped-call]
    return values


@lru_cache(maxsize=1024)
def _training(
    engine: NativeEngine,
    text: str,
    sizes: tuple[int, int, int],
    double: bool,
    wanted: tuple[bool, ...],
    given: bool,
    store: bool,
) -> tuple[NativeKernel, Training, dict[str, int]]:
    kernel = engine.build(plan_of(text, False))
    named = dict(zip(SYMBOLS, sizes, strict=True))
    return kernel, kernel.training(named, double, wanted, (given,), store), named


def _needs_gradient(tensors: Sequence[Tensor | None]) -> bool:
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


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
    firsts, engine = _firsts(scan, given, (batch,), dtype), _native()
    parameters = _plain_parameters(scan, module._names, module._parameters, dtype)
    if firsts is None or parameters is None or engine is None or scan.masks:
        return None
    if _needs_gradient((x, *firsts, *parameters)):
        _, *last = _train(engine, scan, x.unsqueeze(0), firsts, parameters, False)
        return tuple(last) if len(last) > 1 else last[0]
    last = [x.new_empty((batch, size)) for size in scan.state_sizes]
    words: list[int] = []
    for first, value, size in zip(firsts, last, scan.state_sizes, strict=True):
        words += (0, 0) if first is None else (first.data_ptr(), first.stride(0))
        words += (value.data_ptr(), size)
    rows = (x.data_ptr(), 0, x.stride(0), last[0].data_ptr(), 0, scan.output_size)
    _infer(engine, scan, parameters, (1, batch), dtype is torch.float64, rows, words, packed(module), 0)
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
    firsts, engine = _firsts(scans[0], given, (len(scans), batch), dtype), _native()
    if firsts is None or engine is None:
        return None
    weights = []
    for names, scan in zip(module._all_weights, scans, strict=True):
        parameters = _plain_parameters(scan, names, module._parameters, dtype)
        if parameters is None or scan.masks:
            return None
        weights.append(parameters)
    if _needs_gradient((x, *firsts, *(parameter for parameters in weights for parameter in parameters))):
        if module.checkpoint:
            return None
        return _train_layer(engine, module, scans, x.transpose(0, 1) if batch_first else x, firsts, weights)
    return _infer_layer(engine, module, scans, x, firsts, weights)


def _train_layer(
    engine: NativeEngine,
    module: Any,
    scans: Sequence[Scan],
    x: Tensor,
    firsts: Sequence[Tensor | None],
    weights: Sequence[Sequence[Tensor]],
) -> tuple[Tensor, Any]:
    directions = module._directions
    last: list[list[Tensor]] = [[] for _ in firsts]
    for begin in range(0, len(scans), directions):
        outputs = []
        for number in range(begin, begin + directions):
            states = [None if first is None else first[number] for first in firsts]
            output, *ends = _train(engine, scans[number], x, states, weights[number], True)
            outputs.append(output)
            for kept, value in zip(last, ends, strict=True):
                kept.append(value)
        x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
    joined = [values[0].unsqueeze(0) if len(values) == 1 else torch.stack(values) for values in last]
    return x.transpose(0, 1) if module.batch_first else x, tuple(joined) if len(joined) > 1 else joined[0]


def _infer_layer(
    engine: NativeEngine,
    module: Any,
    scans: Sequence[Scan],
    x: Tensor,
    firsts: Sequence[Tensor | None],
    weights: Sequence[Sequence[Tensor]],
) -> tuple[Tensor, Any]:
    batch_first, directions, double = module.batch_first, module._directions, x.dtype is torch.float64
    steps, batch = (x.shape[1], x.shape[0]) if batch_first else (x.shape[0], x.shape[1])
    last = [x.new_empty((len(scans), batch, size)) for size in scans[0].state_sizes]
    item, kept = x.element_size(), packed(module)
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
            _infer(engine, scan, weights[number], (steps, batch), double, rows, states, kept, number)
        x, by_step, by_row = output, to_step, to_row
    return x, (tuple(last) if len(last) > 1 else last[0])
