"""LSTM and GRU with layer normalisation inside of the equations."""

from recurra.equations import cell, layer_norm, sigmoid, split, tanh


@cell(init={"b": 0.0, "gamma_x": 1.0, "gamma_h": 1.0, "gamma_c": 1.0, "beta_c": 0.0})
def layer_norm_lstm(x, h, c, *, W, U, b, gamma_x, gamma_h, gamma_c, beta_c):
    """LSTM with layer normalisation of both products and of the cell state (Ba, Kiros & Hinton 2016, "Layer
    normalization", eqs. 20–22).

    A norm of a product is over all four gates together, as in haste; TensorFlow's LayerNormBasicLSTMCell norms each
    gate by itself. ``b`` is the paper's b and its two shifts in one. Scales begin with 1, shifts with 0.
    """
    a = layer_norm(x @ W, gamma_x) + layer_norm(h @ U, gamma_h) + b
    a_i, a_f, a_g, a_o = split(a, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * tanh(layer_norm(c, gamma_c, beta_c))
    return h, c


@cell(
    init={
        "b": 0.0, "gamma_x": 1.0, "gamma_h": 1.0,
        "gamma_xn": 1.0, "beta_xn": 0.0, "gamma_hn": 1.0, "beta_hn": 0.0,
    }
)  # fmt: skip
def layer_norm_gru(x, h, *, W, U, b, gamma_x, gamma_h, W_n, U_n, gamma_xn, beta_xn, gamma_hn, beta_hn):
    """GRU with layer normalisation of all products (Ba, Kiros & Hinton 2016, "Layer normalization", supplement,
    eqs. 23–25).

    A norm of the gates' products is over both gates together. The reset gate comes after the product, and ``z`` is the
    share of the candidate. ``b`` is the two shifts of the gates' norms in one. Scales begin with 1, shifts with 0.
    """
    a_z, a_r = split(layer_norm(x @ W, gamma_x) + layer_norm(h @ U, gamma_h) + b, 2)
    z, r = sigmoid(a_z), sigmoid(a_r)
    n = tanh(layer_norm(x @ W_n, gamma_xn, beta_xn) + r * layer_norm(h @ U_n, gamma_hn, beta_hn))
    h = (1 - z) * h + z * n
    return h
