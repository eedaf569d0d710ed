"""Cells whose units see only their own past, so that the time loop has no product."""

from recurra.cells.initial_values import uniform
from recurra.equations import cell, relu


@cell(init={"u": uniform(0.0, 1.0)})
def indrnn(x, h, *, W, u, b, nonlinearity=relu):
    """Independently recurrent network: each unit sees only itself (Li et al. 2018, "Independently recurrent neural
    network (IndRNN)", CVPR, eq. 2).

    ``u`` begins with uniform numbers from 0 to 1, as in the authors' code. The paper keeps its size below
    2 ** (1 / steps) in training, so that ReLU cannot let the state grow.
    """
    h = nonlinearity(x @ W + u * h + b)
    return h
