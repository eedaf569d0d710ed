"""Networks whose recurrent matrix is antisymmetric, so that their states neither grow nor fade."""

from recurra.equations import cell, eye, sigmoid, tanh


@cell
def antisymmetric_rnn(x, h, *, W, M, b, epsilon=0.1, gamma=0.01):
    """A step of a stable differential equation (Chang et al. 2019, "AntisymmetricRNN: a dynamical system view on
    recurrent neural networks", ICLR, eq. 11)."""
    A = M - M.T - gamma * eye()
    h = h + epsilon * tanh(x @ W + h @ A + b)
    return h


@cell
def gated_antisymmetric_rnn(x, h, *, W_z, b_z, W, M, b, epsilon=0.1, gamma=0.01):
    """AntisymmetricRNN with an input gate (Chang et al., 2019, "AntisymmetricRNN: a dynamical system view on recurrent
    neural networks", ICLR, eqs. 12–13).

    The gate and the candidate share one recurrent matrix. Other implementations leave out the gate's bias.
    """
    A = M - M.T - gamma * eye()
    z = sigmoid(x @ W_z + h @ A + b_z)
    h = h + epsilon * z * tanh(x @ W + h @ A + b)
    return h
