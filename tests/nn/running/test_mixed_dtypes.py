"""Weights, inputs and saved tensors of several dtypes are refused, as by torch.nn, and never read as another dtype."""

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

import recurra
from recurra.engines import Call, Wishes
from recurra.engines.native import NativeEngine
from recurra.nn import GRU, LSTM, GRUCell, Recurrent
from recurra.program import Sizes

T, B, F, H = 5, 2, 3, 4


def mixed(module, name, dtype):
    weight = getattr(module, name)
    weight.data = weight.data.to(dtype)
    return module


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int32])
@pytest.mark.parametrize(
    ("build", "name", "shape"),
    [
        (lambda: GRU(F, H), "weight_hh_l0", (T, B, F)),
        (lambda: LSTM(F, H, 2), "weight_ih_l1", (T, B, F)),
        (lambda: recurra.accelerate(nn.GRU(F, H)), "bias_hh_l0", (T, B, F)),
        (lambda: GRUCell(F, H), "weight_hh", (B, F)),
        (lambda: recurra.accelerate(nn.LSTMCell(F, H)), "bias_hh", (B, F)),
    ],
)
def test_a_weight_of_another_dtype_is_named(build, name, shape, dtype):
    module = build()
    getattr(module, name).requires_grad_(False)
    mixed(module, name, dtype)
    for grad in (False, True):
        with (
            torch.set_grad_enabled(grad),
            pytest.raises(RuntimeError, match=rf"{name} must be torch.float32 on cpu, as"),
        ):
            module(torch.randn(shape))


def test_autocast_leaves_float64_alone():
    x = torch.randn(T, B, F, dtype=torch.float64)
    for module, given in ((GRU(F, H), x), (GRUCell(F, H), x[0])):
        with (
            torch.autocast("cpu", torch.bfloat16),
            pytest.raises(RuntimeError, match="autocast does not convert float64"),
        ):
            module(given)
        with torch.autocast("cpu", torch.bfloat16):
            assert module.double()(given)[0].dtype == torch.float64


@pytest.mark.parametrize("way", ["dense", "reset", "checkpoint"])
def test_a_hook_that_changes_the_dtype_is_refused(way):
    layer = GRU(F, H, checkpoint=2 if way == "checkpoint" else None)
    reset = torch.zeros(T, B, dtype=torch.bool) if way == "reset" else None
    with saved_tensors_hooks(lambda tensor: tensor.half(), lambda tensor: tensor):
        output, _ = layer(torch.randn(T, B, F), reset=reset)
    with pytest.raises((RuntimeError, ValueError)):
        output.sum().backward()


def test_the_engine_refuses_what_it_would_misread():
    layer = Recurrent(recurra.cells.gru, F, H)
    kernel = NativeEngine().build(recurra.compiler.plan(layer.program))
    weights = [weight.detach() for weight in layer.parameters()]
    sizes = Sizes(F, H)
    x, h = torch.randn(T, B, F), torch.zeros(B, H)
    kernel.forward(Call(x, None, [h], weights, sizes))
    for wrong in (Call(x.double(), None, [h], weights, sizes), Call(x, None, [h.double()], weights, sizes)):
        with pytest.raises(ValueError, match="all arrays of a call must be"):
            kernel.forward(wrong)
    whole = [weight.long() for weight in weights]
    with pytest.raises(ValueError, match="computes in float32 and float64, not in int64"):
        kernel.forward(Call(x.long(), None, [h.long()], whole, sizes))
    with pytest.raises(ValueError, match="the weights must be float64"):
        kernel.pack(weights, sizes, "float64")


def test_backward_passes_are_told_apart_by_themselves():
    """The cache compares wishes by value, as a new object may have the id of a dead one."""
    kernel = NativeEngine().build(recurra.compiler.plan(Recurrent(recurra.cells.gru, F, H).program))
    one = kernel.backward_of(Wishes((True,) * 6))
    assert kernel.backward_of(Wishes((True,) * 6)) is one
    kernel.built_backward(Sizes(F, H), False, one)
    assert any(one in key for key in kernel._backward)
