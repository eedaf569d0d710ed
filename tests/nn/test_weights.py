"""Weights that others change: by pruning, parametrisation, dropping, tying, freezing, or unseen by version counters."""

import gc

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize, prune

from tests.nn.support import CELLS, LAYERS, assert_same, gradients, ours, pair, tensors, theirs

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

F, H, T, B = 5, 4, 6, 3
KWARGS = {"num_layers": 2, "bidirectional": True}


def make(name, seed=0, **kwargs):
    """Make our module and torch's, in float64, and an input for both."""
    options = KWARGS if name in LAYERS else {}
    module, reference = pair(name, F, H, seed=seed, dtype=torch.float64, **{**options, **kwargs})
    x = torch.randn(*((T, B) if name in LAYERS else (B,)), F, dtype=torch.float64)
    return module, reference, x


def run(module, x):
    """Call a layer; or a cell, from a state that is not zero, so that all its weights count."""
    kind = type(module).__name__.replace("Parametrized", "")
    if not kind.endswith("Cell"):
        return module(x)
    generator = torch.Generator().manual_seed(8)
    h, c = (torch.randn(len(x), H, generator=generator, dtype=x.dtype) for _ in range(2))
    return module(x, (h, c) if kind == "LSTMCell" else h)


def weight_name(name):
    return "weight_hh_l0" if name in LAYERS else "weight_hh"


def assert_agree(module, reference, x):
    """Check that outputs, and the gradients of the same parameters, are the same."""
    actual, expected = run(module, x), run(reference, x)
    assert_same(actual, expected)
    mine, other = dict(module.named_parameters()), dict(reference.named_parameters())
    assert list(mine) == list(other)
    if other:
        grads, wanted = gradients(actual, list(mine.values())), gradients(expected, list(other.values()))
        for key, grad, expected_grad in zip(other, grads, wanted, strict=True):
            assert_same(grad, expected_grad, key)
    return actual


over_all = pytest.mark.parametrize("name", LAYERS + CELLS)


@over_all
def test_prune(name):
    module, reference, x = make(name)
    dense = run(module, x)
    for layer in (module, reference):
        prune.l1_unstructured(layer, weight_name(name), amount=0.5)
    pruned = assert_agree(module, reference, x)
    assert any(not torch.equal(a, b) for a, b in zip(tensors(pruned), tensors(dense), strict=True))
    with torch.no_grad():  # the pruned weight is made anew before each call
        for layer in (module, reference):
            getattr(layer, weight_name(name) + "_orig").mul_(2.0)
    assert_agree(module, reference, x)
    for layer in (module, reference):
        prune.remove(layer, weight_name(name))
    assert_agree(module, reference, x)
    assert module.state_dict().keys() == reference.state_dict().keys()


@over_all
@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_parametrizations(name, wrap):
    module, reference, x = make(name)
    for layer in (module, reference):
        torch.manual_seed(3)
        wrap(layer, weight_name(name))
    for layer in (module, reference):
        layer.eval()
    assert_agree(module, reference, x)
    with torch.no_grad():
        for layer in (module, reference):
            for parameter in layer.parametrizations.parameters():
                parameter.mul_(0.5).add_(0.1)
    assert_agree(module, reference, x)
    for layer in (module, reference):
        parametrize.remove_parametrizations(layer, weight_name(name))
    assert_agree(module, reference, x)


class Half(torch.nn.Module):
    def forward(self, weight):
        return weight / 2


