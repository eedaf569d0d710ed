"""Native calls that take torch's tensors as they are; native code is told once about a module or a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import recurra._native as _native
from recurra.engines.protocol import DType, Passes, ScanSpec, Wishes
from recurra.program import Sizes

if TYPE_CHECKING:
    from recurra.engines.native.kernel import NativeKernel

_GROUPS = ("x", "output", "mask", "kept", "arriving")

Way = _native.Way  # the answers of TensorLayers for calls that it does not run


@lru_cache(maxsize=1)
def reads_tensors(torch: ModuleType) -> bool:
    """Whether native code can read this torch's tensors; the first call makes it ready to."""
    from recurra.engines.torch_internals import tensor_functions

    found = tensor_functions()
    if found is None:
        return False
    functions, modes = found
    kinds = (torch.Tensor, torch.nn.Parameter, torch.empty, torch.float32, torch.float64, torch.device("cpu"))
    return _native.adopt_torch(functions, *kinds, torch.get_default_dtype, modes)


def scan_of(
    kernel: NativeKernel,
    sizes: Sizes,
    double: bool,
    reverse: bool,
    layer_states: bool,
    wishes: Wishes | None = None,
) -> _native.TensorScan:
    """Both passes of a scan on tensors, for any kind of batch.

    Args:
        kernel: of the plan.
        sizes: the values of the program's symbols.
        double: whether all tensors are float64; otherwise float32.
        reverse: whether the run goes from the last step to the first.
        layer_states: whether states are (1, batch, size) instead of (batch, size).
        wishes: demands of the backward pass; None if none follows.
    """
    shapes = [list(shape) for shape in ScanSpec(kernel.plan, sizes).parameter_shapes]
    traced = len(kernel.plan.traced)
    if wishes is None:
        return _native.TensorScan(kernel.code(sizes, double), None, reverse, layer_states, shapes, traced)
    backward = kernel.backward_of(wishes)
    # The numbers of the variables whose gradients may arrive: 0 is the output, the traced ones follow.
    given = [number for number, may_arrive in enumerate(wishes.given) if may_arrive]
    rows = [(_GROUPS.index(group), given[number] if group == "arriving" else number) for group, number in backward.rows]
    return _native.TensorScan(
        kernel.built_forward(sizes, double, backward.kept).kernel,
        kernel.built_backward(sizes, double, backward).kernel,
        reverse,
        layer_states,
        shapes,
        traced,
        rows,
        list(backward.constants),
        list(backward.carried),
        [number for _, number in backward.entering],
        list(backward.results),
    )


class TensorCalls:
    """A module's direct calls: implements ``protocol.Direct``.

    Args:
        kernels: the kernel of each scan.
        scans: layer by layer, the directions of a layer beside each other.
        names: the names of each scan's parameters in the module.
        directions: scans of each layer.
        is_cell: whether x is one step, and the result the new states alone.
        dtype: of all tensors.
    """

    general: object = _native.Way.general
    autograd: object = _native.Way.autograd

    def __init__(
        self,
        kernels: Sequence[NativeKernel],
        scans: Sequence[ScanSpec],
        names: Sequence[Sequence[str]],
        directions: int,
        is_cell: bool,
        dtype: DType,
    ) -> None:
        self._kernels, self._scans, self._names, self._dtype = kernels, scans, names, dtype
        double = dtype == "float64"
        layers = _native.TensorLayers(
            [
                (kernel.code(scan.sizes, double), list(each), [list(s) for s in scan.parameter_shapes], scan.reverse)
                for kernel, scan, each in zip(kernels, scans, names, strict=True)
            ],
            directions,
            is_cell,
        )
        self.run: Any = layers.run  # the native method itself, without Python in between

    def pack(self, parameters: Mapping[str, Any]) -> object:
        """Pack the weights of each scan; None if one of them is not as the module made it."""
        packed = []
        for kernel, scan, names in zip(self._kernels, self._scans, self._names, strict=True):
            weights = [parameters.get(name) for name in names]
            shapes = scan.parameter_shapes
            if not all(_is_plain(w, shape, self._dtype) for w, shape in zip(weights, shapes, strict=True)):
                return None
            packed.append(kernel.pack(weights, scan.sizes, self._dtype))
        return packed

    def passes(self, number: int, wishes: Wishes) -> Passes:
        """Return both passes of the scan of this number."""
        scan = self._scans[number]
        return self._kernels[number].passes(scan.sizes, self._dtype, scan.reverse, wishes, True)


def _is_plain(parameter: Any, shape: tuple[int, ...], dtype: DType) -> bool:
    """Whether native code can read a parameter's memory as it is."""
    return (
        type(parameter).__name__ in ("Tensor", "Parameter")
        and type(parameter).__module__.startswith("torch")
        and str(parameter.dtype) == f"torch.{dtype}"
        and parameter.is_cpu
        and str(parameter.layout) == "torch.strided"
        and tuple(parameter.shape) == shape
        and not parameter.is_neg()
        and parameter.untyped_storage().nbytes() > 0
    )
