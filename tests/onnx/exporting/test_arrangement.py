"""Layers that are put together in every way, as ONNX graphs."""

import numpy as np
import pytest
import torch

from recurra.nn import EncoderDecoder, pack_padded_sequence, pad_packed_sequence
from tests.arrangements import ARRANGEMENTS, F, flat, make
from tests.onnx.exporting.exported import File, assert_same

T, B = 5, 3
LENGTHS = [3, 5, 2]


def arrays(value):
    return [tensor.detach().numpy() for tensor in flat(value)]


def named(file, states):
    """The states of a graph by the names of its inputs."""
    return dict(zip(file.names[0][-len(states) :], states, strict=True))


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_arrangement(name, tmp_path):
    is_double = name in ("everything", "residual in one")
    dtype = torch.float64 if is_double else torch.float32
    layer = make(name, dtype=dtype, batch_first=name == "sum").eval()
    file = File(layer, tmp_path)
    assert ("Scan" in file.operators) == (is_double or layer.cell.name == "indrnn" or layer.proj_size > 0)
    torch.manual_seed(1)
    x = torch.randn(*((B, T) if layer.batch_first else (T, B)), F, dtype=dtype)
    output, last = layer(x)
    assert_same(file, {"x": x.numpy()}, arrays((output, last)), dtype, name)
    required = File(layer, tmp_path, optional_states=False)
    assert_same(required, {"x": x.numpy(), **named(required, arrays(last))}, arrays(layer(x, last)), dtype, name)
    packed = pack_padded_sequence(x, LENGTHS, layer.batch_first, enforce_sorted=False)
    theirs, ends = layer(packed, last)
    padded = pad_packed_sequence(theirs, layer.batch_first, total_length=T)[0]
    file = File(layer, tmp_path, lengths=True)
    feed = {"x": x.numpy(), "lengths": np.array(LENGTHS), **named(file, arrays(last))}
    assert_same(file, feed, arrays((padded, ends)), dtype, f"{name}, lengths")


def test_names_of_states(tmp_path):
    inputs, outputs = File(make("sizes", dtype=torch.float32).eval(), tmp_path).names
    assert inputs == ["x", "h_l0_0", "h_l1_0", "c_l0_0", "c_l1_0"]
    assert outputs == ["output", "h_l0_n", "h_l1_n", "c_l0_n", "c_l1_n"]


def test_an_encoder_begins_with_its_learned_states(tmp_path):
    encoder, decoder = make("learned", dtype=torch.float32), make("learned", dtype=torch.float32)
    module = EncoderDecoder(encoder, decoder).eval()
    past, future = torch.randn(T, B, F), torch.randn(2, B, F)
    file = File(module, tmp_path)
    assert_same(file, {"past": past.numpy(), "future": future.numpy()}, arrays(module(past, future)), torch.float32)
