"""Networks whose step from state to state is deep."""

from recurra.equations import cell, sigmoid, split, tanh


@cell(init={"b_t": -2.0})
def rhn(x, h, *, W, W_t, R, R_t, b, b_t, depth=3):
    """Recurrent highway network of ``depth`` layers in each step (Zilly et al. 2017, ICML, eqs. 7–9), with c = 1 - t.

    The carry gate is coupled to the transform gate t, as in all of the paper's experiments, and t starts almost closed.
    The input enters the first layer alone. R and R_t hold the layers' matrices side by side, (hidden, depth*hidden).
    Each layer is one product behind the one before it.
    """
    layers = zip(split(R, depth), split(R_t, depth), split(b, depth), split(b_t, depth), strict=True)
    for layer, (R_l, R_tl, b_l, b_tl) in enumerate(layers):
        a, a_t = h @ R_l + b_l, h @ R_tl + b_tl
        if layer == 0:
            a, a_t = x @ W + a, x @ W_t + a_t
        t = sigmoid(a_t)
        h = t * tanh(a) + (1 - t) * h
    return h
