"""Parameters and options of a cell as attributes, and the sums that most equations begin with."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import torch
from torch import Tensor

FUNCTIONS = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "hard_sigmoid": lambda a: torch.clamp(a / 6 + 0.5, 0, 1),  # torch's own has float32 numbers in its gradient
    "softplus": torch.nn.functional.softplus,
}


class Parameters(SimpleNamespace):
    """The parameters, as tensors, and the options of one cell, functions as torch's: ``p.W``, ``p.alpha``."""

    def __init__(self, tensors: Mapping[str, Tensor], options: Mapping[str, object] | None = None) -> None:
        named = {
            name: FUNCTIONS.get(value.__name__) if callable(value) else value for name, value in (options or {}).items()
        }
        super().__init__(**{**named, **tensors})


def affine(p: Parameters, gate: str, x: Tensor, h: Tensor | None = None) -> Tensor:
    """x W + h U + b of one gate, whose parameters are ``W_gate``, ``U_gate`` and ``b_gate``; or W, U and b."""
    end = f"_{gate}" if gate else ""
    total = x @ getattr(p, f"W{end}") + getattr(p, f"b{end}")
    return total if h is None else total + h @ getattr(p, f"U{end}")


def normal(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Mean 0 and (biased) variance 1 over the features."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + eps)
