"""Every equation between last states and output holds in real runs of torch.nn's and recurra's layers."""

import random

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from recurra import cells
from recurra.nn import Recurrent
from tests.look.written import hidden_output

KINDS = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "RNN": torch.nn.RNN}


def configuration(seed):
    """A random layer, and a random input of it: dense, unbatched or packed."""
    draw = random.Random(seed)
    kind, hidden = draw.choice(list(KINDS)), draw.randint(2, 5)
    options = {
        "num_layers": draw.randint(1, 4),
        "bidirectional": draw.random() < 0.6,
        "batch_first": draw.random() < 0.5,
    }
    if kind == "LSTM" and draw.random() < 0.5:
        options["proj_size"] = draw.randint(1, hidden - 1)
    torch.manual_seed(seed)
    layer = KINDS[kind](3, hidden, **options)
    batch, steps = draw.randint(1, 4), draw.randint(1, 6)
    form = draw.choice(["dense", "unbatched", "sorted", "unsorted"])
    if form == "unbatched":
        return layer, torch.randn(steps, 3)
    x = torch.randn(batch, steps, 3) if layer.batch_first else torch.randn(steps, batch, 3)
    if form == "dense":
        return layer, x
    lengths = [draw.randint(1, steps) for _ in range(batch)]
    lengths[0] = steps
    if form == "sorted":
        lengths.sort(reverse=True)
    return layer, pack_padded_sequence(x, lengths, layer.batch_first, enforce_sorted=form == "sorted")


def names_of(layer, x, output, last):
    """The names of an equality, with their values."""
    names = {"torch": torch, "output": output}
    states = last if isinstance(last, tuple) else (last,)
    names.update(zip(("h_n", "c_n"), states, strict=False))
    if isinstance(x, torch.nn.utils.rnn.PackedSequence):
        names["padded"], names["lengths"] = pad_packed_sequence(output, layer.batch_first)
    names["batch"] = states[0].shape[1]
    return names


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
@pytest.mark.parametrize("seed", range(60))
def test_every_equality_holds_in_a_run_of_torch(seed):
    layer, x = configuration(seed)
    relations = recurra.explain(layer, x).parts[0].stack.relations
    names = names_of(layer, x, *layer(x))
    directions = 2 if layer.bidirectional else 1
    assert len(relations.rows) == layer.num_layers * directions == names["h_n"].shape[0]
    assert [(row.layer, row.direction) for row in relations.rows] == [
        divmod(n, directions) for n in range(len(relations.rows))
    ]
    assert [row.equality is not None for row in relations.rows] == [
        row.layer == layer.num_layers - 1 for row in relations.rows
    ]
    for equality in relations.equalities:
        for b in range(names["batch"] if "lengths" in names else 1):
            left, right = eval(equality.left, {**names, "b": b}), eval(equality.right, {**names, "b": b})
            assert torch.equal(left, right), str(equality)


def test_without_an_input_the_batch_is_a_name():
    layer = torch.nn.GRU(3, 4, 2, bidirectional=True)
    found = recurra.explain(layer).parts[0].stack.relations
    names = names_of(layer, None, *layer(torch.randn(5, 6, 3)))
    assert any("batch" in equality.left for equality in found.equalities)
    for equality in found.equalities:
        assert torch.equal(eval(equality.left, names), eval(equality.right, names)), str(equality)


def test_the_backward_output_of_the_last_step_has_seen_one_step():
    layer = torch.nn.LSTM(3, 4, bidirectional=True)
    x = torch.randn(5, 2, 3)
    [statement] = [
        s.text for s in recurra.explain(layer, x).parts[0].stack.relations.statements if "one step alone" in s.text
    ]
    assert "output[0, :, 4:]" in statement
    assert "output[-1, :, 4:] is its state after one step alone" in statement
    output, alone = layer(x)[0], layer(x[-1:])[0]
    assert torch.allclose(output[-1, :, 4:], alone[0, :, 4:])
    assert not torch.allclose(output[-1, :, 4:], output[0, :, 4:])


def test_lower_layers_are_not_in_the_output():
    layer = torch.nn.GRU(3, 4, 3)
    output, h_n = layer(torch.randn(5, 2, 3))
    for row in recurra.explain(layer).parts[0].stack.relations.rows[:-1]:
        assert row.elsewhere == f"not in output: layer {row.layer + 1} reads it"
        assert not any(torch.equal(h_n[row.number], step) for step in output)


def test_an_output_that_is_no_state():
    layer = Recurrent(hidden_output, 3, 4, bidirectional=True)
    relations = recurra.explain(layer, torch.randn(5, 2, 3)).parts[0].stack.relations
    assert {row.elsewhere for row in relations.rows} == {"not in output, which is y"}
    assert all("output" not in equality.right for equality in relations.equalities)


def test_states_of_packed_sequences_are_in_the_caller_s_order():
    x = torch.randn(5, 3, 3)
    layer, lengths = torch.nn.GRU(3, 4), [2, 5, 3]
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    form = recurra.explain(layer, packed).parts[0].stack.form
    assert form.lengths == (2, 5, 3)
    assert form.order == (1, 2, 0)
    h_n = layer(packed)[1]
    for b, length in enumerate(lengths):
        assert torch.allclose(h_n[0, b], layer(x[:length, b])[1][0], atol=1e-6)


def test_own_states_have_their_names():
    layer = Recurrent(cells.peephole_lstm, 3, 4, 2)
    texts = [statement.text for statement in recurra.explain(layer).parts[0].stack.relations.statements]
    assert any(text.startswith("c_n has the same rows as h_n") for text in texts)
