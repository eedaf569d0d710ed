"""The fused cross-entropy gives the numbers and gradients of torch's, whatever the rows, the memory and the engine."""

import copy
import pickle

import pytest
import torch
from torch.nn import functional

import recurra
from recurra.nn import linear_nats as module
from recurra.nn.linear_nats import Workspace, linear_nats


@pytest.fixture(params=["native", "torch"], autouse=True)
def engine(request):
    """The engine that computes what is not rounded to bfloat16; torch's own operations stand for the second."""
    with recurra.engine(request.param):
        yield request.param


def problem(rows, classes, features=6, dtype=torch.double, scale=1.0):
    torch.manual_seed(0)
    hidden, weight = torch.randn(rows, features, dtype=dtype) * scale, torch.randn(classes, features, dtype=dtype)
    tensors = [hidden, weight, torch.randn(classes, dtype=dtype)]
    return [tensor.requires_grad_() for tensor in tensors], torch.randint(classes, (rows,))


def with_gradients(total, tensors):
    return [total, *torch.autograd.grad(total, tensors)]


def of_torch(tensors, targets):
    logits = functional.linear(*tensors)
    return with_gradients(functional.cross_entropy(logits, targets, reduction="sum"), tensors)


@pytest.mark.parametrize("dtype", [torch.float32, torch.double])
@pytest.mark.parametrize("rows", [0, 1, 7, 50])
def test_numbers_of_torch(dtype, rows, monkeypatch):
    tensors, targets = problem(rows, 23, dtype=dtype)
    expected = of_torch(tensors, targets)
    workspace = Workspace()
    for size in (module.WORKSPACE_BYTES, 1000, 1):  # one piece; several; a row in each
        monkeypatch.setattr(module, "WORKSPACE_BYTES", size)
        for _ in range(2):
            found = with_gradients(linear_nats(*tensors, targets, "float32", workspace), tensors)
            torch.testing.assert_close(found, expected)


def test_gradcheck():
    (hidden, weight, bias), targets = problem(5, 4)
    assert torch.autograd.gradcheck(lambda *tensors: linear_nats(*tensors, targets), (hidden, weight, bias))
    assert torch.autograd.gradcheck(lambda *tensors: linear_nats(*tensors, None, targets), (hidden, weight))


def test_only_wanted_gradients_are_computed():
    (hidden, weight, bias), targets = problem(5, 4)
    expected = of_torch([hidden, weight, bias], targets)
    for position, wanted in enumerate((hidden, weight, bias), start=1):
        others = [each if each is wanted else each.detach() for each in (hidden, weight, bias)]
        [found] = torch.autograd.grad(linear_nats(*others, targets), [wanted])
        torch.testing.assert_close(found, expected[position])
    with torch.no_grad():
        torch.testing.assert_close(linear_nats(hidden, weight, bias, targets), expected[0])


def test_a_factor_and_a_second_backward_pass():
    tensors, targets = problem(5, 4)
    expected = of_torch(tensors, targets)
    loss = linear_nats(*tensors, targets) * 0.25
    first = torch.autograd.grad(loss, tensors, retain_graph=True)
    kept = [each.clone() for each in first]
    second = torch.autograd.grad(loss * 2, tensors)
    torch.testing.assert_close(list(first), kept, rtol=0, atol=0)
    torch.testing.assert_close(kept, [0.25 * each for each in expected[1:]])
    torch.testing.assert_close(list(second), [0.5 * each for each in expected[1:]])


def test_tied_weights_add_up():
    (_, weight, _), targets = problem(5, 4)
    tokens = torch.tensor([0, 3, 1, 1, 2])
    [found] = torch.autograd.grad(linear_nats(functional.embedding(tokens, weight), weight, None, targets), [weight])
    logits = functional.embedding(tokens, weight) @ weight.T
    [expected] = torch.autograd.grad(functional.cross_entropy(logits, targets, reduction="sum"), [weight])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_hopeless_target_has_a_finite_loss(precision):
    """The target's probability is zero in float32: the loss is some hundreds of nats, as torch says."""
    tensors, targets = problem(40, 9, dtype=torch.float32, scale=200.0)
    expected, *_ = of_torch(tensors, targets)
    found = linear_nats(*tensors, targets, precision)
    assert expected > 40 * 120
    torch.testing.assert_close(found, expected, rtol=1e-5 if precision == "float32" else 1e-2, atol=0)


def test_bfloat16_is_close():
    tensors, targets = problem(200, 300, 32, dtype=torch.float32)
    expected = of_torch(tensors, targets)
    found = with_gradients(linear_nats(*tensors, targets, "bfloat16"), tensors)
    assert [each.dtype for each in found] == [torch.float32] * 4
    assert 0 < (found[0] - expected[0]).abs() / expected[0] < 2e-3
    for mine, theirs in zip(found[1:], expected[1:], strict=True):
        assert 0 < (mine - theirs).norm() / theirs.norm() < 1e-2


