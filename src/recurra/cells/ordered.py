"""Networks whose units are ordered from short to long memory."""

from recurra.equations import cell, concat, cumsum, sigmoid, softmax, split, tanh


@cell
def on_lstm(x, h, c, *, W, U, b, W_m, U_m, b_m, chunk_size=1):
    """Ordered neurons LSTM, ON-LSTM (Shen et al. 2019, ICLR, eqs. 9–14); gates f i o g, master gates f i.

    A master gate is a running sum over softmax, cumax: it rises from 0 to 1 along the units. ``chunk_size`` units share
    each value of the master gates, so that hidden must be a multiple of it; the paper's language models have 10. Units
    j and j + hidden/chunk_size share a value here, neighbouring units in the authors' code: the units are numbered
    otherwise, the network is the same.
    """
    a_f, a_i, a_o, a_g = split(x @ W + h @ U + b, 4)
    f, i, o, g = sigmoid(a_f), sigmoid(a_i), sigmoid(a_o), tanh(a_g)
    m_f, m_i = split(x @ W_m + h @ U_m + b_m, 2)
    master_f = concat(*[cumsum(softmax(m_f))] * chunk_size)
    master_i = concat(*[1 - cumsum(softmax(m_i))] * chunk_size)
    overlap = master_f * master_i
    f = f * overlap + (master_f - overlap)
    i = i * overlap + (master_i - overlap)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c
