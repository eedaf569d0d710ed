"""Layers in bfloat16 and float32, beside torch.nn's: medians of interleaved rounds.

    python benchmarks/precision.py --threads 1 --threads 2

Each line has milliseconds for recurra in float32, recurra with products of bfloat16, torch.nn in float32 and in
bfloat16, then how many times as fast recurra's bfloat16 is as recurra's float32 and as torch's bfloat16. Before
anything is timed, each side's error against float64 is printed, relative to the largest number.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import recurra
from recurra.bench.machine import machine
from recurra.bench.side import Side
from recurra.bench.timing import Rounds, race
from recurra.engines.precision import fast_products

SHAPES = ((40, 48, 300, 384), (35, 64, 256, 512), (100, 8, 128, 256), (100, 1, 128, 256))  # T, B, I, H
KINDS = ("LSTM", "GRU", "RNN")
SIDES = (("recurra", "float32"), ("recurra", "bfloat16"), ("torch", "float32"), ("torch", "bfloat16"))


class Layer:
    """A layer of one library that computes in one precision, on the same weights as the others.

    Args:
        library: ``"recurra"`` or ``"torch"``.
        precision: ``"float32"`` or ``"bfloat16"``. torch's layer is in that dtype; recurra's is in float32.
        kind: the layer's class.
        given: the weights.
        x: the input.
    """

    def __init__(self, library: str, precision: str, kind: str, given: nn.Module, x: Tensor) -> None:
        is_torch = library == "torch"
        source = nn if is_torch else recurra.nn
        self.layer = getattr(source, kind)(x.shape[-1], given.hidden_size)
        self.layer.load_state_dict(given.state_dict())
        dtype = torch.bfloat16 if is_torch and precision == "bfloat16" else torch.float32
        self.layer.to(dtype)
        self.x, self.precision = x.to(dtype), precision

    def infer(self) -> Tensor:
        """The output, without gradients."""
        with torch.no_grad(), recurra.compute(self.precision):
            output: Tensor = self.layer(self.x)[0]
            return output

    def train(self) -> Tensor:
        """The output, after a backward pass of its sum."""
        with recurra.compute(self.precision):
            output: Tensor = self.layer(self.x)[0]
        output.sum().backward()
        return output


def case(kind: str, shape: tuple[int, int, int, int], rounds: int) -> None:
    """Compare and time one layer at one shape."""
    steps, batch, width, hidden = shape
    torch.manual_seed(0)
    given = getattr(nn, kind)(width, hidden)
    x = torch.randn(steps, batch, width)
    exact = getattr(nn, kind)(width, hidden).double()
    exact.load_state_dict(given.state_dict())
    truth = exact(x.double())[0].detach()
    sides = [Layer(library, precision, kind, given, x) for library, precision in SIDES]
    errors = [float((side.infer().double() - truth).abs().max() / truth.abs().max()) for side in sides]
    print(f"{kind} {shape}: errors " + ", ".join(f"{error:.1e}" for error in errors))
    for name, calls in (("inference", [s.infer for s in sides]), ("training", [s.train for s in sides])):
        times = race(
            [Side(str(n), call) for n, call in enumerate(calls)], Rounds(many=rounds, few=rounds, fewest=rounds)
        )
        ms = [1e3 * statistics.median(seconds for seconds in each if seconds is not None) for each in times.values()]
        shown = ", ".join(f"{value:.2f}" for value in ms)
        print(f"  {name:9} {shown} ms; x {ms[0] / ms[1]:.2f} of float32, x {ms[3] / ms[1]:.2f} of torch's bfloat16")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, action="append", help="threads, several times for several; default 1")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args(arguments)
    print(f"{machine().processor}, torch {torch.__version__}, products: {', '.join(fast_products())}")
    for threads in given.threads or [1]:
        torch.set_num_threads(threads)
        print(f"{threads} thread{'s' * (threads > 1)}")
        for kind in KINDS:
            for shape in SHAPES:
                case(kind, shape, given.rounds)


if __name__ == "__main__":
    main()
