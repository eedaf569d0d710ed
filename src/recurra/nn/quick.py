"""The shortest way from a call of a layer or cell to native code: dense sequences of plain tensors.

Everything else goes the general way (``scan.py``), which computes the same numbers. A function here returns None where
it does not apply, and never raises: the general way checks, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from recurra.engines import NativeEngine, chosen
from recurra.nn.gradient import stores
from recurra.nn.quick_gradient import Facts, run_scan
from recurra.nn.scan import SYMBOLS, Scan, plan_of

if TYPE_CHECKING:
    import recurra._native as _native
    from recurra.engines.native.kernel import NativeKernel

_DTYPES = (torch.float32, torch.float64)


class Calls:
    """What native code knows of a module's calls, for each dtype. A copy of the module learns it anew."""

    def __init__(self) -> None:
        self.made: dict[torch.dtype, _native.TensorLayers | None] = {}
        self.packed: dict[torch.dtype, Any] | None = None  # a frozen module's weights

    def __reduce__(self) -> tuple[type[Calls], tuple[()]]:
        return Calls, ()


def is_quiet() -> bool:
    """Whether nobody wants to see torch's operations: no transforms, no modes, no tracing."""
    return not (
        torch.is_autocast_enabled("cpu")
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack()
        or torch._C._is_tracing()
        or forward_ad._current_level >= 0
    )


@lru_cache(maxsize=1)
def _ways() -> tuple[_native.Way, _native.Way]:
    """Native code's answers; it is loaded where there is an engine of it alone."""
    from recurra.engines.native.torch_calls import Way

    return Way.general, Way.autograd


def _sizes(scan: Scan) -> dict[str, int]:
    return dict(zip(SYMBOLS, (scan.input_size, scan.hidden_size, scan.proj_size), strict=True))


def _kernel(text: str) -> NativeKernel:
    engine = chosen()
    assert isinstance(engine, NativeEngine)
    return engine.build(plan_of(text, False))


def _inference(
    scans: Sequence[Scan], names: Sequence[Sequence[str]], directions: int, is_cell: bool, double: bool
) -> _native.TensorLayers | None:
    """A module's call without gradients; None where native code cannot make it alone."""
    from recurra.engines.native.torch_calls import layers, reads_tensors

    shapes = [[shape for _, shape in scan.shapes] for scan in scans]
    if any(len(shape) > 2 for each in shapes for shape in each) or any(scan.masks for scan in scans):
        return None
    if not reads_tensors(torch):
        return None
    kernels, sizes = [_kernel(scan.text) for scan in scans], [_sizes(scan) for scan in scans]
    return layers(kernels, names, sizes, [scan.reverse for scan in scans], directions, is_cell, double)


def _is_plain(parameter: Any, shape: tuple[int, ...], dtype: torch.dtype) -> bool:
    """Whether native code can read a parameter where it is."""
    return (
        (parameter.__class__ is Tensor or parameter.__class__ is torch.nn.Parameter)
        and parameter.dtype is dtype
        and parameter.is_cpu
        and parameter.layout is torch.strided
        and parameter.shape == shape
        and not parameter.is_neg()
        and parameter.untyped_storage().nbytes() > 0
    )


def _prepared(
    kept: dict[torch.dtype, Any], module: Any, scans: Sequence[Scan], names: Sequence[Sequence[str]], dtype: torch.dtype
) -> Any:
    """A frozen module's packed weights, kept by dtype; None where a weight is not as it was made."""
    if dtype in kept:
        return kept[dtype]
    made = []
    for scan, each in zip(scans, names, strict=True):
        words: list[int] = []
        for name, (_, shape) in zip(each, scan.shapes, strict=True):
            parameter = module._parameters.get(name)
            if not _is_plain(parameter, shape, dtype):
                return None
            words += (parameter.data_ptr(), *(0, 0, *parameter.stride())[-2:])
        made.append(_kernel(scan.text).code(_sizes(scan), dtype is torch.float64).prepare(words))
    kept[dtype] = made
    return made


def _train(scan: Scan, x: Tensor, firsts: Sequence[Tensor | None], parameters: Sequence[Tensor], is_cell: bool) -> Any:
    """Run one scan under autograd: on (steps, batch, input) output and last states, of a cell its new states."""
    wanted = tuple(value is not None and value.requires_grad for value in (x, *firsts, *parameters))
    store = stores(x.numel() // max(1, scan.input_size), x.element_size(), scan.input_size, scan.state_sizes)
    sizes = (scan.input_size, scan.hidden_size, scan.proj_size)
    facts = _training(scan.text, sizes, scan.reverse, x.dtype is torch.float64, wanted, is_cell, store)
    return run_scan(facts, x, *firsts, *parameters)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1024)
