"""Direct calls: the shortest way from a layer or cell to an engine, for dense sequences of plain tensors.

All other calls are checked calls (``Recurrent._checked_call``), which compute the same numbers. A function here returns
None where a direct call is not possible, and raises only the errors of choosing an engine: the checked call that
follows finds every other error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from recurra.engines import Direct, Layers, Wishes, asked, choose, precision
from recurra.engines.saved import keeps_products
from recurra.engines.torch_internals import is_profiled, is_watched
from recurra.errors import EngineError
from recurra.nn.running.autograd import Node, run_node
from recurra.nn.running.execute import name_of
from recurra.nn.running.layers import through_layers
from recurra.nn.running.profiled import profiled_call
from recurra.nn.running.scan import Scan

_DTYPES = (torch.float32, torch.float64)


@dataclass
class _EngineCalls:
    """A module's direct calls in one dtype, by one engine; ``direct`` is None where the engine has none."""

    direct: Direct | None
    nodes: dict[tuple[int, tuple[bool, ...], bool], Node] = field(default_factory=dict)
    packed: Any = None  # the packed weights of a frozen module


class DirectCalls:
    """A module's cache of direct calls. A copy of the module begins with an empty one.

    Attributes:
        by_engine: the direct calls, by engine, precision of products, dtype, and whether random masks are drawn where
            the cell has some.
        layers: by engine, its call of all scans at once; None where it has none.
        levels: of a layer that is arranged otherwise, its layers one by one; None until they are called.
        is_frozen: whether the weights are promised to stay as they are.
        stays_frozen: whether that holds for copies of the module too, as it does for quantized ones.
        announced: the kinds of devices on which the log has said that the module runs step by step.
    """

    def __init__(self, stays_frozen: bool = False) -> None:
        self.by_engine: dict[tuple[str, str, torch.dtype, bool], _EngineCalls] = {}
        self.layers: dict[str, Layers | None] = {}
        self.levels: list[Any] | None = None
        self.is_frozen = self.stays_frozen = stays_frozen
        self.announced: set[str] = set()

    def __reduce__(self) -> tuple[type[DirectCalls], tuple[bool]]:
        return DirectCalls, (self.stays_frozen,)

    def freeze(self) -> None:
        """Keep the packed weights for good, in copies too."""
        self.is_frozen = self.stays_frozen = True

    def thaw(self) -> None:
        """Allow the weights to change again."""
        self.is_frozen, self.levels = False, None
        for calls in self.by_engine.values():
            calls.packed = None


def _direct(
    scans: Sequence[Scan], names: Sequence[Sequence[str]], directions: int, is_cell: bool, dtype: torch.dtype
) -> Direct | None:
    """A module's direct calls on the CPU, by the chosen engine; None where it has none."""
    specs, name = [scan.spec() for scan in scans], name_of(dtype)
    try:
        engine, *others = dict.fromkeys(choose(spec.plan, name, compute=spec.compute) for spec in specs)
    except EngineError:  # the checked call raises it again
        return None
    return None if others else engine.direct(torch, specs, names, directions, is_cell, name)


def _node(calls: _EngineCalls, scan: Scan, number: int, wanted: tuple[bool, ...], keep: bool, is_cell: bool) -> Node:
    key = number, wanted, keep
    node = calls.nodes.get(key)
    if node is None:
        assert calls.direct is not None
        passes = calls.direct.passes(number, Wishes(wanted, (True,), keep))
        node = Node(scan.plan, passes, scan.sizes, scan.reverse, True, is_cell)
        calls.nodes[key] = node
    return node


