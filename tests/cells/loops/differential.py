"""Cells that are steps of differential equations."""

import torch
from torch import sigmoid, tanh

from tests.cells.loops.parameters import affine


def _antisymmetric(p):
    """M - Mᵀ - γ I."""
    return p.M - p.M.T - p.gamma * torch.eye(len(p.M), dtype=p.M.dtype)


def antisymmetric_rnn(x, h, p):
    h = h + p.epsilon * tanh(x @ p.W + h @ _antisymmetric(p) + p.b)
    return h, (h,)


def gated_antisymmetric_rnn(x, h, p):
    """Chang et al. 2019: gate and candidate share the matrix of the state."""
    a = h @ _antisymmetric(p)
    h = h + p.epsilon * sigmoid(x @ p.W_z + a + p.b_z) * tanh(x @ p.W + a + p.b)
    return h, (h,)


def co_rnn(x, y, z, p):
    """Rusch & Mishra 2021: coupled oscillators, y the position and z the velocity."""
    z = z + p.dt * (tanh(x @ p.W + y @ p.U + z @ p.V + p.b) - p.gamma * y - p.epsilon * z)
    y = y + p.dt * z
    return y, (y, z)


def unicornn(x, y, z, p):
    """Rusch & Mishra 2021: uncoupled oscillators, each with a step of its own."""
    step = p.dt * sigmoid(p.c)
    z = z - step * (tanh(x @ p.W + p.w * y + p.b) + p.alpha * y)
    y = y + step * z
    return y, (y, z)


def lem(x, y, z, p):
    """Rusch et al. 2022, eq. 3: y sees the new z."""
    step = p.dt * sigmoid(affine(p, "1", x, y))
    other = p.dt * sigmoid(affine(p, "2", x, y))
    z = (1 - step) * z + step * tanh(affine(p, "z", x, y))
    y = (1 - other) * y + other * tanh(affine(p, "h", x, z))
    return y, (y, z)


def tau_gru(x, h, past, p):
    """Erichson et al. 2023: a term of the state τ steps before h; the states between are one after the other."""
    u = tanh(affine(p, "u", x, h))
    z = tanh(affine(p, "z", x, past[:, -h.shape[-1] :]))
    g = sigmoid(affine(p, "g", x, h))
    a = sigmoid(affine(p, "a", x, h))
    new = (1 - g) * h + g * (p.beta * u + p.alpha * a * z)
    return new, (new, torch.cat([h, past[:, : -h.shape[-1]]], -1))


def cfc(x, dt, h, p):
    """Hasani et al. 2022: two networks, and between them a gate of the time; all share one layer."""
    a = 1.7159 * tanh(0.666 * affine(p, "", x, h))
    gate = sigmoid(-affine(p, "f", a) * dt)
    h = gate * tanh(affine(p, "g", a)) + (1 - gate) * tanh(affine(p, "k", a))
    return h, (h,)


def ltc(x, dt, h, p):
    """Hasani et al. 2021, eq. 3: fused steps of the solver."""
    step = dt / p.unfolds
    for _ in range(p.unfolds):
        f = p.activation(affine(p, "", x, h))
        h = (h + step * f * p.A) / (1 + step * (1 / p.tau + f))
    return h, (h,)
