"""Networks whose step sees a state of long ago."""

from recurra.equations import cell, delay, sigmoid, tanh


@cell
def tau_gru(x, h, *, W_u, U_u, b_u, W_z, U_z, b_z, W_g, U_g, b_g, W_a, U_a, b_a, tau=10, alpha=1.0, beta=1.0):
    """τ-GRU: a gated term of the state ``tau`` steps before h (Erichson, Lim & Mahoney, 2023, "Gated recurrent neural
    networks with weighted time-delay feedback", arXiv 2212.00228).

    ``alpha`` and ``beta`` weigh the delayed and the instantaneous term, as in the paper's ablation. The states in
    between are one more state, ``h_history``, zero before a sequence, so that chunks of a sequence go on where the last
    one ended; other implementations begin each chunk with zeros.
    """
    u = tanh(x @ W_u + h @ U_u + b_u)
    z = tanh(x @ W_z + delay(h, tau) @ U_z + b_z)
    g = sigmoid(x @ W_g + h @ U_g + b_g)
    a = sigmoid(x @ W_a + h @ U_a + b_a)
    h = (1 - g) * h + g * (beta * u + alpha * a * z)
    return h