@over_all
def test_own_parametrization_trains(name):
    module, reference, x = make(name)
    for layer in (module, reference):
        parametrize.register_parametrization(layer, weight_name(name), Half())
        optimizer = torch.optim.SGD(layer.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            tensors(run(layer, x))[0].square().sum().backward()
            optimizer.step()
    assert_agree(module, reference, x)


@over_all
def test_weight_drop(name):
    """The weight is taken out of the parameters, and a dropped version of it set as a plain tensor before each call."""
    module, reference, x = make(name)
    weights, results = [], []
    for layer in (module, reference):
        raw = torch.nn.Parameter(getattr(layer, weight_name(name)).detach().clone())
        del layer._parameters[weight_name(name)]
        layer.register_parameter(weight_name(name) + "_raw", raw)
        for step in range(2):
            torch.manual_seed(step)
            setattr(layer, weight_name(name), torch.nn.functional.dropout(raw, 0.5))
            result = run(layer, x)
        weights.append(raw)
        results.append(result)
    assert_same(*results)
    (mine,), (other,) = (gradients(result, [raw]) for result, raw in zip(results, weights, strict=True))
    assert other.any()
    assert_same(mine, other)


@pytest.mark.parametrize("name", LAYERS)
def test_flat_weights_follow_an_assignment(name):
    module, reference, x = make(name)
    position = module._flat_weights_names.index("weight_hh_l1_reverse")
    new = torch.nn.Parameter(torch.randn_like(module.weight_hh_l1_reverse))
    for layer in (module, reference):
        layer.weight_hh_l1_reverse = new
        assert layer._flat_weights[position] is new
    assert_agree(module, reference, x)


@over_all
def test_weights_tied_across_modules(name):
    (first, first_reference, x), (second, second_reference, _) = make(name), make(name, seed=1)
    for a, b in ((first, second), (first_reference, second_reference)):
        setattr(b, weight_name(name), getattr(a, weight_name(name)))
    assert getattr(first, weight_name(name)) is getattr(second, weight_name(name))
    grads = []
    for a, b in ((first, second), (first_reference, second_reference)):
        grads.append(gradients([*tensors(run(a, x)), *tensors(run(b, x))], [getattr(a, weight_name(name))])[0])
    assert_same(*grads)
    with torch.no_grad():
        for layer in (first, first_reference):
            getattr(layer, weight_name(name)).add_(0.1)
    assert_agree(second, second_reference, x)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_tied_within_a_module(name):
    module, reference, x = make(name, bidirectional=False)
    for layer in (module, reference):
        layer.weight_hh_l1 = layer.weight_hh_l0
    assert len(list(module.parameters())) == len(list(reference.parameters()))
    assert_agree(module, reference, x)


CHANGES = {
    "data": lambda weight: weight.data.mul_(-1.5),
    "new data": lambda weight: setattr(weight, "data", torch.ones_like(weight) / 7),
    "numpy": lambda weight: weight.detach().numpy().__imul__(0.25),
    "no_grad": lambda weight: torch.no_grad()(lambda: weight.copy_(weight.flip(0)))(),
    "one element": lambda weight: weight.data.view(-1).__setitem__(1, 3.0),
}


@over_all
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("training", [True, False])
def test_a_changed_weight_is_seen_by_the_next_call(name, change, training):
    """This holds where no version counter moves: nothing may be kept from an earlier call."""
    module, reference, x = make(name)
    module.train(training)
    before = [tensors(run(module, x)) for _ in range(3)][-1]
    with torch.no_grad():
        run(module, x)
    for weight in (weight_name(name), weight_name(name).replace("weight_hh", "bias_ih")):
        for layer in (module, reference):
            change(getattr(layer, weight))
        with torch.no_grad():
            assert_same(run(module, x), run(reference, x))
        after = tensors(assert_agree(module, reference, x))
        assert not torch.equal(before[0], after[0])
        before = after


def test_weights_changed_behind_version_counters_are_seen():
    layer, reference = ours.LSTM(3, 5), theirs.LSTM(3, 5)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(4, 2, 3)
    changes = [
        lambda m: m.weight_hh_l0.data[0].fill_(0.5),
        lambda m: m.weight_ih_l0.detach().numpy().__setitem__((1, 2), 3.0),
        lambda m: m.bias_ih_l0.data.add_(0.25),
        lambda m: setattr(m.weight_hh_l0, "data", torch.full((20, 5), 0.1)),
        lambda m: m.weight_ih_l0.data.untyped_storage().copy_(torch.zeros(60).untyped_storage()),
    ]
    for change in changes:
        for with_gradients in (True, False):
            with torch.set_grad_enabled(with_gradients):
                for _ in range(2):
                    layer(x)
        before = layer(x)[0].detach()
        for module in (layer, reference):
            change(module)
        assert not torch.equal(layer(x)[0], before)
        torch.testing.assert_close(layer(x)[0], reference(x)[0], rtol=1e-5, atol=1e-6)
        gc.collect()
        found = [torch.autograd.grad(m(x)[0].sum(), m.weight_hh_l0)[0] for m in (layer, reference)]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


@over_all
@pytest.mark.parametrize("frozen", ["weight_ih", "weight_hh", "bias", "", "_l0"])
def test_some_parameters_frozen(name, frozen):
    module, reference, x = make(name)
    for layer in (module, reference):
        for key, parameter in layer.named_parameters():
            parameter.requires_grad_(frozen not in key)
    results = [tensors(run(layer, x)) for layer in (module, reference)]
    assert_same(*results)
    trained = [[p for p in layer.parameters() if p.requires_grad] for layer in (module, reference)]
    assert results[0][0].requires_grad == results[1][0].requires_grad
    if trained[1]:
        assert_same(*(list(gradients(*pair_of)) for pair_of in zip(results, trained, strict=True)))
        sum(part.sum() for part in tensors(run(module, x))).backward()
    for key, parameter in module.named_parameters():
        assert (parameter.grad is None) == (frozen in key or not trained[1]), key


@over_all
@pytest.mark.parametrize("wanted", ["x", "h", "c"])
def test_gradient_for_one_input_alone(name, wanted):
    module, reference, x = make(name)
    prefix = (4, B) if name in LAYERS else (B,)
    state = {key: torch.randn(*prefix, H, dtype=torch.float64) for key in ("h", "c")}
    if wanted == "c" and not name.startswith("LSTM"):
        wanted = "h"
    grads = []
    for layer in (module, reference):
        layer.requires_grad_(False)
        inputs = {key: value.clone() for key, value in {"x": x, **state}.items()}
        inputs[wanted].requires_grad_()
        hx = (inputs["h"], inputs["c"]) if name.startswith("LSTM") else inputs["h"]
        grads.append(gradients(layer(inputs["x"], hx), [inputs[wanted]])[0])
        assert all(parameter.grad is None for parameter in layer.parameters())
    assert grads[1].any()
    assert_same(*grads)


@over_all
def test_gradients_accumulate_over_calls(name):
    module, reference, x = make(name)
    for layer in (module, reference):
        for scale in (1.0, 2.0):
            tensors(run(layer, x * scale))[0].sum().backward()
        total = sum(part.sum() for k in range(2) for part in tensors(run(layer, x + k)))  # two calls in one graph
        total.backward()
    assert_same([p.grad for p in module.parameters()], [p.grad for p in reference.parameters()])


@over_all
def test_a_graph_is_used_once_unless_kept(name):
    module, _, x = make(name)
    result = tensors(run(module, x))[0].sum()
    result.backward(retain_graph=True)
    result.backward()
    with pytest.raises(RuntimeError, match="second time"):
        result.backward()


@over_all
def test_a_weight_changed_between_forward_and_backward_is_noticed(name):
    """Otherwise an optimiser step in between would silently give a wrong gradient."""
    module, _, x = make(name)
    result = sum(part.square().sum() for part in tensors(run(module, x.requires_grad_())))
    with torch.no_grad():
        getattr(module, weight_name(name).replace("hh", "ih")).add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.backward()


@over_all
def test_the_caller_s_tensors_are_left_alone(name):
    module, _, x = make(name)
    prefix = (4, B) if name in LAYERS else (B,)
    h, c = torch.randn(*prefix, H, dtype=torch.float64), torch.randn(*prefix, H, dtype=torch.float64)
    before = [tensor.clone() for tensor in (x, h, c, *module.parameters())]
    result = tensors(module(x, (h, c) if name.startswith("LSTM") else h))
    with torch.no_grad():
        for part in result:
            part.zero_()  # results are the caller's own: no input shows through them
    assert all(torch.equal(a, b) for a, b in zip(before, (x, h, c, *module.parameters()), strict=True))


@pytest.mark.parametrize("name", LAYERS)
def test_inside_other_modules(name):
    torch.manual_seed(0)
    module, reference, x = make(name)
    with torch.no_grad():
        assert_same(torch.nn.ModuleList([module])[0](x), reference(x))
    seen = []
    module.register_forward_hook(lambda _module, inputs, output: seen.append((inputs, output)))
    output = module(x)
    assert seen[0][0][0] is x
    assert seen[0][1] is output
    assert isinstance(theirs.Sequential(module)(x)[0], torch.Tensor)
