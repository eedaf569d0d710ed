"""Networks that learn which steps to skip."""

from recurra.equations import cell, detach, floor, minimum, sigmoid, sum, tanh


@cell(sizes={"gap": 1}, init={"b_p": 1.0})
def skip_gru(x, h, gap, *, W_r, U_r, b_r, W_z, U_z, b_z, W_n, U_n, b_n, W_p, b_p):
    """Skip RNN around a GRU: a binary gate updates the state or copies it (Campos et al., 2018, "Skip RNN: learning to
    skip state updates in recurrent neural networks", ICLR).

    The gate u rounds its probability, which grows by p in each step that is skipped; gradients pass the rounding as if
    it were not there. The state ``gap`` is 1 minus the paper's probability ũ: it is 0 at first, when ũ is 1, so that
    the first step is taken. Traces show u, whose mean the paper's cost punishes. Every step is computed, also those
    whose result is not used. The GRU has its reset gate behind the product, as torch's.
    """
    likely = 1 - gap
    u = floor(likely + 0.5) + (likely - detach(likely))
    is_taken = sum(u)
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    n = tanh(x @ W_n + r * (h @ U_n) + b_n)
    h = is_taken * ((1 - z) * n + z * h) + (1 - is_taken) * h
    p = sigmoid(h @ W_p + b_p)
    gap = 1 - (u * p + (1 - u) * (likely + minimum(p, 1 - likely)))
    return h, gap
