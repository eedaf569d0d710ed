"""Cells of one's own: sound ones, and one for each thing that can be wrong."""

from recurra import bernoulli, cell, delay, exp, sigmoid, softplus, split, sqrt, tanh
from recurra import sum as total


@cell(init={"b_f": 1.0})
def coupled(x, h, c, *, W_f, U_f, p_f, b_f, W_g, U_g, b_g, W_o, U_o, b_o):
    """An LSTM with one gate for keeping and taking."""
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    g = tanh(x @ W_g + h @ U_g + b_g)
    c = f * c + (1 - f) * g
    o = sigmoid(x @ W_o + h @ U_o + b_o)
    h = o * tanh(c)
    return h, c


@cell(output="y")
def reader(x, h, *, W, M, U, V, C):
    """A matrix of parameters alone, and an output that no state needs."""
    A = M - M.T
    h = tanh(x @ W + h @ A + tanh(h @ U) @ U)
    y = tanh(h @ V) @ C
    return h


@cell
def thirds(x, h, *, W, U):
    """Sizes that are multiples of three, and of the input."""
    first, second, third = split(h, 3)
    return tanh(x @ W + h @ U) * (total(first * second) + total(third)) + 0 * (x @ W)


@cell
def noisy(x, h, *, W, U):
    """Zoneout."""
    m = bernoulli(0.3)
    return m * h + (1 - m) * tanh(x @ W + h @ U)


@cell(inputs={"x": None, "dt": 1.0, "m": None}, sizes={"m": 2})
def timed(x, dt, m, h, *, W, M, u):
    """Several inputs, and what was two steps ago."""
    return tanh(x @ W + m @ M + delay(h)) * exp(-dt * softplus(u))


@cell(sizes={"d": "hidden/2"})
def narrow(x, h, *, D, U, b):
    """A size of its own."""
    d = tanh(x @ D + b)
    return tanh(h @ U + sigmoid(total(d)))


@cell
def unbounded(x, h, *, W, U):
    """Divides by zero where it begins."""
    return h / sqrt(total(h * h)) + tanh(x @ W + h @ U)


@cell
def exploding(x, h, *, W):
    """Grows without bound."""
    return 2 * h + x @ W


@cell
def contradictory(x, h, *, W):
    """A matrix of two shapes."""
    return tanh(x @ W + h @ W)
