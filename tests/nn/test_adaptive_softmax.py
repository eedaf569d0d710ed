"""The adaptive softmax has the parameters and the numbers of torch.nn's, everywhere a model runs."""

import pytest
import torch
from torch import nn

import recurra
from recurra import runtime
from recurra.errors import FileFormatError
from recurra.nn import LSTM, AdaptiveSoftmax, Stack, linear_nats
from recurra.nn.parts import describe


def both(head_bias=False, dtype=torch.double):
    torch.manual_seed(0)
    theirs = nn.AdaptiveLogSoftmaxWithLoss(16, 50, [5, 20], head_bias=head_bias, dtype=dtype)
    ours = AdaptiveSoftmax(16, 50, [5, 20], head_bias=head_bias).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("head_bias", [False, True])
def test_numbers_of_torch(head_bias):
    ours, theirs = both(head_bias)
    x, targets = torch.randn(40, 16, dtype=torch.double, requires_grad=True), torch.randint(50, (40,))
    torch.testing.assert_close(ours(x), theirs.log_prob(x))
    torch.testing.assert_close(ours(x.view(8, 5, 16)), theirs.log_prob(x).view(8, 5, 50))
    expected, found = theirs(x, targets).loss * 40, ours.nats(x, targets)
    torch.testing.assert_close(found, expected)
    gradients = torch.autograd.grad(expected, [x, *theirs.parameters()])
    torch.testing.assert_close(torch.autograd.grad(found, [x, *ours.parameters()]), gradients)


@pytest.mark.parametrize("targets", [[0, 4, 2], [5, 19, 5], [49, 20]], ids=["frequent", "first", "second"])
def test_clusters_without_targets(targets):
    ours, theirs = both()
    x = torch.randn(len(targets), 16, dtype=torch.double)
    torch.testing.assert_close(
        ours.nats(x, torch.tensor(targets)), theirs(x, torch.tensor(targets)).loss * len(targets)
    )


def test_it_starts_as_torch_does():
    torch.manual_seed(3)
    theirs = nn.AdaptiveLogSoftmaxWithLoss(16, 50, [5, 20])
    torch.manual_seed(3)
    ours = AdaptiveSoftmax(16, 50, [5, 20])
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(ours.state_dict()[name], value) for name, value in theirs.state_dict().items())


def test_precision_reaches_every_product(monkeypatch):
    ours, _ = both(dtype=torch.float32)
    x, targets = torch.randn(40, 16), torch.randint(50, (40,))
    narrow = ours.nats(x, targets, "bfloat16")
    monkeypatch.setattr(linear_nats, "has_bfloat16", lambda: True)
    monkeypatch.setattr(linear_nats, "BFLOAT16_TOKENS", 1)
    assert ours.nats(x, targets, "auto") == narrow != ours.nats(x, targets, "float32")


def test_streams_give_the_bits_of_whole_sequences(tmp_path):
    model = Stack(nn.Embedding(50, 12), LSTM(12, 16), both(dtype=torch.float32)[0]).eval()
    recurra.save(model, tmp_path / "model")
    loaded, ids = runtime.load(tmp_path / "model"), torch.randint(50, (6, 3)).numpy()
    whole, _ = loaded(ids)
    stream, streams = loaded.stream(3), loaded.streams()
    numbers = streams.join(3)
    for step in range(6):
        assert (stream.step(ids[step]) == whole[step]).all()
        assert (streams.step(numbers, ids[step]) == whole[step]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((16, 50, []), "cutoffs must be ascending"),
        ((16, 50, [0, 4]), "cutoffs must be ascending"),
        ((16, 50, [20, 5]), "cutoffs must be ascending"),
        ((16, 50, [5, 50]), "below the number of classes, 50"),
        ((16, 500, range(1, 102)), "at most 100 cutoffs"),
        ((16, 50, [5], 1e300), "div_value is from 1 to 1000"),
        ((16, 50, [5, 10, 20]), "16 features are too few for 3 clusters"),
    ],
)
def test_impossible_cutoffs(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveSoftmax(*arguments)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cutoffs", (), "cutoffs must be 1 to 100 whole numbers from 1, ascending"),
        ("cutoffs", (5, 5), "cutoffs must be 1 to 100 whole numbers from 1, ascending"),
        ("cutoffs", (5.0,), "cutoffs must be 1 to 100 whole numbers from 1, ascending"),
        ("cutoffs", "5", "cutoffs must be 1 to 100 whole numbers from 1, ascending"),
        ("cutoffs", (5, 50), "cutoffs must be below n_classes"),
        ("cutoffs", (5, 10, 20), "leaves the last cluster no features"),
        ("div_value", 0.5, "div_value must be a number from 1 to 1000"),
        ("div_value", 1e300, "div_value must be a number from 1 to 1000"),
        ("n_classes", 51, "has shape"),
    ],
)
def test_damaged_settings(name, value, message):
    description = describe(AdaptiveSoftmax(16, 50, [5, 20]))
    part = recurra.model.Part("AdaptiveSoftmax", {**description.root.settings, name: value})
    with pytest.raises(FileFormatError, match=message):
        recurra.model.Description(part, description.weights)
