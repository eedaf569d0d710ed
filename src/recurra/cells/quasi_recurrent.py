"""Quasi-recurrent networks: convolutions over the last inputs, and a recurrence that only pools.

W holds the filters side by side, (input, width*gates*hidden): those of all gates for this input, then for the one
before, and so on. The states ``a_history`` are sums that wait for the next inputs, not the inputs themselves, so that
layers of different widths can be stacked. Before a sequence there are zeros.
"""

from recurra.equations import cell, delay, sigmoid, split, tanh


@cell
def qrnn_f(x, h, *, W, b, width=2):
    """Quasi-recurrent network with f-pooling; gates z f (Bradbury et al., 2017, "Quasi-recurrent neural networks",
    ICLR, eqs. 1–3).

    ``width`` is the number of inputs that a gate sees.
    """
    *recent, a = split(x @ W, width)
    for part in reversed(recent):
        a = part + delay(a)
    a_z, a_f = split(a + b, 2)
    z, f = tanh(a_z), sigmoid(a_f)
    h = f * h + (1 - f) * z
    return h


@cell(output="h")
def qrnn_fo(x, c, *, W, b, width=2):
    """Quasi-recurrent network with fo-pooling, which has an output gate; gates z f o (Bradbury et al., 2017,
    "Quasi-recurrent neural networks", ICLR, eq. 4).

    ``width`` is the number of inputs that a gate sees.
    """
    *recent, a = split(x @ W, width)
    for part in reversed(recent):
        a = part + delay(a)
    a_z, a_f, a_o = split(a + b, 3)
    z, f, o = tanh(a_z), sigmoid(a_f), sigmoid(a_o)
    c = f * c + (1 - f) * z
    h = o * c
    return c


@cell(output="h")
def qrnn_ifo(x, c, *, W, b, width=2):
    """Quasi-recurrent network with ifo-pooling, which has input and output gates; gates z i f o (Bradbury et al., 2017,
    "Quasi-recurrent neural networks", ICLR, eq. 5).

    ``width`` is the number of inputs that a gate sees.
    """
    *recent, a = split(x @ W, width)
    for part in reversed(recent):
        a = part + delay(a)
    a_z, a_i, a_f, a_o = split(a + b, 4)
    z, i, f, o = tanh(a_z), sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
    c = f * c + i * z
    h = o * c
    return c
