"""Accelerated modules whose weights others change: optimisers, hooks, parametrisations, pruning."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import recurra
from recurra.nn.acceleration.classes import Accelerated
from tests.nn.acceleration.accelerating import (
    assert_agree,
    assert_replaced,
    input_of,
    make,
    over_all,
    twins,
    weight_of,
)
from tests.nn.support import assert_same, gradients, ours, tensors

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@over_all
def test_an_optimiser_goes_on(name):
    module, reference = make(name), make(name)
    optimizers = [torch.optim.Adam(part.parameters(), 0.05) for part in (module, reference)]
    for step in range(6):
        if step == 2:
            recurra.accelerate(module)
        if step == 4:
            recurra.restore(module)
        for part, optimizer in zip((module, reference), optimizers, strict=True):
            optimizer.zero_grad()
            tensors(part(input_of(name)))[0].square().mean().backward()
            optimizer.step()
    assert_same(list(module.state_dict().values()), list(reference.state_dict().values()))


@over_all
def test_hooks(name):
    calls = []
    module = make(name)

    def note(kind):
        return lambda _module, *arguments: calls.append((kind, [t.detach().clone() for t in tensors(arguments)]))

    module.register_forward_pre_hook(note("before"))
    module.register_forward_hook(note("after"))
    module.register_forward_hook(lambda _m, _args, kwargs, _out: calls.append(("named", [*kwargs])), with_kwargs=True)
    module.register_full_backward_pre_hook(note("backward"))
    module.register_full_backward_hook(note("gradients"))
    module.register_state_dict_post_hook(lambda *_: calls.append(("state_dict", [])))
    module.register_load_state_dict_pre_hook(lambda *_: calls.append(("load_state_dict", [])))

    def seen():
        calls.clear()
        x = input_of(name).requires_grad_()
        first = tensors(module(x))[0]
        first.square().sum().backward()
        assert_same(tensors(module(input=x, hx=None))[0], first)
        module.load_state_dict(module.state_dict())
        return list(calls)

    expected = seen()
    recurra.accelerate(module)
    assert_replaced(module, "")
    found = seen()
    assert [kind for kind, _ in found] == [kind for kind, _ in expected]
    for (kind, values), (_, wanted) in zip(found, expected, strict=True):
        if kind == "named":
            assert values == wanted
        else:
            assert_same(values, wanted, kind)


class Half(nn.Module):
    def forward(self, weight):
        return weight / 2


WRAPS = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "own": lambda module, name: parametrize.register_parametrization(module, name, Half()),
}


@over_all
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("first", ["accelerate", "wrap"])
def test_parametrisations(name, wrap, first):
    module, reference = make(name), make(name)
    weight = weight_of(name)
    torch.manual_seed(3)
    wrap(reference, weight)
    if first == "accelerate":
        recurra.accelerate(module)
    torch.manual_seed(3)
    wrap(module, weight)
    recurra.accelerate(module)
    for each in (module, reference):
        each.eval()
    assert isinstance(module, getattr(ours, name))
    assert type(module).__name__ == type(reference).__name__
    assert_replaced(module, "")
    assert_agree(module, reference, name)
    twin = copy.deepcopy(module)
    assert isinstance(twin, Accelerated)
    assert_agree(twin, reference, name)
    recurra.restore(module)
    assert type(module).__bases__ == (getattr(nn, name),)
    assert_agree(module, reference, name)
    recurra.accelerate(module)
    parametrize.remove_parametrizations(module, weight)
    parametrize.remove_parametrizations(reference, weight)
    assert_agree(module, reference, name)
    recurra.restore(module)
    assert type(module) is getattr(nn, name)
    assert_agree(module, reference, name)


def test_spectral_norm_takes_no_step_by_itself():
    """In training mode, reading the weight advances the power iteration: neither function may read it."""
    module = make("LSTM")
    parametrizations.spectral_norm(module, "weight_hh_l0")
    before = {key: value.clone() for key, value in module.state_dict().items()}
    recurra.accelerate(module)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@over_all
def test_pruning(name):
    module, reference = make(name), make(name)
    for part in (module, reference):
        prune.l1_unstructured(part, weight_of(name), amount=0.5)
    recurra.accelerate(module)
    assert_agree(module, reference, name)
    for part in (module, reference):
        prune.remove(part, weight_of(name))
    assert_agree(module, reference, name)


@over_all
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_weight_norm_of_the_old_kind(name):
    module, reference = make(name), make(name)
    for part in (module, reference):
        nn.utils.weight_norm(part, weight_of(name))
    recurra.accelerate(module)
    assert_replaced(module, "")
    for _ in range(2):
        assert_agree(module, reference, name)
        with torch.no_grad():
            for part in (module, reference):
                getattr(part, weight_of(name) + "_g").mul_(0.5)
    recurra.restore(module)
    assert_agree(module, reference, name)


class WeightDrop(nn.Module):
    """Takes a weight out of the parameters, and sets a dropped version of it before each call (Merity et al. 2017)."""

    def __init__(self, module, weight):
        super().__init__()
        self.module, self.weight = module, weight
        self.raw = nn.Parameter(getattr(module, weight).detach())
        del module._parameters[weight]

    def forward(self, x):
        setattr(self.module, self.weight, nn.functional.dropout(self.raw, 0.5, self.training))
        return self.module(x)


@over_all
def test_weight_drop(name):
    module, reference = (WeightDrop(make(name), weight_of(name)) for _ in range(2))
    recurra.accelerate(module)
    assert_replaced(module, "module")
    for seed in range(2):
        results = []
        for part in (module, reference):
            torch.manual_seed(seed)
            results.append(part(input_of(name)))
        assert_same(*results)
        (mine,), (other,) = (
            gradients(result, [part.raw]) for result, part in zip(results, (module, reference), strict=True)
        )
        assert_same(mine, other)
    recurra.restore(module)
    assert_agree(module.eval(), reference.eval(), name)


@over_all
def test_weights_from_elsewhere(name):
    module, reference = twins(name)
    other = {key: value + 0.1 for key, value in reference.state_dict().items()}
    x = input_of(name)
    assert_same(torch.func.functional_call(module, other, (x,)), torch.func.functional_call(reference, other, (x,)))
    for assign in (False, True):
        other = {key: value * 0.7 for key, value in other.items()}
        for part in (module, reference):
            assert not any(part.load_state_dict(other, assign=assign))
        assert_agree(module, reference, name)


class Noise(nn.Module):
    """A parametrisation that draws numbers."""

    def forward(self, weight):
        return weight + torch.randn_like(weight)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("names", [["weight_hh_l0"], ["weight_ih_l0", "bias_hh_l1"], ["bias_ih_l0", "weight_hh_l1"]])
def test_parametrisations_are_asked_as_often_as_by_torch(kind, names):
    theirs = getattr(nn, kind)(4, 5, 2)
    for name in names:
        parametrize.register_parametrization(theirs, name, Noise())
    ours, x = recurra.accelerate(copy.deepcopy(theirs)), torch.randn(7, 3, 4)
    for seed in (0, 1):
        torch.manual_seed(seed)
        expected = theirs(x)[0]
        torch.manual_seed(seed)
        torch.testing.assert_close(ours(x)[0], expected)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_state_of_a_parametrisation_goes_the_same_way(kind):
    theirs = parametrizations.spectral_norm(getattr(nn, kind)(4, 5).double(), "weight_hh_l0")
    ours, x = recurra.accelerate(copy.deepcopy(theirs)), torch.randn(7, 3, 4).double()
    for training in (True, True, False):
        theirs.train(training)
        ours.train(training)
        torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=0, atol=1e-10)
    for (name, a), b in zip(theirs.named_buffers(), ours.buffers(), strict=True):
        torch.testing.assert_close(b, a, rtol=0, atol=0, msg=name)
