"""Every cell of the zoo beside a plain loop in torch, and beside torchrecurrent's layer where it has one.

    python -m benchmarks.zoo [--only REGEX] [--threads 1] [--quick] [--write]

Each cell runs at T,B,I,H = 100,1,32,32 and 100,32,128,256, in inference and in training. All sides take turns; figures
are medians of milliseconds. Results and gradients of the loop are compared with recurra's in float64 before anything is
timed.
``--write`` writes benchmarks/zoo.json, from which ``python -m tests.zoo_page`` makes the table of docs/zoo.md.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tests.cells.loops import LOOPS, Parameters, run_loop
from torch import Tensor, nn

import recurra
from recurra.bench.machine import machine
from recurra.bench.side import TOLERANCE, Side, difference
from recurra.bench.timing import QUICK, Rounds, race
from recurra.look.cell_check.trials import random_inputs, results

FIGURES = Path(__file__).with_name("zoo.json")
ROUNDS = Rounds(many=15, few=5)


class Shape(NamedTuple):
    """Steps, batch, features of the input and of the hidden state."""

    steps: int
    batch: int
    input: int
    hidden: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


SHAPES = (Shape(100, 1, 32, 32), Shape(100, 32, 128, 256))
MODES = ("inference", "training")
# How many times as fast as torchrecurrent's layer a cell has to be, by shape; no cell may be slower than the loop.
REQUIRED = {str(SHAPES[0]): 30.0, str(SHAPES[1]): 2.0}


class PlainLoop(nn.Module):
    """A cell's equations in torch, step by step, on the parameters of a layer."""

    def __init__(self, layer: recurra.nn.Recurrent) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """The output of all steps, (T, B, size), from zero states."""
        layer, batch = self.layer, inputs[0].shape[1]
        named = {name: getattr(layer, f"{name}_l0") for name in layer.cell.parameters}
        states = [inputs[0].new_zeros(batch, size) for size in layer.state_sizes]
        return run_loop(LOOPS[layer.cell.name], inputs, states, Parameters(named, layer.cell.options))[0]


def peer_class(name: str) -> type[nn.Module] | None:
    """torchrecurrent's layer of a cell; None where it has none, or is not installed."""
    try:
        import torchrecurrent
    except ImportError:
        return None
    layers = {each.lower(): each for each in torchrecurrent.__all__ if not each.endswith("Cell")}
    found = layers.get(name.replace("_", ""))
    return None if found is None else getattr(torchrecurrent, found)


def made_peer(name: str, shape: Shape) -> nn.Module | None:
    """torchrecurrent's layer at these sizes; None where there is none, or it does not run."""
    found = peer_class(name)
    if found is None:
        return None
    try:
        layer = found(shape.input, shape.hidden)
        layer(torch.zeros(2, 1, shape.input))
    except ValueError as error:  # one asks for an input as wide as the state
        print(f"  torchrecurrent's {found.__name__} does not run: {error}")
        return None
    return layer


def side(name: str, call: Callable[[], Any], parameters: Sequence[nn.Parameter], training: bool) -> Side:
    """A side that computes an output; in training also the gradients of its sum."""

    def output() -> Tensor:
        result = call()
        return result[0] if isinstance(result, tuple) else result

    def infer() -> Tensor:
        return output()

    def train() -> object:
        return torch.autograd.grad(output().sum(), parameters, allow_unused=True) if parameters else output()

    def values() -> dict[str, Any]:
        with torch.enable_grad():
            value = output()
            # Not of a sum, of which a norm leaves rounding errors alone.
            towards = torch.randn(value.shape, generator=torch.Generator().manual_seed(1)).to(value.dtype)
            gradients = torch.autograd.grad(value, parameters, towards, allow_unused=True) if parameters else ()
        found = {"output": value.detach().numpy()}
        flat = [gradient.flatten() for gradient in gradients if gradient is not None]
        if flat:  # together, as some are nearly zero, and no more than rounding
            found["gradients"] = torch.cat(flat).numpy()
        return found

    def during() -> AbstractContextManager[object]:
        return torch.set_grad_enabled(training)

    return Side(name, train if training else infer, values, during)


