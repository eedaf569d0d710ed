"""Cells of one's own with shapes that the zoo does not have."""

from recurra import cell, concat, heads, tanh


@cell
def halves(x, h, *, W, R, b):
    """A product in two blocks, for even sizes alone."""
    h = tanh(x @ W + heads(h, 2) @ R + b)
    return h


@cell
def with_previous(x, h, previous, *, W, V, U):
    h = tanh(x @ W + previous @ V + h @ U)
    return h, x


@cell(output="y")
def wide(x, h, *, W, U, alpha):
    h = tanh(x @ W + h @ U) * alpha
    y = concat(x, h)
    return h


@cell
def lstm(x, h, c, m, *, W, U, V):
    """A cell with the name of another, and three states."""
    a = x @ W + h @ U
    m = m + tanh(a)
    c = c * 0.5 + m @ V
    h = tanh(c)
    return h, c, m


OWN = (halves, with_previous, wide, lstm)
