"""Native calls on torch's tensors as they are: a module's layers without gradients, or one scan under autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import ModuleType

import recurra._native as _native
from recurra.compiler import Plan
from recurra.engines.native.kernel import NativeKernel

Way = _native.Way  # the answers of TensorLayers where it does not compute


@lru_cache(maxsize=1)
def reads_tensors(torch: ModuleType) -> bool:
    """Whether native code can read this torch's tensors; from then on it does."""
    functions = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if functions is None:
        return False
    kinds = (torch.Tensor, torch.nn.Parameter, torch.empty, torch.float32, torch.float64, torch.device("cpu"))
    return _native.adopt_torch(functions, *kinds, torch.get_default_dtype, torch._C._len_torch_function_stack)


def layers(
    kernels: Sequence[NativeKernel],
    names: Sequence[Sequence[str]],
    sizes: Sequence[Mapping[str, int]],
    reverse: Sequence[bool],
    directions: int,
    is_cell: bool,
    double: bool,
) -> _native.TensorLayers:
    """A module's call without gradients; layers come one after the other, each with a scan for each direction.

    Its ``run`` takes x (steps, batch, input), or (batch, steps, input), and states (scans, batch, size); a cell's are
    (batch, input) and (batch, size).

    Args:
        kernels: of each scan.
        names: of each scan's parameters in the module.
        sizes: the numbers of each scan's symbols.
        reverse: whether each scan runs from the last step to the first.
        directions: scans of each layer.
        is_cell: whether x is one step, and the result the new states alone, of which the first is the output.
        double: whether all is float64.

    Raises:
        ValueError: the programs do not fit each other, or draw random masks.
    """
    scans = [
        (kernel.code(size, double), list(name), _parameter_shapes(kernel.plan, size), is_reverse)
        for kernel, name, size, is_reverse in zip(kernels, names, sizes, reverse, strict=True)
    ]
    return _native.TensorLayers(scans, directions, is_cell)


def _parameter_shapes(plan: Plan, sizes: Mapping[str, int]) -> list[list[int]]:
    return [[size.value(sizes) for size in parameter.shape] for parameter in plan.program.parameters]


_GROUPS = ("x", "output", "mask", "kept", "arriving")


def scan(
    kernel: NativeKernel,
    sizes: Mapping[str, int],
    double: bool,
    reverse: bool,
    layer_states: bool,
    wanted: Sequence[bool] | None = None,
    given: Sequence[bool] = (),
    store: bool = False,
) -> _native.TensorScan:
    """One scan's forward pass, and the backward pass that follows it.

    Below, *steps* stands for (steps, batch), for a cell's (batch), or for packed (rows).

    ``forward`` takes x (steps, input), first states and parameters, masks (steps, size) and reset (steps); it gives one
    flat tensor that is kept, the output (steps, size), last states, and each traced variable (steps, size).
    ``backward`` takes (x, states, parameters, output, kept, masks), and gradients laid out as the results.

    Args:
        kernel: of the plan, whose traced variables are results too.
        sizes: the numbers of the program's symbols.
        double: whether all is float64.
        reverse: whether it runs from the last step to the first.
        layer_states: whether states are (1, batch, size) instead of (batch, size), which a cell's are anyway.
        wanted: of x, of each state and of each parameter whether its gradient is wanted; None for no backward pass.
        given: of the output and of each traced variable whether its gradient arrives.
        store: whether the forward pass keeps the results of its products; else they are computed again.
    """
    plan = kernel.plan
    shapes, traced = _parameter_shapes(plan, sizes), len(plan.traced)
    if wanted is None:
        return _native.TensorScan(kernel.code(sizes, double), None, reverse, layer_states, shapes, traced)
    passes = kernel.training(sizes, double, wanted, given, store)
    offered = [number for number, is_given in enumerate(given) if is_given]  # by the number of what arrives
    backward = passes.plan
    rows = [(group, offered[number] if group == "arriving" else number) for group, number in backward.rows]
    return _native.TensorScan(
        passes.forward,
        passes.backward.kernel,
        reverse,
        layer_states,
        shapes,
        traced,
        [(_GROUPS.index(group), number) for group, number in rows],
        list(backward.constants),
        list(backward.carried),
        [number for _, number in backward.entering],
        list(backward.results),
    )
