"""The engine of Triton's kernels: any plan on a GPU.

The loop over time is one launch, or a launch for each phase of a step (``ways.py`` chooses). All that needs no state
runs in torch's operations, for all steps at once.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from recurra.compiler import Plan
from recurra.engines.protocol import HALF, Device, DType, Engine
from recurra.engines.triton.fitness import unfit

if TYPE_CHECKING:
    from recurra.engines.triton.checked import CheckedKernel

_DTYPES = ("float32", *HALF)
_CAPABILITY = (8, 0)  # the oldest GPUs whose multiprocessors multiply TF32 and bfloat16


class TritonEngine(Engine):
    """Runs plans on GPUs. Products are of the tensors' dtype; sums, states and all else of a step are float32."""

    name = "triton"

    def refuses(self, plan: Plan | None = None, dtype: DType = "float32", device: Device = "cpu") -> str | None:
        """Return why it cannot run a plan: it needs Triton, a GPU of compute capability 8.0, and no float64.

        With ``TRITON_INTERPRET=1`` it runs on the CPU, in Triton's interpreter, which is slow.
        """
        reason = _missing()
        if reason is not None or plan is None:
            return reason
        if device != ("cpu" if _interprets() else "cuda"):
            where = "the CPU, as TRITON_INTERPRET is set" if _interprets() else "GPUs that torch calls cuda"
            return f"its kernels run on {where}, not on {device}"
        if dtype not in _DTYPES:
            return f"its kernels compute in {', '.join(_DTYPES)}, not in {dtype}"
        return unfit(plan)

    @lru_cache(maxsize=512)  # noqa: B019  (there is one engine, and it lives as long as the process)
    def build(self, plan: Plan) -> CheckedKernel:
        """Return the kernel of a plan, which is compared with the reference engine when it first runs."""
        from recurra.engines.triton.checked import CheckedKernel

        return CheckedKernel(plan)

    def computes_in(self, dtype: DType) -> DType:
        """Return the dtype itself."""
        return dtype


def _interprets() -> bool:
    """Whether Triton runs kernels in its interpreter. Without Triton's import, the variable says whether it will."""
    triton = sys.modules.get("triton")
    if triton is not None:
        return bool(triton.knobs.runtime.interpret)
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")


@lru_cache(maxsize=1)
def _missing() -> str | None:
    """The reason why no plan can run in this process: something is not installed, or there is no GPU for it."""
    if find_spec("torch") is None:
        return "torch is not installed"
    if find_spec("triton") is None:
        return "Triton is not installed: pip install 'recurra[gpu]'"
    reason = None if _interprets() else _no_gpu()
    if reason is not None:  # Triton, which takes a while to import, is not needed then
        return reason
    try:
        import triton  # noqa: F401
    except Exception as error:  # a broken installation may raise anything
        return f"Triton cannot be imported: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return None


def _no_gpu() -> str | None:
    """The reason why there is no GPU for its kernels; None if there is one."""
    import torch

    if not (torch.version.cuda or torch.version.hip):
        return "this build of torch has no CUDA"
    try:
        torch.cuda.current_device()  # is_available() would hide the reason: no driver, or one that is too old
    except Exception as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        return f"torch finds no GPU: {told[0].split('. ')[0].rstrip('.')}"
    found = torch.cuda.get_device_capability()
    if torch.version.hip is None and found < _CAPABILITY:
        name = torch.cuda.get_device_name()
        return f"it needs a GPU of compute capability 8.0 or later; {name} has {found[0]}.{found[1]}"
    return None


def source(layer: Any, dtype: DType = "float32", *, backward: bool = False) -> str:
    """The kernels of a layer's first level and direction, as Triton's source.

    Args:
        layer: a recurrent layer of recurra's.
        dtype: of its tensors: "float32", "bfloat16" or "float16". Default "float32".
        backward: whether the kernels of the backward pass are wanted, for the gradients of all sources. Default False.

    Returns:
        The source; an empty text for a program without states.

    Raises:
        TypeError: it is no recurrent layer of recurra's.
        EngineError: Triton is not installed, or no kernel computes the layer's loop; the message says why.
    """
    from recurra.engines.triton.shown import shown

    return shown(layer, dtype, backward)
