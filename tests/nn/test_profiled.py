"""Profilers show calls by name and shape."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.profiler import ProfilerActivity, profile

from recurra import accelerate, cells
from recurra.nn import LSTM, GRUCell, Recurrent

X = torch.ones(7, 3, 4)

CALLS = {
    "recurra::LSTM": (lambda: LSTM(4, 5), X, [7, 3, 4]),
    "recurra::GRUCell": (lambda: GRUCell(4, 5), X[0], [3, 4]),
    "recurra::janet": (lambda: Recurrent(cells.janet, 4, 5), X, [7, 3, 4]),
}


@pytest.mark.parametrize("is_trained", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_shown_by_name_and_shape(name, is_trained):
    make, x, shape = CALLS[name]
    module = make()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found, torch.set_grad_enabled(is_trained):
        module(x)
    shown = [event for event in found.events() if event.name.startswith("recurra::")]
    assert shown
    assert {event.name for event in shown} == {name}
    assert all(event.input_shapes == [shape] for event in shown)


def test_a_packed_batch_and_an_accelerated_layer():
    packed = pack_sequence([torch.ones(3, 4), torch.ones(2, 4)])
    layer = nn.LSTM(4, 5)
    accelerate(layer)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found:
        layer(packed)
    (shown,) = (event for event in found.events() if event.name == "recurra::LSTM")
    assert shown.input_shapes == [[5, 4]]


def test_nothing_is_recorded_without_a_profiler(monkeypatch):
    import recurra.nn.running.direct as direct

    def refuse(*arguments):
        raise AssertionError("a record")

    monkeypatch.setattr(direct, "profiled_call", refuse)
    LSTM(4, 5)(X)
