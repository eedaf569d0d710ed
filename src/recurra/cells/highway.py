"""Networks whose step from state to state is deep."""

from recurra.equations import cell, sigmoid, split, tanh


@cell(init={"b_t": -2.0})
def rhn(x, h, *, W, W_t, R, R_t, b, b_t, depth=3):
    """Recurrent highway network, RHN, of ``depth`` layers in each step (Zilly et al. 2017, ICML, eqs. 6–9).

    The carry gate is coupled to the transform gate t, c = 1 - t, as in all of the paper's experiments, and t starts
    almost closed. The input enters the first layer alone. R and R_t hold the layers' matrices side by side, (hidden,
    depth*hidden). Each layer is one product behind the one before it.
    """
    candidates, gates = list(split(b, depth)), list(split(b_t, depth))
    candidates[0], gates[0] = x @ W + candidates[0], x @ W_t + gates[0]
    matrices, gate_matrices = split(R, depth), split(R_t, depth)
    for layer in range(depth):
        t = sigmoid(h @ gate_matrices[layer] + gates[layer])
        h = t * tanh(h @ matrices[layer] + candidates[layer]) + (1 - t) * h
    return h
