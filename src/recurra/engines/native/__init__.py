"""The native engine: plans lowered to code that C++ kernels run on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from recurra.compiler import Plan
from recurra.engines.cross_entropy import LinearNats
from recurra.engines.protocol import HALF, Device, Direct, DType, Engine, ScanSpec, StepScan
from recurra.engines.stepper import Stepper
from recurra.engines.steps import StepMaker
from recurra.program import Products

if TYPE_CHECKING:
    from types import ModuleType

    from recurra.engines.native.kernel import NativeKernel


_LOCK = Lock()
_KERNELS: WeakValueDictionary[tuple[Plan, Products], NativeKernel] = WeakValueDictionary()


@lru_cache(maxsize=1)
def _module_refuses() -> str | None:
    """The reason why native code cannot run: the module is missing, or this CPU lacks what RECURRA_ISA names."""
    try:
        import recurra._native as _native

        _native.active_isa()
        for fault in _native.faults():
            warnings.warn(f"{fault} (recurra doctor)", RuntimeWarning, stacklevel=2)
    except ImportError as error:
        return f"the native module does not load: {error}"
    except ValueError as error:
        return str(error)
    return None


@lru_cache(maxsize=8)
def _steps_on(threads: int) -> StepMaker:
    """The maker of steps on this number of threads; always the same one, as settled calls are kept by their maker."""
    from recurra.engines.native.steps import NativeSteps

    return NativeSteps(threads)


class NativeEngine(Engine):
    """Runs plans on the CPU, on arrays of numpy and torch.

    Attributes:
        products: the operands of products.
    """

    def __init__(self, products: Products = "float32") -> None:
        self.products = products
        self.name = "native" if products == "float32" else f"native_{products}"

    def refuses(self, plan: Plan | None = None, dtype: DType = "float32", device: Device = "cpu") -> str | None:
        """Return why it cannot run a plan: it needs its module, arrays on the CPU, and dtypes of real numbers."""
        if device != "cpu":
            return f"its kernels run on the CPU, not on {device}"
        if dtype not in ("float32", "float64", *HALF):
            return f"its kernels compute in float32 and float64, not in {dtype}"
        return _module_refuses()

    @lru_cache(maxsize=512)  # noqa: B019  (there are few engines, and they live as long as the process)
    def build(self, plan: Plan) -> NativeKernel:
        """Return the kernel of a plan. It is shared while anybody holds it, as packed weights fit this kernel alone."""
        from recurra.engines.native.kernel import NativeKernel

        with _LOCK:
            key = plan, self.products
            kernel = _KERNELS.get(key)
            if kernel is None:
                kernel = _KERNELS[key] = NativeKernel(plan, self.products)
            return kernel

    def join(self, library: ModuleType) -> None:
        """Run on torch's OpenMP threads from now on, if it has any.

        Waiting threads spin, so the threads of two pools would take the processors from each other.
        """
        if _module_refuses() is None:
            import recurra._native as native

            native.join_openmp()

    def direct(
        self,
        library: ModuleType,
        scans: Sequence[ScanSpec],
        names: Sequence[Sequence[str]],
        directions: int,
        is_cell: bool,
        dtype: DType,
    ) -> Direct | None:
        """Return a module's calls on tensors; None if it has random masks, or native code cannot read this torch's."""
        from recurra.engines.native.torch_calls import TensorCalls, reads_tensors

        if any(scan.plan.program.masks for scan in scans) or not reads_tensors(library):
            return None
        kernels = [self.build(scan.plan) for scan in scans]
        return TensorCalls(kernels, scans, names, directions, is_cell, dtype)

    def stepper(self, scans: Sequence[StepScan], table: Any, batch: int, dtype: Any) -> Stepper | None:
        """Return steps in native code, one call for all scans; None if there is no scan."""
        if not scans:
            return None
        import numpy as np

        import recurra._native as native
        from recurra.engines.native.kernel import threads

        double = dtype.itemsize == 8
        told: list[Any] = []
        for scan in scans:
            kernel, sizes = self.build(scan.spec.plan), scan.spec.sizes
            width = scan.spec.plan.program.input.width(sizes)
            told.append((kernel.code(sizes, double), scan.packed, list(scan.masks), width))
        rows = None if table is None else np.ascontiguousarray(table, dtype)
        return native.stream(told, rows, batch, threads(), double, np.empty, dtype)

    def step_maker(self) -> StepMaker | None:
        """Return what makes native steps; None if native code cannot run here."""
        if _module_refuses() is not None:
            return None
        from recurra.engines.native.kernel import threads

        return _steps_on(threads())

    def linear_nats(self) -> LinearNats | None:
        """Return the fused cross-entropy; None if native code cannot run here."""
        if _module_refuses() is not None:
            return None
        from recurra.engines.native.nats import NativeLinearNats

        return NativeLinearNats()
