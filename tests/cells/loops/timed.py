"""Cells that know the time: steps of a clock, elapsed times, observations that are missing."""

import math

import torch
from torch import relu, sigmoid, tanh

from tests.cells.loops.parameters import affine


def clockwork_rnn(x, h, t, p):
    """Koutník et al. 2014: a module changes when its period divides the step; it sees itself and slower modules."""
    size = h.shape[-1] // len(p.periods)
    blocks = iter(p.U.split(size, -1))
    modules = list(h.split(size, -1))
    new = []
    for number, (period, seen) in enumerate(zip(p.periods, (x @ p.W + p.b).split(size, -1), strict=True)):
        for module in modules[number:]:
            seen = seen + module @ next(blocks)
        new.append(torch.where(t % period == 0, tanh(seen), modules[number]))
    h = torch.cat(new, -1)
    return h, (h, (t + 1) % math.lcm(*p.periods))


def _openness(t, p):
    """Neil et al. 2016, eqs. 6 and 7: how far the gate is open at time t."""
    phase = torch.remainder(t - p.s, p.tau) / p.tau
    rising, falling = 2 * phase / p.r_on, 2 - 2 * phase / p.r_on
    return torch.where(phase < p.r_on / 2, rising, torch.where(phase < p.r_on, falling, p.alpha * phase))


def phased_lstm(x, dt, h, c, t, p):
    """Neil et al. 2016: the step is taken as far as the gate of time is open."""
    t = t + dt
    i = sigmoid(affine(p, "i", x, h) + p.p_i * c)
    f = sigmoid(affine(p, "f", x, h) + p.p_f * c)
    new = f * c + i * tanh(affine(p, "g", x, h))
    o = sigmoid(affine(p, "o", x, h) + p.p_o * new)
    k = _openness(t, p)
    c, h = k * new + (1 - k) * c, k * (o * tanh(new)) + (1 - k) * h
    return h, (h, c, t)


def _time_gate(x, dt, p, which):
    """Zhu et al. 2017: σ(x W + σ(Δt w) + b); in gate 1 w is not positive, given as -|v|."""
    v = getattr(p, f"v_{which}")
    inner = sigmoid(dt * (-abs(v) if which == "1" else v))
    return sigmoid(affine(p, which, x) + inner)


def time_lstm_1(x, dt, h, c, p):
    """Zhu et al. 2017: one gate of time."""
    i = sigmoid(affine(p, "i", x, h) + p.p_i * c)
    f = sigmoid(affine(p, "f", x, h) + p.p_f * c)
    c = f * c + i * _time_gate(x, dt, p, "t") * tanh(affine(p, "g", x, h))
    o = sigmoid(affine(p, "o", x, h) + dt * p.v_o + p.p_o * c)
    h = o * tanh(c)
    return h, (h, c)


def time_lstm_2(x, dt, h, c, p):
    """Zhu et al. 2017: a gate for the step's output, and one for what is kept."""
    i = sigmoid(affine(p, "i", x, h) + p.p_i * c)
    f = sigmoid(affine(p, "f", x, h) + p.p_f * c)
    g = tanh(affine(p, "g", x, h))
    now = f * c + i * _time_gate(x, dt, p, "1") * g
    c = f * c + i * _time_gate(x, dt, p, "2") * g
    o = sigmoid(affine(p, "o", x, h) + dt * p.v_o + p.p_o * now)
    h = o * tanh(now)
    return h, (h, c)


def time_lstm_3(x, dt, h, c, p):
    """Zhu et al. 2017: the second form with coupled gates."""
    i = sigmoid(affine(p, "i", x, h) + p.p_i * c)
    g = tanh(affine(p, "g", x, h))
    opened = i * _time_gate(x, dt, p, "1")
    now = (1 - opened) * c + opened * g
    c = (1 - i) * c + i * _time_gate(x, dt, p, "2") * g
    o = sigmoid(affine(p, "o", x, h) + dt * p.v_o + p.p_o * now)
    h = o * tanh(now)
    return h, (h, c)


def gru_d(x, m, dt, h, last, age, p):
    """Che et al. 2018: missing values decay from the last seen one to the mean, the state decays too."""
    age = age + dt
    decay = torch.exp(-relu(age * p.w_x + p.b_x))
    last = torch.where(m > 0, x, last)
    x = torch.where(m > 0, x, decay * last + (1 - decay) * p.x_mean)
    h = torch.exp(-relu(age @ p.W_h + p.b_h)) * h
    r = sigmoid(affine(p, "r", x, h) + m @ p.V_r)
    z = sigmoid(affine(p, "z", x, h) + m @ p.V_z)
    n = tanh(affine(p, "n", x, r * h) + m @ p.V_n)
    h = (1 - z) * h + z * n
    return h, (h, last, torch.where(m > 0, 0.0, age))
