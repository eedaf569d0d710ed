"""The weights of recurra's custom cells with their gates side by side, as a loop over time needs them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# For each cell and stacked weight, recurra's parameters along the last dimension.
STACKS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "peephole_lstm": {
        "W": ("W_i", "W_f", "W_g", "W_o"),
        "U": ("U_i", "U_f", "U_g", "U_o"),
        "b": ("b_i", "b_f", "b_g", "b_o"),
        "p": ("p_i", "p_f", "p_o"),
    },
    "mgu": {"W": ("W_f", "W_n"), "U": ("U_f", "U_n"), "b": ("b_f", "b_n")},
    "layer_norm_lstm": {name: (name,) for name in ("W", "U", "b", "gamma_x", "gamma_h", "gamma_c", "beta_c")},
}


def stack(cell: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The stacked weights of a layer's only level, from recurra's parameters by name."""
    return {name: torch.cat([weights[f"{part}_l0"] for part in parts], -1) for name, parts in STACKS[cell].items()}


def unstack(cell: str, stacked: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`stack`, for weights or their gradients."""
    return {
        f"{part}_l0": value
        for name, parts in STACKS[cell].items()
        for part, value in zip(parts, stacked[name].chunk(len(parts), -1), strict=True)
    }
