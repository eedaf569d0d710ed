"""Modules that accelerate leaves alone, each with its reason, and harmless ones that it changes."""

import functools
import warnings

import pytest
import torch
from torch import nn

import recurra
from recurra.nn import acceleration
from tests.nn.acceleration.accelerating import B, F, H, Mine, T, assert_agree, assert_replaced, make, reason_of


def with_attribute(name, value, kind="LSTM"):
    module = make(kind)
    setattr(module, name, value)
    return module


def with_old_hook():
    module = nn.LSTM(F, H)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module.register_backward_hook(lambda *_: None)
    return module


class Own(nn.Parameter):
    """A user's subclass."""


def with_own_parameter():
    module = nn.GRU(F, H)
    module.weight_hh_l0 = Own(module.weight_hh_l0.detach())
    return module


def lazy():
    module = nn.GRUCell(F, H)
    module.weight_ih = nn.UninitializedParameter()
    return module


def scripted(compile):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        return compile(nn.LSTM(F, H))


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so is torch.ao.quantization
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.LSTM(F, H)), {nn.LSTM}, torch.qint8)


LEFT = {
    "a subclass": (lambda: Mine(F, H), "a subclass of torch.nn.LSTM"),
    "a subclass of a cell": (lambda: type("MyCell", (nn.GRUCell,), {})(F, H), "a subclass of torch.nn.GRUCell"),
    "another of RNNBase": (lambda: nn.RNNBase("LSTM", F, H), "not one of torch.nn's classes"),
    "scripted": (lambda: scripted(torch.jit.script), "compiled by torch.jit"),
    "traced": (lambda: scripted(lambda m: torch.jit.trace(m, torch.randn(T, B, F))), "compiled by torch.jit"),
    "quantised": (quantised, "not one of torch.nn's classes"),
    "forward": (lambda: with_attribute("forward", print), "its own forward stands in place of its class's"),
    "a check": (lambda: with_attribute("check_input", print), "its own check_input stands in place of its class's"),
    "an attribute": (lambda: with_attribute("cell", 1), "its attribute 'cell' has a name that recurra's class uses"),
    "a property": (
        lambda: with_attribute("output_size", 1),
        "its attribute 'output_size' has a name that recurra's class uses",
    ),
    "a submodule": (
        lambda: with_attribute("program", nn.Linear(1, 1)),
        "its attribute 'program' has a name that recurra's class uses",
    ),
    "an old hook": (with_old_hook, "what a hook of register_backward_hook sees depends on how torch computes"),
    "a parameter's class": (with_own_parameter, "weight_hh_l0 is a Own, which recurra's kernels do not read"),
    "lazy": (lazy, "weight_ih has no values yet"),
    "bfloat16": (
        lambda: nn.GRU(F, H, dtype=torch.bfloat16),
        "weight_ih_l0 is torch.bfloat16; recurra's kernels compute in float32 and float64",
    ),
    "nonlinearity": (lambda: nn.RNNCell(F, H, nonlinearity="swish"), "nonlinearity must be 'tanh' or 'relu'"),
    "mode": (lambda: with_attribute("mode", "RNN_RELU", "RNN"), "its mode does not fit its configuration"),
    "no weight": (lambda: with_attribute("bias_hh_l0", None, "GRU"), "its bias_hh_l0 is None"),
    "no weight of a cell": (lambda: with_attribute("bias_hh", None, "GRUCell"), "its bias_hh is None"),
    "proj_size": (lambda: with_attribute("proj_size", 2, "GRU"), "GRU has no proj_size; here it is 2"),
}


@pytest.mark.parametrize(("build", "reason"), LEFT.values(), ids=LEFT)
def test_left_alone(build, reason):
    module = build()
    kinds = [type(part) for part in module.modules()]
    assert reason in reason_of(module)
    assert [type(part) for part in recurra.restore(module).modules()] == kinds


def test_harmless_attributes_of_an_instance():
    module = make("LSTM")
    module.flatten_parameters = lambda: None
    module.name, module.state_dict = "mine", module.state_dict
    recurra.accelerate(module)
    assert_replaced(module, "")
    assert_agree(module, make("LSTM"), "LSTM")
    assert module.name == "mine"


def test_weights_of_two_dtypes_are_left_to_torch():
    layer = nn.LSTM(3, 4, 2)
    layer.weight_hh_l1.data = layer.weight_hh_l1.data.double()
    report = acceleration(recurra.accelerate(layer))
    assert not report.replaced
    assert "differ in dtype" in report.left[0].reason


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_patched_class_is_left_to_torch(monkeypatch, wrapped):
    original, seen = nn.GRU.forward, []

    def patched(self, *args, **kwargs):
        seen.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(nn.GRU, "forward", functools.wraps(original)(patched) if wrapped else patched)
    module = nn.GRU(F, H)
    assert reason_of(module) == "torch.nn.GRU.forward was replaced"
    module(torch.randn(T, B, F))
    assert seen == [module]


def test_one_counterpart_is_made_for_each_module(monkeypatch):
    made, original = [], recurra.nn.GRU.__init__
    monkeypatch.setattr(recurra.nn.GRU, "__init__", lambda self, *a, **k: made.append(self) or original(self, *a, **k))
    model = nn.ModuleList([nn.GRU(F, H), nn.GRU(F, H)])
    recurra.accelerate(recurra.accelerate(model))
    assert len(made) == 2
