"""An idea for a cell in ten lines: checked, then trained on the adding problem beside an LSTM, in under a minute.

python examples/your_own_cell.py            # --updates 20 for a short look

Change the equations of `ledger`, and run it again.
"""

import argparse
import time

import torch

import recurra
from recurra import sigmoid, tanh

STEPS, BATCH, HIDDEN = 60, 64, 64


@recurra.cell(output="y", init={"b_f": 3.0})
def ledger(x, c, *, W_f, b_f, W_i, b_i, W_g, b_g, W_y, b_y):
    """The input alone decides what is written and what stays; the output reads all of it."""
    f = sigmoid(x @ W_f + b_f)
    i = sigmoid(x @ W_i + b_i)
    c = f * c + i * tanh(x @ W_g + b_g)
    y = tanh(c @ W_y + b_y)
    return c


def adding(numbers):
    """Numbers beside marks, (STEPS, BATCH, 2), two of which are set; and the sums of the two marked numbers."""
    values = torch.rand(STEPS, BATCH, generator=numbers)
    marks = torch.zeros(STEPS, BATCH)
    for half in (0, STEPS // 2):  # one mark in each half
        marks[half + torch.randint(STEPS // 2, (BATCH,), generator=numbers), torch.arange(BATCH)] = 1
    return torch.stack([values, marks], dim=-1), (values * marks).sum(0)


def train(cell, updates):
    """Train a layer of the cell; print its error and its time."""
    torch.manual_seed(0)
    layer, head = recurra.nn.Recurrent(cell, 2, HIDDEN), torch.nn.Linear(HIDDEN, 1)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.005)
    numbers, errors, start = torch.Generator().manual_seed(1), [], time.perf_counter()
    for _ in range(updates):
        x, sums = adding(numbers)
        output, _ = layer(x)
        error = torch.nn.functional.mse_loss(head(output[-1]).squeeze(-1), sums)
        optimizer.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        errors.append(error.item())
    seconds = time.perf_counter() - start
    last = sum(errors[-20:]) / len(errors[-20:])
    weights = sum(parameter.numel() for parameter in layer.parameters())
    print(f"{cell.name:8} error {last:.4f} after {updates} updates, {seconds:.1f} s, {weights:,} weights")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--updates", type=int, default=600, help="updates of each training; default 600")
    updates = parser.parse_args().updates
    torch.set_num_threads(min(2, torch.get_num_threads()))
    print(recurra.check(ledger, input_size=2, hidden_size=HIDDEN, batch=BATCH, seq_len=STEPS, seconds=1))
    print(f"\nadding two of {STEPS} numbers; guessing their mean has an error of 0.167")
    train(ledger, updates)
    train(recurra.cells.lstm, updates)


if __name__ == "__main__":
    main()
