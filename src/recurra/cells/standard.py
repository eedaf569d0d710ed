"""The cells of torch.nn, with its parameter names, layouts and gate orders."""

from recurra.equations import cell, clip, sigmoid, split, tanh
from recurra.errors import EquationError


@cell
def rnn(x, h, *, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity=tanh):
    """The simple recurrent network (Elman 1990, "Finding structure in time", Cognitive Science 14); ``nonlinearity``
    is tanh or relu in torch."""
    return nonlinearity(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)


@cell
def lstm(
    x, h, c, *, weight_ih, weight_hh, bias_ih, bias_hh, activation=tanh, recurrent_activation=sigmoid, cell_clip=None
):
    """Long short-term memory with a forget gate (Gers, Schmidhuber & Cummins 2000, "Learning to forget: continual
    prediction with LSTM", Neural Computation 12); gates i f g o.

    ``recurrent_activation`` is the gates' function, ``activation`` that of the candidate and the output, as Keras
    names them. ``cell_clip`` is the largest size of a number in the new cell state; None is no bound.
    """
    a_i, a_f, a_g, a_o = split(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 4)
    i, f, g, o = recurrent_activation(a_i), recurrent_activation(a_f), activation(a_g), recurrent_activation(a_o)
    c = f * c + i * g
    if cell_clip is not None:
        c = _clipped(c, cell_clip)
    h = o * activation(c)
    return h, c


def _clipped(c, bound):
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not bound > 0:
        raise EquationError(f"cell 'lstm': cell_clip must be a number above 0, or None for no bound; got {bound!r}")
    return clip(c, -bound, bound)


@cell
def gru(x, h, *, weight_ih, weight_hh, bias_ih, bias_hh, activation=tanh, recurrent_activation=sigmoid):
    """The gated recurrent unit (Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", EMNLP),
    reset gate after the product; gates r z n.

    ``recurrent_activation`` is the gates' function, ``activation`` the candidate's, as Keras names them.
    """
    r_x, z_x, n_x = split(x @ weight_ih.T + bias_ih, 3)
    r_h, z_h, n_h = split(h @ weight_hh.T + bias_hh, 3)
    r = recurrent_activation(r_x + r_h)
    z = recurrent_activation(z_x + z_h)
    n = activation(n_x + r * n_h)
    h = (1 - z) * n + z * h
    return h
