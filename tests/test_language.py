"""Cells of the literature that ask more of the language than the zoo does: each against a plain loop in torch."""

import pytest
import torch
from torch import nn

import recurra
from recurra import (
    bernoulli,
    cell,
    concat,
    cumsum,
    exp,
    heads,
    maximum,
    minimum,
    relu,
    scalar,
    sigmoid,
    softmax,
    softplus,
    split,
    tanh,
    where,
)  # fmt: skip
from recurra.nn import Recurrent

T, B, INPUT, HIDDEN = 4, 3, 5, 6
CASES = {}


def case(plain):
    """Register a cell with the same step in plain torch: ``plain(p, x, *states) -> states`` or ``(y, states)``."""

    def register(made):
        CASES[made.name] = (made, plain)
        return made

    return register


s = torch.sigmoid


def plain_cornn(p, x, h, c):
    c = c + 0.1 * (torch.tanh(x @ p.W + h @ p.U + c @ p.V + p.b) - 0.5 * h - 0.2 * c)
    return h + 0.1 * c, c


@case(plain_cornn)
@cell
def cornn(x, h, c, *, W, U, V, b, dt=0.1, gamma=0.5, epsilon=0.2):
    c = c + dt * (tanh(x @ W + h @ U + c @ V + b) - gamma * h - epsilon * c)
    h = h + dt * c
    return h, c


def plain_lem(p, x, h, c):
    d1, d2 = p.dt * s(x @ p.W_1 + h @ p.U_1), p.dt * s(x @ p.W_2 + h @ p.U_2)
    new = (1 - d2) * c + d2 * torch.tanh(x @ p.W_3 + h @ p.U_3)
    return (1 - d1) * h + d1 * torch.tanh(x @ p.W_4 + c @ p.V), new


@case(plain_lem)
@cell
def lem(x, h, c, *, dt, W_1, U_1, W_2, U_2, W_3, U_3, W_4, V):
    d_1 = scalar(dt) * sigmoid(x @ W_1 + h @ U_1)
    d_2 = scalar(dt) * sigmoid(x @ W_2 + h @ U_2)
    new = (1 - d_2) * c + d_2 * tanh(x @ W_3 + h @ U_3)
    h = (1 - d_1) * h + d_1 * tanh(x @ W_4 + c @ V)
    return h, new


def plain_scrn(p, x, h, c):
    c = 0.05 * (x @ p.W_1) + 0.95 * c
    z = s(x @ p.W_2 + h @ p.U_1 + c @ p.V_1)
    return torch.tanh(z @ p.U_2 + c @ p.V_2), c


@case(plain_scrn)
@cell
def scrn(x, h, c, *, W_1, W_2, U_1, V_1, U_2, V_2, alpha=0.95):
    c = (1 - alpha) * (x @ W_1) + alpha * c
    z = sigmoid(x @ W_2 + h @ U_1 + c @ V_1)
    h = tanh(z @ U_2 + c @ V_2)
    return h, c


def plain_intersection(p, x, h):
    y = s(x @ p.G_y + h @ p.F_y) * x + (1 - s(x @ p.G_y + h @ p.F_y)) * torch.relu(x @ p.W_y + h @ p.U_y)
    z = s(x @ p.G_h + h @ p.F_h)
    return y, (z * h + (1 - z) * torch.tanh(x @ p.W_h + h @ p.U_h),)


@case(plain_intersection)
@cell(output="y")
def intersection(x, h, *, G_y, F_y, W_y, U_y, G_h, F_h, W_h, U_h):
    g_y = sigmoid(x @ G_y + h @ F_y)
    y = g_y * x + (1 - g_y) * relu(x @ W_y + h @ U_y)
    g_h = sigmoid(x @ G_h + h @ F_h)
    h = g_h * h + (1 - g_h) * tanh(x @ W_h + h @ U_h)
    return h


