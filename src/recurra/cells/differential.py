"""Cells that are steps of a differential equation."""

from recurra.equations import cell, eye, tanh


@cell
def antisymmetric_rnn(x, h, *, W, M, b, epsilon=0.1, gamma=0.01):
    """A step of a stable differential equation (Chang et al., 2019, "AntisymmetricRNN: a dynamical system view on
    recurrent neural networks", ICLR, eq. 11)."""
    A = M - M.T - gamma * eye()
    h = h + epsilon * tanh(x @ W + h @ A + b)
    return h
