"""Native calls that take torch's tensors as they are: what a layer or a scan is, told to native code once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import ModuleType

import recurra._native as _native
from recurra.engines.native.kernel import NativeKernel
from recurra.engines.native.training import Training


@lru_cache(maxsize=1)
def reads_tensors(torch: ModuleType) -> bool:
    """Whether native code can read this torch's tensors; from then on it does."""
    functions = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if functions is None:
        return False
    kinds = (torch.Tensor, torch.nn.Parameter, torch.empty, torch.float32, torch.float64, torch.device("cpu"))
    return _native.adopt_torch(functions, *kinds, torch.get_default_dtype, torch._C._len_torch_function_stack)


def inference(
    kernels: Sequence[NativeKernel],
    names: Sequence[Sequence[str]],
    shapes: Sequence[Sequence[tuple[int, ...]]],
    sizes: Sequence[Mapping[str, int]],
    outputs: Sequence[int],
    reverse: Sequence[bool],
    states: Sequence[int],
    directions: int,
    is_cell: bool,
    double: bool,
) -> _native.Inference:
    """A module's call without gradients.

    Args:
        kernels: of each scan.
        names: of each scan's parameters in the module.
        shapes: of these parameters.
        sizes: the numbers of each scan's symbols.
        outputs: features of each scan's output.
        reverse: whether each scan runs from the last step to the first.
        states: features of each state.
        directions: scans of each layer.
        is_cell: whether x is one step, and the result the new states alone.
        double: whether all is float64.
    """
    scans = [
        (kernel.code(size, double), list(name), [list(s) for s in shape], is_reverse, size["input"], output)
        for kernel, name, shape, size, output, is_reverse in zip(
            kernels, names, shapes, sizes, outputs, reverse, strict=True
        )
    ]
    return _native.Inference(scans, list(states), directions, is_cell, double)


_GROUPS = ("x", "output", "kept", "arriving")


def training(passes: Training, is_cell: bool, reverse: bool, states: Sequence[int], output: int) -> _native.Training:
    """A scan's two passes as autograd calls them.

    Args:
        passes: the code.
        is_cell: whether x is one step, and states are (batch, size) instead of (1, batch, size).
        reverse: whether it runs from the last step to the first.
        states: features of each state.
        output: features of the output.
    """
    plan, backward = passes.plan, passes.backward
    return _native.Training(
        passes.forward,
        backward.kernel,
        is_cell,
        reverse,
        list(states),
        output,
        list(passes.kept_widths),
        [list(shape) for shape in backward.result_shapes],
        [(_GROUPS.index(group), number) for group, number in plan.rows],
        list(plan.constants),
        list(plan.carried),
        [number for _, number in plan.entering],
        plan.has_input,
        list(plan.results),
    )
