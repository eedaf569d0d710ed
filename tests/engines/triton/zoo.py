"""Every cell of the zoo, and random programs, in Triton's interpreter beside the reference engine in float64.

``python -m tests.engines.triton.zoo`` runs all of them in both ways of a loop, which takes many minutes;
``python -m tests.engines.triton.zoo lstm random:3`` runs some. It ends with 1 if a number is wrong.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported

import sys
import time
import traceback

import numpy as np
import torch

import recurra
from recurra.compiler import trace
from recurra.engines.triton import ways
from recurra.nn import RecurrentCell
from tests.engines.triton.cases import TritonCase
from tests.random_cells import random_program

LAYOUTS = (
    {"steps": (3, 3, 1), "batch": 4, "hidden": 8, "width": 3, "reset": True},  # packed; a sequence without steps
    {"dense": (2, 18), "hidden": 19, "width": 5, "reverse": True},  # two tiles of sequences
    {"dense": (1, 1), "hidden": 4, "width": 2, "reset": True},
    {"steps": (2, 1, 1), "hidden": 36, "width": 17, "reverse": True, "reset": True, "traced": True},
)
ways.VALUES.update(dict.fromkeys(ways.VALUES, (1 << 30, 0)))  # the interpreter has no registers
DIVIDED = ("clockwork_rnn", "random")  # cells that cut their units in equal parts
WAYS = {"sequences": dict(ways.HELD), "steps": dict.fromkeys(ways.HELD, -1)}  # the steps' way holds no weights


def program(name):
    """A cell's program: of the zoo, or random:SEED."""
    kind, _, seed = name.partition(":")
    return random_program(int(seed), differentiable=True) if kind == "random" else trace(recurra.cells.all()[name])


def layout_of(name, number):
    """The options of a layout, with units that the cell can divide."""
    options = LAYOUTS[number]
    return {**options, "hidden": 20} if options["hidden"] % 4 and name.startswith(DIVIDED) else options


def initial(name, options):
    """The initial values of a cell's parameters that it gives itself: some must be near them.

    A time constant near 0 divides by a small difference, and a negative share of a period is none: there no float32
    is close to float64.
    """
    cell = recurra.cells.all().get(name)
    if cell is None:
        return {}
    torch.manual_seed(0)
    layer = RecurrentCell(cell, options.get("width", 3), options["hidden"])
    return {name: np.asarray(getattr(layer, name).detach(), np.float64) for name in cell.init}


def poisoned(make):
    """A function of torch's that makes arrays, whose arrays hold NaN: what no kernel writes is seen."""

    def made(*arguments, **options):
        array = make(*arguments, **options)
        return array.fill_(float("nan")) if array.is_floating_point() else array

    return made


def check(name, way, layout):
    """Compare both passes of a cell in one layout."""
    ways.HELD.update(WAYS[way])
    options = layout_of(name, layout)
    case = TritonCase(program(name), **options, spread=0.3, around=initial(name, options), begun=True)
    case.check_forward()
    case.check_backward()


def main(names):
    torch.Tensor.new_empty, torch.empty_like = poisoned(torch.Tensor.new_empty), poisoned(torch.empty_like)
    names = names or [*recurra.cells.all(), *(f"random:{seed}" for seed in range(20))]
    wrong, begin = 0, time.monotonic()
    for name in names:
        for number in range(len(LAYOUTS)):
            for way in WAYS:
                try:
                    check(name, way, number)
                    print(f"right: {name}, layout {number}, {way}", flush=True)
                except Exception:
                    wrong += 1
                    print(f"WRONG: {name}, layout {number}, {way}\n{traceback.format_exc()[-900:]}", flush=True)
    print(f"{wrong} wrong, in {time.monotonic() - begin:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
