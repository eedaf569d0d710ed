"""Cells of the literature that ask more of the language than the zoo does, and all cells that tests run."""

import recurra
from recurra import (
    bernoulli,
    cell,
    cells,
    concat,
    cumsum,
    exp,
    heads,
    maximum,
    minimum,
    relu,
    scalar,
    sigmoid,
    softmax,
    softplus,
    split,
    tanh,
    where,
)


@cell
def cornn(x, h, c, *, W, U, V, b, dt=0.1, gamma=0.5, epsilon=0.2):
    c = c + dt * (tanh(x @ W + h @ U + c @ V + b) - gamma * h - epsilon * c)
    h = h + dt * c
    return h, c


@cell
def lem(x, h, c, *, dt, W_1, U_1, W_2, U_2, W_3, U_3, W_4, V):
    d_1 = scalar(dt) * sigmoid(x @ W_1 + h @ U_1)
    d_2 = scalar(dt) * sigmoid(x @ W_2 + h @ U_2)
    new = (1 - d_2) * c + d_2 * tanh(x @ W_3 + h @ U_3)
    h = (1 - d_1) * h + d_1 * tanh(x @ W_4 + c @ V)
    return h, new


@cell
def scrn(x, h, c, *, W_1, W_2, U_1, V_1, U_2, V_2, alpha=0.95):
    c = (1 - alpha) * (x @ W_1) + alpha * c
    z = sigmoid(x @ W_2 + h @ U_1 + c @ V_1)
    h = tanh(z @ U_2 + c @ V_2)
    return h, c


@cell(output="y")
def intersection(x, h, *, G_y, F_y, W_y, U_y, G_h, F_h, W_h, U_h):
    g_y = sigmoid(x @ G_y + h @ F_y)
    y = g_y * x + (1 - g_y) * relu(x @ W_y + h @ U_y)
    g_h = sigmoid(x @ G_h + h @ F_h)
    h = g_h * h + (1 - g_h) * tanh(x @ W_h + h @ U_h)
    return h


@cell
def tgru(x, h, previous, *, V_z, W_z, b_z, V_f, W_f, b_f, V_o, W_o, b_o):
    z = tanh(previous @ V_z + x @ W_z + b_z)
    f = sigmoid(previous @ V_f + x @ W_f + b_f)
    o = tanh(previous @ V_o + x @ W_o + b_o)
    h = f * h + z * o
    return h, x


@cell
def reslstm(x, h, c, *, W_i, U_i, p_i, W_f, U_f, p_f, W_g, U_g, W_o, V_o, P, R):
    i = sigmoid(x @ W_i + h @ U_i + p_i * c)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c)
    c = f * c + i * tanh(x @ W_g + h @ U_g)
    o = sigmoid(x @ W_o + c @ V_o)
    h = o * (tanh(c) @ P + x @ R)
    return h, c


@cell
def mut1(x, h, *, W_z, b_z, W_r, U_r, b_r, U, W, b):
    z = sigmoid(x @ W_z + b_z)
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    h = tanh((r * h) @ U + tanh(x @ W) + b) * z + h * (1 - z)
    return h


@cell
def dsgu(x, h, *, W_1, U_1, W_o, W_2, U_2):
    g = tanh(((x @ W_1) * h) @ U_1)
    out = sigmoid((g * h) @ W_o)
    z = maximum(minimum(0.2 * (x @ W_2 + h @ U_2) + 0.5, 1), 0)
    h = (1 - z) * h + z * out
    return h


@cell
def unicornn(x, h, c, *, W, u, b, w_c, dt=0.1, alpha=0.9):
    step = dt * sigmoid(w_c)
    c = c - step * (tanh(x @ W + u * h + b) + alpha * h)
    h = h + step * c
    return h, c


@cell
def slstm(x, h, c, n, m, *, W_i, R_i, b_i, W_f, R_f, b_f, W_z, R_z, b_z, W_o, R_o, b_o, count=2):
    a_i = x @ W_i + heads(h, count) @ R_i + b_i
    log_f = -softplus(-(x @ W_f + heads(h, count) @ R_f + b_f))
    new_m = maximum(a_i, m + log_f)
    i = exp(a_i - new_m)
    f = exp(m + log_f - new_m)
    c = f * c + i * tanh(x @ W_z + heads(h, count) @ R_z + b_z)
    n = f * n + i
    h = sigmoid(x @ W_o + heads(h, count) @ R_o + b_o) * c / maximum(n, 1)
    return h, c, n, new_m


@cell
def on_lstm(x, h, c, *, W, U, b):
    i, f, g, o, m_i, m_f = split(x @ W + h @ U + b, 6)
    master_f = cumsum(softmax(m_f))
    master_i = 1 - cumsum(softmax(m_i))
    both = master_f * master_i
    f = sigmoid(f) * both + (master_f - both)
    i = sigmoid(i) * both + (master_i - both)
    c = f * c + i * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h, c


@cell
def gated_output(x, h, c, *, W, b):
    i, f, g, o, v = split(concat(x, h) @ W + b, 5)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = where(v > 0, sigmoid(o) * tanh(c), c * 0.1)
    return h, c


@cell
def ltc(x, h, *, W, U, b, A, tau, unfolds=6):
    for _ in range(unfolds):
        f = sigmoid(x @ W + h @ U + b)
        h = (h + 0.1 * f * A) / (1 + 0.1 * (tau**2 + f))
    return h


@cell
def zoneout_rnn(x, h, *, W, U, b, p=0.3, per="step"):
    keep = bernoulli(p, per=per)
    new = tanh(x @ W + recurra.dropout(h, 0.5, per="sequence") @ U + b)
    h = keep * h + (1 - keep) * new
    return h


LITERATURE = {
    made.name: made
    for made in (
        cornn,
        lem,
        scrn,
        intersection,
        tgru,
        reslstm,
        mut1,
        dsgu,
        unicornn,
        slstm,
        on_lstm,
        gated_output,
        ltc,
    )
}
CELLS = {**cells.all(), **LITERATURE}
EVEN = {"slstm"}  # cells with two heads
