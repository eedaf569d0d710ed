"""Layers whose products round their operands to bfloat16: who asks for it, what holds, and how accurate it is."""

import pytest
import torch

import recurra
from recurra import nn
from recurra.engines.precision import fast_products, precision
from tests.nn.support import LAYERS

rounding = "bfloat16" in fast_products()


def results(layer, x, lengths=None):
    """Output, and the gradients of x and of all parameters, for a loss that weighs every number differently."""
    x = x.detach().clone().requires_grad_()
    given = x if lengths is None else torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, _ = layer(given)
    if lengths is not None:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    gradients = torch.autograd.grad((output * weights).sum(), [x, *layer.parameters()])
    return [output.detach(), *gradients]


def error(values, truth):
    """The largest error of each value, relative to its largest number."""
    return [float((v.double() - t).abs().max() / t.abs().max()) for v, t in zip(values, truth, strict=True)]


@pytest.mark.parametrize("name", LAYERS)
def test_errors_are_those_of_rounding_and_less_than_torch_s(name):
    torch.manual_seed(0)
    ours = getattr(nn, name)(17, 40, num_layers=2, bidirectional=True)
    theirs = getattr(torch.nn, name)(17, 40, num_layers=2, bidirectional=True, dtype=torch.bfloat16)
    exact = getattr(torch.nn, name)(17, 40, num_layers=2, bidirectional=True, dtype=torch.float64)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(parameter.bfloat16())
    for layer in (theirs, exact):
        layer.load_state_dict(ours.state_dict())
    x = torch.randn(11, 9, 17).bfloat16()
    truth = results(exact, x.double())
    with recurra.compute("bfloat16"):
        rounded = error(results(ours, x.float()), truth)
    plain = error(results(ours, x.float()), truth)
    of_torch = error(results(theirs, x), truth)
    assert max(plain) < 1e-5
    assert all(mine <= 1.1 * other for mine, other in zip(rounded, of_torch, strict=True))
    assert max(rounded) < 0.02
    assert (max(rounded) > 1e-4) == rounding


def test_who_asks_for_it():
    layer, x = nn.GRU(9, 33), torch.randn(4, 3, 9)
    plain = layer(x)[0]
    with recurra.compute("bfloat16"):
        asked = layer(x)[0]
        with recurra.compute("float32"):
            assert torch.equal(layer(x)[0], plain)
        assert torch.equal(layer(x)[0], asked)
    assert torch.equal(asked, plain) != rounding
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        assert precision() == "bfloat16"
        assert torch.equal(layer(x)[0], asked)
        torch.set_float32_matmul_precision("high")
        assert torch.equal(layer(x)[0], plain)
    finally:
        torch.set_float32_matmul_precision(before)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x)[0]
    assert half.dtype == torch.bfloat16
    weights = nn.GRU(9, 33).to(torch.bfloat16)
    weights.load_state_dict(layer.state_dict())
    assert torch.equal(weights(x.bfloat16())[0], half)
    layer.double()
    with recurra.compute("bfloat16"):
        assert layer(x.double())[0].dtype == torch.float64
        in_double = layer(x.double())[0]
    assert torch.equal(layer(x.double())[0], in_double)


@pytest.mark.parametrize("cell", ["lstm", "layer_norm_lstm", "min_gru", "fast_rnn"])
def test_ways_of_calling_give_the_same_bits(cell):
    torch.manual_seed(1)
    layer = nn.Recurrent(getattr(recurra.cells, cell), 7, 21)
    x, lengths = torch.randn(9, 6, 7), [9, 3, 1, 9, 5, 8]
    with recurra.compute("bfloat16"):
        whole = results(layer, x)
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            again = results(layer, x)
        finally:
            torch.set_num_threads(threads)
        assert all(map(torch.equal, again, whole))
        packed = results(layer, x, lengths)[0]
        for n, length in enumerate(lengths):
            assert torch.equal(packed[:length, n], whole[0][:length, n])
        with torch.no_grad():
            state, steps = None, []
            for step in x:
                output, state = layer(step[None], state)
                steps.append(output)
            assert torch.equal(torch.cat(steps), whole[0])
        with recurra.frozen(layer.eval()), torch.no_grad():
            assert torch.equal(layer(x)[0], whole[0])


def test_a_backward_pass_rounds_as_its_forward_pass_did():
    layer, x = nn.LSTM(8, 24), torch.randn(5, 4, 8)
    with recurra.compute("bfloat16"):
        output = layer(x)[0]
        inside = torch.autograd.grad(output.sum(), list(layer.parameters()))
        output = layer(x)[0]
    outside = torch.autograd.grad(output.sum(), list(layer.parameters()))
    assert all(map(torch.equal, inside, outside))


def test_a_compiled_layer_rounds_too():
    layer, x = nn.LSTM(8, 24), torch.randn(5, 4, 8)
    with recurra.compute("bfloat16"), torch.no_grad():
        expected = layer(x)[0]
        assert torch.equal(torch.compile(lambda x: layer(x)[0], backend="eager")(x), expected)


def test_training_reaches_the_same_loss():
    """Learning to say the sign of a running sum: the loss in bfloat16 ends near that of float32."""
    ends = []
    for how in ("float32", "bfloat16"):
        torch.manual_seed(2)
        layer, head = nn.GRU(1, 32), torch.nn.Linear(32, 1)
        optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], 0.01)
        with recurra.compute(how):
            for _ in range(60):
                x = torch.randn(12, 32, 1)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    head(layer(x)[0]), (x.cumsum(0) > 0).float()
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        ends.append(loss.item())
    assert ends[0] < 0.25
    assert abs(ends[1] - ends[0]) < 0.03


def test_an_unknown_precision_is_named():
    with pytest.raises(ValueError, match="there is no precision 'half'; there are float32, bfloat16"):
        recurra.compute("half").__enter__()
