"""Cells that computers found by search over architectures."""

from recurra.equations import cell, relu, sigmoid, split, tanh


@cell
def mut1(x, h, *, W_z, b_z, W_r, U_r, b_r, W_n, U_n, b_n):
    """The first mutation of the GRU: the update gate does not see the state (Jozefowicz, Zaremba & Sutskever 2015,
    "An empirical exploration of recurrent network architectures", ICML, MUT1).

    The paper adds tanh(x) itself to the candidate, which needs an input as wide as the state; here ``W_n`` maps it
    there. ``z`` is the share of the candidate.
    """
    z = sigmoid(x @ W_z + b_z)
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    n = tanh((r * h) @ U_n + tanh(x @ W_n) + b_n)
    h = z * n + (1 - z) * h
    return h


@cell
def mut2(x, h, *, W_z, U_z, b_z, W_r, U_r, b_r, W_n, U_n, b_n):
    """The second mutation of the GRU (Jozefowicz, Zaremba & Sutskever 2015, "An empirical exploration of recurrent
    network architectures", ICML, MUT2).

    The paper adds x itself in the reset gate, which needs an input as wide as the state; here ``W_r`` maps it there,
    so that the equations are the GRU's with the reset gate first and ``z`` as the share of the candidate.
    """
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    n = tanh((r * h) @ U_n + x @ W_n + b_n)
    h = z * n + (1 - z) * h
    return h


@cell
def mut3(x, h, *, W_z, U_z, b_z, W_r, U_r, b_r, W_n, U_n, b_n):
    """The third mutation of the GRU: the update gate sees tanh(h) (Jozefowicz, Zaremba & Sutskever 2015, "An
    empirical exploration of recurrent network architectures", ICML, MUT3).

    ``z`` is the share of the candidate.
    """
    z = sigmoid(x @ W_z + tanh(h) @ U_z + b_z)
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    n = tanh((r * h) @ U_n + x @ W_n + b_n)
    h = z * n + (1 - z) * h
    return h


@cell
def nas(x, h, c, *, W, U, b):
    """The cell of neural architecture search, a tree of three levels (Zoph & Le 2017, "Neural architecture search
    with reinforcement learning", ICLR, appendix A, figure 8).

    The fourth leaf multiplies the two products; all others add them. The memory enters the first node of the second
    level. torchrecurrent adds in the fourth leaf too. The bias belongs to the state's
    product, as in TensorFlow's cell of the authors.
    """
    x_0, x_1, x_2, x_3, x_4, x_5, x_6, x_7 = split(x @ W, 8)
    h_0, h_1, h_2, h_3, h_4, h_5, h_6, h_7 = split(h @ U + b, 8)
    l_0 = tanh(sigmoid(x_0 + h_0) * relu(x_1 + h_1))
    l_1 = tanh(sigmoid(x_2 + h_2) + relu(x_3 * h_3))
    l_2 = tanh(tanh(x_4 + h_4) * sigmoid(x_5 + h_5))
    l_3 = sigmoid(tanh(x_6 + h_6) + sigmoid(x_7 + h_7))
    c = tanh(l_0 + c) * l_1
    h = tanh(c * tanh(l_2 + l_3))
    return h, c
