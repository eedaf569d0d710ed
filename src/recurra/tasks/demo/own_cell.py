"""A cell of one's own, and its loop in torch."""

from __future__ import annotations

import inspect
import sys

import torch
from torch import Tensor, nn

from recurra.equations import cell, sigmoid, split, tanh


@cell
def coupled_lstm(x, h, c, *, W, U, b):
    """LSTM whose input gate is 1 - f (Greff et al. 2017, section 3)."""
    f, o, g = split(x @ W + h @ U + b, 3)
    f = sigmoid(f)
    c = f * c + (1 - f) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h, c


def cell_source() -> str:
    """The lines of the cell, as a user writes them."""
    source = inspect.getsource(sys.modules[__name__])
    return source[source.index("@cell") : source.index("def cell_source")].rstrip() + "\n"


def loop(x: Tensor, W: nn.Parameter, U: nn.Parameter, b: nn.Parameter) -> Tensor:
    """The same cell as a loop in torch, with its product of all inputs before the loop.

    Args:
        x: (seq_len, batch, input_size).
        W: (input_size, 3*hidden_size).
        U: (hidden_size, 3*hidden_size).
        b: (3*hidden_size,).

    Returns:
        The hidden states of all steps, (seq_len, batch, hidden_size).
    """
    h = c = x.new_zeros(x.shape[1], len(U))
    states = []
    for step in x @ W + b:
        f, o, g = (step + h @ U).chunk(3, dim=1)
        f = torch.sigmoid(f)
        c = f * c + (1 - f) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append(h)
    return torch.stack(states)
