"""Residual cells for small devices, whose shares of old and new are learnt numbers."""

from recurra.equations import cell, scalar, sigmoid, tanh


@cell(init={"alpha": -3.0, "beta": 3.0})
def fast_rnn(x, h, *, W, U, b, alpha, beta):
    """A residual step with two learnt scalars (Kusupati et al. 2018, "FastGRNN: a fast, accurate, stable and tiny
    kilobyte sized gated recurrent neural network", NeurIPS, eqs. 2–3).

    Both scalars pass through a sigmoid. They begin with -3 and 3, so that little is added and much is kept.
    """
    n = tanh(x @ W + h @ U + b)
    h = sigmoid(scalar(alpha)) * n + sigmoid(scalar(beta)) * h
    return h


@cell(init={"b_z": 1.0, "b_n": 1.0, "zeta": 1.0, "nu": -4.0})
def fast_grnn(x, h, *, W, U, b_z, b_n, zeta, nu):
    """FastRNN with a gate that shares the candidate's matrices (Kusupati et al. 2018, "FastGRNN: a fast, accurate,
    stable and tiny kilobyte sized gated recurrent neural network", NeurIPS, section 3.2).

    ``zeta`` and ``nu`` pass through a sigmoid. Initial values are the authors'. torchrecurrent's gate is a tanh by
    default; the paper's is the sigmoid.
    """
    a = x @ W + h @ U
    z = sigmoid(a + b_z)
    n = tanh(a + b_n)
    h = (sigmoid(scalar(zeta)) * (1 - z) + sigmoid(scalar(nu))) * n + z * h
    return h