def plain_tgru(p, x, h, previous):
    z = torch.tanh(previous @ p.V_z + x @ p.W_z + p.b_z)
    f = s(previous @ p.V_f + x @ p.W_f + p.b_f)
    o = torch.tanh(previous @ p.V_o + x @ p.W_o + p.b_o)
    return f * h + z * o, x


@case(plain_tgru)
@cell
def tgru(x, h, previous, *, V_z, W_z, b_z, V_f, W_f, b_f, V_o, W_o, b_o):
    z = tanh(previous @ V_z + x @ W_z + b_z)
    f = sigmoid(previous @ V_f + x @ W_f + b_f)
    o = tanh(previous @ V_o + x @ W_o + b_o)
    h = f * h + z * o
    return h, x


def plain_reslstm(p, x, h, c):
    i = s(x @ p.W_i + h @ p.U_i + p.p_i * c)
    f = s(x @ p.W_f + h @ p.U_f + p.p_f * c)
    c = f * c + i * torch.tanh(x @ p.W_g + h @ p.U_g)
    o = s(x @ p.W_o + c @ p.V_o)
    return o * (torch.tanh(c) @ p.P + x @ p.R), c


@case(plain_reslstm)
@cell
def reslstm(x, h, c, *, W_i, U_i, p_i, W_f, U_f, p_f, W_g, U_g, W_o, V_o, P, R):
    i = sigmoid(x @ W_i + h @ U_i + p_i * c)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c)
    c = f * c + i * tanh(x @ W_g + h @ U_g)
    o = sigmoid(x @ W_o + c @ V_o)
    h = o * (tanh(c) @ P + x @ R)
    return h, c


def plain_mut1(p, x, h):
    z, r = s(x @ p.W_z + p.b_z), s(x @ p.W_r + h @ p.U_r + p.b_r)
    return (torch.tanh((r * h) @ p.U + torch.tanh(x @ p.W) + p.b) * z + h * (1 - z),)


@case(plain_mut1)
@cell
def mut1(x, h, *, W_z, b_z, W_r, U_r, b_r, U, W, b):
    z = sigmoid(x @ W_z + b_z)
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    h = tanh((r * h) @ U + tanh(x @ W) + b) * z + h * (1 - z)
    return h


def plain_dsgu(p, x, h):
    g = torch.tanh(((x @ p.W_1) * h) @ p.U_1)
    out = s((g * h) @ p.W_o)
    z = torch.clamp(0.2 * (x @ p.W_2 + h @ p.U_2) + 0.5, 0, 1)
    return ((1 - z) * h + z * out,)


@case(plain_dsgu)
@cell
def dsgu(x, h, *, W_1, U_1, W_o, W_2, U_2):
    g = tanh(((x @ W_1) * h) @ U_1)
    out = sigmoid((g * h) @ W_o)
    z = maximum(minimum(0.2 * (x @ W_2 + h @ U_2) + 0.5, 1), 0)
    h = (1 - z) * h + z * out
    return h


def plain_unicornn(p, x, h, c):
    dt = 0.1 * s(p.w_c)
    c = c - dt * (torch.tanh(x @ p.W + p.u * h + p.b) + 0.9 * h)
    return h + dt * c, c


@case(plain_unicornn)
@cell
def unicornn(x, h, c, *, W, u, b, w_c, dt=0.1, alpha=0.9):
    step = dt * sigmoid(w_c)
    c = c - step * (tanh(x @ W + u * h + b) + alpha * h)
    h = h + step * c
    return h, c


def plain_slstm(p, x, h, c, n, m):
    blocks = torch.block_diag
    a = [x @ getattr(p, f"W_{g}") + h @ blocks(*getattr(p, f"R_{g}")) + getattr(p, f"b_{g}") for g in "ifzo"]
    log_f = -nn.functional.softplus(-a[1])
    new_m = torch.maximum(a[0], m + log_f)
    i, f = torch.exp(a[0] - new_m), torch.exp(m + log_f - new_m)
    c, n = f * c + i * torch.tanh(a[2]), f * n + i
    return s(a[3]) * c / torch.maximum(n, torch.tensor(1.0, dtype=n.dtype)), c, n, new_m


