"""Networks in continuous time: a step is as long as its input says."""

from recurra.equations import cell, sigmoid, tanh


@cell(inputs={"x": None, "dt": 1.0}, init={"tau": 1.0})
def ltc(x, dt, h, *, W, U, b, tau, A, unfolds=6, activation=sigmoid):
    """Liquid time-constant network, LTC (Hasani et al. 2021, AAAI, eq. 3 and algorithm 1).

    The interval dt is cut in ``unfolds`` steps of the fused solver, each of which has a product with the state. Some
    libraries offer under this name networks of neural circuits, where each pair of units has a sigmoid of its own.
    """
    step = dt / unfolds
    drive = x @ W + b
    for _ in range(unfolds):
        f = activation(drive + h @ U)
        h = (h + step * f * A) / (1 + step * (1 / tau + f))
    return h


@cell(inputs={"x": None, "dt": 1.0})
def cfc(x, dt, h, *, W, U, b, W_f, b_f, W_g, b_g, W_k, b_k):
    """Closed-form continuous-time network, CfC (Hasani et al. 2022, Nature Machine Intelligence).

    Its three heads f, g and k, the paper's h, share a backbone of one layer, whose width is hidden, or
    ``sizes={"z": 128}``. The time gate is sigmoid(-f dt), as in the paper; the authors' code has another affine head in
    it, sigmoid(a dt + b), with dt = 1 by default.
    """
    z = 1.7159 * tanh(0.666 * (x @ W + h @ U + b))
    f = z @ W_f + b_f
    g, k = tanh(z @ W_g + b_g), tanh(z @ W_k + b_k)
    t = sigmoid(-f * dt)
    h = t * g + (1 - t) * k
    return h
