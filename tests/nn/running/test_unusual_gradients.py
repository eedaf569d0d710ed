"""Backward passes that torch runs in unusual ways: many at once, on unpacked tensors, with gradients of other kinds."""

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import cells
from tests.nn.support import assert_same, ours

F, H, T, B = 3, 4, 5, 2


def layers(**kwargs):
    torch.manual_seed(0)
    theirs = nn.LSTM(F, H, 2, dtype=torch.float64, **kwargs)
    mine = ours.LSTM(F, H, 2, dtype=torch.float64, **kwargs)
    mine.load_state_dict(theirs.state_dict())
    return mine, theirs


def both_ways(name):
    """The same module on torch's kernels and on ours, and a call that gives one tensor."""
    torch.manual_seed(0)
    if name.endswith("Cell"):
        module, x = getattr(nn, name)(F, H, dtype=torch.float64), torch.randn(B, F, dtype=torch.float64)
    else:
        module, x = getattr(nn, name)(F, H, dtype=torch.float64), torch.randn(T, B, F, dtype=torch.float64)
    other = getattr(ours, name)(F, H, dtype=torch.float64)
    other.load_state_dict(module.state_dict())
    return other, module, x


def first(result):
    while not isinstance(result, torch.Tensor):
        result = result[0]
    return result


def batched(module, run, x):
    """Gradients for three arriving gradients at once, of x and the parameters."""
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    output = run(module, x)
    arriving = torch.randn(3, *output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(2))
    return torch.autograd.grad(output, [x, *module.parameters()], arriving, is_grads_batched=True)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_many_gradients_at_once(name):
    mine, theirs, x = both_ways(name)
    calls = [batched(module, lambda module, x: first(module(x)), x) for module in (mine, theirs)]
    assert_same(*calls)
    jacobians = [
        torch.autograd.functional.jacobian(lambda x, m=module: first(m(x)), x, vectorize=True)
        for module in (mine, theirs)
    ]
    assert_same(*jacobians)


@pytest.mark.parametrize("kwargs", [{}, {"bidirectional": True}, {"dropout": 0.5}, {"proj_size": 2}])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_many_gradients_of_packed_sequences_and_under_dropout(kwargs):
    mine, theirs = layers(**kwargs)
    x = torch.randn(T, B, F, dtype=torch.float64)
    runs = [lambda module, x: first(module(x)), lambda module, x: module(pack_padded_sequence(x, [T, 2]))[0].data]
    for run in runs:
        assert_same(batched(mine, run, x), batched(theirs, run, x))


def test_many_gradients_with_checkpoints_and_resets():
    mine, theirs = layers()
    x = torch.randn(T, B, F, dtype=torch.float64)
    expected = batched(theirs, lambda module, x: first(module(x)), x)
    mine.checkpoint = 2
    assert_same(batched(mine, lambda module, x: first(module(x)), x), expected)
    nowhere = torch.zeros(T, B, dtype=torch.bool)
    assert_same(batched(mine, lambda module, x: module(x, reset=nowhere)[0], x), expected)


def test_many_gradients_of_other_cells():
    layer = recurra.nn.Recurrent(cells.peephole_lstm, F, H, dtype=torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x)[0], x, check_batched_grad=True)


class Marked(torch.Tensor):
    """A user's tensor class."""


ARRIVING = {
    "a class of its own": lambda gradient: gradient.as_subclass(Marked),
    "the opposite of what memory holds": lambda gradient: (
        torch.complex(torch.zeros_like(gradient), -gradient).conj().imag
    ),
    "zeros without memory": lambda gradient: torch._efficientzerotensor(gradient.shape, dtype=gradient.dtype),
    "one number everywhere": lambda gradient: gradient.new_ones(()).expand(gradient.shape),
    "features that lie apart": lambda gradient: torch.stack([gradient, gradient], -1)[..., 0],
}
RUNS = {
    "dense": lambda module, x: first(module(x)),
    "packed": lambda module, x: module(pack_padded_sequence(x, [T, 2]))[0].data,
    "checkpointed": lambda module, x: first(module(x)),
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("kind", ARRIVING)
def test_gradients_of_other_kinds(kind, run):
    mine, theirs = layers()
    mine.checkpoint = 2 if run == "checkpointed" else None
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    found = []
    for module in (mine, theirs):
        output = RUNS[run](module, x)
        arriving = ARRIVING[kind](torch.randn(output.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(2)))
        found.append(torch.autograd.grad(output, [x, *module.parameters()], arriving))
    assert_same(*found)


UNPACKED = {
    "features that lie apart": lambda tensor: torch.stack([tensor.detach()] * 2, -1)[..., 0],
    "a class of its own": lambda tensor: tensor.detach().as_subclass(Marked),
    "numpy's memory": lambda tensor: torch.from_numpy(tensor.detach().numpy().copy()),
}


@pytest.mark.parametrize("name", ["GRU", "LSTM", "LSTMCell"])
@pytest.mark.parametrize("kind", UNPACKED)
def test_hooks_on_saved_tensors(kind, name):
    mine, theirs, x = both_ways(name)
    found = []
    for module in (mine, theirs):
        x = x.detach().requires_grad_()
        with saved_tensors_hooks(lambda tensor: tensor, UNPACKED[kind]):
            output = first(module(x))
        found.append(torch.autograd.grad(output.square().sum(), [x, *module.parameters()]))
    assert_same(*found)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_an_output_that_is_changed_in_place(name, run):
    """ReLU(inplace=True) behind a layer changes its output; torch.nn's GRU and RNN allow that."""
    torch.manual_seed(0)
    layer = getattr(ours, name)(F, H, 2, dtype=torch.float64, checkpoint=2 if run == "checkpointed" else None)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    found = []
    for change in (torch.Tensor.relu_, torch.Tensor.relu):
        output = change(RUNS[run](layer, x)).mul(2.0)
        found.append(torch.autograd.grad(output.square().sum(), [x, *layer.parameters()]))
    assert_same(*found)


def test_dropout_in_place_behind_an_accelerated_layer():
    torch.manual_seed(0)
    theirs = nn.GRU(F, H, batch_first=True)
    torch.manual_seed(0)
    mine = recurra.accelerate(nn.GRU(F, H, batch_first=True))
    x, found = torch.randn(B, T, F), []
    for module in (mine, theirs):
        torch.manual_seed(1)
        nn.Dropout(0.5, inplace=True)(module(x)[0]).sum().backward()
        found.append([parameter.grad for parameter in module.parameters()])
    assert_same(*found)