@case(plain_slstm)
@cell
def slstm(x, h, c, n, m, *, W_i, R_i, b_i, W_f, R_f, b_f, W_z, R_z, b_z, W_o, R_o, b_o, count=2):
    a_i = x @ W_i + heads(h, count) @ R_i + b_i
    log_f = -softplus(-(x @ W_f + heads(h, count) @ R_f + b_f))
    new_m = maximum(a_i, m + log_f)
    i = exp(a_i - new_m)
    f = exp(m + log_f - new_m)
    c = f * c + i * tanh(x @ W_z + heads(h, count) @ R_z + b_z)
    n = f * n + i
    h = sigmoid(x @ W_o + heads(h, count) @ R_o + b_o) * c / maximum(n, 1)
    return h, c, n, new_m


def plain_on_lstm(p, x, h, c):
    a = x @ p.W + h @ p.U + p.b
    i, f, g, o, mi, mf = a.chunk(6, -1)
    master_f = torch.softmax(mf, -1).cumsum(-1)
    master_i = 1 - torch.softmax(mi, -1).cumsum(-1)
    both = master_f * master_i
    f, i = s(f) * both + master_f - both, s(i) * both + master_i - both
    c = f * c + i * torch.tanh(g)
    return s(o) * torch.tanh(c), c


@case(plain_on_lstm)
@cell
def on_lstm(x, h, c, *, W, U, b):
    i, f, g, o, m_i, m_f = split(x @ W + h @ U + b, 6)
    master_f = cumsum(softmax(m_f))
    master_i = 1 - cumsum(softmax(m_i))
    both = master_f * master_i
    f = sigmoid(f) * both + (master_f - both)
    i = sigmoid(i) * both + (master_i - both)
    c = f * c + i * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h, c


def plain_mclstm(p, x, h, c):
    a = torch.cat([x, h], -1) @ p.W + p.b
    i, f, g, o, v = a.chunk(5, -1)
    c = s(f) * c + s(i) * torch.tanh(g)
    return torch.where(v > 0, s(o) * torch.tanh(c), c * 0.1), c


@case(plain_mclstm)
@cell
def gated_output(x, h, c, *, W, b):
    i, f, g, o, v = split(concat(x, h) @ W + b, 5)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = where(v > 0, sigmoid(o) * tanh(c), c * 0.1)
    return h, c


def plain_ltc(p, x, h):
    for _ in range(6):
        f = s(x @ p.W + h @ p.U + p.b)
        h = (h + 0.1 * f * p.A) / (1 + 0.1 * (p.tau**2 + f))
    return (h,)


@case(plain_ltc)
@cell
def ltc(x, h, *, W, U, b, A, tau, unfolds=6):
    for _ in range(unfolds):
        f = sigmoid(x @ W + h @ U + b)
        h = (h + 0.1 * f * A) / (1 + 0.1 * (tau**2 + f))
    return h


class Weights:
    def __init__(self, layer, suffix):
        for name in layer.cell.parameters:
            setattr(self, name, getattr(layer, name + suffix))


def looped(layer, plain, x, states, suffix="_l0"):
    p, outputs = Weights(layer, suffix), []
    for now in x:
        made = plain(p, now, *states)
        if layer.cell.output:
            y, states = made
        else:
            y, states = made[0], made
        outputs.append(y)
    return torch.stack(outputs), states


