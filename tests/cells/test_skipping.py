"""Skip RNN: skipped steps copy the state to the bit, and the gate learns."""

import torch

from recurra import cells
from recurra.nn import Recurrent


def test_skipped_steps_copy_the_state():
    torch.manual_seed(0)
    layer = Recurrent(cells.skip_gru, 3, 5)
    with torch.no_grad():
        layer.b_p_l0.fill_(-1.0)  # the probability grows by some quarter in each step
    x = torch.randn(40, 2, 3)
    output, _, trace = layer(x, return_trace=True)
    u = trace["u"].squeeze(-1)
    assert set(u.flatten().tolist()) == {0.0, 1.0}
    assert (u[0] == 1).all()
    changed = (output[1:] != output[:-1]).any(-1)
    assert torch.equal(changed, u[1:] == 1)
    assert 0.2 < u.mean() < 0.6


def test_the_gate_learns_through_the_rounding():
    torch.manual_seed(0)
    layer = Recurrent(cells.skip_gru, 3, 5)
    _, _, trace = layer(torch.randn(10, 2, 3), return_trace=True)
    trace["u"].sum().backward()
    assert (layer.b_p_l0.grad > 0).all()
    assert (layer.W_p_l0.grad != 0).any()