def _train(
    calls: _EngineCalls,
    scan: Scan,
    number: int,
    x: Tensor,
    firsts: Sequence[Tensor | None],
    parameters: Sequence[Tensor],
    is_cell: bool,
) -> Any:
    """Run one scan under autograd: output and last states for x (steps, batch, input); of a cell its new states."""
    wanted = tuple(value is not None and value.requires_grad for value in (x, *firsts, *parameters))
    width = x.shape[-1]
    keep = keeps_products(x.numel() // max(1, width), x.element_size(), width, scan.state_sizes)
    node = _node(calls, scan, number, wanted, keep, is_cell)
    return run_node(node, None, x, *firsts, *parameters)


def _run(
    module: Any,
    x: Any,
    given: Any,
    scans: Sequence[Scan],
    names: Sequence[Sequence[str]],
    shape: tuple[bool, int, bool],
    has_dropout: bool,
    train: Callable[..., Any],
) -> Any:
    """A module's result; None where only a checked call can run it.

    Args:
        module: a layer or a cell.
        x: its input.
        given: its states.
        scans: its scans.
        names: the names of each scan's parameters.
        shape: whether the batch is x's first dimension, the number of directions, and whether it is a cell.
        has_dropout: whether dropout runs between layers.
        train: runs the module's call where gradients are wanted.
    """
    if x.__class__ is not Tensor or x.dtype not in _DTYPES or is_watched() or torch.is_autocast_enabled("cpu"):
        return None
    training = not scans[0].masks or module.training
    cache, key = module._calls, (asked(), precision(module.compute), x.dtype, training)
    calls = cache.by_engine.get(key)
    batch_first, directions, is_cell = shape
    if calls is None:
        scans = [scan.in_mode(training) for scan in scans]
        calls = cache.by_engine.setdefault(key, _EngineCalls(_direct(scans, names, directions, is_cell, x.dtype)))
    direct = calls.direct
    if direct is None:
        return None
    packed = None
    if cache.is_frozen:
        packed = calls.packed
        if packed is None:
            packed = calls.packed = direct.pack(module._parameters)
    operands = x, given, module._parameters, batch_first, torch.is_grad_enabled(), has_dropout, torch.get_num_threads()
    if is_profiled():
        with profiled_call(module, x):
            answer = direct.run(*operands, packed)
    else:
        answer = direct.run(*operands, packed)
    if answer is direct.general:
        return None
    if answer is direct.autograd:
        return train(module, calls, [scan.in_mode(training) for scan in scans], x, given, has_dropout)
    return answer


def _firsts(given: Any, count: int) -> Sequence[Tensor | None]:
    return (None,) * count if given is None else (given,) if count == 1 else given


def direct_cell(module: Any, x: object, given: Any) -> Any:
    """The new states of a ``RecurrentCell``; None where only a checked call can run it."""
    if module.cell.output is not None or module._scan.is_empty:
        return None
    return _run(module, x, given, (module._scan,), (module._names,), (True, 1, True), False, _train_cell)


def _train_cell(module: Any, calls: _EngineCalls, scans: Sequence[Scan], x: Any, given: Any, has_dropout: bool) -> Any:
    (scan,), parameters = scans, module._parameters
    weights = [parameters[name] for name in module._names]
    last = _train(calls, scan, 0, x, _firsts(given, len(scan.state_sizes)), weights, True)
    return last if len(last) > 1 else last[0]


def direct_layer(module: Any, x: object, given: Any) -> Any:
    """Output and last states of a ``Recurrent``; None where only a checked call can run it."""
    scans, directions = module._scans, module._directions
    has_dropout = module.training and module.dropout > 0 and len(scans) > directions
    shape = (module.batch_first, directions, False)
    return _run(module, x, given, scans, module._all_weights, shape, has_dropout, _train_layer)


def _train_layer(
    module: Any, calls: _EngineCalls, scans: Sequence[Scan], x: Any, given: Any, has_dropout: bool
) -> tuple[Tensor, Any] | None:
    if module.checkpoint:
        return None
    parameters, names = module._parameters, module._all_weights
    firsts = _firsts(given, len(scans[0].state_sizes))
    last: list[list[Tensor]] = [[] for _ in firsts]

    def run(number: int, x: Tensor) -> Tensor:
        states = firsts
        if len(scans) > 1:
            states = [first if first is None else first[number : number + 1] for first in firsts]
        weights = [parameters[name] for name in names[number]]
        output, *ends = _train(calls, scans[number], number, x, states, weights, False)
        for kept, value in zip(last, ends, strict=True):
            kept.append(value)
        return output  # type: ignore[no-any-return]

    between: Callable[[Tensor], Tensor] = _same
    if has_dropout:
        probability = module.dropout

        def between(x: Tensor) -> Tensor:
            return functional.dropout(x, probability, True)

    x = through_layers(len(scans), module._directions, x.transpose(0, 1) if module.batch_first else x, run, between)
    joined = [values[0] if len(values) == 1 else torch.cat(values) for values in last]
    return x.transpose(0, 1) if module.batch_first else x, tuple(joined) if len(joined) > 1 else joined[0]


def _same(x: Tensor) -> Tensor:
    return x