def _compare(name: str, layer: recurra.nn.Recurrent, inputs: Mapping[str, Tensor]) -> None:
    """Compare the loop's output and gradients with recurra's in float64, as 100 steps enlarge rounding errors.

    Raises:
        ValueError: they differ.
    """
    layer, inputs = copy.deepcopy(layer).double(), {name: each.double() for name, each in inputs.items()}
    weights = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    loop = PlainLoop(layer)
    ours = side("recurra", lambda: results(layer, inputs)[0], weights, True)
    theirs = side("loop", lambda: loop(list(inputs.values())), weights, True)
    assert ours.results is not None
    assert theirs.results is not None
    off, where = difference(ours.results(), theirs.results())
    if not off <= TOLERANCE:
        raise ValueError(f"{name}: the loop's {where} differs by {off:.1e}")


def measured(name: str, shape: Shape, mode: str, rounds: Rounds) -> dict[str, float]:
    """Median milliseconds of each side for one cell.

    Raises:
        ValueError: the loop's numbers are not recurra's.
    """
    torch.manual_seed(0)
    layer = recurra.nn.Recurrent(recurra.cells.all()[name], shape.input, shape.hidden)
    inputs, loop, training = random_inputs(layer, shape.steps, shape.batch), PlainLoop(layer), mode == "training"
    weights = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    ours = side("recurra", lambda: results(layer, inputs)[0], weights, training)
    theirs = side("loop", lambda: loop(list(inputs.values())), weights, training)
    _compare(name, layer, inputs)
    sides, peer = [ours, theirs], made_peer(name, shape)
    if peer is not None:
        x, trained = next(iter(inputs.values())), list(peer.parameters())
        sides.append(side("torchrecurrent", lambda: peer(x), trained, training))
    times = race(sides, rounds)
    return {key: round(1e3 * statistics.median(t for t in found if t is not None), 4) for key, found in times.items()}


def rows(names: Sequence[str], rounds: Rounds) -> Iterator[dict[str, Any]]:
    """The figures of every cell, shape and mode."""
    for name in names:
        for shape in SHAPES:
            for mode in MODES:
                yield {"cell": name, "shape": str(shape), "mode": mode, "ms": measured(name, shape, mode, rounds)}


def line(row: Mapping[str, Any]) -> str:
    """A row of the printed table."""
    ms = row["ms"]
    ratios = [f"{ms[side] / ms['recurra']:.1f} ×" if side in ms else "–" for side in ("loop", "torchrecurrent")]
    return f"| {row['cell']} | {row['shape']} | {row['mode']} | {ms['recurra']:.3f} | {' | '.join(ratios)} |"


def missed(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The requirements that are not met, one line each."""
    lines = []
    for row in found:
        ms = row["ms"]
        for side_name, least in (("loop", 1.0), ("torchrecurrent", REQUIRED[row["shape"]])):
            ratio = ms.get(side_name, float("inf")) / ms["recurra"]
            if ratio < least:
                what = f"{ratio:.2f} × as fast as {side_name}, wanted {least:g} ×"
                lines.append(f"{row['cell']} {row['shape']} {row['mode']}: {what}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression; other cells are left out")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads; default 1")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--write", action="store_true", help=f"write {FIGURES.name}")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    names = [name for name in recurra.cells.all() if re.search(given.only, name)]
    if given.write and (given.only or given.quick):
        parser.error("--write takes all cells and all rounds")
    print("| cell | T,B,I,H | mode | ms | faster than the loop | than torchrecurrent |\n|---|---|---|---|---|---|")
    found = []
    for row in rows(names, QUICK if given.quick else ROUNDS):
        found.append(row)
        print(line(row), flush=True)
    wrong = missed(found)
    print(f"\n{len(wrong)} of {len(found)} rows miss what is required" + "".join(f"\n- {each}" for each in wrong))
    if given.write:
        here = machine()
        facts = {"date": str(date.today()), "cpu": here.cpu, "threads": given.threads, "torch": torch.__version__}
        FIGURES.write_text(json.dumps({**facts, "rows": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
