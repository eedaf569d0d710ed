"""The cells of torch.nn, with its parameter names, layouts and gate orders."""

from recurra.equations import cell, sigmoid, split, tanh


@cell
def rnn(x, h, *, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity=tanh):
    """The simple recurrent network (Elman 1990); ``nonlinearity`` is tanh or relu."""
    return nonlinearity(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)


@cell
def lstm(x, h, c, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """Long short-term memory with a forget gate (Gers, Schmidhuber & Cummins 2000); gates i f g o."""
    a_i, a_f, a_g, a_o = split(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c


@cell
def gru(x, h, *, weight_ih, weight_hh, bias_ih, bias_hh):
    """The gated recurrent unit (Cho et al. 2014), reset gate after the product; gates r z n."""
    r_x, z_x, n_x = split(x @ weight_ih.T + bias_ih, 3)
    r_h, z_h, n_h = split(h @ weight_hh.T + bias_hh, 3)
    r = sigmoid(r_x + r_h)
    z = sigmoid(z_x + z_h)
    n = tanh(n_x + r * n_h)
    h = (1 - z) * n + z * h
    return h
