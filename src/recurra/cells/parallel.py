"""Cells whose gates and candidates do not see the state: a scan over time could run in parallel."""

from recurra.equations import cell, sigmoid


@cell
def min_gru(x, h, *, W_z, b_z, W_n, b_n):
    """GRU whose gate and candidate do not see the state (Feng et al., 2024, "Were RNNs all we needed?", section 3.1).

    The candidate is linear, as in the section's equations; the code that computes in logarithms maps it to positive
    numbers.
    """
    z = sigmoid(x @ W_z + b_z)
    n = x @ W_n + b_n
    h = (1 - z) * h + z * n
    return h
