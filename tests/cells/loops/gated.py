"""Cells of one state whose gates see the input and the state."""

import torch
from torch import relu, sigmoid, tanh
from torch.nn.functional import softplus

from tests.cells.loops.parameters import affine, normal


def rnn(x, h, p):
    h = tanh(x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh)
    return h, (h,)


def gru(x, h, p):
    """Reset after the product, as cuDNN has it."""
    n = h.shape[-1]
    a = x @ p.weight_ih.T + p.bias_ih
    b = h @ p.weight_hh.T + p.bias_hh
    r = p.recurrent_activation(a[:, :n] + b[:, :n])
    z = p.recurrent_activation(a[:, n : 2 * n] + b[:, n : 2 * n])
    h = (1 - z) * p.activation(a[:, 2 * n :] + r * b[:, 2 * n :]) + z * h
    return h, (h,)


def gru_reset_before(x, h, p):
    r = p.recurrent_activation(affine(p, "r", x, h))
    z = p.recurrent_activation(affine(p, "z", x, h))
    n = p.activation(affine(p, "n", x, r * h))
    h = z * h + (1 - z) * n
    return h, (h,)


def atr(x, h, p):
    """Zhang et al. 2018: the gates are sum and difference of the two products; that of the input is the candidate."""
    a = x @ p.W
    q = h @ p.U
    h = sigmoid(a + q) * a + sigmoid(a - q) * h
    return h, (h,)


def br(x, h, p):
    """Vecoven et al. 2021: each unit sees itself alone."""
    a = 1 + tanh(x @ p.W_a + p.u_a * h + p.b_a)
    c = sigmoid(x @ p.W_c + p.u_c * h + p.b_c)
    h = c * h + (1 - c) * tanh(x @ p.W_n + a * h)
    return h, (h,)


def nbr(x, h, p):
    a = 1 + tanh(affine(p, "a", x, h))
    c = sigmoid(affine(p, "c", x, h))
    h = c * h + (1 - c) * tanh(x @ p.W_n + a * h)
    return h, (h,)


def cfn(x, h, p):
    """Laurent & von Brecht 2017: no products with the state besides those of the gates."""
    theta = sigmoid(affine(p, "f", x, h))
    eta = sigmoid(affine(p, "i", x, h))
    h = theta * tanh(h) + eta * tanh(x @ p.W_n)
    return h, (h,)


def fast_rnn(x, h, p):
    n = tanh(x @ p.W + h @ p.U + p.b)
    h = sigmoid(p.alpha) * n + sigmoid(p.beta) * h
    return h, (h,)


def fast_grnn(x, h, p):
    """Kusupati et al. 2018: gate and candidate share both products."""
    s = x @ p.W + h @ p.U
    z = sigmoid(s + p.b_z)
    n = tanh(s + p.b_n)
    h = (sigmoid(p.zeta) * (1 - z) + sigmoid(p.nu)) * n + z * h
    return h, (h,)


def intersection_rnn(x, h, p):
    """Collins et al. 2017: a gate of its own for the output, which passes the input on."""
    y = relu(affine(p, "y", x, h))
    n = tanh(affine(p, "n", x, h))
    g_y = sigmoid(affine(p, "p", x, h))
    g_h = sigmoid(affine(p, "f", x, h))
    return g_y * x + (1 - g_y) * y, (g_h * h + (1 - g_h) * n,)


def janet(x, h, p):
    """van der Westhuizen & Lasenby 2018: the input gate is the forget gate of an argument smaller by beta."""
    s = affine(p, "f", x, h)
    n = tanh(affine(p, "n", x, h))
    h = sigmoid(s) * h + (1 - sigmoid(s - p.beta)) * n
    return h, (h,)


def light_ru(x, h, p):
    """Ye et al. 2024."""
    n = tanh(x @ p.W_n)
    f = sigmoid(affine(p, "f", x, h))
    h = (1 - f) * h + f * n
    return h, (h,)


def li_gru(x, h, p):
    """Ravanelli et al. 2018, without batch normalisation."""
    z = sigmoid(affine(p, "z", x, h))
    n = relu(affine(p, "n", x, h))
    h = z * h + (1 - z) * n
    return h, (h,)


def mgu(x, h, p):
    f = sigmoid(affine(p, "f", x, h))
    n = tanh(affine(p, "n", x, f * h))
    h = (1 - f) * h + f * n
    return h, (h,)


def minimal_rnn(x, h, p):
    """Chen 2017: the gate sees the embedded input."""
    z = tanh(affine(p, "z", x))
    u = sigmoid(affine(p, "u", z, h))
    h = u * h + (1 - u) * z
    return h, (h,)


def miru1(x, h, p):
    r = sigmoid(affine(p, "r", x, h))
    n = tanh(affine(p, "n", x, r * h))
    h = p.update * h + (1 - p.update) * n
    return h, (h,)