@pytest.mark.parametrize("has_instructions", [False, True])
def test_auto_takes_bfloat16_where_it_pays(has_instructions, monkeypatch):
    monkeypatch.setattr(module, "has_bfloat16", lambda: has_instructions)
    monkeypatch.setattr(module, "BFLOAT16_TOKENS", 20)
    for classes, dtype in ((19, torch.float32), (20, torch.float32), (20, torch.double)):
        tensors, targets = problem(8, classes, dtype=dtype)
        narrow = has_instructions and classes == 20 and dtype == torch.float32
        expected = linear_nats(*tensors, targets, "bfloat16" if narrow else "float32")
        assert linear_nats(*tensors, targets, "auto") == expected


def test_the_engine_is_the_one_that_was_asked_for(engine, monkeypatch):
    tensors, targets = problem(7, 5)
    called = []
    monkeypatch.setattr(module, "_by_torch", lambda *arguments: called.append("torch") or torch.zeros(()))
    linear_nats(*tensors, targets)
    assert called == (["torch"] if engine == "torch" else [])


@pytest.mark.parametrize("target", [5, -1])
def test_a_target_that_is_no_token(target):
    tensors, targets = problem(7, 5)
    targets[2] = target
    with pytest.raises((IndexError, RuntimeError), match=rf"\b(is|index) {target}\b"):
        linear_nats(*tensors, targets)


def test_tensors_in_any_layout():
    (hidden, weight, bias), targets = problem(6, 9)
    expected = of_torch([hidden, weight, bias], targets)
    layouts = [hidden.detach().t().contiguous().t(), weight.detach().repeat(1, 2)[:, ::2], bias.detach().repeat(2)[:9]]
    layouts[1].copy_(weight.detach())
    layouts = [each.requires_grad_() for each in layouts]
    assert not layouts[0].is_contiguous()
    assert not layouts[1].is_contiguous()
    found = with_gradients(linear_nats(*layouts, targets.repeat_interleave(2)[::2]), layouts)
    torch.testing.assert_close(found, expected)


def test_the_workspace_is_reused_and_not_copied():
    workspace = Workspace()
    small = workspace.take(2, 3, torch.empty(0))
    large = workspace.take(4, 3, torch.empty(0))
    assert large.shape == (4, 3)
    assert workspace.take(2, 3, torch.empty(0)).data_ptr() == large.data_ptr() != small.data_ptr()
    assert workspace.take(3, 2, torch.empty(0, dtype=torch.bfloat16)).dtype == torch.bfloat16
    for other in (copy.deepcopy(workspace), pickle.loads(pickle.dumps(workspace))):
        assert other._bytes.numel() == 0


class Marked(torch.Tensor):
    pass


def test_what_an_engine_cannot_read_is_left_to_torch():
    (hidden, weight, bias), targets = problem(7, 5)
    expected = of_torch([hidden, weight, bias], targets)
    marked = hidden.detach().as_subclass(Marked).requires_grad_()
    torch.testing.assert_close(linear_nats(marked, weight, bias, targets).as_subclass(torch.Tensor), expected[0])
    rounded = bias.detach().float()
    [expected, *_] = of_torch([hidden, weight, rounded.double().requires_grad_()], targets)
    torch.testing.assert_close(linear_nats(hidden, weight, rounded, targets), expected)


def test_the_gradient_of_rows_in_half_precision():
    """It is rounded after the factor: numbers of 1e-7 would be lost in float16 before a factor of 1e6."""
    (hidden, weight, bias), targets = problem(7, 5, dtype=torch.float32, scale=1e-3)
    with torch.no_grad():
        weight *= 1e-7
    narrow = hidden.detach().half().requires_grad_()
    [found] = torch.autograd.grad(linear_nats(narrow, weight, bias, targets, "float32") * 1e6, [narrow])
    wide = narrow.detach().float().requires_grad_()
    [expected] = torch.autograd.grad(linear_nats(wide, weight, bias, targets, "float32") * 1e6, [wide])
    assert found.dtype == torch.float16
    assert torch.equal(found, expected.half())


def test_autocast_outside_changes_nothing():
    tensors, targets = problem(8, 5, dtype=torch.float32)
    expected = with_gradients(linear_nats(*tensors, targets, "float32"), tensors)
    with torch.autocast("cpu", torch.bfloat16):
        found = linear_nats(*tensors, targets, "float32")
        from_narrow = linear_nats(tensors[0].bfloat16(), *tensors[1:], targets, "float32")
    torch.testing.assert_close(with_gradients(found, tensors), expected, rtol=0, atol=0)
    torch.testing.assert_close(from_narrow.float(), expected[0], rtol=1e-2, atol=0)
