"""Cells whose units can hold one of two values for any time."""

from recurra.equations import cell, sigmoid, tanh


@cell(init={"u_a": 1.0, "b_a": 0.0, "u_c": 1.0, "b_c": 0.0})
def br(x, h, *, W_a, u_a, b_a, W_c, u_c, b_c, W_n):
    """Bistable recurrent cell, BRC: each unit sees only itself (Vecoven, Ernst & Drion 2021, "A bio-inspired bistable
    recurrent cell allows for long-lasting memory", PLOS ONE 16).

    A unit is bistable while its ``a`` is above 1. The biases and initial values are those of the authors' code: weights
    of the own state 1, biases 0. The candidate has no bias.
    """
    a = 1 + tanh(x @ W_a + u_a * h + b_a)
    c = sigmoid(x @ W_c + u_c * h + b_c)
    n = tanh(x @ W_n + a * h)
    h = c * h + (1 - c) * n
    return h


@cell(init={"b_a": 0.0, "b_c": 0.0})
def nbr(x, h, *, W_a, U_a, b_a, W_c, U_c, b_c, W_n):
    """Neuromodulated bistable recurrent cell, nBRC: the gates see all units (Vecoven, Ernst & Drion 2021, "A
    bio-inspired bistable recurrent cell allows for long-lasting memory", PLOS ONE 16).

    The biases of the gates are those of the authors' code, and begin with 0. The candidate has no bias.
    """
    a = 1 + tanh(x @ W_a + h @ U_a + b_a)
    c = sigmoid(x @ W_c + h @ U_c + b_c)
    n = tanh(x @ W_n + a * h)
    h = c * h + (1 - c) * n
    return h
