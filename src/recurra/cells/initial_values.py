"""Initial values of parameters, as papers give them: functions that fill a parameter in place.

A matrix has a row for each of its inputs: cells multiply from the left, ``x @ W``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def uniform(low: float, high: float) -> Callable[[Tensor], Tensor]:
    """A filling with numbers drawn uniformly from ``low`` to ``high``."""
    return lambda parameter: parameter.uniform_(low, high)


def normal_by_rows(gain: float = 1.0) -> Callable[[Tensor], Tensor]:
    """A filling with normal numbers of the deviation gain/√rows (LeCun et al. 1998, eq. 16)."""
    return lambda parameter: parameter.normal_(0.0, gain / math.sqrt(parameter.shape[0]))


def uniform_by_rows(parameter: Tensor) -> None:
    """Fill with numbers drawn uniformly, whose deviation is 1/√rows (LeCun et al. 1998, eq. 16)."""
    bound = math.sqrt(3 / parameter.shape[0])
    parameter.uniform_(-bound, bound)


def orthogonal(parameter: Tensor) -> None:
    """Fill a matrix with orthonormal columns, or rows where it is wide, drawn evenly (Saxe et al. 2014)."""
    from numpy import copysign
    from numpy.linalg import qr

    rows, columns = parameter.shape
    tall = parameter.new_empty(max(rows, columns), min(rows, columns)).normal_().double().numpy(force=True)
    q, r = qr(tall)
    columns_of_length_1 = parameter.new_tensor(q * copysign(1.0, r.diagonal()))
    parameter.copy_(columns_of_length_1 if rows >= columns else columns_of_length_1.T)


def chrono(parameter: Tensor, *, t_max: float | None) -> None:
    """Fill a forget gate's bias with log(u), u uniform from 1 to ``t_max`` - 1 (Tallec & Ollivier 2018, section 2).

    The gate then keeps for up to ``t_max`` steps. Without ``t_max`` all are 1.

    Raises:
        ValueError: ``t_max`` is below 2.
    """
    if t_max is None:
        parameter.fill_(1.0)
    elif t_max < 2:
        raise ValueError(f"t_max must be at least 2 steps; got {t_max}")
    else:
        parameter.uniform_(1.0, t_max - 1.0).log_()


# ---- echo state networks ----


def reservoir(parameter: Tensor, *, spectral_radius: float, density: float) -> None:
    """Fill a square matrix with a share ``density`` of nonzero numbers, scaled to a spectral radius.

    The numbers are drawn uniformly and symmetric about 0. The spectral radius is the largest absolute value of an
    eigenvalue. A matrix whose radius is 0, as a small sparse one may be, stays as it was drawn.
    """
    from numpy.linalg import eigvals

    chosen = parameter.new_empty(parameter.shape).uniform_() < density
    parameter.uniform_(-1, 1).mul_(chosen)
    radius = float(abs(eigvals(parameter.double().numpy(force=True))).max())
    if radius > 0:
        parameter.mul_(spectral_radius / radius)


def scaled_input(parameter: Tensor, *, input_scaling: float) -> None:
    """Fill with numbers drawn uniformly from -input_scaling to input_scaling."""
    parameter.uniform_(-input_scaling, input_scaling)


# ---- the Legendre memory unit ----


def legendre_matrix(parameter: Tensor, *, theta: float) -> None:
    """Fill with the matrix Ā that moves a Legendre memory one step on (Voelker et al. 2019, eq. 2; zero-order hold)."""
    parameter.copy_(_legendre_step(parameter, theta)[:-1, :-1])


def legendre_input(parameter: Tensor, *, theta: float) -> None:
    """Fill with the vector B̄ that feeds a Legendre memory (Voelker et al. 2019, eq. 2; zero-order hold)."""
    parameter.copy_(_legendre_step(parameter, theta)[:-1, -1])


def _legendre_step(parameter: Tensor, theta: float) -> Tensor:
    """[[Ā, B̄], [0, 1]]: the exponential of [[A, B], [0, 0]] / theta, in float64."""
    order = parameter.shape[0]
    rows = [[(2 * i + 1) * (-1.0 if i < j else (-1.0) ** (i - j + 1)) for j in range(order)] for i in range(order)]
    for i, row in enumerate(rows):
        row.append((2 * i + 1) * (-1.0) ** i)
    generator = parameter.new_tensor([*rows, [0.0] * (order + 1)]).double()
    return (generator / theta).matrix_exp()


# ---- linear recurrences ----


def ring_radii(parameter: Tensor, *, r_min: float, r_max: float) -> None:
    """Fill with ν so that exp(-exp(ν)) are radii of points even in a ring (Orvieto et al. 2023, lemma 3.2)."""
    parameter.uniform_(r_min**2, r_max**2).clamp_(min=1e-12).log_().mul_(-0.5).log_()


def ring_phases(parameter: Tensor, *, max_phase: float) -> None:
    """Fill with the logarithms of angles drawn uniformly from 0 to ``max_phase`` (Orvieto et al. 2023, lemma 3.2)."""
    parameter.uniform_(0.0, max_phase).clamp_(min=1e-6 * max_phase).log_()


def ring_scale(parameter: Tensor, *, nu: Tensor) -> None:
    """Fill with log √(1 - r²) for the radius r = exp(-exp(ν)) (Orvieto et al. 2023, eq. 7)."""
    parameter.copy_((-(-2 * nu.exp()).expm1()).log() / 2)


def griffin_decay(parameter: Tensor, *, c: float) -> None:
    """Fill with Λ so that sigmoid(Λ)^c is uniform from 0.9 to 0.999 (De et al. 2024, section 2.4)."""
    log_a = parameter.uniform_(0.9, 0.999).log() / c
    parameter.copy_(log_a - (-log_a.expm1()).log())


# ---- oscillations that open gates ----


def periods(parameter: Tensor) -> None:
    """Fill with periods exp(u), u drawn uniformly from 0 to 3 (Neil et al. 2016)."""
    parameter.uniform_(0.0, 3.0).exp_()


def shifts(parameter: Tensor, *, tau: Tensor) -> None:
    """Fill with phase shifts drawn uniformly from 0 to each unit's period tau (Neil et al. 2016)."""
    parameter.uniform_(0.0, 1.0).mul_(tau)
