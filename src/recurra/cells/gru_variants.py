"""Relatives of the gated recurrent unit: a gate decides how much of the state the candidate sees."""

from recurra.equations import cell, hard_sigmoid, sigmoid, softplus, tanh


@cell
def gru_reset_before(
    x, h, *, W_r, U_r, b_r, W_z, U_z, b_z, W_n, U_n, b_n, activation=tanh, recurrent_activation=sigmoid
):
    """The gated recurrent unit with the reset gate before the product (Cho et al. 2014, "Learning phrase
    representations using RNN encoder-decoder", EMNLP, eqs. 5–8).

    Keras has it as ``reset_after=False``, ONNX as its default; torch.nn.GRU resets after the product.
    ``recurrent_activation`` is the gates' function, ``activation`` the candidate's.
    """
    r = recurrent_activation(x @ W_r + h @ U_r + b_r)
    z = recurrent_activation(x @ W_z + h @ U_z + b_z)
    n = activation(x @ W_n + (r * h) @ U_n + b_n)
    h = z * h + (1 - z) * n
    return h


@cell
def mgu(x, h, *, W_f, U_f, b_f, W_n, U_n, b_n):
    """Minimal gated unit: one gate resets and updates (Zhou et al. 2016, "Minimal gated unit for recurrent neural
    networks", International Journal of Automation and Computing 13, eqs. 7a–7c).

    ``f`` is the share of the candidate; flax's MGU has it as the share of the old state.
    """
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    n = tanh(x @ W_n + (f * h) @ U_n + b_n)
    h = (1 - f) * h + f * n
    return h


@cell
def miru1(x, h, *, W_r, U_r, b_r, W_n, U_n, b_n, update=0.5):
    """Minion recurrent unit 1: a GRU whose update gate is one fixed number (Zyarah & Kudithipudi 2026, "Minion gated
    recurrent unit for continual learning", Neurocomputing).

    ``update`` is the paper's λ, the share of the old state.
    """
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    n = tanh(x @ W_n + (r * h) @ U_n + b_n)
    h = update * h + (1 - update) * n
    return h


@cell
def miru2(x, h, *, W_n, U_n, b_n, update=0.5, reset=0.5):
    """Minion recurrent unit 2: a GRU whose gates are two fixed numbers (Zyarah & Kudithipudi 2026, "Minion gated
    recurrent unit for continual learning", Neurocomputing).

    ``update`` is the share of the old state, ``reset`` the share of it that the candidate sees.
    """
    n = tanh(x @ W_n + (reset * h) @ U_n + b_n)
    h = update * h + (1 - update) * n
    return h


@cell
def sgu(x, h, *, W_g, b_g, U_g, W_z, U_z, b_z):
    """Simple gated unit: one multiplicative gate (Gao & Glowacka 2016, "Deep gate recurrent neural network", ACML).

    The update gate is the hard sigmoid with slope 0.2; torchrecurrent's has slope 1/6. The softplus is not bounded, so
    states can grow; DSGU is the stabler one.
    """
    x_g = x @ W_g + b_g
    z_g = tanh((x_g * h) @ U_g)
    out = softplus(z_g * h)
    z = hard_sigmoid(x @ W_z + h @ U_z + b_z, 0.2)
    h = (1 - z) * h + z * out
    return h


@cell
def dsgu(x, h, *, W_g, b_g, U_g, U_o, W_z, U_z, b_z):
    """Deep simple gated unit: SGU with one more layer, and a sigmoid (Gao & Glowacka 2016, "Deep gate recurrent neural
    network", ACML).

    The update gate is the hard sigmoid with slope 0.2; torchrecurrent's has slope 1/6.
    """
    x_g = x @ W_g + b_g
    z_g = tanh((x_g * h) @ U_g)
    out = sigmoid((z_g * h) @ U_o)
    z = hard_sigmoid(x @ W_z + h @ U_z + b_z, 0.2)
    h = (1 - z) * h + z * out
    return h
