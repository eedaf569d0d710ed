"""`Stack`: parts one after the other, with the states of its recurrent parts."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from recurra import cells
from recurra.nn import GRU, LSTM, Recurrent, RecurrentCell, Stack


def test_one_recurrent_part():
    stack = Stack(nn.Embedding(7, 4), LSTM(4, 5, 2), nn.Linear(5, 7))
    ids = torch.randint(7, (6, 3))
    output, state = stack(ids)
    expected, last = stack[1](stack[0](ids))
    assert torch.equal(output, stack[2](expected))
    assert all(torch.equal(a, b) for a, b in zip(state, last, strict=True))
    first, state = stack(ids[:2])
    second, _ = stack(ids[2:], state)
    torch.testing.assert_close(torch.cat([first, second]), output)


def test_several_recurrent_parts_and_names():
    inner = Stack(nn.LSTM(5, 6), nn.ReLU())
    stack = Stack(OrderedDict(first=GRU(4, 5), dropout=nn.Dropout(0.5), second=inner)).eval()
    x = torch.randn(3, 2, 4)
    output, (h, (h2, c2)) = stack(x)
    assert h.shape == (1, 2, 5)
    assert h2.shape == c2.shape == (1, 2, 6)
    again, _ = stack(x, (h, None))
    assert again.shape == output.shape
    with pytest.raises(ValueError, match="has 2 recurrent parts: state must hold one for each; got 3"):
        stack(x, (h, None, None))


def test_without_recurrent_parts():
    output, state = Stack(nn.Linear(3, 2))(torch.ones(1, 3))
    assert output.shape == (1, 2)
    assert state == ()


@pytest.mark.parametrize("make", [nn.LSTMCell, nn.GRUCell, lambda i, h: RecurrentCell(cells.lstm, i, h)])
def test_cells_hand_on_their_first_state(make):
    cell = make(4, 5)
    output, state = Stack(cell, nn.Tanh())(torch.ones(2, 4))
    expected = cell(torch.ones(2, 4))
    assert torch.equal(output, torch.tanh(expected[0] if isinstance(expected, tuple) else expected))
    assert isinstance(state, tuple) == isinstance(expected, tuple)


def test_gradients_flow_through_states():
    stack = Stack(Recurrent(cells.mgu, 3, 4), nn.Linear(4, 1))
    x = torch.randn(2, 1, 3, requires_grad=True)
    output, state = stack(x)
    output, _ = stack(x, state)
    output.sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is not None for parameter in stack.parameters())


def test_containers_without_state_are_no_recurrent_parts():
    stack = Stack(Stack(nn.Tanh()), nn.Sequential(nn.ReLU(), GRU(3, 4)), nn.Sequential(nn.Linear(4, 2))).eval()
    x = torch.randn(5, 2, 3)
    output, state = stack(x)
    assert output.shape == (5, 2, 2)
    assert state.shape == (1, 2, 4)
    torch.testing.assert_close(stack(x[2:], stack(x[:2])[1])[0], output[2:])
