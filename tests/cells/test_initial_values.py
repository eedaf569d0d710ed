"""The initial values that papers give, by what they are for."""

import math

import numpy as np
import pytest
import torch

import recurra
from recurra import cells
from recurra.nn import Recurrent


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (5, 5), (7, 5)])
def test_orthogonal_matrices(rows, columns):
    layer = Recurrent(cells.star, rows, columns, dtype=torch.float64)
    for matrix in (layer.W_z_l0, layer.W_k_l0, layer.U_k_l0):
        small = matrix @ matrix.T if len(matrix) <= columns else matrix.T @ matrix
        torch.testing.assert_close(small, torch.eye(len(small), dtype=torch.float64))
    assert not torch.equal(layer.W_z_l0, layer.W_k_l0)


def test_forget_gates_keep_for_as_long_as_is_asked():
    layer = Recurrent(cells.janet, 3, 1000, t_max=101)
    assert not layer.b_n_l0.any()
    steps = layer.b_f_l0.exp()
    assert 1 <= steps.min() < 2
    assert 99 < steps.max() <= 100.001
    assert abs(steps.mean().item() - 50.5) < 4
    assert (Recurrent(cells.janet, 3, 4).b_f_l0 == 1).all()
    with pytest.raises(ValueError, match="t_max must be at least 2 steps; got 1"):
        Recurrent(cells.janet, 3, 4, t_max=1)


def test_units_that_see_themselves_begin_between_forgetting_and_keeping():
    u = Recurrent(cells.indrnn, 3, 400).u_l0
    assert 0 <= u.min() < 0.05
    assert 0.95 < u.max() <= 1


@pytest.mark.parametrize(("radius", "density"), [(0.9, 1.0), (1.25, 0.3)])
def test_a_reservoir_has_its_spectral_radius_and_density(radius, density):
    layer = Recurrent(cells.echo_state, 3, 60, spectral_radius=radius, density=density, input_scaling=0.2)
    assert np.abs(np.linalg.eigvals(layer.W_l0.double().numpy())).max() == pytest.approx(radius, rel=1e-5)
    assert (layer.W_l0 != 0).float().mean().item() == pytest.approx(density, abs=0.05)
    assert 0.15 < layer.W_in_l0.abs().max() <= 0.2
    assert not any(parameter.requires_grad for parameter in layer.parameters())


@pytest.mark.parametrize(("order", "theta"), [(6, 20.0), (12, 90.0)])
def test_a_legendre_memory_remembers_theta_steps(order, theta):
    """Legendre polynomials at r, times the memory, give the input of r theta steps ago."""
    layer = Recurrent(cells.lmu, 1, order, theta=theta, dtype=torch.float64)
    A, B = layer.A_l0.numpy(), layer.B_l0.numpy()
    signal = np.sin(np.arange(300) / theta * 2)
    memory = np.zeros(order)
    for share in (0.25, 1.0):
        reading = [np.polynomial.legendre.Legendre.basis(i)(2 * share - 1) for i in range(order)]
        memory, seen = np.zeros(order), []
        for u in signal:
            memory = A @ memory + B * u
            seen.append(reading @ memory)
        # A step's input acts throughout the step, so that the delay is half a step longer or shorter.
        late = np.sin((np.arange(300) - share * theta + 0.5) / theta * 2)
        assert np.abs(np.array(seen) - late)[2 * int(theta) :].max() < 0.01


def test_linear_recurrent_units_start_in_their_ring():
    layer = Recurrent(cells.lru, 3, 400, r_min=0.8, r_max=0.95, max_phase=0.5)
    radius, angle = torch.exp(-layer.nu_l0.exp()), layer.theta_l0.exp()
    assert 0.8 <= radius.min() < 0.82
    assert 0.94 < radius.max() <= 0.9501
    assert angle.max() <= 0.5
    assert torch.allclose(layer.gamma_l0.exp() ** 2 + radius**2, torch.ones(400), atol=1e-6)


def test_gated_linear_recurrent_units_start_slow():
    decay = torch.sigmoid(Recurrent(cells.rg_lru, 3, 400, c=4.0).Lambda_l0) ** 4
    assert 0.899 <= decay.min() < 0.902
    assert 0.997 < decay.max() <= 0.9991


def test_phases_start_within_their_periods():
    layer = Recurrent(cells.phased_lstm, 3, 400)
    tau, shift = layer.tau_l0, layer.s_l0
    assert tau.min() >= 1
    assert tau.max() <= math.exp(3)
    assert (shift >= 0).all()
    assert (shift <= tau).all()
    assert torch.equal(layer.r_on_l0, torch.full((400,), 0.05))


def test_bits_of_untrained_weights_travel(tmp_path):
    layer = Recurrent(cells.lmu, 3, 5, theta=8.0)
    recurra.save(layer, tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    assert torch.equal(loaded.A_l0, layer.A_l0)
    assert not loaded.A_l0.requires_grad
