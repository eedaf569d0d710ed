"""How close recurra's numbers are to torch.nn's, and both to the same computation in float64.

    python benchmarks/numerics.py [--shapes 40] [--steps 50]

Each shape is drawn by chance: up to 128 features and units, 1 to 3 layers, one direction or both, up to 16 sequences.
Of each cell and dtype a line says the largest difference of any output, and of any gradient in units of the largest
element of the same gradient, over all shapes. The last lines say which calls of recurra give the same bits.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import recurra


@dataclass(frozen=True)
class Shape:
    """The arguments of a layer, and its batch."""

    arguments: dict[str, Any]
    batch: int


def shapes(count: int) -> Iterator[Shape]:
    """Shapes drawn by chance, the same in every run."""
    draw = random.Random(0)
    for _ in range(count):
        arguments = {
            "input_size": draw.randint(1, 128),
            "hidden_size": draw.randint(1, 128),
            "num_layers": draw.randint(1, 3),
            "bidirectional": draw.random() < 0.5,
        }
        yield Shape(arguments, draw.randint(1, 16))


def results(layer: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The output, and the gradients of the input and of all weights; the loss weighs every output differently."""
    x = x.clone().requires_grad_()
    output, _ = layer(x)
    weights = torch.sin(torch.arange(output.numel(), dtype=torch.float64)).view_as(output).to(output.dtype)
    gradients = torch.autograd.grad((output * weights).sum(), [x, *layer.parameters()])
    return output.detach(), list(gradients)


def apart(a: tuple[Tensor, list[Tensor]], b: tuple[Tensor, list[Tensor]]) -> tuple[float, float]:
    """The largest difference of outputs, and of gradients in units of the largest element of each."""
    outputs = float((a[0].double() - b[0].double()).abs().max())
    pairs = zip(a[1], b[1], strict=True)
    return outputs, max(
        float((x.double() - y.double()).abs().max() / y.double().abs().max().clamp(min=1e-300)) for x, y in pairs
    )


def line(kind: str, dtype: torch.dtype, count: int, steps: int) -> str:
    """The largest differences of a class in a dtype, over all shapes."""
    pairs = {"recurra, torch": (0.0, 0.0), "recurra, float64": (0.0, 0.0), "torch, float64": (0.0, 0.0)}
    for shape in shapes(count):
        torch.manual_seed(0)
        theirs = getattr(nn, kind)(**shape.arguments, dtype=dtype)
        ours = getattr(recurra.nn, kind)(**shape.arguments, dtype=dtype)
        ours.load_state_dict(theirs.state_dict())
        exact = getattr(nn, kind)(**shape.arguments, dtype=torch.float64)
        exact.load_state_dict(theirs.state_dict())
        x = torch.randn(steps, shape.batch, shape.arguments["input_size"], dtype=dtype)
        a, b, c = results(ours, x), results(theirs, x), results(exact, x.double())
        for name, (one, other) in zip(pairs, ((a, b), (a, c), (b, c)), strict=True):
            pairs[name] = tuple(map(max, pairs[name], apart(one, other)))  # type: ignore[assignment]
    columns = "   ".join(f"{output:8.1e} {gradient:8.1e}" for output, gradient in pairs.values())
    return f"{kind:5} {str(dtype).removeprefix('torch.'):9} {columns}"


def same_bits(steps: int) -> dict[str, bool]:
    """Which calls give the same bits, by what differs between them."""
    torch.manual_seed(0)
    layer, x = recurra.nn.LSTM(33, 65, num_layers=2, bidirectional=True), torch.randn(steps, 8, 33)
    forward = recurra.nn.LSTM(33, 65, num_layers=2)
    packed = recurra.nn.pack_padded_sequence(x, [steps] * 8)
    threads = torch.get_num_threads()
    try:
        outputs = {}
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            outputs[number] = results(layer, x)
    finally:
        torch.set_num_threads(threads)
    one = outputs[1]

    def equal(other: tuple[Tensor, list[Tensor]]) -> bool:
        return torch.equal(one[0], other[0]) and all(map(torch.equal, one[1], other[1]))

    with torch.no_grad():
        pieces, state = [], None
        for piece in x.split(7):
            output, state = forward(piece, state)
            pieces.append(output)
        checks: dict[str, Callable[[], bool]] = {
            "1, 2 and 3 threads, gradients too": lambda: equal(outputs[2]) and equal(outputs[3]),
            "a sequence alone and in a batch": lambda: torch.equal(layer(x)[0][:, 3:4], layer(x[:, 3:4])[0]),
            "packed and padded": lambda: torch.equal(recurra.nn.pad_packed_sequence(layer(packed)[0])[0], layer(x)[0]),
            "a sequence whole and in pieces": lambda: torch.equal(torch.cat(pieces), forward(x)[0]),
            "with gradients and without": lambda: torch.equal(layer(x)[0], one[0]),
        }
        return {name: check() for name, check in checks.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=int, default=40)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    print(f"torch {torch.__version__}; the largest differences of outputs and gradients over {options.shapes} shapes")
    print(f"{'':15}  recurra and torch   recurra and float64   torch and float64")
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for kind in ("LSTM", "GRU", "RNN"):
            print(line(kind, dtype, options.shapes, options.steps), flush=True)
    for name, equal in same_bits(options.steps).items():
        print(f"{'the same bits' if equal else 'OTHER BITS'}: {name}")


if __name__ == "__main__":
    main()
