"""Gated networks for steps that are not equally far apart, or whose values are missing."""

from recurra.cells.initial_values import periods, shifts
from recurra.equations import abs, cell, exp, floor, relu, sigmoid, sum, tanh, where


@cell(inputs={"x": None, "dt": 1.0}, sizes={"t": 1}, init={"tau": periods, "s": shifts, "r_on": 0.05})
def phased_lstm(
    x, dt, h, c, t, *,
    W_i, U_i, p_i, b_i, W_f, U_f, p_f, b_f, W_g, U_g, b_g, W_o, U_o, p_o, b_o, tau, s, r_on, alpha=0.001,
):  # fmt: skip
    """Phased LSTM: units open for a part of their period (Neil, Pfeiffer & Liu 2016, NIPS).

    A unit's phase runs from 0 to 1 in every period tau, shifted by s; it is open for the share r_on of it. The paper's
    input t, the time of a step, is the sum of all dt, the state t; where times are given, the first dt is the first
    time itself. ``alpha`` leaks through closed gates; the paper has 0 when it tests.
    """
    t = t + dt
    phase = (sum(t) - s) / tau
    phase = phase - floor(phase)
    k = where(phase < r_on / 2, 2 * phase / r_on, where(phase < r_on, 2 - 2 * phase / r_on, alpha * phase))
    i = sigmoid(x @ W_i + h @ U_i + p_i * c + b_i)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    g = tanh(x @ W_g + h @ U_g + b_g)
    new_c = f * c + i * g
    o = sigmoid(x @ W_o + h @ U_o + p_o * new_c + b_o)
    new_h = o * tanh(new_c)
    c = k * new_c + (1 - k) * c
    h = k * new_h + (1 - k) * h
    return h, c, t


@cell(inputs={"x": None, "dt": 1.0})
def time_lstm_1(
    x, dt, h, c, *, W_i, U_i, p_i, b_i, W_f, U_f, p_f, b_f, W_t, v_t, b_t, W_g, U_g, b_g, W_o, U_o, v_o, p_o, b_o
):
    """Time-LSTM 1: a peephole LSTM with one time gate (Zhu et al. 2017, IJCAI)."""
    i = sigmoid(x @ W_i + h @ U_i + p_i * c + b_i)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    t = sigmoid(x @ W_t + sigmoid(v_t * dt) + b_t)
    c = f * c + i * t * tanh(x @ W_g + h @ U_g + b_g)
    o = sigmoid(x @ W_o + v_o * dt + h @ U_o + p_o * c + b_o)
    h = o * tanh(c)
    return h, c


@cell(inputs={"x": None, "dt": 1.0})
def time_lstm_2(
    x, dt, h, c, *,
    W_i, U_i, p_i, b_i, W_f, U_f, p_f, b_f, W_1, v_1, b_1, W_2, v_2, b_2, W_g, U_g, b_g, W_o, U_o, v_o, p_o, b_o,
):  # fmt: skip
    """Time-LSTM 2: a peephole LSTM with two time gates (Zhu et al. 2017, IJCAI).

    The first gate is for the output of this step, the second for the memory. The paper keeps the weights of the first
    one's interval at most 0, so that long intervals close it; here they are -|v_1|.
    """
    i = sigmoid(x @ W_i + h @ U_i + p_i * c + b_i)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    t_1 = sigmoid(x @ W_1 + sigmoid(-abs(v_1) * dt) + b_1)
    t_2 = sigmoid(x @ W_2 + sigmoid(v_2 * dt) + b_2)
    g = tanh(x @ W_g + h @ U_g + b_g)
    shown = f * c + i * t_1 * g
    c = f * c + i * t_2 * g
    o = sigmoid(x @ W_o + v_o * dt + h @ U_o + p_o * shown + b_o)
    h = o * tanh(shown)
    return h, c


@cell(inputs={"x": None, "dt": 1.0})
def time_lstm_3(
    x, dt, h, c, *, W_i, U_i, p_i, b_i, W_1, v_1, b_1, W_2, v_2, b_2, W_g, U_g, b_g, W_o, U_o, v_o, p_o, b_o
):
    """Time-LSTM 3: two time gates, and coupled input and forget gates (Zhu et al. 2017, IJCAI).

    As in ``time_lstm_2``, the weights of the first gate's interval are -|v_1|.
    """
    i = sigmoid(x @ W_i + h @ U_i + p_i * c + b_i)
    t_1 = sigmoid(x @ W_1 + sigmoid(-abs(v_1) * dt) + b_1)
    t_2 = sigmoid(x @ W_2 + sigmoid(v_2 * dt) + b_2)
    g = tanh(x @ W_g + h @ U_g + b_g)
    shown = (1 - i * t_1) * c + i * t_1 * g
    c = (1 - i) * c + i * t_2 * g
    o = sigmoid(x @ W_o + v_o * dt + h @ U_o + p_o * shown + b_o)
    h = o * tanh(shown)
    return h, c


@cell(
    inputs={"x": None, "m": 1.0, "dt": 1.0},
    sizes={"m": "input", "last": "input", "age": "input"},
    init={"x_mean": 0.0},
    untrained=("x_mean",),
)
def gru_d(
    x, m, dt, h, last, age, *,
    x_mean, w_x, b_x, W_h, b_h, W_r, U_r, V_r, b_r, W_z, U_z, V_z, b_z, W_n, U_n, V_n, b_n,
):  # fmt: skip
    """GRU-D: a GRU for inputs with gaps, whose last values and whose state decay (Che et al. 2018, Scientific Reports).

    The inputs are x, the mask m of the same size (1 where x was observed, 0 where it is missing; x may be NaN there),
    and dt, the time since the step before, 0 at the first. The states ``last`` and ``age`` hold each input's last
    observed value, and the time since it, the paper's δ. A missing input decays from its last value to x_mean, its mean
    over the training data: set it, or standardise the inputs and leave it at 0. It is not trained.
    """
    age = age + dt
    decay = exp(-relu(w_x * age + b_x))
    x = where(m > 0, x, decay * last + (1 - decay) * x_mean)
    h = exp(-relu(age @ W_h + b_h)) * h
    r = sigmoid(x @ W_r + h @ U_r + m @ V_r + b_r)
    z = sigmoid(x @ W_z + h @ U_z + m @ V_z + b_z)
    n = tanh(x @ W_n + (r * h) @ U_n + m @ V_n + b_n)
    h = (1 - z) * h + z * n
    last = where(m > 0, x, last)
    age = where(m > 0, 0, age)
    return h, last, age
