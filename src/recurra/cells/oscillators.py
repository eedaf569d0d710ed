"""Networks of oscillators, and of units with learnt time scales: steps of ordinary differential equations."""

from recurra.cells.initial_values import uniform
from recurra.equations import cell, sigmoid, tanh


@cell
def co_rnn(x, h, z, *, W, U, V, b, dt=0.042, gamma=2.7, epsilon=4.7):
    """coRNN: coupled oscillators that the input drives (Rusch & Mishra 2021, ICLR, eq. 3).

    ``h`` is the position of each oscillator, ``z`` its velocity; V is the paper's calligraphic W. The damping takes the
    velocity before the step, the paper's explicit choice n̄ = n - 1, as its authors' code does. The defaults are their
    values for sequential digits; other implementations have dt = 1 and no damping, gamma = epsilon = 0, which diverges.
    """
    z = z + dt * (tanh(x @ W + h @ U + z @ V + b) - gamma * h - epsilon * z)
    h = h + dt * z
    return h, z


@cell(init={"w": uniform(0.0, 1.0), "c": uniform(-0.1, 0.1), "b": 0.0})
def unicornn(x, h, z, *, W, w, b, c, dt=0.19, alpha=30.65):
    """UnICORNN: undamped oscillators, each with a time scale of its own (Rusch & Mishra 2021, ICML).

    A unit sees itself alone, by the vector w, so that no product stays in the loop. The position h moves with the
    velocity z after its step. w starts in 0 to 1, c in ±0.1. The defaults are the authors'
    values for permuted digits; other implementations have dt = 1 and alpha = 0.
    """
    step = dt * sigmoid(c)
    z = z - step * (tanh(x @ W + w * h + b) + alpha * h)
    h = h + step * z
    return h, z


@cell
def lem(x, h, z, *, W_1, U_1, b_1, W_2, U_2, b_2, W_z, U_z, b_z, W_h, U_h, b_h, dt=1.0):
    """Long expressive memory, LEM: two states whose time steps are learnt (Rusch et al. 2022, ICLR, eq. 3).

    The output h, the paper's y, sees the new z; implementations that hand it the old z compute another network.
    """
    step_z = dt * sigmoid(x @ W_1 + h @ U_1 + b_1)
    step_h = dt * sigmoid(x @ W_2 + h @ U_2 + b_2)
    z = (1 - step_z) * z + step_z * tanh(x @ W_z + h @ U_z + b_z)
    h = (1 - step_h) * h + step_h * tanh(x @ W_h + z @ U_h + b_h)
    return h, z