@pytest.mark.parametrize("name", CASES)
def test_a_cell_is_its_plain_loop(name):
    made, plain = CASES[name]
    torch.manual_seed(0)
    width = HIDDEN if name == "intersection" else INPUT
    layer = Recurrent(made, width, HIDDEN, dtype=torch.float64)
    x = torch.randn(T, B, width, dtype=torch.float64, requires_grad=True)
    states = [torch.randn(1, B, size, dtype=torch.float64, requires_grad=True) for size in layer.state_sizes]
    output, last = layer(x, tuple(states) if len(states) > 1 else states[0])
    last = last if isinstance(last, tuple) else (last,)
    expected, expected_last = looped(layer, plain, x, [state[0] for state in states])
    torch.testing.assert_close(output, expected, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close([value[0] for value in last], list(expected_last), rtol=1e-11, atol=1e-12)
    leaves = [x, *states, *layer.parameters()]
    mine = torch.autograd.grad(output.sin().sum() + sum(v.cos().sum() for v in last), leaves)
    others = torch.autograd.grad(
        expected.sin().sum() + sum(v.cos().sum() for v in expected_last), leaves, allow_unused=True
    )
    for a, b in zip(mine, others, strict=True):
        torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in CASES if name != "tgru"])
def test_every_layer_option_works_for_it(name):
    made, _ = CASES[name]
    width = HIDDEN if name == "intersection" else INPUT
    layer = Recurrent(made, width, HIDDEN, num_layers=2, bidirectional=name != "intersection", dropout=0.1)
    packed = recurra.nn.pack_sequence([torch.randn(n, width) for n in (2, 5, 1)], enforce_sorted=False)
    output, *_ = layer(packed)
    output.data.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    without = Recurrent(made, width, HIDDEN, bias=False, batch_first=True)
    assert without(torch.randn(B, T, width))[0].shape == (B, T, layer.output_size // layer._directions)


def test_a_previous_input_of_another_size_needs_one_layer():
    with pytest.raises(ValueError, match="size of state previous follows the input's"):
        Recurrent(tgru, INPUT, HIDDEN, num_layers=2)
    assert Recurrent(tgru, HIDDEN, HIDDEN, num_layers=2).state_sizes == (HIDDEN, HIDDEN)


@cell
def zoneout_rnn(x, h, *, W, U, b, p=0.3, per="step"):
    keep = bernoulli(p, per=per)
    new = tanh(x @ W + recurra.dropout(h, 0.5, per="sequence") @ U + b)
    h = keep * h + (1 - keep) * new
    return h


@pytest.mark.parametrize("per", ["step", "sequence"])
def test_zoneout_keeps_or_replaces_each_unit(per):
    torch.manual_seed(0)
    layer = Recurrent(zoneout_rnn, 3, 200, dtype=torch.float64, per=per)
    x, h = torch.randn(6, 2, 3, dtype=torch.float64), torch.randn(1, 2, 200, dtype=torch.float64)
    output, _, trace = layer(x, h, return_trace=True)
    before = torch.cat([h, output[:-1]])
    kept = trace["keep"] == 1
    assert set(trace["keep"].unique().tolist()) == {0.0, 1.0}
    assert abs(float(kept.double().mean()) - 0.3) < 0.06
    torch.testing.assert_close(output[kept], before[kept])
    torch.testing.assert_close(output[~kept], trace["new"][~kept])
    assert bool((kept == kept[0]).all()) == (per == "sequence")
    torch.manual_seed(1)
    first = layer(x)[0]
    torch.manual_seed(1)
    assert torch.equal(first, layer(x)[0])


def test_evaluation_uses_expectations():
    layer = Recurrent(zoneout_rnn, 3, 4, dtype=torch.float64).eval()
    x, h = torch.randn(3, 2, 3, dtype=torch.float64), torch.zeros(1, 2, 4, dtype=torch.float64)
    expected = []
    now = h[0]
    for step in x:
        now = 0.3 * now + 0.7 * torch.tanh(step @ layer.W_l0 + now @ layer.U_l0 + layer.b_l0)
        expected.append(now)
    torch.testing.assert_close(layer(x, h)[0], torch.stack(expected))
