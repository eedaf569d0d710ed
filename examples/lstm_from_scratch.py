"""The LSTM that textbooks write from scratch, and the same equations as a recurra cell, compared and timed.

python examples/lstm_from_scratch.py
"""

import statistics
import time

import torch
from torch.nn import functional

import recurra
from recurra import sigmoid, tanh

VOCABULARY, HIDDEN, BATCH, STEPS = 28, 64, 32, 35


# From scratch: every gate has its own weights, and Python loops over the time steps.


def get_params():
    def three():
        return torch.randn(VOCABULARY, HIDDEN) * 0.1, torch.randn(HIDDEN, HIDDEN) * 0.1, torch.zeros(HIDDEN)

    W_xi, W_hi, b_i = three()
    W_xf, W_hf, b_f = three()
    W_xo, W_ho, b_o = three()
    W_xc, W_hc, b_c = three()
    W_hq, b_q = torch.randn(HIDDEN, VOCABULARY) * 0.1, torch.zeros(VOCABULARY)
    params = [W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c, W_hq, b_q]
    return [param.requires_grad_() for param in params]


def begin_state(batch_size):
    return torch.zeros(batch_size, HIDDEN), torch.zeros(batch_size, HIDDEN)


def lstm_from_scratch(inputs, state, params):
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c, W_hq, b_q = params
    H, C = state
    outputs = []
    for X in inputs:
        I = torch.sigmoid(X @ W_xi + H @ W_hi + b_i)  # noqa: E741  (as in the textbooks)
        F = torch.sigmoid(X @ W_xf + H @ W_hf + b_f)
        O = torch.sigmoid(X @ W_xo + H @ W_ho + b_o)  # noqa: E741
        G = torch.tanh(X @ W_xc + H @ W_hc + b_c)
        C = F * C + I * G
        H = O * torch.tanh(C)
        outputs.append(H @ W_hq + b_q)
    return torch.cat(outputs), (H, C)


# The same equations as a cell: the loop, the layers and the directions are recurra's.


@recurra.cell
def textbook_lstm(x, h, c, *, W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c):
    i = sigmoid(x @ W_xi + h @ W_hi + b_i)
    f = sigmoid(x @ W_xf + h @ W_hf + b_f)
    o = sigmoid(x @ W_xo + h @ W_ho + b_o)
    g = tanh(x @ W_xc + h @ W_hc + b_c)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c


def seconds(run):
    """The median of nine training steps."""
    times = []
    for _ in range(10):
        start = time.perf_counter()
        run().sum().backward()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main():
    torch.manual_seed(0)
    params = get_params()
    layer = recurra.nn.Recurrent(textbook_lstm, VOCABULARY, HIDDEN)
    with torch.no_grad():
        for name, param in zip(textbook_lstm.parameters, params, strict=False):
            getattr(layer, f"{name}_l0").copy_(param)
    W_hq, b_q = params[-2:]
    inputs = functional.one_hot(torch.randint(VOCABULARY, (STEPS, BATCH)), VOCABULARY).float()

    expected, (H, C) = lstm_from_scratch(inputs, begin_state(BATCH), params)
    output, (h_n, c_n) = layer(inputs)
    got = (output @ W_hq + b_q).flatten(0, 1)
    with torch.no_grad():
        difference = max(float((a - b).abs().max()) for a, b in ((got, expected), (h_n[0], H), (c_n[0], C)))
    print(f"outputs {tuple(expected.shape)}, largest difference {difference:.1e}")

    by_hand = seconds(lambda: lstm_from_scratch(inputs, begin_state(BATCH), params)[0])
    by_cell = seconds(lambda: layer(inputs)[0] @ W_hq + b_q)
    print(f"one training step: from scratch {by_hand * 1e3:.1f} ms, as a cell {by_cell * 1e3:.1f} ms")
    print(f"the cell takes {by_cell / by_hand:.2f} times the time of the loop")
    assert difference < 1e-5


if __name__ == "__main__":
    main()
