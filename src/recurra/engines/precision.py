"""The operands of matrix products: of the arrays' own dtype, or rounded to bfloat16 or int8 with sums in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from recurra.engines.protocol import DType
from recurra.program import PRODUCTS, Products, check_precision

_wanted: ContextVar[Products | None] = ContextVar("recurra_compute", default=None)
_followed: Callable[[], str] | None = None  # tells torch's setting


def follow(setting: Callable[[], str]) -> None:
    """Follow ``torch.set_float32_matmul_precision`` from now on; ``setting`` tells what it is."""
    global _followed
    _followed = setting


@lru_cache(maxsize=1)
def fast_products() -> tuple[Products, ...]:
    """The operands of products that this processor has instructions for and native code uses; none without it."""
    try:
        import recurra._native as native

        return tuple(each for each in PRODUCTS if each in native.fast_products())
    except (ImportError, ValueError):  # the native engine says why it cannot run
        return ()


def precision(compute: Products | None = None) -> Products:
    """The precision of float32 layers' products.

    Args:
        compute: the layer's own. Default None: that of the innermost ``compute(…)`` block, else as torch is set.
    """
    wanted = compute or _wanted.get()
    if wanted is not None:
        return wanted
    return "bfloat16" if _followed is not None and _followed() == "medium" else "float32"


def products(dtype: DType, compute: Products | None = None) -> Products:
    """The operands of native code's products of arrays of this dtype.

    They are bfloat16 for arrays of bfloat16, and for those of float32 where that is asked for, if the processor has
    instructions for it; without them float32 is faster. All processors multiply int8 and uint8, where these are asked
    for.

    Args:
        dtype: of the arrays.
        compute: the layer's own precision, which counts for both dtypes. Default None.
    """
    if dtype not in ("float32", "bfloat16"):
        return "float32"
    wanted = "bfloat16" if dtype == "bfloat16" and compute is None else precision(compute)
    return wanted if wanted in fast_products() else "float32"


@contextmanager
def compute(precision: Products) -> Iterator[None]:
    """Choose the precision of float32 layers' matrix products inside of a ``with`` block.

    In ``"bfloat16"``, native code rounds the operands of each product to bfloat16 and adds up in float32, in both
    passes; states and all elementwise work stay in float32. It has an effect on processors with instructions for it
    (AVX512_BF16, AMX), where such products take half of the time or less. Layers made with ``compute=`` keep their own
    precision. Outside of all blocks, layers follow ``torch.set_float32_matmul_precision``: ``"medium"`` is bfloat16
    here too. Layers in bfloat16, and those under torch's autocast, always compute so, unless their own ``compute``
    is ``"float32"``. A backward pass computes as its forward pass did.

    In ``"int8"``, rows of weights, and the steps that are multiplied by them, are rounded to whole numbers from -127 to
    127, each row with a scale of its own; it is for inference, and a call that asks for gradients raises EngineError.
    ``recurra.quantize`` makes modules that always compute so, and round their weights once.

    Args:
        precision: ``"float32"``, ``"bfloat16"`` or ``"int8"``.

    Raises:
        ValueError: the precision is none of these.
    """
    check_precision("recurra.compute", precision)
    token = _wanted.set(precision)
    try:
        yield
    finally:
        _wanted.reset(token)
