"""The triton engine on a GPU, in five minutes: first whether its numbers are right, then its times beside others'.

    python benchmarks/gpu.py [--rounds 7] [--only numbers|times] [--seconds 300] [--dry]

Numbers: both passes of 12 cells, dense and packed, and the errors of float32 against float64. Times: medians of rounds
that take turns, of recurra's engine, torch.nn's layer (cuDNN) where there is one, a loop in torch's operations (the
reference engine), and for two cells that loop under torch.compile. Prints tables in Markdown; after ``--seconds`` it
says what it left out. With ``--dry`` the same lines run on the CPU, in Triton's interpreter, at tiny sizes, to see
whether they run; times mean nothing then.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TypeVar

if "--dry" in sys.argv:
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported

import torch
from torch import Tensor

import recurra
from recurra.nn import Recurrent, pack_sequence

CELLS = (
    "lstm", "gru", "rnn", "layer_norm_lstm", "mgu", "min_gru", "on_lstm", "indrnn", "gru_reset_before", "peephole_lstm",
    "slstm", "multiplicative_lstm",
)  # fmt: skip
TIMED = ("lstm", "gru", "layer_norm_lstm", "mgu", "min_gru")
SHAPES = ((16, 1024, 768), (64, 512, 128))  # batch, steps, units
VENDOR = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
WIDTHS = (256, 48)  # of the numbers
LOOP_STEPS = 64  # of the loops in torch, whose time is scaled to all steps: a whole one takes too long
COMPILED = ("layer_norm_lstm", "mgu")  # cells whose loop is compiled, which takes long for each
COMPILED_STEPS = 16
DEVICE = "cpu" if "--dry" in sys.argv else "cuda"

Item = TypeVar("Item")


def until(end: float, items: Sequence[Item]) -> Iterator[Item]:
    """The items that begin before a time of ``time.monotonic``; says how many are left out."""
    for number, item in enumerate(items):
        if time.monotonic() > end:
            print(f"\nout of time: {len(items) - number} of {len(items)} rows are left out")
            return
        yield item


def layer(cell: str, width: int, dtype: torch.dtype) -> torch.nn.Module:
    torch.manual_seed(0)
    return Recurrent(recurra.cells.all()[cell], width, width).to(device=DEVICE, dtype=dtype)


def error(mine: Tensor, exact: Tensor) -> float:
    return float((mine.double() - exact).abs().max() / exact.abs().max().clamp(min=1e-6))


def passes(module: torch.nn.Module, x: Tensor, engine: str) -> list[Tensor]:
    """The output and the gradients of all parameters."""
    module.zero_grad()
    with recurra.engine(engine):
        output = module(x)[0]
        data = output if isinstance(output, Tensor) else output.data  # of a packed sequence
        (data * torch.linspace(-1, 1, data.shape[-1], device=DEVICE, dtype=data.dtype)).mean().backward()
    return [data.detach(), *(p.grad.clone() for p in module.parameters() if p.grad is not None)]


def numbers(end: float) -> int:
    """Print the largest errors against float64; return how many are wrong."""
    print("| cell | H | float32: output, gradients | packed | torch's loop in float32 |\n|---|---|---|---|---|")
    wrong = 0
    for width, cell in until(end, list(product(WIDTHS, CELLS))):
        module = layer(cell, width, torch.float32)
        x = torch.randn(40, 18, width, device=DEVICE)
        packed = pack_sequence([torch.randn(n, width, device=DEVICE) for n in (40, 33, 33, 20, 1)])
        found = {}
        for name, given in (("dense", x), ("packed", packed)):
            exact = passes(module.double(), given.to(torch.float64), "reference")
            mine = passes(module.float(), given, "triton")
            loop = passes(module, given, "reference")
            pairs = [[error(a, b) for a, b in zip(each, exact, strict=True)] for each in (mine, loop)]
            found[name] = [(errors[0], max(errors[1:])) for errors in pairs]
            wrong += not max(pairs[0]) <= max(2e-5, 4 * max(pairs[1]))
        shown = [f"{a:.1e}, {b:.1e}" for a, b in (found["dense"][0], found["packed"][0], found["dense"][1])]
        print(f"| {cell} | {width} | {' | '.join(shown)} |", flush=True)
    print(f"\n{wrong} wrong\n")
    return wrong


def clocked(run: Callable[[], object]) -> float:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    begin = time.perf_counter()
    run()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def contenders(
    cell: str, width: int, dtype: torch.dtype, x: Tensor, train: bool
) -> dict[str, tuple[Callable[[], object], float]]:
    """The calls to time, each with the number that its time is multiplied by."""
    module = layer(cell, width, dtype)

    def call(run: Callable[[Tensor], object], given: Tensor, engine: str) -> Callable[[], object]:
        def once() -> None:
            with recurra.engine(engine), torch.set_grad_enabled(train):
                output = run(given)[0]  # type: ignore[index]
                if train:
                    output.sum().backward()

        return once

    def first(steps: int) -> tuple[Tensor, float]:
        return x[:steps].contiguous(), x.shape[0] / min(steps, x.shape[0])

    short, scale = first(LOOP_STEPS)
    found = {"triton": (call(module, x, "triton"), 1.0), "loop": (call(module, short, "reference"), scale)}
    if cell in COMPILED and not train and dtype == torch.float32 and DEVICE == "cuda":
        short, scale = first(COMPILED_STEPS)
        found["compiled loop"] = (call(torch.compile(plain_loop(module)), short, "reference"), scale)
    if cell in VENDOR:
        known = VENDOR[cell](width, width).to(device=DEVICE, dtype=dtype)
        found["torch.nn"] = (call(known, x, "auto"), 1.0)
    return found


def plain_loop(module: torch.nn.Module) -> Callable[[Tensor], tuple[Tensor]]:
    """The module's own steps, one call of the reference engine's operations each, which torch.compile sees."""
    from recurra.engines import reference
    from recurra.engines.passes import CallPasses

    scan = module._scans[0]
    run = CallPasses(reference().build(scan.plan), scan.sizes, False, None, False)
    weights = list(module.parameters())

    def loop(x: Tensor) -> tuple[Tensor]:
        _, output, *_ = run.forward(x, [*[None] * len(scan.state_sizes), *weights], [], None, None, 1)
        return (output,)

    return loop


def times(rounds: int, end: float) -> None:
    names = ("triton", "torch.nn", "loop", "compiled loop")
    print(f"| cell | B, T, H | dtype | pass | {' | '.join(names)} |\n|---|---|---|---|---|---|---|---|")
    rows = product(SHAPES, TIMED, (torch.float32, torch.bfloat16), (False, True))
    for (batch, steps, width), cell, dtype, train in until(end, list(rows)):
        x = torch.randn(steps, batch, width, device=DEVICE, dtype=dtype)
        runs = contenders(cell, width, dtype, x, train)
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(rounds + 3):  # the first three compile, record and warm up
            for name, (run, scale) in runs.items():
                if "loop" in name and number >= 5:
                    continue
                taken[name].append(clocked(run) * scale)
        medians = {name: statistics.median(found[3:]) * 1e3 for name, found in taken.items()}
        shown = [f"{medians[name]:.2f}" if name in medians else "–" for name in names]
        told = (cell, f"{batch}, {steps}, {width}", str(dtype)[6:], "both" if train else "forward", *shown)
        print(f"| {' | '.join(told)} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("numbers", "times"))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--dry", action="store_true")
    options = parser.parse_args()
    begin = time.monotonic()
    if options.dry:
        global CELLS, TIMED, SHAPES, WIDTHS
        CELLS, TIMED, SHAPES, WIDTHS = CELLS[:5], TIMED[:3], ((3, 5, 4),), (6,)
    elif not torch.cuda.is_available():
        print("torch finds no GPU here", file=sys.stderr)
        return 2
    else:
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    share = 0.6 if options.only is None else 1.0
    wrong = numbers(begin + share * options.seconds) if options.only != "times" else 0
    if options.only != "numbers":
        times(options.rounds, begin + options.seconds)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
