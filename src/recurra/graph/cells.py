"""ONNX's recurrent operators, products and softmax as equations, in its layouts.

The orders of gates are those of ``model/layouts.py``.

W is (gates·hidden, input), R is (gates·hidden, hidden), Wb and Rb are their biases, P the peepholes.
"""

from recurra.equations import (
    cell,
    clip,
    feed_forward,
    floor,
    max,
    maximum,
    minimum,
    sigmoid,
    softmax,
    split,
    tanh,
    where,
)


def _within(bound, *values):
    """The values clipped to ±bound, or unchanged if there is no bound."""
    return [value if bound is None else clip(value, -bound, bound) for value in values]


@cell
def rnn(x, h, *, W, R, Wb, Rb, f=tanh, bound=None):
    """The simple recurrent network."""
    (a,) = _within(bound, x @ W.T + Wb + h @ R.T + Rb)
    h = f(a)
    return h


@cell
def gru(x, h, *, W, R, Wb, Rb, f=sigmoid, g=tanh, bound=None):
    """The gated recurrent unit, reset gate before the product; gates z r h."""
    x_z, x_r, x_n = split(x @ W.T + Wb + Rb, 3)
    R_z, R_r, R_n = split(R.T, 3)
    a_z, a_r = _within(bound, x_z + h @ R_z, x_r + h @ R_r)
    z, r = f(a_z), f(a_r)
    (a_n,) = _within(bound, x_n + (r * h) @ R_n)
    n = g(a_n)
    h = (1 - z) * n + z * h
    return h


@cell
def gru_linear_before_reset(x, h, *, W, R, Wb, Rb, f=sigmoid, g=tanh, bound=None):
    """The gated recurrent unit, reset gate after the product; gates z r h."""
    x_z, x_r, x_n = split(x @ W.T + Wb, 3)
    h_z, h_r, h_n = split(h @ R.T + Rb, 3)
    a_z, a_r = _within(bound, x_z + h_z, x_r + h_r)
    z, r = f(a_z), f(a_r)
    (a_n,) = _within(bound, x_n + r * h_n)
    n = g(a_n)
    h = (1 - z) * n + z * h
    return h


@cell
def lstm(x, h, c, *, W, R, Wb, Rb, f=sigmoid, g=tanh, h_of=tanh, bound=None, coupled=False):
    """Long short-term memory; gates i o f c. A coupled forget gate is 1 - i."""
    a_i, a_o, a_f, a_c = split(x @ W.T + Wb + h @ R.T + Rb, 4)
    a_i, a_o, a_f, a_c = _within(bound, a_i, a_o, a_f, a_c)
    i = f(a_i)
    forget = 1 - i if coupled else f(a_f)
    c = forget * c + i * g(a_c)
    h = f(a_o) * h_of(c)
    return h, c


@cell
def peephole_lstm(x, h, c, *, W, R, P, Wb, Rb, f=sigmoid, g=tanh, h_of=tanh, bound=None, coupled=False):
    """Long short-term memory whose gates read the cell state; gates i o f c, peepholes i o f."""
    a_i, a_o, a_f, a_c = split(x @ W.T + Wb + h @ R.T + Rb, 4)
    p_i, p_o, p_f = split(P, 3)
    a_i, a_f, a_c = _within(bound, a_i + p_i * c, a_f + p_f * c, a_c)
    i = f(a_i)
    forget = 1 - i if coupled else f(a_f)
    c = forget * c + i * g(a_c)
    (a_o,) = _within(bound, a_o + p_o * c)
    h = f(a_o) * h_of(c)
    return h, c


def _quantized_product(h, R, scale):
    """h @ R for h of each sequence as numbers of 8 bits by its own range, and R that has such numbers."""
    low, high = minimum(-max(-h), 0), maximum(max(h), 0)
    spread = high - low
    step = where(spread > 0, spread / 255, 1)
    zero = floor(clip(-low / step, 0, 255) + 0.5)
    whole = clip(floor(h / step + 0.5) + zero, 0, 255) - zero
    return (whole @ R) * (step * scale)


@cell
def quantized_lstm(x, h, c, *, W, R, W_scale, R_scale, Wb, Rb, f=sigmoid, g=tanh, h_of=tanh, bound=None, coupled=False):
    """Long short-term memory whose weights are numbers of 8 bits, (…, gates·hidden), with a scale for each column."""
    a_i, a_o, a_f, a_c = split((x @ W) * W_scale + Wb + Rb + _quantized_product(h, R, R_scale), 4)
    a_i, a_o, a_f, a_c = _within(bound, a_i, a_o, a_f, a_c)
    i = f(a_i)
    forget = 1 - i if coupled else f(a_f)
    c = forget * c + i * g(a_c)
    h = f(a_o) * h_of(c)
    return h, c


@cell
def quantized_peephole_lstm(
    x, h, c, *, W, R, P, W_scale, R_scale, Wb, Rb, f=sigmoid, g=tanh, h_of=tanh, bound=None, coupled=False
):
    """``quantized_lstm`` whose gates read the cell state, with peepholes i o f."""
    a_i, a_o, a_f, a_c = split((x @ W) * W_scale + Wb + Rb + _quantized_product(h, R, R_scale), 4)
    p_i, p_o, p_f = split(P, 3)
    a_i, a_f, a_c = _within(bound, a_i + p_i * c, a_f + p_f * c, a_c)
    i = f(a_i)
    forget = 1 - i if coupled else f(a_f)
    c = forget * c + i * g(a_c)
    (a_o,) = _within(bound, a_o + p_o * c)
    h = f(a_o) * h_of(c)
    return h, c


@feed_forward
def product(x, *, W):
    """x times a matrix (input, output)."""
    return x @ W


@feed_forward
def linear(x, *, W, b):
    """x times a matrix (input, output), plus a vector."""
    return x @ W + b


@feed_forward
def softmax_of(x):
    """Softmax over all features."""
    return softmax(x)
