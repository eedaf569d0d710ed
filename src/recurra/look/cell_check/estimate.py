"""The work of a step in units of a multiply-add: an estimate of speed before anything runs."""

from __future__ import annotations

import math

from recurra.compiler import Plan
from recurra.look.costs import multiplications
from recurra.program import Equation, Sizes

# The time of an elementwise operation on one number, in multiply-adds of a product that runs at its peak: functions are
# some twenty instructions, divisions and roots have a low throughput, and all others read and write memory.
_FUNCTIONS, _DIVISIONS, _OTHERS = 48, 32, 8
_SLOW = {
    **dict.fromkeys(("tanh", "sigmoid", "exp", "log", "sin", "cos", "erf", "softplus", "power"), _FUNCTIONS),
    **dict.fromkeys(("divide", "sqrt"), _DIVISIONS),
    # Counted elsewhere, or free.
    **dict.fromkeys(("product", "split", "partition", "heads", "mask", "scalar", "detach"), 0),
}


def work(scheduled: Plan, sizes: Sizes) -> int:
    """The work of one step of one sequence, in multiply-adds; what runs once per call is left out.

    Args:
        scheduled: the plan.
        sizes: the numbers of the program's symbols.
    """
    varying = scheduled.program.varying()
    elementwise = sum(
        _of_equation(equation, sizes) for equation in scheduled.program.equations if equation.results[0] in varying
    )
    return multiplications(scheduled.program, sizes).per_step + elementwise


def _of_equation(equation: Equation, sizes: Sizes) -> int:
    widths = [math.prod(size.value(sizes) for size in result.shape) for result in equation.results]
    return _SLOW.get(equation.operation, _OTHERS) * sum(widths)
