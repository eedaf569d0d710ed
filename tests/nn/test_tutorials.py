"""Programs from tutorials give torch's numbers when nothing but the import is changed."""

import pytest
import torch
from torch.nn import functional

from tests.nn.support import assert_same, ours, their_packing, theirs

BOTH = (ours, theirs)


def run_both(program):
    """The results of a program on our module and on torch's, from the same seed."""
    results = []
    for nn in BOTH:
        torch.manual_seed(42)
        results.append(program(nn))
    return results


def test_two_layer_lstm_with_initial_states():
    def program(nn):
        rnn = nn.LSTM(10, 20, 2)
        input = torch.randn(5, 3, 10)
        h0 = torch.randn(2, 3, 20)
        c0 = torch.randn(2, 3, 20)
        output, (hn, cn) = rnn(input, (h0, c0))
        assert output.shape == (5, 3, 20)
        assert hn.shape == cn.shape == (2, 3, 20)
        return output, hn, cn

    assert_same(*run_both(program))


def test_simple_rnn_shapes_and_own_initialisation():
    def program(nn):
        rnn = nn.RNN(100, 200)
        assert rnn._parameters.keys() == {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
        assert rnn.weight_hh_l0.shape == (200, 200)
        assert rnn.weight_ih_l0.shape == (200, 100)
        assert rnn.bias_hh_l0.shape == rnn.bias_ih_l0.shape == (200,)
        x = torch.randn(6, 5, 100)
        output, h = rnn(x, torch.zeros(1, 5, 200))
        assert output.shape == (6, 5, 200)
        assert h.shape == (1, 5, 200)
        assert torch.equal(output[-1], h[0])
        rnn.weight_hh_l0.data = torch.eye(200) * 0.5
        rnn.weight_ih_l0.data.normal_(0, 0.1)
        rnn.bias_ih_l0.data.fill_(0.01)
        torch.nn.init.zeros_(rnn.bias_hh_l0)
        return output, h, *rnn(x)

    assert_same(*run_both(program))


def test_a_stack_of_cells():
    def program(nn):
        cell1, cell2 = nn.LSTMCell(100, 30), nn.LSTMCell(30, 20)
        x = torch.randn(10, 3, 100)
        state1 = [torch.zeros(3, 30), torch.zeros(3, 30)]
        state2 = [torch.zeros(3, 20), torch.zeros(3, 20)]
        for step in x:
            state1 = list(cell1(step, state1))
            state2 = list(cell2(state1[0], state2))
        assert state2[0].shape == state2[1].shape == (3, 20)
        return state1, state2

    assert_same(*run_both(program))


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell"])
def test_a_cell_steps_through_time(name):
    def program(nn):
        cell = getattr(nn, name)(10, 20)
        input, hx, output = torch.randn(6, 3, 10), torch.randn(3, 20), []
        for i in range(6):
            hx = cell(input[i], hx)
            output.append(hx)
        return output

    assert_same(*run_both(program))


def test_deep_lstm():
    def program(nn):
        lstm = nn.LSTM(input_size=100, hidden_size=20, num_layers=4)
        output, (h, c) = lstm(torch.randn(10, 3, 100))
        assert output.shape == (10, 3, 20)
        assert h.shape == c.shape == (4, 3, 20)
        assert torch.equal(output[-1], h[-1])
        return output, h, c

    assert_same(*run_both(program))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_directions_are_separated_by_view(name):
    T, B, H, layers = 7, 3, 20, 2

    def program(nn):
        layer = getattr(nn, name)(10, H, layers, bidirectional=True)
        output, state = layer(torch.randn(T, B, 10))
        h_n = state[0] if name == "LSTM" else state
        separate, last = output.view(T, B, 2, H), h_n.view(layers, 2, B, H)
        assert torch.equal(separate[-1, :, 0], last[-1, 0])
        assert torch.equal(separate[0, :, 1], last[-1, 1])
        return output, state

    assert_same(*run_both(program))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_sentences_of_different_lengths(name, batch_first):
    sentences = [[4, 1, 7], [2, 9, 5, 3, 8, 1], [6], [3, 3, 2, 5]]
    lengths = [len(sentence) for sentence in sentences]

    def program(nn):
        packing = ours if nn is ours else their_packing
        embedding = torch.nn.Embedding(10, 6, padding_idx=0)
        layer = getattr(nn, name)(6, 8, bidirectional=True, batch_first=batch_first)
        padded = packing.pad_sequence([torch.tensor(s) for s in sentences], batch_first=batch_first)
        packed = packing.pack_padded_sequence(embedding(padded), lengths, batch_first=batch_first, enforce_sorted=False)
        output, state = layer(packed)
        unpacked, back = packing.pad_packed_sequence(output, batch_first=batch_first)
        assert back.tolist() == lengths
        h_n = state[0] if name == "LSTM" else state
        rows = unpacked if batch_first else unpacked.transpose(0, 1)
        for row, length in enumerate(lengths):
            assert torch.equal(rows[row, length - 1, :8], h_n[0, row])  # the last word, not the last column
            assert torch.equal(rows[row, 0, 8:], h_n[1, row])
            assert not rows[row, length:].any()
        unpacked.square().sum().backward()
        return unpacked, state, embedding.weight.grad, layer.weight_hh_l0.grad

    assert_same(*run_both(program))


class LanguageModel(torch.nn.Module):
    """Characters in, scores of the next character out, around any recurrent layer."""

    def __init__(self, layer, vocab_size):
        super().__init__()
        self.rnn, self.vocab_size = layer, vocab_size
        self.num_directions = 2 if layer.bidirectional else 1
        self.linear = torch.nn.Linear(layer.hidden_size * self.num_directions, vocab_size)

    def forward(self, inputs, state):
        X = functional.one_hot(inputs.T.long(), self.vocab_size).to(torch.float32)
        Y, state = self.rnn(X, state)
        return self.linear(Y.reshape((-1, Y.shape[-1]))), state

    def begin_state(self, batch_size=1):
        shape = (self.num_directions * self.rnn.num_layers, batch_size, self.rnn.hidden_size)
        if self.rnn.mode != "LSTM":
            return torch.zeros(shape)
        return torch.zeros(shape), torch.zeros(shape)


def train(model, text, steps, batch_size=4, length=9, learning_rate=0.5):
    """Truncated backpropagation: the state goes from batch to batch, detached. Returns the losses."""
    optimizer, losses = torch.optim.SGD(model.parameters(), learning_rate), []
    state = model.begin_state(batch_size)
    for step in range(steps):
        start = step * length
        rows = text.view(batch_size, -1)
        X, Y = rows[:, start : start + length], rows[:, start + 1 : start + length + 1]
        state = state.detach() if isinstance(state, torch.Tensor) else tuple(s.detach() for s in state)
        scores, state = model(X, state)
        loss = functional.cross_entropy(scores, Y.T.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
    return losses


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("RNN", {}),
        ("RNN", {"nonlinearity": "relu"}),
        ("LSTM", {}),
        ("LSTM", {"num_layers": 2}),
        ("GRU", {}),
        ("GRU", {"bidirectional": True}),
    ],
    ids=str,
)
def test_a_language_model_learns_along_the_same_path(name, kwargs):
    vocab_size = 11
    text = (torch.arange(4 * 200) ** 2 // 3) % vocab_size

    def program(nn):
        model = LanguageModel(getattr(nn, name)(vocab_size, 16, **kwargs), vocab_size)
        losses = train(model, text, steps=20)
        assert losses[-1] < losses[0]
        return losses, [parameter.detach() for parameter in model.parameters()]

    (losses, weights), (expected_losses, expected_weights) = run_both(program)
    # rounding differs by a few units in each step, and training amplifies that
    torch.testing.assert_close(torch.stack(losses), torch.stack(expected_losses), rtol=1e-4, atol=1e-5)
    for mine, wanted in zip(weights, expected_weights, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-4)
