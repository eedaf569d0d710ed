"""Every cell of the zoo, and random programs, in Triton's interpreter beside the reference engine in float64.

``python -m tests.engines.triton.zoo`` runs all of them in both ways of a loop, which takes many minutes;
``python -m tests.engines.triton.zoo lstm random:3`` runs some. It ends with 1 if a number is wrong.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported

import sys
import time
import traceback

import torch

import recurra
from recurra.compiler import trace
from recurra.engines.reference import ReferenceKernel
from recurra.engines.triton import ways
from tests.engines.triton.cases import TritonCase
from tests.random_cells import random_program

LAYOUTS = (
    {"steps": (3, 3, 1), "batch": 4, "hidden": 8, "width": 3, "reset": True},  # packed; a sequence without steps
    {"dense": (2, 18), "hidden": 20, "width": 5, "reverse": True},  # two tiles of sequences
    {"dense": (1, 1), "hidden": 4, "width": 1, "reset": True},
    {"steps": (2, 1, 1), "hidden": 36, "width": 17, "reverse": True, "reset": True, "traced": True},
)
WAYS = {"sequences": dict(ways.HELD), "steps": dict.fromkeys(ways.HELD, -1)}  # the steps' way holds no weights


def program(name):
    """A cell's program: of the zoo, or random:SEED."""
    kind, _, seed = name.partition(":")
    return random_program(int(seed), differentiable=True) if kind == "random" else trace(recurra.cells.all()[name])


def poisoned(make):
    """A function of torch's that makes arrays, whose arrays hold NaN: what no kernel writes is seen."""

    def made(*arguments, **options):
        array = make(*arguments, **options)
        return array.fill_(float("nan")) if array.is_floating_point() else array

    return made


class ReferenceCase(TritonCase):
    """The same call by the reference engine in float32."""

    def made(self):
        return ReferenceKernel(self.plan)


def check(name, way, layout):
    """Compare both passes of a cell in one layout."""
    ways.HELD.update(WAYS[way])
    case = TritonCase(program(name), **LAYOUTS[layout], spread=0.3)
    case.check_forward()
    case.check_backward()


def is_unsure(name, layout):
    """Whether the reference engine in float32 is as far off, as rounding errors grow in this cell."""
    case = ReferenceCase(program(name), **LAYOUTS[layout], spread=0.3)
    try:
        case.check_forward()
        case.check_backward()
    except AssertionError:
        return True
    return False


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
                    is_wrong = not is_unsure(name, number)
                    wrong += is_wrong
                    told = "WRONG" if is_wrong else "as far off as the reference engine in float32"
                    print(f"{told}: {name}, layout {number}, {way}\n{traceback.format_exc()[-900:]}", flush=True)
    print(f"{wrong} wrong, in {time.monotonic() - begin:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
