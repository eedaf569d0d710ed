"""The native engine: plans lowered to code, which C++ kernels run on the processor."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from recurra.compiler import Plan

if TYPE_CHECKING:
    from recurra.engines.native.kernel import NativeKernel


_LOCK = Lock()
_KERNELS: WeakValueDictionary[Plan, NativeKernel] = WeakValueDictionary()


def join_openmp() -> None:
    """From now on run on torch's OpenMP threads, where torch has them.

    Threads wait for work with the processor in their hands: those of two pools would take it from each other.
    """
    if NativeEngine().refuses() is None:
        import recurra._native as _native

        _native.join_openmp()


class NativeEngine:
    """Runs plans on the processor, for arrays of numpy and torch."""

    name = "native"

    @lru_cache(maxsize=1)  # noqa: B019  (there is one engine; the answer never changes)
    def refuses(self) -> str | None:
        """Why it cannot run here: there is no native module, or RECURRA_ISA asks for what this machine lacks."""
        try:
            import recurra._native as _native

            _native.active_isa()
        except ImportError as error:
            return f"the native module does not load: {error}"
        except ValueError as error:
            return str(error)
        return None

    @lru_cache(maxsize=512)  # noqa: B019  (there is one engine, and it lives as long as the process)
    def build(self, plan: Plan) -> NativeKernel:
        """The kernel of a plan: the same for all, for as long as somebody has it, as packed weights fit it alone."""
        from recurra.engines.native.kernel import NativeKernel

        with _LOCK:
            kernel = _KERNELS.get(plan)
            if kernel is None:
                kernel = _KERNELS[plan] = NativeKernel(plan)
            return kernel
