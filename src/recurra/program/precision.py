"""The precision of matrix products: the operands that an engine multiplies."""

from typing import Literal, get_args

Products = Literal["float32", "bfloat16", "int8", "uint8"]
"""The operands of matrix products: ``float32`` leaves them as they are, also in float64; others are rounded so.

``uint8`` rounds what is multiplied by weights, as ONNX's DynamicQuantizeLinear; the weights must be whole numbers from
-127 to 127. It is for loaded graphs alone.
"""

PRODUCTS: tuple[Products, ...] = get_args(Products)
PRECISIONS: tuple[Products, ...] = ("float32", "bfloat16", "int8")
"""Those that users may ask for."""


def check_precision(asked_by: str, precision: object) -> None:
    """Refuse a precision that does not exist.

    Raises:
        ValueError: the precision is none of ``PRECISIONS``; the message begins with ``asked_by``.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"{asked_by}: there is no precision {precision!r}; there are {', '.join(PRECISIONS)}")
