"""Memories of orthogonal polynomials."""

from recurra.cells.initial_values import legendre_input, legendre_matrix, uniform_by_rows
from recurra.equations import cell, sum, tanh


@cell(
    init={"e_x": uniform_by_rows, "e_h": uniform_by_rows, "e_m": 0.0, "A": legendre_matrix, "B": legendre_input},
    untrained=("A", "B"),
)
def lmu(x, h, m, *, e_x, e_h, e_m, A, B, W_x, W_h, W_m, theta=100.0):
    """Legendre memory unit, LMU (Voelker, Kajić & Eliasmith 2019, NeurIPS, eqs. 1–7).

    The memory m holds the last ``theta`` steps of one number u as coefficients of Legendre polynomials. Its order is
    hidden, or ``sizes={"m": 6}``. A and B are the paper's matrices Ā and B̄ by zero-order hold, computed from the order
    and theta in float64, and not trained; ``layer.requires_grad_()`` makes them trainable. Euler's method, which some
    implementations take, is unstable where the order is not small beside theta.
    """
    u = sum(x * e_x) + sum(h * e_h) + sum(m * e_m)
    m = m @ A.T + u * B
    h = tanh(x @ W_x + h @ W_h + m @ W_m)
    return h, m
