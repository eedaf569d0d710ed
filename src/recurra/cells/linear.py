"""Linear recurrences: the next state is affine in the state."""

import math

from recurra.cells.initial_values import griffin_decay, normal_by_rows, ring_phases, ring_radii, ring_scale
from recurra.equations import cell, cos, exp, sigmoid, sin, softplus, sqrt, tanh


@cell
def ema(x, h, *, W, a):
    """Exponential moving average of x @ W with a learnt rate for each unit (Mozer 1992, NIPS)."""
    alpha = sigmoid(a)
    h = alpha * h + (1 - alpha) * (x @ W)
    return h


@cell(init={"Lambda": griffin_decay})
def rg_lru(x, h, *, W, W_r, b_r, W_i, b_i, Lambda, c=8.0):
    """Real-gated linear recurrent unit, RG-LRU (De et al. 2024, Griffin, section 2.4, eqs. 1–4).

    u = x @ W is the linear map that the paper's block has before the unit, whose state is as wide as its input. The
    paper writes log a = -c softplus(Λ) r in its appendix, the sign of Λ turned round; here a = sigmoid(Λ)^(c r), as in
    eq. 3, which starts between 0.9 and 0.999 where r is 1. 1 - a² is computed as -tanh(log a) (1 + a²), which keeps its
    digits where a is close to 1.
    """
    u = x @ W
    r = sigmoid(u @ W_r + b_r)
    i = sigmoid(u @ W_i + b_i)
    log_a = -c * softplus(-Lambda) * r
    a = exp(log_a)
    h = a * h + sqrt(-tanh(log_a) * (1 + a * a)) * (i * u)
    return h


@cell(
    output="y",
    init={
        "nu": ring_radii,
        "theta": ring_phases,
        "gamma": ring_scale,
        "B_re": normal_by_rows(math.sqrt(0.5)),
        "B_im": normal_by_rows(math.sqrt(0.5)),
        "C_re": normal_by_rows(),
        "C_im": normal_by_rows(),
        "D": normal_by_rows(),
    },
)
def lru(x, re, im, *, B_re, B_im, nu, theta, gamma, C_re, C_im, D, r_min=0.0, r_max=1.0, max_phase=2 * math.pi):
    """Linear recurrent unit, LRU, with complex numbers on the diagonal (Orvieto et al. 2023, ICML, eqs. 5–8).

    The state is re + i im, its eigenvalues are exp(-exp(ν) + i exp(θ)), and gamma is the logarithm of the paper's
    normalisation. ``r_min``, ``r_max`` and ``max_phase`` bound the eigenvalues when they are drawn; long memories begin
    with r_min = 0.9 and max_phase = 0.3. The output has hidden features, the real part of C times the state, and x @ D.
    The unit is linear: the paper has a nonlinear block between two layers.
    """
    radius, angle = exp(-exp(nu)), exp(theta)
    l_re, l_im = radius * cos(angle), radius * sin(angle)
    scale = exp(gamma)
    re, im = l_re * re - l_im * im + scale * (x @ B_re), l_re * im + l_im * re + scale * (x @ B_im)
    y = re @ C_re - im @ C_im + x @ D
    return re, im
