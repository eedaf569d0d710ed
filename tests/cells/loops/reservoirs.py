"""Cells whose recurrent weights are made, not trained."""

from torch import tanh


def echo_state(x, h, p):
    """Jaeger et al. 2007: leaky units."""
    h = (1 - p.leak) * h + p.leak * tanh(x @ p.W_in + h @ p.W + p.b)
    return h, (h,)


def lmu(x, h, m, p):
    """Voelker et al. 2019: a linear memory of a window, written by one number."""
    u = x @ p.e_x + h @ p.e_h + m @ p.e_m
    m = m @ p.A.T + u[:, None] * p.B
    h = tanh(x @ p.W_x + h @ p.W_h + m @ p.W_m)
    return h, (h, m)
