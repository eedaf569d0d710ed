"""The engine of torch's own fused layers: cuDNN's, MIOpen's, Metal's or oneDNN's, depending on the device.

It runs every program that computes one of these layers, whatever its name is and however it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from recurra.compiler import Plan
from recurra.engines.protocol import HALF, Array, Device, DType, Engine, Layers, ScanSpec
from recurra.engines.vendor.known import known_layer, known_stack

if TYPE_CHECKING:
    from recurra.engines.vendor.kernel import VendorKernel

_DTYPES = ("float32", "float64", *HALF)


class VendorEngine(Engine):
    """Runs a plan as torch's fused layer, which autograd records. The layer computes in half precision itself."""

    name = "torch"
    is_recorded: ClassVar[bool] = True
    resets: ClassVar[bool] = False

    def refuses(self, plan: Plan | None = None, dtype: DType = "float32", device: Device = "cpu") -> str | None:
        """Return why torch has no fused layer for a plan; None if it has one."""
        if not _is_installed():
            return "torch is not installed"
        if dtype not in _DTYPES:
            return f"torch's fused layers compute in {', '.join(_DTYPES)}"
        if plan is None:
            return None
        if plan.traced:
            return "torch's fused layers show no variables"
        known = known_layer(plan)
        if known is None:
            return "torch has no fused layer for these equations"
        if known.is_projected and device == "mps":
            return "torch's layer for mps has no projection"
        return None

    @lru_cache(maxsize=512)  # noqa: B019  (there is one engine, and it lives as long as the process)
    def build(self, plan: Plan) -> VendorKernel:
        """Return the kernel of a plan that is one of torch's layers."""
        from recurra.engines.vendor.kernel import VendorKernel

        known = known_layer(plan)
        if known is None or plan.traced:
            raise ValueError(self.refuses(plan))
        return VendorKernel(plan, known)

    def computes_in(self, dtype: DType) -> DType:
        """Return the dtype itself."""
        return dtype

    def layers(self, scans: Sequence[ScanSpec], directions: int) -> Layers | None:
        """Return all scans as one call, if they are a stack of torch's layers."""
        from recurra.engines.vendor.layers import VendorLayers

        known = known_stack(scans, directions)
        return None if known is None else VendorLayers(scans, known, directions)

    def flatten(self, scans: Sequence[ScanSpec], directions: int, parameters: Sequence[Array]) -> None:
        """Lay a module's parameters one after the other, if they are torch's weights and on CUDA."""
        if parameters and parameters[0].is_cuda:
            from recurra.engines.vendor.flatten import flatten

            flatten(scans, directions, parameters)


@lru_cache(maxsize=1)
def _is_installed() -> bool:
    return find_spec("torch") is not None
