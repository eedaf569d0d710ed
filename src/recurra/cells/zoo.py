"""Further cells of the literature."""

from recurra.equations import cell, eye, layer_norm, relu, scalar, sigmoid, split, tanh


@cell
def peephole_lstm(x, h, c, *, W_i, U_i, p_i, b_i, W_f, U_f, p_f, b_f, W_g, U_g, b_g, W_o, U_o, p_o, b_o):
    """LSTM whose gates see the cell state (Gers & Schmidhuber 2000)."""
    i = sigmoid(x @ W_i + h @ U_i + p_i * c + b_i)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    g = tanh(x @ W_g + h @ U_g + b_g)
    c = f * c + i * g
    o = sigmoid(x @ W_o + h @ U_o + p_o * c + b_o)
    h = o * tanh(c)
    return h, c


@cell
def layer_norm_lstm(x, h, c, *, W, U, b, gamma_x, gamma_h, gamma_c, beta_c):
    """LSTM with layer normalisation of both products and of the cell state (Ba et al. 2016, eqs. 20–22)."""
    a = layer_norm(x @ W, gamma_x) + layer_norm(h @ U, gamma_h) + b
    a_i, a_f, a_g, a_o = split(a, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * tanh(layer_norm(c, gamma_c, beta_c))
    return h, c


@cell
def multiplicative_lstm(x, h, c, *, W_m, U_m, W, M, b):
    """LSTM whose gates see a product of input and state (Krause et al. 2016, eqs. 18–22)."""
    m = (x @ W_m) * (h @ U_m)
    a_i, a_f, a_g, a_o = split(x @ W + m @ M + b, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c


@cell
def gru_reset_before(x, h, *, W_r, U_r, b_r, W_z, U_z, b_z, W_n, U_n, b_n):
    """The gated recurrent unit with the reset gate before the product (Cho et al. 2014, eqs. 5–8)."""
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    n = tanh(x @ W_n + (r * h) @ U_n + b_n)
    h = z * h + (1 - z) * n
    return h


@cell
def mgu(x, h, *, W_f, U_f, b_f, W_n, U_n, b_n):
    """Minimal gated unit (Zhou et al. 2016, eqs. 7a–7c)."""
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    n = tanh(x @ W_n + (f * h) @ U_n + b_n)
    h = (1 - f) * h + f * n
    return h


@cell
def fast_rnn(x, h, *, W, U, b, alpha, beta):
    """A residual step with two learnt scalars (Kusupati et al. 2018, eqs. 2–3)."""
    n = tanh(x @ W + h @ U + b)
    h = sigmoid(scalar(alpha)) * n + sigmoid(scalar(beta)) * h
    return h


@cell
def indrnn(x, h, *, W, u, b):
    """Independently recurrent network: each unit sees only itself (Li et al. 2018, eq. 2)."""
    h = relu(x @ W + u * h + b)
    return h


@cell
def min_gru(x, h, *, W_z, b_z, W_n, b_n):
    """GRU whose gate and candidate do not see the state (Feng et al. 2024, section 3.1)."""
    z = sigmoid(x @ W_z + b_z)
    n = x @ W_n + b_n
    h = (1 - z) * h + z * n
    return h


@cell
def antisymmetric_rnn(x, h, *, W, M, b, epsilon=0.1, gamma=0.01):
    """A step of a stable differential equation (Chang et al. 2019, eq. 11)."""
    A = M - M.T - gamma * eye()
    h = h + epsilon * tanh(x @ W + h @ A + b)
    return h
