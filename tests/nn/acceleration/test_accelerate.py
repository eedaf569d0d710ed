"""accelerate and restore: the same objects, numbers and names, another class; the report; later changes of a module."""

import itertools
import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import recurra
from recurra.nn import Acceleration, acceleration
from recurra.nn.acceleration.classes import Accelerated
from tests.nn.acceleration.accelerating import (
    B,
    F,
    H,
    Mine,
    T,
    assert_agree,
    assert_replaced,
    input_of,
    make,
    over_all,
    over_layers,
    twins,
)
from tests.nn.support import CELLS, LAYERS, assert_same, gradients, ours

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


# ---- changes, and what stays ----


@over_all
def test_the_object_and_what_it_holds_stay(name):
    module, reference = make(name), make(name)
    before = dict(vars(module))
    parameters, shown, keys = list(module.parameters()), repr(module), list(module.state_dict())
    assert recurra.accelerate(module) is module
    assert isinstance(module, getattr(ours, name))
    assert isinstance(module, getattr(nn, name))
    assert all(a is b for a, b in zip(module.parameters(), parameters, strict=True))
    assert repr(module) == shown
    assert list(module.state_dict()) == keys
    assert_agree(module, reference, name)
    assert recurra.restore(module) is module
    assert type(module) is getattr(nn, name)
    assert vars(module).keys() == before.keys()
    assert all(vars(module)[key] is value for key, value in before.items() if not key.startswith("_flat_"))
    if name in LAYERS:
        assert all(a is b for a, b in zip(module._flat_weights, parameters, strict=True))
    assert_agree(module, reference, name)


