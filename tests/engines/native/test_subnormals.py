"""Subnormal numbers are zeros inside of a native call, and are honoured outside as before."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from recurra import nn
from tests.engines.native.layers import assert_equal, gradients, threads

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])


def without_subnormals(tensor):
    tiny = torch.finfo(tensor.dtype).smallest_normal
    return torch.where(tensor.abs() < tiny, torch.zeros_like(tensor), tensor)


def with_subnormals(*shape, dtype):
    """Random numbers, of which one in three is subnormal."""
    tiny = torch.finfo(dtype).smallest_normal
    numbers = torch.randn(shape, dtype=dtype)
    return torch.where(torch.rand(shape) < 0.3, numbers * tiny / 8, numbers)


def everything(layer, x, states):
    """Output, last states and all gradients; the arriving gradients are the same numbers in any dtype."""
    x, states = x.clone().requires_grad_(), [state.clone().requires_grad_() for state in states]
    output, last = layer(x, tuple(states) if len(states) > 1 else states[0])
    values = [output, *(last if isinstance(last, tuple) else (last,))]
    given = [torch.linspace(-1, 1, value.numel()).to(value.dtype).reshape(value.shape) for value in values]
    made = gradients(values, [x, *states, *layer.parameters()], given)
    return [value.detach() for value in (*values, *made)]


@KINDS
@DTYPES
@pytest.mark.parametrize(("batch", "hidden"), [(1, 256), (16, 64)])
def test_what_goes_in_counts_as_zero(kind, dtype, batch, hidden):
    """Subnormal inputs, states and weights give the same bits as zeros, forward and backward."""
    torch.manual_seed(0)
    layers = [getattr(nn, kind)(24, hidden, dtype=dtype) for _ in range(2)]
    x = with_subnormals(30, batch, 24, dtype=dtype)
    states = [with_subnormals(1, batch, hidden, dtype=dtype) for _ in range(2 if kind == "LSTM" else 1)]
    with torch.no_grad():
        for mine, other in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
            mine.copy_(with_subnormals(*mine.shape, dtype=dtype) * hidden**-0.5)
            other.copy_(without_subnormals(mine))
    for count in (1, 2):
        with threads(count):
            found = everything(layers[0], x, states)
            wanted = everything(layers[1], without_subnormals(x), [without_subnormals(state) for state in states])
        assert_equal(found, wanted)


@KINDS
@pytest.mark.parametrize("bias", [-300.0, -95.0, -88.0, -60.0, 60.0, 300.0])
def test_gates_that_are_shut(kind, bias):
    """Values and gradients equal those of float64, within rounding and the smallest normal number."""
    torch.manual_seed(0)
    layer = getattr(nn, kind)(16, 32)
    exact = getattr(torch.nn, kind)(16, 32).double()
    with torch.no_grad():
        layer.bias_ih_l0[:32] += bias
    exact.load_state_dict(layer.state_dict())
    x, states = torch.randn(100, 3, 16), [torch.randn(1, 3, 32) for _ in range(2 if kind == "LSTM" else 1)]
    found = everything(layer, x, states)
    wanted = everything(exact, x.double(), [state.double() for state in states])
    for value, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(value.double(), other, rtol=1e-4, atol=2e-6 * max(1, float(other.abs().max())))


def honours_subnormals():
    """Whether operations of numpy and torch on this thread honour subnormal numbers."""
    numpy_does = float(np.float32(1e-40) * np.float32(1)) != 0
    return numpy_does and float(torch.tensor(1e-40) * torch.tensor(1.0)) != 0


def test_the_caller_s_mode_is_as_before():
    layer, x = nn.LSTM(32, 64), torch.randn(40, 16, 32)

    def calls():
        before = honours_subnormals()
        torch.set_num_threads(2)
        layer(x)[0].sum().backward()
        with pytest.raises(RuntimeError, match="input_size=32"):
            layer(x[..., :31])
        return before and honours_subnormals()

    with threads(2):
        assert calls()
        with ThreadPoolExecutor(3) as executor:
            assert all(executor.map(lambda _: calls(), range(6)))
    with torch.no_grad(), threads(2):
        layer(x)
        numbers = torch.full((1 << 20,), 1e-40)  # shared among the threads that have just helped
        assert int(((numbers * 1.0) != 0).sum()) == len(numbers)
