"""``check``: how layers read their input, and the mistakes that a call suggests; no false alarm where all is well."""

import pytest
import torch
from torch import nn

import recurra
from recurra.look import check
from recurra.mistakes import NAMES

X = torch.randn(32, 100, 10)
LIBRARIES = [recurra.nn, nn]


def suspected(*arguments, **options):
    found = [each.mistake for each in check(*arguments, **options).suspicions]
    assert set(found) <= set(NAMES)
    return found


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_a_right_call_suggests_nothing(library, name):
    layer = getattr(library, name)(10, 20, num_layers=2, bidirectional=True, batch_first=True)
    found = check(layer, X, lengths=torch.full((32,), 100))
    assert found.suspicions == ()
    assert found.readings == (
        f"{name}({layer.extra_repr()}) reads (32, 100, 10) as seq_len=100, batch=32, input_size=10",
    )
    assert "no sign of a mistake" in str(found)


def test_packed_input_and_states_suggest_nothing():
    packed = recurra.nn.pack_sequence([torch.randn(n, 10) for n in (3, 5)], enforce_sorted=False)
    found = check(recurra.nn.LSTM(10, 20, bidirectional=True), packed, lengths=[3, 5])
    assert found.suspicions == ()
    assert found.readings[0].endswith("reads a packed batch of 2 sequences, the longest of 5 steps")
    assert suspected(recurra.nn.GRU(10, 20), X, torch.zeros(1, 100, 20)) == []
    assert suspected(recurra.nn.GRU(10, 20), X[:1], torch.zeros(1, 100, 20)) == []  # one step of a stream


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_lengths_tell(library):
    assert suspected(library.GRU(10, 20), X, lengths=[100] * 32) == ["batch-and-time-swapped"]
    square = torch.randn(32, 32, 10)
    assert suspected(library.GRU(10, 20), square, lengths=[33] * 32) == ["batch-and-time-swapped"]
    padded = library.GRU(10, 20, batch_first=True)
    assert suspected(padded, X, lengths=[100, *[50] * 31]) == ["last-step-of-padding"]
    both = library.GRU(10, 20, batch_first=True, bidirectional=True)
    assert suspected(both, X, lengths=[100, *[50] * 31]) == ["last-step-of-padding", "backward-over-padding"]
    assert "31 of 32 sequences end before step 100: output[:, -1] and h_n" in " ".join(
        str(check(both, X, lengths=[100, *[50] * 31])).split()
    )


def test_what_the_shape_tells():
    assert suspected(recurra.nn.GRU(10, 20), torch.randn(32, 10)) == ["input-dimensions"]
    assert suspected(recurra.nn.GRU(10, 20), torch.randn(1, 32, 10)) == ["batch-and-time-swapped"]


def test_what_zeros_at_the_end_tell():
    x = X.clone()
    x[5, 80:] = x[7, 99:] = 0
    layer = recurra.nn.GRU(10, 20, batch_first=True)
    assert suspected(layer, x) == ["last-step-of-padding"]
    assert "sequences 5, 7 end in steps of zeros" in str(check(layer, x))
    assert suspected(layer, torch.zeros(32, 100, 10)) == []
    assert suspected(recurra.nn.GRU(10, 20), x.transpose(0, 1)) == ["last-step-of-padding"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_calls_that_fail_are_explained(library):
    h = torch.zeros(1, 32, 20)
    assert suspected(library.LSTM(9, 20), X) == ["input-features"]
    assert suspected(library.LSTM(10, 20, batch_first=True), X, h) == ["lstm-state-for-gru"]
    assert suspected(library.GRU(10, 20, batch_first=True), X, (h, h)) == ["lstm-state-for-gru"]
    assert suspected(library.GRU(10, 20, batch_first=True), X, h.transpose(0, 1)) == ["h0-shape"]
    assert suspected(library.GRU(10, 20), X, h) == ["batch-and-time-swapped"]
    assert suspected(library.GRU(10, 20), X.double()) == ["another-dtype"]
    assert suspected(nn.Sequential(library.GRU(10, 20), nn.Linear(20, 3)), X) == ["output-tuple"]
    failed = check(nn.Sequential(nn.Linear(9, 3)), X)
    assert [each.mistake for each in failed.suspicions] == [""]
    assert "the call fails: RuntimeError: mat1" in str(failed)


def test_a_state_with_a_graph():
    layer = recurra.nn.LSTM(10, 20)
    state = layer(X)[1]
    assert suspected(layer, X, state) == ["states-not-detached"]
    assert suspected(layer, X, tuple(each.detach() for each in state)) == []


class Tagger(nn.Module):
    """A model with two layers inside, called by keyword too."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.lower = nn.LSTM(8, 20, batch_first=True, bidirectional=True)
        self.upper = recurra.nn.GRU(40, 30, batch_first=True, dropout=0.2, num_layers=2)
        self.head = nn.Sequential(nn.Linear(30, 5), nn.Softmax(-1))

    def forward(self, tokens):
        output, _ = self.lower(self.embedding(tokens))
        return self.head(self.upper(input=output)[0])


def test_a_model():
    model, tokens = Tagger(), torch.randint(0, 50, (3, 7))
    found = check(model, tokens, lengths=[7, 2, 5])
    assert [line.split()[0] for line in found.readings] == ["lower:", "upper:"]
    assert [each.mistake for each in found.suspicions] == [
        "embedding-without-padding-index",
        "softmax-before-cross-entropy",
        "last-step-of-padding",
        "backward-over-padding",
    ]
    with torch.no_grad():
        assert suspected(model, tokens) == ["eval-forgotten", "softmax-before-cross-entropy"]
        assert suspected(model.eval(), tokens) == []


def test_nothing_of_the_caller_changes():
    model, tokens = Tagger(), torch.randint(0, 50, (3, 7))
    before = torch.random.get_rng_state()
    check(model, tokens)
    assert torch.equal(before, torch.random.get_rng_state())
    assert type(model.lower) is nn.LSTM
    assert not model.lower._forward_pre_hooks
    assert model.training


def test_a_model_without_recurrent_layers_says_so():
    assert "has run no layer of recurra.nn or torch.nn" in str(check(nn.Linear(10, 3), X))


def test_something_else_is_refused():
    with pytest.raises(TypeError, match=r"check takes a cell, or a torch\.nn\.Module and its input; not a Tensor"):
        check(X, X)
