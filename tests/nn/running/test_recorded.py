"""torch.jit.trace records one operator for each scan, so that the graph is right at any length and batch."""

import io

import pytest
import torch

from recurra import cells
from tests.nn.support import assert_same, ours, tensors

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")


def through_a_file(graph):
    buffer = io.BytesIO()
    torch.jit.save(graph, buffer)
    buffer.seek(0)
    return torch.jit.load(buffer)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda: ours.GRU(3, 4, 2, bidirectional=True, batch_first=True),
        lambda: ours.LSTM(3, 5, proj_size=2, learn_initial_state=True),
        lambda: ours.Recurrent(cells.mgu, 3, 4, 2, residual=True),
        lambda: ours.Recurrent(cells.gru, 3, [4, 5]),
    ],
    ids=["both directions", "projected", "residual", "sizes"],
)
def test_a_recorded_layer_at_other_lengths_and_batches(make, training):
    layer = make().train(training)
    graph = through_a_file(torch.jit.trace(layer, torch.randn(5, 2, 3)))
    for shape in ((7, 4, 3), (1, 1, 3)):
        given = torch.randn(shape)
        results = []
        for call in (layer, graph):
            x = given.clone().requires_grad_()
            values = tensors(call(x))
            sum(value.sum() for value in values).backward()
            results.append([*values, x.grad])
        assert_same(*results)


def test_a_recorded_cell_at_another_batch():
    cell = ours.LSTMCell(3, 4)
    graph = torch.jit.trace(cell, (torch.randn(2, 3), (torch.randn(2, 4), torch.randn(2, 4))))
    x, state = torch.randn(5, 3), (torch.randn(5, 4), torch.randn(5, 4))
    assert_same(tensors(graph(x, state)), tensors(cell(x, state)))


class OfLengths(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, lengths):
        return self.layer(torch.nn.utils.rnn.pack_padded_sequence(x, lengths))[0].data


def test_a_recorded_layer_takes_packed_sequences_of_other_lengths():
    module = OfLengths(ours.GRU(3, 4)).eval()
    with torch.no_grad():
        graph = torch.jit.trace(module, (torch.randn(5, 2, 3), torch.tensor([5, 3])))
        given = torch.randn(6, 3, 3), torch.tensor([6, 4, 1])
        torch.testing.assert_close(graph(*given), module(*given))


def test_what_would_be_fixed_is_refused():
    module = OfLengths(ours.GRU(3, 4, recurrent_dropout=0.5)).train()
    with pytest.raises(RuntimeError, match=r"torch\.jit\.trace would fix the lengths .*: use torch\.export\.export"):
        torch.jit.trace(module, (torch.randn(5, 2, 3), torch.tensor([5, 3])))
