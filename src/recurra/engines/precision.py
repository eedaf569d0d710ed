"""The precision of matrix products: the dtype's own, or operands rounded to bfloat16 with sums in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from recurra.engines.protocol import DType

PRECISIONS = ("float32", "bfloat16")
# The instruction sets of native code that multiply bfloat16 (native/targets/).
_WITH_PRODUCTS = frozenset({"avx512_bf16"})

_wanted: ContextVar[str | None] = ContextVar("recurra_compute", default=None)
_followed: Callable[[], str] | None = None  # tells torch's setting


def follow(setting: Callable[[], str]) -> None:
    """Follow ``torch.set_float32_matmul_precision`` from now on; ``setting`` tells what it is."""
    global _followed
    _followed = setting


@lru_cache(maxsize=1)
def has_bfloat16_products() -> bool:
    """Whether this processor has instructions for products of bfloat16 that native code uses."""
    try:
        import recurra._native as native

        return native.active_isa() in _WITH_PRODUCTS
    except (ImportError, ValueError):  # the native engine says why it cannot run
        return False


def precision() -> str:
    """The precision of float32 layers' products: of the innermost ``compute(…)`` block, else what torch is set to."""
    wanted = _wanted.get()
    if wanted is not None:
        return wanted
    return "bfloat16" if _followed is not None and _followed() == "medium" else "float32"


def rounds(dtype: DType) -> bool:
    """Whether products of arrays of this dtype round their operands to bfloat16 in native code.

    They do for bfloat16, and for float32 where that is asked for, if the processor has instructions for it; without
    them float32 is faster.
    """
    if dtype not in ("float32", "bfloat16") or not has_bfloat16_products():
        return False
    return dtype == "bfloat16" or precision() == "bfloat16"


@contextmanager
def compute(precision: str) -> Iterator[None]:
    """Choose the precision of float32 layers' matrix products inside of a ``with`` block.

    In ``"bfloat16"``, native code rounds the operands of each product to bfloat16 and adds up in float32, in both
    passes; states and all elementwise work stay in float32. It has an effect on processors with instructions for it
    (AVX512_BF16), where such products take about half of the time. Outside of all blocks, layers follow
    ``torch.set_float32_matmul_precision``: ``"medium"`` is bfloat16 here too. Layers in bfloat16, and those under
    torch's autocast, always compute so. A backward pass computes as its forward pass did.

    Args:
        precision: ``"float32"`` or ``"bfloat16"``.

    Raises:
        ValueError: the precision is neither.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"recurra.compute: there is no precision {precision!r}; there are {', '.join(PRECISIONS)}")
    token = _wanted.set(precision)
    try:
        yield
    finally:
        _wanted.reset(token)
