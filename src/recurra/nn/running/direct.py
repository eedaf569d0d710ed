"""The shortest way from a call of a layer or cell to an engine: dense sequences of plain tensors.

Everything else goes the way that checks (``Recurrent._checked_call``), which computes the same numbers. A function here
returns None where it does not apply, and raises nothing but what the choice of an engine raises: the other way checks,
and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from recurra.engines import Direct, Layers, Wishes, asked, choose
from recurra.engines.saved import keeps_products
from recurra.engines.torch_internals import is_watched
from recurra.errors import EngineError
from recurra.nn.running.autograd import Node, run_node
from recurra.nn.running.execute import name_of
from recurra.nn.running.layers import through_layers
from recurra.nn.running.scan import Scan

_DTYPES = (torch.float32, torch.float64)


@dataclass
class _Made:
    """A module's direct calls for one dtype, by one engine; None where the engine has none."""

    direct: Direct | None
    nodes: dict[tuple[int, tuple[bool, ...], bool], Node] = field(default_factory=dict)
    packed: Any = None  # a frozen module's weights


class DirectCalls:
    """What engines know of a module's calls, by engine and dtype. A copy of the module learns it anew.

    Attributes:
        made: the direct calls.
        layers: of each engine, all scans in one call; None where it has none.
        is_frozen: whether the weights are promised to stay as they are.
        announced: the kinds of devices for which the log says already that the module runs step by step.
    """

    def __init__(self) -> None:
        self.made: dict[tuple[str, torch.dtype], _Made] = {}
        self.layers: dict[str, Layers | None] = {}
        self.is_frozen = False
        self.announced: set[str] = set()

    def __reduce__(self) -> tuple[type[DirectCalls], tuple[()]]:
        return DirectCalls, ()

    def thaw(self) -> None:
        """The weights may change again."""
        self.is_frozen = False
        for made in self.made.values():
            made.packed = None


def _direct(
    scans: Sequence[Scan], names: Sequence[Sequence[str]], directions: int, is_cell: bool, dtype: torch.dtype
) -> Direct | None:
    """A module's direct calls on the CPU, by the engine that is chosen; None where it has none."""
    specs, name = [scan.spec() for scan in scans], name_of(dtype)
    try:
        engine, *others = dict.fromkeys(choose(spec.plan, name) for spec in specs)
    except EngineError:  # the way that checks raises it again
        return None
    return None if others else engine.direct(torch, specs, names, directions, is_cell, name)


def _node(made: _Made, scan: Scan, number: int, wanted: tuple[bool, ...], keep: bool, is_cell: bool) -> Node:
    key = number, wanted, keep
    node = made.nodes.get(key)
    if node is None:
        assert made.direct is not None
        passes = made.direct.passes(number, Wishes(wanted, (True,), keep))
        node = Node(scan.plan, passes, scan.sizes, scan.reverse, True, is_cell)
        made.nodes[key] = node
    return node


def _train(
    made: _Made,
    scan: Scan,
    number: int,
    x: Tensor,
    firsts: Sequence[Tensor | None],
    parameters: Sequence[Tensor],
    is_cell: bool,
) -> Any:
    """Run one scan under autograd: on (steps, batch, input) output and last states, of a cell its new states."""
    wanted = tuple(value is not None and value.requires_grad for value in (x, *firsts, *parameters))
    width = scan.sizes.input
    keep = keeps_products(x.numel() // max(1, width), x.element_size(), width, scan.state_sizes)
    node = _node(made, scan, number, wanted, keep, is_cell)
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
    """A module's result; None where the way that checks has to run it.

    Args:
        module: a layer or a cell.
        x: its input.
        given: its states.
        scans: what it runs.
        names: of each scan's parameters.
        shape: whether the batch is x's first dimension, how many directions there are, and whether it is a cell.
        has_dropout: whether something is zeroed between layers.
        train: runs the module's call where gradients are wanted.
    """
    if x.__class__ is not Tensor or x.dtype not in _DTYPES or is_watched() or torch.is_autocast_enabled("cpu"):
        return None
    calls, key = module._calls, (asked(), x.dtype)
    made = calls.made.get(key)
    batch_first, directions, is_cell = shape
    if made is None:
        made = calls.made.setdefault(key, _Made(_direct(scans, names, directions, is_cell, x.dtype)))
    direct = made.direct
    if direct is None:
        return None
    packed = None
    if calls.is_frozen:
        packed = made.packed
        if packed is None:
            packed = made.packed = direct.pack(module._parameters)
    differentiate, threads = torch.is_grad_enabled(), torch.get_num_threads()
    answer = direct.run(x, given, module._parameters, batch_first, differentiate, has_dropout, threads, packed)
    if answer is direct.general:
        return None
    return train(module, made, scans, x, given, has_dropout) if answer is direct.autograd else answer


def _firsts(given: Any, count: int) -> Sequence[Tensor | None]:
    return (None,) * count if given is None else (given,) if count == 1 else given


def direct_cell(module: Any, x: object, given: Any) -> Any:
    """The new states of a ``RecurrentCell``, or None."""
    if module.cell.output is not None:
        return None
    return _run(module, x, given, (module._scan,), (module._names,), (True, 1, True), False, _train_cell)


def _train_cell(module: Any, made: _Made, scans: Sequence[Scan], x: Any, given: Any, has_dropout: bool) -> Any:
    (scan,), parameters = scans, module._parameters
    weights = [parameters[name] for name in module._names]
    last = _train(made, scan, 0, x, _firsts(given, len(scan.state_sizes)), weights, True)
    return last if len(last) > 1 else last[0]


def direct_layer(module: Any, x: object, given: Any) -> Any:
    """Output and last states of a ``Recurrent``, or None."""
    scans, directions = module._scans, module._directions
    has_dropout = module.training and module.dropout > 0 and len(scans) > directions
    shape = (module.batch_first, directions, False)
    return _run(module, x, given, scans, module._all_weights, shape, has_dropout, _train_layer)


def _train_layer(
    module: Any, made: _Made, scans: Sequence[Scan], x: Any, given: Any, has_dropout: bool
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
        output, *ends = _train(made, scans[number], number, x, states, weights, False)
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
