"""The custom cells as a careful user of torch writes them: a loop over time, without all that can leave the loop.

The input's products are computed for all steps at once, and the gates of a step together, with as few operations as the
equations allow. The numbers are those of recurra's cells.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from recurra.bench.peers.stacked import stack, unstack
from recurra.bench.problem import Problem
from recurra.bench.side import Side
from recurra.bench.torch_side import torch_side


class _TorchLoop(nn.Module):
    """A layer over (T, B, I); its parameters have the names of ``stacked.py``."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, value in weights.items():
            self.register_parameter(name, nn.Parameter(value.clone()))


class PeepholeLSTM(_TorchLoop):
    """``recurra.cells.peephole_lstm``."""

    W: Tensor
    U: Tensor
    b: Tensor
    p: Tensor

    def forward(self, x: Tensor, hx: None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run from zero states."""
        size = self.U.shape[0]
        p_if, p_o = self.p[: 2 * size].view(2, size), self.p[2 * size :]
        h = c = x.new_zeros(x.shape[1], size)
        outputs = []
        for a_x in (x @ self.W + self.b).unbind():
            a = torch.addmm(a_x, h, self.U)
            a_if, a_g, a_o = torch.split(a, [2 * size, size, size], -1)
            i, f = torch.sigmoid(torch.addcmul(a_if.view(-1, 2, size), p_if, c.unsqueeze(1))).unbind(1)
            c = torch.addcmul(f * c, i, torch.tanh(a_g))
            h = torch.sigmoid(torch.addcmul(a_o, p_o, c)) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), (h.unsqueeze(0), c.unsqueeze(0))


class MGU(_TorchLoop):
    """``recurra.cells.mgu``."""

    W: Tensor
    U: Tensor
    b: Tensor

    def forward(self, x: Tensor, hx: None = None) -> tuple[Tensor, Tensor]:
        """Run from zero states."""
        U_f, U_n = self.U.chunk(2, -1)
        h = x.new_zeros(x.shape[1], U_f.shape[0])
        outputs = []
        x_f, x_n = (x @ self.W + self.b).chunk(2, -1)
        for a_f, a_n in zip(x_f.unbind(), x_n.unbind(), strict=True):
            f = torch.sigmoid(torch.addmm(a_f, h, U_f))
            n = torch.tanh(torch.addmm(a_n, f * h, U_n))
            h = torch.lerp(h, n, f)
            outputs.append(h)
        return torch.stack(outputs), h.unsqueeze(0)


class LayerNormLSTM(_TorchLoop):
    """``recurra.cells.layer_norm_lstm``."""

    W: Tensor
    U: Tensor
    b: Tensor
    gamma_x: Tensor
    gamma_h: Tensor
    gamma_c: Tensor
    beta_c: Tensor

    def forward(self, x: Tensor, hx: None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run from zero states."""
        size = self.U.shape[0]
        h = c = x.new_zeros(x.shape[1], size)
        outputs = []
        for a_x in (layer_norm(x @ self.W, (4 * size,), self.gamma_x) + self.b).unbind():
            a = a_x + layer_norm(h @ self.U, (4 * size,), self.gamma_h)
            a_if, a_g, a_o = torch.split(a, [2 * size, size, size], -1)
            i, f = torch.sigmoid(a_if).chunk(2, -1)
            c = torch.addcmul(f * c, i, torch.tanh(a_g))
            h = torch.sigmoid(a_o) * torch.tanh(layer_norm(c, (size,), self.gamma_c, self.beta_c))
            outputs.append(h)
        return torch.stack(outputs), (h.unsqueeze(0), c.unsqueeze(0))


_LOOPS = {"peephole_lstm": PeepholeLSTM, "mgu": MGU, "layer_norm_lstm": LayerNormLSTM}


def module(problem: Problem) -> nn.Module:
    """The loop with recurra's weights."""
    cell = problem.case.cell
    return _LOOPS[cell](stack(cell, problem.weights))


def side(problem: Problem, threads: int) -> Side:
    """The loop, ready to be timed."""
    cell = problem.case.cell
    return torch_side(
        "loop", module(problem), problem, threads=threads, renamed=lambda gradients: unstack(cell, gradients)
    )
