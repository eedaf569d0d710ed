"""Gated networks whose state meets no matrix: all products are with the input, before the loop."""

from recurra.equations import cell, sigmoid, tanh


@cell(output="h")
def sru(x, c, *, W, W_f, v_f, b_f, W_r, v_r, b_r, W_s):
    """Simple recurrent unit with a highway around it (Lei et al. 2018, EMNLP, eqs. 1–4).

    Both gates see the cell state before the step. The highway carries x @ W_s, the projection by which the authors'
    code lets input and hidden differ; with the identity as W_s it is the paper's plain x.
    """
    f = sigmoid(x @ W_f + v_f * c + b_f)
    r = sigmoid(x @ W_r + v_r * c + b_r)
    c = f * c + (1 - f) * (x @ W)
    h = r * c + (1 - r) * (x @ W_s)
    return c


@cell(output="h")
def sru_v1(x, c, *, W, W_f, b_f, W_r, b_r, W_s, activation=tanh):
    """Simple recurrent unit as first published: gates of the input alone (Lei & Zhang 2017, arXiv 1709.02755v1).

    Its cell state is affine in the one before. The highway carries x @ W_s, as in ``sru``.
    """
    f = sigmoid(x @ W_f + b_f)
    r = sigmoid(x @ W_r + b_r)
    c = f * c + (1 - f) * (x @ W)
    h = r * activation(c) + (1 - r) * (x @ W_s)
    return c


@cell
def min_gru(x, h, *, W_z, b_z, W_n, b_n):
    """GRU whose gate and candidate do not see the state (Feng et al. 2024, "Were RNNs all we needed?", section 3.1).

    The candidate is linear, as in the section's equations; the code that computes in logarithms maps it to positive
    numbers.
    """
    z = sigmoid(x @ W_z + b_z)
    n = x @ W_n + b_n
    h = (1 - z) * h + z * n
    return h


@cell
def min_lstm(x, h, *, W_f, b_f, W_i, b_i, W_n, b_n):
    """LSTM whose gates do not see the state, and sum to 1 (Feng et al. 2024, Were RNNs all we needed?, section 3.2.3).

    It has neither output gate nor cell state. In the paper's logarithmic form the candidate is positive, by another
    function; here it is the plain one of the paper's text, as in ``min_gru``.
    """
    f = sigmoid(x @ W_f + b_f)
    i = sigmoid(x @ W_i + b_i)
    n = x @ W_n + b_n
    h = f / (f + i) * h + i / (f + i) * n
    return h
