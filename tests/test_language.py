"""Cells of tests, which ask more of the language than most of the zoo: each against a plain loop in torch."""

import pytest
import torch
from torch import nn

import recurra
from recurra.nn import Recurrent
from tests.cells.representatives import OWN, tgru, zoneout_rnn

T, B, INPUT, HIDDEN = 4, 3, 5, 6

s = torch.sigmoid


def plain_intersection(p, x, h):
    y = s(x @ p.G_y + h @ p.F_y) * x + (1 - s(x @ p.G_y + h @ p.F_y)) * torch.relu(x @ p.W_y + h @ p.U_y)
    z = s(x @ p.G_h + h @ p.F_h)
    return y, (z * h + (1 - z) * torch.tanh(x @ p.W_h + h @ p.U_h),)


def plain_tgru(p, x, h, previous):
    z = torch.tanh(previous @ p.V_z + x @ p.W_z + p.b_z)
    f = s(previous @ p.V_f + x @ p.W_f + p.b_f)
    o = torch.tanh(previous @ p.V_o + x @ p.W_o + p.b_o)
    return f * h + z * o, x


def plain_slstm(p, x, h, c, n, m):
    blocks = torch.block_diag
    a = [x @ getattr(p, f"W_{g}") + h @ blocks(*getattr(p, f"R_{g}")) + getattr(p, f"b_{g}") for g in "ifzo"]
    log_f = -nn.functional.softplus(-a[1])
    new_m = torch.maximum(a[0], m + log_f)
    i, f = torch.exp(a[0] - new_m), torch.exp(m + log_f - new_m)
    c, n = f * c + i * torch.tanh(a[2]), f * n + i
    return s(a[3]) * c / torch.maximum(n, torch.tensor(1.0, dtype=n.dtype)), c, n, new_m


def plain_gated_output(p, x, h, c):
    a = torch.cat([x, h], -1) @ p.W + p.b
    i, f, g, o, v = a.chunk(5, -1)
    c = s(f) * c + s(i) * torch.tanh(g)
    return torch.where(v > 0, s(o) * torch.tanh(c), c * 0.1), c


def plain_solver(p, x, h):
    for _ in range(6):
        f = s(x @ p.W + h @ p.U + p.b)
        h = (h + 0.1 * f * p.A) / (1 + 0.1 * (p.tau**2 + f))
    return (h,)


# The same steps in plain torch: ``plain(p, x, *states) -> states`` or ``(y, states)``.
PLAIN = {
    "intersection": plain_intersection,
    "tgru": plain_tgru,
    "block_slstm": plain_slstm,
    "gated_output": plain_gated_output,
    "solver": plain_solver,
}


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


@pytest.mark.parametrize("name", OWN)
def test_a_cell_is_its_plain_loop(name):
    made, plain = OWN[name], PLAIN[name]
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


@pytest.mark.parametrize("name", [name for name in OWN if name != "tgru"])
def test_every_layer_option_works_for_it(name):
    made = OWN[name]
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
