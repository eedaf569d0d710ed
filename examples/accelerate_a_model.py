"""Somebody's torch model, accelerated in place: the same objects and numbers, and back to torch.nn on demand.

python examples/accelerate_a_model.py
"""

import statistics
import time

import torch
from torch import nn

import recurra


class Classifier(nn.Module):
    """A model of somebody else's, which knows nothing of recurra."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 32)
        self.encoder = nn.GRU(32, 64, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(128, 5)

    def forward(self, ids, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        _, h_n = self.encoder(packed)
        return self.head(torch.cat([h_n[-2], h_n[-1]], 1))


def training_step(model, ids, lengths, classes):
    """The loss, and every gradient by name."""
    model.zero_grad()
    loss = nn.functional.cross_entropy(model(ids, lengths), classes)
    loss.backward()
    return loss.item(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


def milliseconds(run):
    """The median of seven calls."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so that other work on the machine changes the times less
    model = Classifier()
    batch = torch.randint(100, (16, 40)), torch.randint(5, 41, (16,)), torch.randint(5, (16,))
    encoder, weight = model.encoder, model.encoder.weight_hh_l0

    loss, gradients = training_step(model, *batch)
    before = milliseconds(lambda: training_step(model, *batch))

    recurra.accelerate(model)
    print(recurra.nn.acceleration(model))
    assert model.encoder is encoder
    assert model.encoder.weight_hh_l0 is weight
    assert isinstance(encoder, nn.GRU)

    faster_loss, faster = training_step(model, *batch)
    difference = max(float((faster[name] - gradient).abs().max()) for name, gradient in gradients.items())
    after = milliseconds(lambda: training_step(model, *batch))
    print(f"loss {loss:.6f} and {faster_loss:.6f}; gradients differ by at most {difference:.1e}")
    print(f"one training step: torch.nn {before:.1f} ms, accelerated {after:.1f} ms")
    assert abs(loss - faster_loss) < 1e-5
    assert difference < 1e-5

    recurra.restore(model)
    again, same = training_step(model, *batch)
    assert again == loss
    assert all(torch.equal(same[name], gradient) for name, gradient in gradients.items())
    print("restored:", type(encoder) is nn.GRU)


if __name__ == "__main__":
    main()
