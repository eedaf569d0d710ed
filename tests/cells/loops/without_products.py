"""Cells whose state meets no matrix: strongly typed, quasi-recurrent, and other elementwise recurrences."""

import torch
from torch import relu, sigmoid, tanh

from tests.cells.loops.parameters import affine


def indrnn(x, h, p):
    h = relu(x @ p.W + p.u * h + p.b)
    return h, (h,)


def t_rnn(x, h, p):
    """Balduzzi & Ghifary 2016."""
    f = sigmoid(affine(p, "f", x))
    h = f * h + (1 - f) * (x @ p.W_z)
    return h, (h,)


def t_gru(x, h, last, p):
    """Balduzzi & Ghifary 2016: the state ``last`` is V times the input before."""
    z, f, o = (last + x @ p.W + p.b).chunk(3, -1)
    h = sigmoid(f) * h + z * tanh(o)
    return h, (h, x @ p.V)


def t_lstm(x, c, last, p):
    """Balduzzi & Ghifary 2016: the state ``last`` is V times the input before."""
    z, f, o = (last + x @ p.W + p.b).chunk(3, -1)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * z
    return c * tanh(o), (c, x @ p.V)


def min_gru(x, h, p):
    z = sigmoid(affine(p, "z", x))
    h = (1 - z) * h + z * affine(p, "n", x)
    return h, (h,)


def min_lstm(x, h, p):
    """Feng et al. 2024: the gates share 1."""
    f = sigmoid(affine(p, "f", x))
    i = sigmoid(affine(p, "i", x))
    h = f / (f + i) * h + i / (f + i) * affine(p, "n", x)
    return h, (h,)


def sru(x, c, p):
    """Lei et al. 2018: the highway passes the input on."""
    f = sigmoid(x @ p.W_f + p.v_f * c + p.b_f)
    r = sigmoid(x @ p.W_r + p.v_r * c + p.b_r)
    c = f * c + (1 - f) * (x @ p.W)
    return r * c + (1 - r) * (x @ p.W_s), (c,)


def sru_v1(x, c, p):
    """Lei & Zhang 2017."""
    f = sigmoid(affine(p, "f", x))
    r = sigmoid(affine(p, "r", x))
    c = f * c + (1 - f) * (x @ p.W)
    return r * tanh(c) + (1 - r) * (x @ p.W_s), (c,)


def _convolved(x, last, p):
    """Convolutions of width 2, whose part of the input before is a state: gates before their functions, new state."""
    now, part = (x @ p.W).chunk(2, -1)
    return now + last + p.b, part


def qrnn_f(x, h, last, p):
    """Bradbury et al. 2017."""
    a, last = _convolved(x, last, p)
    z, f = a.chunk(2, -1)
    h = sigmoid(f) * h + (1 - sigmoid(f)) * tanh(z)
    return h, (h, last)


def qrnn_fo(x, c, last, p):
    """Bradbury et al. 2017."""
    a, last = _convolved(x, last, p)
    z, f, o = a.chunk(3, -1)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(z)
    return sigmoid(o) * c, (c, last)


def qrnn_ifo(x, c, last, p):
    """Bradbury et al. 2017."""
    a, last = _convolved(x, last, p)
    z, i, f, o = a.chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(z)
    return sigmoid(o) * c, (c, last)


def rg_lru(x, h, p):
    """De et al. 2024, eqs. 1 to 4: a = σ(Λ) to the power c r."""
    x = x @ p.W
    r = sigmoid(affine(p, "r", x))
    i = sigmoid(affine(p, "i", x))
    a = sigmoid(p.Lambda) ** (p.c * r)
    h = a * h + torch.sqrt(1 - a**2) * (i * x)
    return h, (h,)


def ema(x, h, p):
    a = sigmoid(p.a)
    h = a * h + (1 - a) * (x @ p.W)
    return h, (h,)


def lru(x, re, im, p):
    """Orvieto et al. 2023, in complex numbers."""
    eigenvalue = torch.exp(torch.complex(-torch.exp(p.nu), torch.exp(p.theta)))
    given = torch.exp(p.gamma) * (x.to(eigenvalue.dtype) @ torch.complex(p.B_re, p.B_im))
    s = eigenvalue * torch.complex(re, im) + given
    y = (s @ torch.complex(p.C_re, p.C_im)).real + x @ p.D
    return y, (s.real, s.imag)