def miru2(x, h, p):
    n = tanh(affine(p, "n", x, p.reset * h))
    h = p.update * h + (1 - p.update) * n
    return h, (h,)


def mut1(x, h, p):
    """Józefowicz et al. 2015; the paper's tanh(x) has the input's size, here a product gives it the state's."""
    z = sigmoid(affine(p, "z", x))
    r = sigmoid(affine(p, "r", x, h))
    h = tanh((r * h) @ p.U_n + tanh(x @ p.W_n) + p.b_n) * z + h * (1 - z)
    return h, (h,)


def mut2(x, h, p):
    z = sigmoid(affine(p, "z", x, h))
    r = sigmoid(affine(p, "r", x, h))
    h = tanh(affine(p, "n", x, r * h)) * z + h * (1 - z)
    return h, (h,)


def mut3(x, h, p):
    z = sigmoid(affine(p, "z", x, tanh(h)))
    r = sigmoid(affine(p, "r", x, h))
    h = tanh(affine(p, "n", x, r * h)) * z + h * (1 - z)
    return h, (h,)


def sgrn(x, h, p):
    """Zu et al. 2021: the bias is the gate's alone."""
    a = x @ p.W
    f = sigmoid(a + h @ p.U + p.b)
    h = tanh((1 - f) * a + f * h)
    return h, (h,)


def _hard_sigmoid(a):
    """Theano's and Keras's: 0.2 a + 0.5, from 0 to 1."""
    return torch.clamp(0.2 * a + 0.5, 0, 1)


def sgu(x, h, p):
    """Gao & Glowacka 2016."""
    x_g = x @ p.W_g + p.b_g
    z_g = tanh((x_g * h) @ p.U_g)
    out = softplus(z_g * h)
    z = _hard_sigmoid(affine(p, "z", x, h))
    h = (1 - z) * h + z * out
    return h, (h,)


def dsgu(x, h, p):
    """Gao & Glowacka 2016: one more product before the output."""
    x_g = x @ p.W_g + p.b_g
    z_g = tanh((x_g * h) @ p.U_g)
    out = sigmoid((z_g * h) @ p.U_o)
    z = _hard_sigmoid(affine(p, "z", x, h))
    h = (1 - z) * h + z * out
    return h, (h,)


def star(x, h, p):
    """Turkoglu et al. 2021."""
    k = sigmoid(affine(p, "k", x, h))
    z = tanh(affine(p, "z", x))
    h = tanh((1 - k) * h + k * z)
    return h, (h,)


def ugrnn(x, h, p):
    """Collins et al. 2017."""
    g = sigmoid(affine(p, "g", x, h))
    c = tanh(affine(p, "c", x, h))
    h = g * h + (1 - g) * c
    return h, (h,)


def layer_norm_gru(x, h, p):
    """Ba et al. 2016, eqs. 23 to 25: each product is normalised; the gates are z and r, in this order."""
    z, r = (normal(x @ p.W) * p.gamma_x + normal(h @ p.U) * p.gamma_h + p.b).sigmoid().chunk(2, -1)
    from_x = normal(x @ p.W_n) * p.gamma_xn + p.beta_xn
    from_h = normal(h @ p.U_n) * p.gamma_hn + p.beta_hn
    h = (1 - z) * h + z * tanh(from_x + r * from_h)
    return h, (h,)


def rhn(x, h, p):
    """Zilly et al. 2017: highway layers one after the other within a step; the first sees the input."""
    layers = zip(*(each.chunk(p.depth, -1) for each in (p.R, p.b, p.R_t, p.b_t)), strict=True)
    for layer, (R, b, R_t, b_t) in enumerate(layers):
        n, t = h @ R + b, h @ R_t + b_t
        if layer == 0:
            n, t = n + x @ p.W, t + x @ p.W_t
        h = tanh(n) * sigmoid(t) + h * (1 - sigmoid(t))
    return h, (h,)


def skip_gru(x, h, gap, p):
    """Campos et al. 2018, eqs. 2 to 5: the state is kept until ũ = 1 - gap has grown to a half or more.

    Rounding has the gradient of the number itself.
    """
    due = 1 - gap
    update = due + (torch.floor(due + 0.5) - due).detach()
    r, z = sigmoid(affine(p, "r", x, h)), sigmoid(affine(p, "z", x, h))
    n = tanh(x @ p.W_n + p.b_n + r * (h @ p.U_n))
    h = update * ((1 - z) * n + z * h) + (1 - update) * h
    growth = sigmoid(h @ p.W_p + p.b_p)
    due = update * growth + (1 - update) * (due + torch.minimum(growth, 1 - due))
    return h, (h, 1 - due)
