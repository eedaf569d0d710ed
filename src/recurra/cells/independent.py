"""Cells whose units see only their own past, so that the time loop has no product."""

from recurra.equations import cell, relu


@cell
def indrnn(x, h, *, W, u, b, nonlinearity=relu):
    """Independently recurrent network: each unit sees only itself (Li et al., 2018, "Independently recurrent neural
    network (IndRNN)", CVPR, eq. 2).

    The paper keeps the size of ``u`` below 2 ** (1 / steps) in training, so that ReLU cannot let the state grow.
    """
    h = nonlinearity(x @ W + u * h + b)
    return h
