"""Direct calls of an engine: they leave calls that are not plain to the checked call, and nothing else."""

import contextlib
import copy
import pickle

import pytest
import torch
from torch.overrides import TorchFunctionMode

import recurra
from recurra.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from recurra.nn.running import direct
from tests.engines.native.layers import assert_equal, gradients

LAYERS = [LSTM(3, 5), GRU(3, 5, 2, batch_first=True), RNN(3, 5, bidirectional=True), LSTMCell(3, 5), RNNCell(3, 5)]


def x_of(module, dtype=torch.float32):
    return torch.randn(*((4,) if isinstance(module, (LSTMCell, GRUCell, RNNCell)) else (2, 4)), 3, dtype=dtype)


def flat(result):
    if torch.is_tensor(result):
        return [result]
    return [value for part in result for value in flat(part)]


class Passing(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


@pytest.fixture
def ways(monkeypatch):
    """For each call, whether it ran directly."""
    answers = []
    original = direct._run

    def spy(*arguments):
        answer = original(*arguments)
        answers.append(answer is not None)
        return answer

    monkeypatch.setattr(direct, "_run", spy)
    return answers


@pytest.mark.parametrize("module", LAYERS, ids=repr)
@pytest.mark.parametrize("training", [False, True])
def test_the_way_that_checks_gives_the_same(module, training, monkeypatch, ways):
    x = x_of(module).requires_grad_(training)
    leaves = [x, *module.parameters()]
    with torch.set_grad_enabled(training):
        mine = flat(module(x))
        found = gradients(mine, leaves) if training else []
        assert ways == [True]
        monkeypatch.setattr(direct, "_run", lambda *_: None)
        other = flat(module(x))
        assert_equal(mine, other)
        expected = gradients(other, leaves) if training else []
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("module", LAYERS, ids=repr)
def test_defaults_of_torch_do_not_change_results(module, ways):
    x = x_of(module)
    with torch.no_grad():
        expected = flat(module(x))
        torch.set_default_dtype(torch.float64)
        try:
            assert_equal(flat(module(x)), expected)
        finally:
            torch.set_default_dtype(torch.float32)
        with torch.device("meta"):
            found = flat(module(x))
        assert {value.device.type for value in found} == {"cpu"}
        assert_equal(found, expected)
        with Passing():
            assert_equal(flat(module(x)), expected)
    assert all(ways)


def test_results_in_inference_mode_are_inference_tensors(ways):
    with torch.inference_mode():
        output, (h_n, c_n) = LAYERS[0](x_of(LAYERS[0]))
    assert ways == [True]
    assert output.is_inference()
    assert h_n.is_inference()
    assert c_n.is_inference()


def test_results_are_the_caller_s_to_resize():
    with torch.no_grad():
        output, _ = LAYERS[0](x_of(LAYERS[0]))
    assert output.resize_(100, 100).shape == (100, 100)


@pytest.mark.parametrize(
    "strange",
    [
        lambda x: x.to(torch.bfloat16),
        lambda x: x.to("meta"),
        lambda x: x.to_sparse(),
        lambda x: x.int(),
        lambda x: x.numpy(),
        lambda x: None,
    ],
    ids=["bfloat16", "meta", "sparse", "int", "numpy", "None"],
)
def test_strange_inputs_are_left_to_the_way_that_checks(strange, ways):
    with torch.no_grad(), pytest.raises((TypeError, ValueError, RuntimeError)):
        LAYERS[0](strange(x_of(LAYERS[0])))
    assert not any(ways)


@pytest.mark.parametrize("part", ["x", "state", "weight"])
@pytest.mark.parametrize("is_frozen", [False, True])
def test_emptied_memory_is_an_error(part, is_frozen):
    layer = LSTM(3, 5)
    x, states = x_of(layer), (torch.zeros(1, 4, 5), torch.zeros(1, 4, 5))
    emptied = {"x": x, "state": states[1], "weight": layer.weight_hh_l0}[part]
    emptied.untyped_storage().resize_(0)
    promise = recurra.frozen(layer) if is_frozen else contextlib.nullcontext()
    with torch.no_grad(), promise, pytest.raises((ValueError, RuntimeError)):
        layer(x, states)


@pytest.mark.parametrize("change", [lambda w: w.data.new_zeros(2, 2), lambda w: w.data.t().contiguous()])
@pytest.mark.parametrize("is_frozen", [False, True])
def test_weights_of_another_shape_never_reach_a_kernel(change, is_frozen):
    layer = LSTM(3, 5)
    x = x_of(layer)
    layer.weight_hh_l0.data = change(layer.weight_hh_l0)
    promise = recurra.frozen(layer) if is_frozen else contextlib.nullcontext()
    with (
        torch.no_grad(),
        promise,
        pytest.raises(RuntimeError, match=r"LSTM\.weight_hh_l0 must have shape \(20, 5\); it has"),
    ):
        layer(x)
    with pytest.raises(RuntimeError, match=r"LSTM\.weight_hh_l0 must have shape \(20, 5\); it has"):
        layer(x)


def test_a_module_that_was_called_can_be_copied():
    layer = LSTM(3, 5)
    x = x_of(layer)
    output, _ = layer(x)
    with torch.no_grad(), recurra.frozen(layer):
        layer(x)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            other.weight_hh_l0.zero_()
            assert not torch.equal(other(x)[0], output)
            assert torch.equal(layer(x)[0], output)


def test_what_a_module_is_may_change_between_calls():
    layer = GRU(3, 5)
    x = x_of(layer)
    with torch.no_grad():
        expected = layer(x)[0]
        layer.batch_first = True
        assert_equal([layer(x.transpose(0, 1))[0].transpose(0, 1)], [expected])
        layer.batch_first = False
        layer.double()
        assert layer(x.double())[0].dtype is torch.float64
        torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
        torch.testing.assert_close(layer(x.double())[0].float(), expected)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_same_number_arriving_everywhere(kind, steps):
    """The gradient of a sum is one expanded number, whose memory holds a single element."""
    layer, x = kind(3, 5), torch.randn(steps, 2, 3, requires_grad=True)
    leaves = [x, *layer.parameters()]
    output = layer(x)[0]
    summed = torch.autograd.grad(output.sum() * 3, leaves, retain_graph=True)
    spelled = torch.autograd.grad(output, leaves, torch.full(output.shape, 3.0), retain_graph=True)
    assert_equal(summed, spelled)
    apart = torch.full((5, 2, steps), 3.0).permute(2, 1, 0)
    assert_equal(torch.autograd.grad(output, leaves, apart, retain_graph=True), spelled)
    rows = torch.randn(5).expand(output.shape)
    assert_equal(
        torch.autograd.grad(output, leaves, rows, retain_graph=True), torch.autograd.grad(output, leaves, rows.clone())
    )


@pytest.mark.parametrize(
    "module", [LSTMCell(3, 5), GRUCell(3, 5), GRU(3, 5), LSTM(3, 5, 2, bidirectional=True)], ids=repr
)
def test_gradients_of_gradients(module):
    x = x_of(module).requires_grad_()
    found = []
    for engine in ("native", "reference"):
        with recurra.engine(engine):
            results = flat(module(x))
            (first,) = torch.autograd.grad(sum(value.square().sum() for value in results), x, create_graph=True)
            found.append(
                torch.autograd.grad(
                    first.square().sum(), [x, *module.parameters()], allow_unused=True, materialize_grads=True
                )
            )
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_two_parameters_with_the_same_gradient_have_one_each():
    layer = LSTM(3, 5)
    layer(x_of(layer))[0].sum().backward()
    assert torch.equal(layer.bias_ih_l0.grad, layer.bias_hh_l0.grad)
    assert layer.bias_ih_l0.grad.data_ptr() != layer.bias_hh_l0.grad.data_ptr()


def test_layers_that_do_not_fit_each_other_are_refused():
    first, second = GRU(3, 4), GRU(500, 4)
    with torch.no_grad():
        first(torch.zeros(1, 1, 3))  # from here on native code can read torch's tensors
    names = [[f"{part}{name}" for name in layer._all_weights[0]] for part, layer in (("a", first), ("b", second))]
    with pytest.raises(ValueError, match="layers that do not fit each other"):
        direct._direct([first._scans[0], second._scans[0]], names, 1, False, torch.float32)


def test_a_state_that_is_a_number_is_refused():
    with torch.no_grad(), pytest.raises(RuntimeError, match="h_0 must be a tensor"):
        GRU(3, 4)(torch.zeros(5, 2, 3), torch.tensor(0.0))
