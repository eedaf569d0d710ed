"""Strongly-typed cells: no product of a state, so that each unit of the state keeps one meaning over time."""

from recurra.equations import cell, sigmoid, split, tanh


@cell
def t_rnn(x, h, *, W_z, W_f, b_f):
    """T-RNN: the state is a moving average of the mapped inputs (Balduzzi & Ghifary 2016, "Strongly-typed recurrent
    neural networks", ICML).

    The candidate has no bias and no activation.
    """
    z = x @ W_z
    f = sigmoid(x @ W_f + b_f)
    h = f * h + (1 - f) * z
    return h


@cell
def t_gru(x, h, last, *, W, V, b, nonlinearity=tanh):
    """T-GRU: gates of this input and the last one (Balduzzi & Ghifary 2016, "Strongly-typed recurrent neural
    networks", ICML).

    The state ``last`` is what the input of the step before adds, V x_{t−1}, for z, f and o; zeros at first.
    ``nonlinearity`` is the paper's τ.
    """
    z, a_f, a_o = split(x @ W + last + b, 3)
    f, o = sigmoid(a_f), nonlinearity(a_o)
    h = f * h + z * o
    last = x @ V
    return h, last


@cell(output="h")
def t_lstm(x, c, last, *, W, V, b, nonlinearity=tanh):
    """T-LSTM: a moving average, shown through an output gate (Balduzzi & Ghifary 2016, "Strongly-typed recurrent
    neural networks", ICML). The time-aware LSTM, also T-LSTM, is another cell.

    The output ``h`` is no state: only ``c`` and ``last`` go on. ``last`` is what the input of the step before adds,
    V x_{t−1}, for z, f and o; zeros at first. ``nonlinearity`` is the paper's τ.
    """
    z, a_f, a_o = split(x @ W + last + b, 3)
    f, o = sigmoid(a_f), nonlinearity(a_o)
    c = f * c + (1 - f) * z
    h = c * o
    last = x @ V
    return c, last
