"""LSTMs with exponential gates."""

from recurra.equations import cell, exp, heads, maximum, sigmoid, softplus, tanh, where


@cell
def slstm(
    x, h, c, n, m, *, W_i, R_i, b_i, W_f, R_f, b_f, W_z, R_z, b_z, W_o, R_o, b_o, num_heads=1, exponential_forget=False
):
    """sLSTM: exponential gates, a normaliser n and a stabiliser m (Beck et al. 2024, xLSTM, NeurIPS, eqs. 8–17).

    A unit sees the units of its own head alone: with several heads R_i … R_o are block-diagonal, of the shape
    (num_heads, hidden/num_heads, hidden/num_heads); the paper has 4. The forget gate is sigmoid or exp, as the paper
    allows. While n is still 0 the stabiliser is that of the input gate, so that c / n is never 0 / 0.
    """
    blocks = heads(h, num_heads) if num_heads > 1 else h
    a_i = x @ W_i + blocks @ R_i + b_i
    a_f = x @ W_f + blocks @ R_f + b_f
    z = tanh(x @ W_z + blocks @ R_z + b_z)
    o = sigmoid(x @ W_o + blocks @ R_o + b_o)
    log_f = a_f if exponential_forget else -softplus(-a_f)
    carried = where(n > 0, log_f + m, a_i)
    m = maximum(carried, a_i)
    i, f = exp(a_i - m), exp(carried - m)
    c = f * c + i * z
    n = f * n + i
    h = o * (c / n)
    return h, c, n, m