def _training(
    text: str,
    sizes: tuple[int, int, int],
    reverse: bool,
    double: bool,
    wanted: tuple[bool, ...],
    is_cell: bool,
    store: bool,
) -> Facts:
    from recurra.engines.native.torch_calls import scan

    kernel, named = _kernel(text), dict(zip(SYMBOLS, sizes, strict=True))
    states = tuple(state.width(named) for state in kernel.plan.program.states)
    passes = scan(kernel, named, double, reverse, not is_cell, wanted, (not is_cell,), store)
    return Facts(kernel, passes, named, reverse, states, is_cell)


def _run(module: Any, x: Any, given: Any, scans: Sequence[Scan], names: Sequence[Sequence[str]], shape: Any) -> Any:
    """A module's result without gradients; None where that needs the general way, NotImplemented where autograd.

    Args:
        module: a layer or a cell.
        x: its input.
        given: its states.
        scans: what it runs.
        names: of each scan's parameters.
        shape: whether the batch is x's first dimension, how many directions there are, and whether it is a cell.
    """
    if x.__class__ is not Tensor or x.dtype not in _DTYPES or not is_quiet() or chosen().__class__ is not NativeEngine:
        return None
    batch_first, directions, is_cell = shape
    dtype, calls = x.dtype, module._calls
    if dtype not in calls.made:
        calls.made[dtype] = _inference(scans, names, directions, is_cell, dtype is torch.float64)
    call = calls.made[dtype]
    if call is None:
        return None
    kept = calls.packed  # read once: another thread may end what is frozen
    prepared = None if kept is None else _prepared(kept, module, scans, names, dtype)
    differentiate = torch.is_grad_enabled()
    threads = torch.get_num_threads()
    found = call.run(x, given, module._parameters, batch_first, differentiate, False, threads, prepared)
    general, autograd = _ways()
    return None if found is general else NotImplemented if found is autograd else found


def _firsts(given: Any, count: int) -> Sequence[Tensor | None]:
    return (None,) * count if given is None else (given,) if count == 1 else given


def quick_cell(module: Any, x: object, given: Any) -> Any:
    """The new states of a ``RecurrentCell``, or None."""
    if module.cell.output is not None:
        return None
    scan, names = module._scan, module._names
    result = _run(module, x, given, (scan,), (names,), (True, 1, True))
    if result is not NotImplemented:
        return result
    parameters = module._parameters
    weights = [parameters[name] for name in names]
    last = _train(scan, x, _firsts(given, len(scan.state_sizes)), weights, True)  # type: ignore[arg-type]
    return last if len(last) > 1 else last[0]


def quick_layer(module: Any, x: object, given: Any) -> Any:
    """Output and last states of a ``Recurrent``, or None."""
    if module.dropout and module.training:
        return None
    scans, batch_first, directions = module._scans, module.batch_first, module._directions
    result = _run(module, x, given, scans, module._all_weights, (batch_first, directions, False))
    if result is not NotImplemented:
        return result
    return None if module.checkpoint else _train_layer(module, scans, x, _firsts(given, len(scans[0].state_sizes)))


def _train_layer(module: Any, scans: Sequence[Scan], x: Any, firsts: Sequence[Tensor | None]) -> tuple[Tensor, Any]:
    directions, parameters = module._directions, module._parameters
    last: list[list[Tensor]] = [[] for _ in firsts]
    if module.batch_first:
        x = x.transpose(0, 1)
    for begin in range(0, len(scans), directions):
        outputs = []
        for number in range(begin, begin + directions):
            states = firsts
            if len(scans) > 1:
                states = [first if first is None else first[number : number + 1] for first in firsts]
            weights = [parameters[name] for name in module._all_weights[number]]
            output, *ends = _train(scans[number], x, states, weights, False)
            outputs.append(output)
            for kept, value in zip(last, ends, strict=True):
                kept.append(value)
        x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
    joined = [values[0] if len(values) == 1 else torch.cat(values) for values in last]
    return x.transpose(0, 1) if module.batch_first else x, tuple(joined) if len(joined) > 1 else joined[0]
