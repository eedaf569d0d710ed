"""The cells that stand for all others in tests that take long, each for a structure that only it has.

What holds for every cell is tested once for each of the zoo in `tests/cells/test_every_cell.py`. Sizes, options,
engines, instruction sets and edge cases are tested with these cells.
"""

import recurra
from recurra import bernoulli, cell, cells, concat, exp, heads, maximum, relu, sigmoid, softplus, split, tanh, where

REASONS = {
    "lstm": "two states, stacked gates; torch, ONNX and the native engine know it",
    "gru": "the state's product is used apart from the input's; torch and ONNX know it",
    "rnn": "the smallest; a function as an option; torch and ONNX know it",
    "peephole_lstm": "a matrix for each gate, which are merged; vectors that multiply the old and the new state",
    "layer_norm_lstm": "means over features in the loop; a product that is normalised before it is added",
    "multiplicative_lstm": "a product of two products, and a product behind it",
    "gru_reset_before": "a product that waits for another; ONNX knows it",
    "res_lstm": "a product of the new state, so that the output waits for it",
    "min_gru": "no product with the state: the loop is elementwise and affine",
    "indrnn": "no product with the state, and a kink",
    "antisymmetric_rnn": "a matrix that is computed of a parameter, once per call",
    "fast_rnn": "scalars that are learnt",
    "on_lstm": "running sums and softmax over features",
}
ZOO = {name: cells.all()[name] for name in REASONS}


@cell(output="y")
def intersection(x, h, *, G_y, F_y, W_y, U_y, G_h, F_h, W_h, U_h):
    """The output is no state, and the input is as wide as the state."""
    g_y = sigmoid(x @ G_y + h @ F_y)
    y = g_y * x + (1 - g_y) * relu(x @ W_y + h @ U_y)
    g_h = sigmoid(x @ G_h + h @ F_h)
    h = g_h * h + (1 - g_h) * tanh(x @ W_h + h @ U_h)
    return h


@cell
def tgru(x, h, previous, *, V_z, W_z, b_z, V_f, W_f, b_f, V_o, W_o, b_o):
    """The input itself is a state, so that states differ in size."""
    z = tanh(previous @ V_z + x @ W_z + b_z)
    f = sigmoid(previous @ V_f + x @ W_f + b_f)
    o = tanh(previous @ V_o + x @ W_o + b_o)
    h = f * h + z * o
    return h, x


@cell
def block_slstm(x, h, c, n, m, *, W_i, R_i, b_i, W_f, R_f, b_f, W_z, R_z, b_z, W_o, R_o, b_o, count=2):
    """Products with blocks on the diagonal, four states, exponentials and maxima."""
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
def gated_output(x, h, c, *, W, b):
    """A product of input and state together, and a choice between numbers."""
    i, f, g, o, v = split(concat(x, h) @ W + b, 5)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = where(v > 0, sigmoid(o) * tanh(c), c * 0.1)
    return h, c


@cell
def solver(x, h, *, W, U, b, A, tau, unfolds=6):
    """A loop within the step, and quotients."""
    for _ in range(unfolds):
        f = sigmoid(x @ W + h @ U + b)
        h = (h + 0.1 * f * A) / (1 + 0.1 * (tau**2 + f))
    return h


@cell
def zoneout_rnn(x, h, *, W, U, b, p=0.3, per="step"):
    """Random masks; it stands apart, as not all calls take them."""
    keep = bernoulli(p, per=per)
    new = tanh(x @ W + recurra.dropout(h, 0.5, per="sequence") @ U + b)
    h = keep * h + (1 - keep) * new
    return h


OWN = {made.name: made for made in (intersection, tgru, block_slstm, gated_output, solver)}
CELLS = {**ZOO, **OWN}
EVEN = {"block_slstm"}  # cells whose state is cut in halves
