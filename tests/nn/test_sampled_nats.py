"""The cross-entropy over a sample of tokens: the whole one where all are drawn, and else without bias in its sums."""

import pytest
import torch
from torch.nn import functional

from recurra.engines.torch_internals import has_bfloat16
from recurra.nn.linear_nats import Workspace, linear_nats
from recurra.nn.sampled_nats import TokenSample, draw_tokens, sampled_nats


def problem(rows, classes, features=6, dtype=torch.double):
    generator = torch.Generator().manual_seed(0)
    shapes = ((rows, features), (classes, features), (classes,))
    tensors = [torch.randn(shape, dtype=dtype, generator=generator).requires_grad_() for shape in shapes]
    return tensors, torch.randint(classes, (rows,), generator=generator)


def with_gradients(total, tensors):
    return [total, *torch.autograd.grad(total, tensors)]


def plain(hidden, weight, bias, targets, sample):
    """The definition, row by row."""
    total = 0
    for row, target in zip(hidden, targets.tolist(), strict=True):
        logits = weight @ row + bias
        others = [
            logits[token] - log
            for token, log in zip(sample.tokens.tolist(), sample.log_probabilities, strict=True)
            if token != target
        ]
        total = total + torch.logsumexp(torch.stack([logits[target], *others]), 0) - logits[target]
    return total


@pytest.mark.parametrize("dtype", [torch.float32, torch.double])
@pytest.mark.parametrize("rows", [1, 7])
def test_definition(dtype, rows):
    tensors, targets = problem(rows, 23, dtype=dtype)
    for tokens in ([0, 1, 5, 22], [], targets.unique().tolist(), list(range(23))):
        sample = TokenSample(torch.tensor(tokens, dtype=torch.long), -torch.arange(len(tokens)).to(dtype) / 7)
        expected = with_gradients(plain(*tensors, targets, sample), tensors)
        for workspace in (None, Workspace()):
            found = with_gradients(sampled_nats(*tensors, targets, sample, "float32", workspace), tensors)
            torch.testing.assert_close(found, expected)


def test_no_rows():
    tensors, targets = problem(0, 9)
    found = with_gradients(sampled_nats(*tensors, targets, draw_tokens(9, 4)), tensors)
    assert [float(each.detach().abs().sum()) for each in found] == [0, 0, 0, 0]


def test_a_sample_of_all_tokens_is_the_whole_softmax():
    tensors, targets = problem(5, 12)
    sample = draw_tokens(12, 12)
    assert sample.tokens.tolist() == list(range(12))
    expected = with_gradients(linear_nats(*tensors, targets), tensors)
    torch.testing.assert_close(with_gradients(sampled_nats(*tensors, targets, sample), tensors), expected)


def test_gradcheck_tied_weights_and_no_bias():
    (hidden, weight, _), targets = problem(5, 8)
    sample = TokenSample(torch.tensor([1, 2, 7]), torch.tensor([-0.5, -1.0, -2.0]))
    assert torch.autograd.gradcheck(lambda *each: sampled_nats(*each, None, targets, sample), (hidden, weight))
    tied = functional.embedding(torch.tensor([0, 3, 1, 1, 2]), weight)
    [found] = torch.autograd.grad(sampled_nats(tied, weight, None, targets, sample), [weight])
    expected = plain(functional.embedding(torch.tensor([0, 3, 1, 1, 2]), weight), weight, 0, targets, sample)
    torch.testing.assert_close(found, *torch.autograd.grad(expected, [weight]))


def test_a_second_backward_pass():
    tensors, targets = problem(5, 8)
    total = sampled_nats(*tensors, targets, draw_tokens(8, 4))
    first = [each.clone() for each in torch.autograd.grad(total, tensors, retain_graph=True)]
    torch.testing.assert_close(list(torch.autograd.grad(total * 2, tensors)), [2 * each for each in first])


def test_draws_are_as_probable_as_they_say():
    torch.manual_seed(0)
    vocabulary, count, rounds = 300, 40, 3000
    seen, told = torch.zeros(vocabulary), torch.zeros(vocabulary)
    for _ in range(rounds):
        tokens, logs = draw_tokens(vocabulary, count)
        assert tokens.tolist() == sorted(set(tokens.tolist()))
        seen[tokens] += 1
        told[tokens] = logs.exp()
    assert told.sum() == pytest.approx(count, rel=1e-4)
    assert (told[1:] <= told[:-1] + 1e-7).all()
    assert told[0] == 1
    assert (seen == rounds)[told == 1].all()
    spread = (told * (1 - told) / rounds).sqrt()
    assert ((seen / rounds - told).abs() <= 5 * spread + 1e-9).all()


def test_the_estimated_sum_has_no_bias():
    torch.manual_seed(0)
    (hidden, weight, bias), targets = problem(1, 60)
    whole = torch.logsumexp(functional.linear(hidden, weight, bias), 1).exp()
    logit = (hidden * weight[targets]).sum() + bias[targets]
    found = []
    with torch.no_grad():
        for _ in range(2000):
            found.append((sampled_nats(hidden, weight, bias, targets, draw_tokens(60, 20)) + logit).exp())
    mean, spread = torch.stack(found).mean(), torch.stack(found).std() / len(found) ** 0.5
    assert (mean - whole).abs() < 4 * spread
    assert spread < 0.02 * whole


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_bfloat16(precision):
    tensors, targets = problem(40, 12_000, 16, torch.float32)
    sample = draw_tokens(12_000, 500)
    exact = with_gradients(sampled_nats(*tensors, targets, sample, "float32"), tensors)
    found = with_gradients(sampled_nats(*tensors, targets, sample, precision), tensors)
    torch.testing.assert_close(found[0], exact[0], rtol=5e-3, atol=0)
    for ours, theirs in zip(found[1:], exact[1:], strict=True):
        assert (ours - theirs).norm() <= 0.03 * theirs.norm()
    is_narrow = precision == "bfloat16" or has_bfloat16()
    assert torch.equal(found[0], exact[0]) is not is_narrow
