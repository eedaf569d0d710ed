"""Reservoirs: recurrent weights that are drawn once and never trained."""

from recurra.cells.initial_values import reservoir, scaled_input
from recurra.equations import cell, tanh


@cell(init={"W_in": scaled_input, "b": scaled_input, "W": reservoir}, untrained=("W_in", "W", "b"))
def echo_state(x, h, *, W_in, W, b, leak=1.0, spectral_radius=0.9, density=1.0, input_scaling=1.0):
    """Echo state network of leaky units (Jaeger 2001; Jaeger et al. 2007; Lukoševičius 2012, eqs. 2–3).

    Nothing is trained but what reads the states: the parameters have ``requires_grad`` False, and
    ``layer.requires_grad_()`` makes them trainable. ``spectral_radius``, ``density`` and ``input_scaling`` act when the
    weights are drawn: the largest eigenvalue of W, the share of its numbers that are not 0, the bound of W_in and b.
    """
    h = (1 - leak) * h + leak * tanh(x @ W_in + h @ W + b)
    return h
