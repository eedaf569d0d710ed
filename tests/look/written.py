"""Cells that are in no zoo."""

import recurra
from recurra import bernoulli, sigmoid, split, tanh


@recurra.cell
def gated(x, h, *, W, U, b, W_z, U_z, b_z):
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    return z * h + (1 - z) * tanh(x @ W + h @ U + b)


@recurra.cell(output="y")
def hidden_output(x, h, s, *, W, U, V, d, b):
    a_k, a_v = split(x @ W + b, 2)
    k = sigmoid(a_k)
    v = tanh(a_v)
    s = s * sigmoid(d) + k * v
    y = (k * h) @ V
    h = tanh(h @ U + s)
    return h, s


@recurra.cell
def zoned_out(x, h, *, W, U):
    m, k = bernoulli(0.3), bernoulli(0.2, per="sequence")
    new = tanh(x @ W + k * h @ U)
    return m * h + (1 - m) * new


@recurra.cell
def squared(x, h, *, W, M):
    return tanh(x @ W + h @ (M @ M))


@recurra.equations.feed_forward
def no_state(x, *, W, b):
    return tanh(x @ W.T + b)
