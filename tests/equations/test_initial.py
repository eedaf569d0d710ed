"""Initial values of parameters: numbers, functions, and parameters that are not trained."""

import copy
import pickle

import pytest
import torch
from torch import nn

import recurra
from recurra import cell, tanh
from recurra.nn import Recurrent, RecurrentCell


def rows_of(parameter, *, scale, W):
    """Fill with the scaled sums of another parameter's columns."""
    return parameter.copy_(scale * W.sum(0))


@cell(init={"W": nn.init.eye_, "u": 0.25, "b": rows_of, "V": nn.init.orthogonal_}, untrained=("V", "u"))
def started(x, h, *, W, V, u, b, scale=3.0):
    h = tanh(x @ W + u * h + h @ V + b)
    return h


def assert_started(module, suffixes, scale):
    for suffix in suffixes:
        held = {name: getattr(module, name + suffix) for name in started.parameters}
        assert torch.equal(held["W"], torch.eye(*held["W"].shape))
        assert torch.allclose(held["V"] @ held["V"].T, torch.eye(4), atol=1e-6)
        assert torch.equal(held["u"], torch.full((4,), 0.25))
        assert torch.equal(held["b"], scale * held["W"].sum(0))
        assert {name for name, each in held.items() if not each.requires_grad} == {"V", "u"}


def test_functions_fill_every_layer_and_direction():
    layer = Recurrent(started, 3, 4, 2, bidirectional=True, scale=5.0)
    suffixes = [f"_l{k}{end}" for k in (0, 1) for end in ("", "_reverse")]
    assert_started(layer, suffixes, 5.0)
    assert not torch.equal(layer.V_l0, layer.V_l1)
    before = layer.V_l0.clone()
    layer.reset_parameters()
    assert_started(layer, suffixes, 5.0)
    assert not torch.equal(layer.V_l0, before)
    assert_started(RecurrentCell(started, 3, 4), [""], 3.0)


def test_a_seed_repeats_them():
    def drawn():
        torch.manual_seed(3)
        return Recurrent(started, 3, 4).state_dict()

    first, second = drawn(), drawn()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_training_leaves_untrained_parameters_alone():
    layer = Recurrent(started, 3, 4)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5)
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    optimizer.step()
    same = {name for name, value in layer.state_dict().items() if torch.equal(value, before[name])}
    assert same == {"V_l0", "u_l0"}
    layer.requires_grad_()
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    assert layer.V_l0.grad is not None


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_gradients_of_the_others_are_the_same(engine):
    layer = Recurrent(started, 3, 4).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    with recurra.engine(engine):
        layer(x)[0].sum().backward()
        some = layer.W_l0.grad.clone()
        layer.zero_grad()
        layer.requires_grad_()
        layer(x)[0].sum().backward()
    assert torch.allclose(layer.W_l0.grad, some, atol=1e-12)


@pytest.mark.parametrize("make", [Recurrent, RecurrentCell])
def test_files_hold_values_and_what_is_not_trained(tmp_path, make):
    module = make(started, 3, 4)
    recurra.save(module, tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    frozen = {name for name, each in loaded.named_parameters() if not each.requires_grad}
    assert frozen == {name for name, each in module.named_parameters() if not each.requires_grad}
    assert loaded.cell.stored_init == {"W": "drawn", "b": "drawn", "V": "untrained", "u": "untrained"}
    for other in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded)), pickle.loads(pickle.dumps(module))):
        assert {name for name, each in other.named_parameters() if not each.requires_grad} == frozen
    with pytest.raises(recurra.EquationError, match=r"'started' comes from a file.* the function that draws W"):
        loaded.reset_parameters()


def test_a_file_keeps_untrained_values_when_the_others_are_drawn_anew(tmp_path):
    @cell(init={"b": 1.0}, untrained=("V",))
    def plain(x, h, *, W, V, b):
        h = tanh(x @ W + h @ V + b)
        return h

    recurra.save(Recurrent(plain, 3, 4), tmp_path / "m")
    layer = recurra.load(tmp_path / "m")
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer.reset_parameters()
    assert torch.equal(layer.V_l0, before["V_l0"])
    assert not torch.equal(layer.W_l0, before["W_l0"])
    assert torch.equal(layer.b_l0, torch.ones(4))


def test_on_meta_nothing_is_drawn():
    layer = Recurrent(started, 3, 4, device="meta").to_empty(device="cpu")
    layer.reset_parameters()
    assert_started(layer, ["_l0"], 3.0)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"init": {"q": 1.0}}, "init names q, which is no parameter"),
        ({"untrained": ("q",)}, "untrained names q, which is no parameter"),
        ({"init": {"W": "zeros"}}, r"init\['W'\] must be a number, or a function .* torch.nn.init"),
        ({"init": {"W": True}}, r"init\['W'\] must be a number"),
        ({"init": {"W": lambda p, *, q: None}}, r"init\['W'\] needs q=, which is neither an option nor a parameter"),
    ],
)
def test_wrong_declarations_are_refused(declared, message):
    with pytest.raises(recurra.EquationError, match=message):
        cell(**declared)(lambda x, h, *, W: tanh(x @ W + h))


def test_a_function_that_fills_nothing_is_refused():
    @cell(init={"W": lambda parameter: torch.eye(3, 4)})
    def wrong(x, h, *, W):
        h = tanh(x @ W + h)
        return h

    with pytest.raises(recurra.EquationError, match=r"cell 'wrong': init\['W'\] returns a Tensor: it must fill"):
        Recurrent(wrong, 3, 4)
