"""LSTMs: cells with a memory behind gates of the input and the output before."""

import torch
from torch import relu, sigmoid, tanh

from tests.cells.loops.parameters import affine, normal


def _gates(a, c):
    """The usual end: four sums of i, f, g, o."""
    i, f, g, o = a.chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def lstm(x, h, c, p):
    i, f, g, o = (x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh).chunk(4, -1)
    c = p.recurrent_activation(f) * c + p.recurrent_activation(i) * p.activation(g)
    if p.cell_clip is not None:
        c = torch.clamp(c, -p.cell_clip, p.cell_clip)
    h = p.recurrent_activation(o) * p.activation(c)
    return h, (h, c)


def peephole_lstm(x, h, c, p):
    i = p.recurrent_activation(affine(p, "i", x, h) + p.p_i * c)
    f = p.recurrent_activation(affine(p, "f", x, h) + p.p_f * c)
    c = f * c + i * p.activation(affine(p, "g", x, h))
    o = p.recurrent_activation(affine(p, "o", x, h) + p.p_o * c)
    h = o * p.activation(c)
    return h, (h, c)


def layer_norm_lstm(x, h, c, p):
    a = normal(x @ p.W) * p.gamma_x + normal(h @ p.U) * p.gamma_h + p.b
    i, f, g, o = a.chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(normal(c) * p.gamma_c + p.beta_c)
    return h, (h, c)


def multiplicative_lstm(x, h, c, p):
    m = (x @ p.W_m) * (h @ p.U_m)
    h, c = _gates(x @ p.W + m @ p.M + p.b, c)
    return h, (h, c)


def original_lstm(x, h, c, p):
    """Hochreiter & Schmidhuber 1997, appendix A.1: no forget gate; g from -2 to 2, h from -1 to 1."""
    i = sigmoid(affine(p, "i", x, h))
    o = sigmoid(affine(p, "o", x, h))
    c = c + i * (4 * sigmoid(affine(p, "g", x, h)) - 2)
    h = o * (2 * sigmoid(c) - 1)
    return h, (h, c)


def coupled_lstm(x, h, c, p):
    """Greff et al. 2017, CIFG, without peepholes: the forget gate is 1 - i."""
    i = p.recurrent_activation(affine(p, "i", x, h))
    o = p.recurrent_activation(affine(p, "o", x, h))
    c = (1 - i) * c + i * p.activation(affine(p, "g", x, h))
    h = o * p.activation(c)
    return h, (h, c)


def mc_lstm(x, v, c, p):
    """The memory controller: another gate than the output's gives the vector that the gates see."""
    f = sigmoid(affine(p, "f", x, v))
    i = sigmoid(affine(p, "i", x, v))
    o = sigmoid(affine(p, "o", x, v))
    m = sigmoid(affine(p, "m", x, v))
    c = f * c + i * tanh(affine(p, "g", x, v))
    return o * tanh(c), (m * tanh(c), c)


def wmc_lstm(x, h, c, p):
    """Landi et al. 2021: the gates see tanh of a product of the memory; the output gate that of the new one."""
    i = sigmoid(affine(p, "i", x, h) + tanh(c @ p.V_i))
    f = sigmoid(affine(p, "f", x, h) + tanh(c @ p.V_f))
    c = f * c + i * tanh(affine(p, "g", x, h))
    o = sigmoid(affine(p, "o", x, h) + tanh(c @ p.V_o))
    h = o * tanh(c)
    return h, (h, c)


def res_lstm(x, h, c, p):
    """Kim et al. 2017: the projection and the input meet behind the output gate."""
    i = sigmoid(affine(p, "i", x, h) + p.p_i * c)
    f = sigmoid(affine(p, "f", x, h) + p.p_f * c)
    c = f * c + i * tanh(affine(p, "g", x, h))
    o = sigmoid(affine(p, "o", x, h) + p.p_o * c)
    h = o * (tanh(c) @ p.P + x @ p.R)
    return h, (h, c)


def ran(x, h, c, p):
    """Lee et al. 2017: the candidate is linear in the input."""
    i = sigmoid(affine(p, "i", x, h))
    f = sigmoid(affine(p, "f", x, h))
    c = i * (x @ p.W_c) + f * c
    h = tanh(c)
    return h, (h, c)


def nas(x, h, c, p):
    """Zoph & Le 2017: the tree that their search found, as they published it."""
    a = (x @ p.W).chunk(8, -1)
    b = (h @ p.U + p.b).chunk(8, -1)
    leaves = [
        sigmoid(a[0] + b[0]),
        relu(a[1] + b[1]),
        sigmoid(a[2] + b[2]),
        relu(a[3] * b[3]),
        tanh(a[4] + b[4]),
        sigmoid(a[5] + b[5]),
        tanh(a[6] + b[6]),
        sigmoid(a[7] + b[7]),
    ]
    first = tanh(tanh(leaves[0] * leaves[1]) + c)
    second = tanh(leaves[2] + leaves[3])
    third = tanh(leaves[4] * leaves[5])
    fourth = sigmoid(leaves[6] + leaves[7])
    c = first * second
    h = tanh(c * tanh(third + fourth))
    return h, (h, c)


def scrn(x, h, s, p):
    """Mikolov et al. 2015: slow units beside the hidden ones; the output sees both."""
    s = (1 - p.alpha) * (x @ p.B) + p.alpha * s
    h = sigmoid(s @ p.P + x @ p.A + h @ p.R)
    return h @ p.U + s @ p.V, (h, s)


def on_lstm(x, h, c, p):
    """Shen et al. 2019: master gates by running sums of softmax."""
    f, i, o, g = affine(p, "", x, h).chunk(4, -1)
    master_f, master_i = (torch.softmax(a, -1).cumsum(-1) for a in affine(p, "m", x, h).chunk(2, -1))
    # Each value is that of several units: of unit j, and of those that are a number of values further on.
    master_f, master_i = master_f.repeat(1, p.chunk_size), 1 - master_i.repeat(1, p.chunk_size)
    both = master_f * master_i
    f = sigmoid(f) * both + (master_f - both)
    i = sigmoid(i) * both + (master_i - both)
    c = f * c + i * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h, (h, c)


def _blocks(h, matrix):
    """h times a block-diagonal matrix, given as (heads, size, columns), or times a plain one."""
    if matrix.dim() == 2:
        return h @ matrix
    return torch.cat([part @ block for part, block in zip(h.chunk(len(matrix), -1), matrix, strict=True)], -1)


def slstm(x, h, c, n, m, p):
    """Beck et al. 2024: exponential input gate, its logarithm kept small by the stabiliser m."""
    log_i = x @ p.W_i + _blocks(h, p.R_i) + p.b_i
    a_f = x @ p.W_f + _blocks(h, p.R_f) + p.b_f
    log_f = a_f if p.exponential_forget else torch.nn.functional.logsigmoid(a_f)
    z = tanh(x @ p.W_z + _blocks(h, p.R_z) + p.b_z)
    o = sigmoid(x @ p.W_o + _blocks(h, p.R_o) + p.b_o)
    new = torch.where(n == 0, log_i, torch.maximum(log_f + m, log_i))
    i, f = torch.exp(log_i - new), torch.exp(log_f + m - new)
    c = f * c + i * z
    n = f * n + i
    h = o * c / n
    return h, (h, c, n, new)
