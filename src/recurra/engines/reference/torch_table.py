"""The operation table in torch. All of it is differentiable, and works under torch's function transforms."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional

from recurra.engines.reference import numpy_table


def _clip(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.clamp(*torch.broadcast_tensors(x, low, high))  # type: ignore[no-untyped-call]  # its gradient does not broadcast


def _sign(x: Tensor) -> Tensor:
    return torch.where(x.isnan(), x, torch.sign(x))  # torch's sign of NaN is 0; elsewhere it is NaN


# Python's operators also take a number on the left.
_OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "negative": operator.neg,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}

ELEMENTWISE = numpy_table.elementwise(
    torch,
    {
        **_OPERATORS,
        "softplus": lambda x: functional.softplus(x, 1.0, 40.0),  # beyond 40, log(1 + exp(x)) is x in float64 too
        "sign": _sign,
        "clip": _clip,
    },
)


def detached(x: Tensor) -> Tensor:
    """The tensor, without gradients."""
    return x.detach()


def mean(x: Tensor) -> Tensor:
    """The mean over features, kept as one feature."""
    return x.mean(-1, keepdim=True)


def total(x: Tensor) -> Tensor:
    """The sum over features, kept as one feature."""
    return x.sum(-1, keepdim=True)


def largest(x: Tensor) -> Tensor:
    """The maximum over features, kept as one feature."""
    return x.amax(-1, keepdim=True)


def running_sum(x: Tensor) -> Tensor:
    """The running sum along features."""
    return x.cumsum(-1)


def cut(x: Tensor, widths: Sequence[int]) -> Sequence[Tensor]:
    """Features split into parts of these widths."""
    return torch.split(x, list(widths), -1)


def join(arrays: Sequence[Tensor]) -> Tensor:
    """Features concatenated; leading dimensions are broadcast."""
    leading = max((array.shape[:-1] for array in arrays), key=len)
    return torch.cat([array.expand(*leading, array.shape[-1]) for array in arrays], -1)


def cut_rows(x: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
    """Rows split into parts of these sizes."""
    return torch.split(x, list(sizes), 0)


def join_rows(arrays: Sequence[Tensor]) -> Tensor:
    """Rows concatenated."""
    return torch.cat(list(arrays), 0)


def heads_product(x: Tensor, matrices: Tensor) -> Tensor:
    """(…, heads, k) times (heads, k, columns), as (…, heads * columns)."""
    return torch.einsum("...nk,nkc->...nc", x, matrices).flatten(-2)


def identity(size: int, like: Tensor) -> Tensor:
    """The identity matrix, (size, size)."""
    return torch.eye(size, dtype=like.dtype, device=like.device)


def number(value: float, like: Tensor) -> Tensor:
    """A number as a tensor without dimensions."""
    return torch.full((), value, dtype=like.dtype, device=like.device)


def zero_where(condition: Tensor, x: Tensor) -> Tensor:
    """x with zeros where the condition holds. No gradient flows there, not even through infinities."""
    return x.masked_fill(condition, 0.0)


def heads_outer(a: Tensor, b: Tensor) -> Tensor:
    """The sum over rows of (rows, heads, k) times (rows, heads, columns), head by head: (heads, k, columns)."""
    return torch.einsum("rnk,rnc->nkc", a, b)


def backwards(x: Tensor) -> Tensor:
    """Features in reverse order."""
    return x.flip(-1)


def expanded(x: Tensor | float, shape: Sequence[int]) -> Tensor:
    """x broadcast to a shape."""
    return torch.as_tensor(x).expand(*shape) if len(shape) else torch.as_tensor(x).reshape(())


def silent() -> AbstractContextManager[object]:
    """A block without warnings of divisions by zero; torch gives none."""
    return nullcontext()


def zeros(shape: Sequence[int], like: Tensor) -> Tensor:
    """Zeros of the dtype and on the device of an array."""
    return like.new_zeros(tuple(shape))