@over_layers
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_configurations(name, bias, batch_first, bidirectional):
    special = {"LSTM": {"proj_size": 2}, "RNN": {"nonlinearity": "relu"}, "GRU": {}}[name]
    for layers, extra, dtype in itertools.product((1, 3), ({}, special), (torch.float32, torch.float64)):
        options = {"num_layers": layers, "bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
        module, reference = twins(name, **options, **extra, dtype=dtype)
        assert isinstance(module, Accelerated)
        assert_agree(module, reference, name)
        packed = pack_sequence([input_of(name, dtype)[:n, 0] for n in (3, 6, 2)], enforce_sorted=False)
        assert_same(module(packed), reference(packed))
        assert_same(module(packed.data), reference(packed.data))


@pytest.mark.parametrize("name", CELLS)
def test_configurations_of_cells(name):
    special = {"nonlinearity": "relu"} if name == "RNNCell" else {}
    for bias, extra, dtype in itertools.product((True, False), ({}, special), (torch.float32, torch.float64)):
        module, reference = twins(name, bias=bias, **extra, dtype=dtype)
        assert isinstance(module, Accelerated)
        assert_agree(module, reference, name)
        x = input_of(name, dtype)
        assert_same(module(x, reference(x)), reference(x, reference(x)))


@over_layers
def test_dropout_under_a_seed(name):
    module, reference = twins(name, dropout=0.4, num_layers=3)
    x = input_of(name)
    torch.manual_seed(1)
    actual = module(x)
    torch.manual_seed(1)
    assert_same(actual, reference(x))
    assert_same(module.eval()(x), reference.eval()(x))


def test_chance_is_left_alone():
    model = nn.ModuleList(make(name) for name in LAYERS + CELLS)
    before = torch.get_rng_state()
    recurra.restore(recurra.accelerate(model))
    assert torch.equal(torch.get_rng_state(), before)


class Model(nn.Module):
    """A model with a layer used twice, shared weights, and a cell; of torch.nn and of recurra."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(F, H), nn.GRU(H, H))
        self.again = self.encoder[1]
        self.cells = nn.ModuleDict({"a": nn.LSTMCell(H, H), "b": nn.LSTMCell(H, H)})
        self.cells["b"].weight_hh = self.cells["a"].weight_hh
        self.own = recurra.nn.GRU(H, H)

    def forward(self, x):
        y, h = self.encoder(x)
        y, _ = self.own(self.again(y, h)[0])
        state = self.cells["a"](y[-1])
        return self.cells["b"](y[0], state)[0]


def test_a_tree():
    torch.manual_seed(0)
    model = Model()
    x = torch.randn(T, B, F)
    parameters = list(model.parameters())
    expected = model(x)
    wanted = gradients(expected, parameters)
    own = model.own
    recurra.accelerate(model)
    assert_replaced(model, "encoder.1", "cells.a", "cells.b")
    assert model.again is model.encoder[1]
    assert model.cells["a"].weight_hh is model.cells["b"].weight_hh
    assert_same(model(x), expected)
    assert_same(list(gradients(model(x), parameters)), list(wanted))
    recurra.restore(model)
    assert model.own is own
    assert type(own) is recurra.nn.GRU
    assert type(model.cells["a"]) is nn.LSTMCell
    assert torch.equal(model(x), expected) or torch.allclose(model(x), expected, atol=1e-6)


def test_twice_and_not_at_all():
    module = make("LSTM")
    recurra.restore(module)
    assert type(module) is nn.LSTM
    scans = recurra.accelerate(module)._scans
    assert recurra.accelerate(module)._scans is scans
    recurra.restore(recurra.restore(module))
    assert_agree(module, make("LSTM"), "LSTM")


def test_no_module():
    for function in (recurra.accelerate, recurra.restore, acceleration):
        with pytest.raises(TypeError, match=r"takes a torch.nn.Module, not list"):
            function([nn.LSTM(1, 1)])


# ---- the report ----


def test_the_report(caplog):
    model = nn.ModuleDict({"a": nn.LSTM(F, H), "b": Mine(F, H), "c": nn.GRUCell(F, H), "d": nn.Linear(F, H)})
    assert [part.reason for part in acceleration(model).left if part.name != "b"] == [
        "not yet given to recurra.accelerate, which replaces it"
    ] * 2
    with caplog.at_level(logging.INFO, "recurra"):
        recurra.accelerate(model)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    left = f"b ({Mine.__module__}.Mine): a subclass of torch.nn.LSTM"
    assert record.getMessage() == f"recurra runs 1 LSTM, 1 GRUCell of ModuleDict; left alone: {left}"
    report = acceleration(model)
    assert isinstance(report, Acceleration)
    assert [(part.name, part.module) for part in report.replaced] == [("a", model["a"]), ("c", model["c"])]
    assert str(report).splitlines() == [
        "replaced a (LSTM)",
        "replaced c (GRUCell)",
        f"left alone {left}",
    ]


def test_the_report_on_a_root_and_on_nothing(caplog):
    with caplog.at_level(logging.INFO, "recurra"):
        assert str(acceleration(recurra.accelerate(nn.LSTM(F, H)))) == "replaced LSTM"
        assert str(acceleration(recurra.accelerate(nn.Linear(F, H)))) == "no recurrent modules of torch.nn's"
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.INFO, "recurra runs 1 LSTM of LSTM"),
        (logging.INFO, "recurra runs nothing of Linear"),
    ]


# ---- later changes ----


def reconfigured(module, **changes):
    for name, value in changes.items():
        setattr(module, name, value)
    return module


CHANGES = {
    "nonlinearity": (lambda: nn.RNNCell(F, H), {"nonlinearity": "relu"}, (B, F)),
    "mode": (lambda: nn.RNN(F, H), {"mode": "RNN_RELU"}, (T, B, F)),
    "input_size": (
        lambda: nn.LSTM(F, H),
        {"weight_ih_l0": nn.Parameter(torch.ones(4 * H, F + 2)), "input_size": F + 2},
        (T, B, F + 2),
    ),
    "bidirectional": (lambda: nn.GRU(F, H, bidirectional=True), {"bidirectional": True}, (T, B, F)),
}


@pytest.mark.parametrize(("build", "changes", "shape"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_configuration_is_honoured(build, changes, shape, caplog):
    torch.manual_seed(0)
    reference = build()
    torch.manual_seed(0)
    module = recurra.accelerate(build())
    x = torch.randn(shape)
    caplog.clear()
    assert_same(reconfigured(module, **changes)(x), reconfigured(reference, **changes)(x))
    if "bidirectional" in changes:  # it is what it was
        assert_replaced(module, "")
        assert not caplog.records
    else:
        assert not isinstance(module, Accelerated)
        assert "until recurra.accelerate is called again" in caplog.text
    if "mode" not in changes:  # nonlinearity still says tanh
        assert_replaced(recurra.accelerate(module), "")
        assert_same(module(x), reference(x))


def test_a_weight_that_was_taken_away_is_named():
    for module, name in (
        (recurra.accelerate(nn.LSTM(F, H)), "bias_ih_l0"),
        (recurra.accelerate(nn.GRUCell(F, H)), "bias_hh"),
    ):
        setattr(module, name, None)
        with pytest.raises(TypeError, match=f"{name} must be a tensor, not NoneType"):
            module(torch.randn(B, F))


def test_numbers_of_numpy():
    modules = [nn.GRU(F, H, num_layers=np.int64(2), dropout=np.float32(0.5)), nn.LSTMCell(np.int64(F), np.int32(H))]
    assert_replaced(recurra.accelerate(nn.ModuleList(modules)), "0", "1")


def test_printing():
    for module in (
        nn.RNN(F, H, 2, nonlinearity="relu"),
        nn.RNNCell(F, H, nonlinearity="relu"),
        nn.LSTM(F, H, proj_size=2),
    ):
        shown = repr(module)
        assert repr(recurra.accelerate(module)) == shown
