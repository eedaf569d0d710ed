"""Convolutions and pooling over time, as programs: their states are the earlier inputs, or what was pooled so far."""

from __future__ import annotations

from typing import Any

from recurra import equations as eq
from recurra.compiler import drop_biases, trace
from recurra.equations import feed_forward
from recurra.program import INPUT, Equation, Program, Variable


@feed_forward
def conv1d(x: Any, *, weight: Any, bias: Any, kernel_size: int = 2, dilation: int = 1) -> Any:
    """The window of x and its earlier values, times a matrix (hidden, kernel_size * input), whose columns follow it."""
    earlier = eq.history(x, (kernel_size - 1) * dilation)
    return eq.concat(x, *earlier[dilation - 1 :: dilation]) @ weight.T + bias


def convolution(kernel_size: int, dilation: int = 1, bias: bool = True) -> Program:
    """The program of a convolution over the steps up to the present one; its output has the size `hidden`.

    Args:
        kernel_size: the number of inputs in the window, at least 2.
        dilation: steps between two of them. Default 1.
        bias: whether a bias is added. Default True.
    """
    program = trace(conv1d, {"kernel_size": kernel_size, "dilation": dilation})
    return program if bias else drop_biases(program)


def running_mean() -> Program:
    """The program whose output is the mean of the input over all steps so far."""
    x, count, total, count_, total_, mean = _vectors("x", "count", "total", "count'", "total'", "mean")
    equations = (
        Equation("add", (count, 1.0), (count_,), {}),
        Equation("add", (total, x), (total_,), {}),
        Equation("divide", (total_, count_), (mean,), {}),
    )
    return Program("running_mean", x, (count, total), (), equations, (count_, total_), mean)


def running_max() -> Program:
    """The program whose output is the largest input of all steps so far."""
    x, count, largest, count_, larger, largest_ = _vectors("x", "count", "largest", "count'", "larger", "largest'")
    begun = Variable("begun", (INPUT,), "bool")
    equations = (
        Equation("add", (count, 1.0), (count_,), {}),
        Equation("greater", (count, 0.0), (begun,), {}),
        Equation("maximum", (largest, x), (larger,), {}),
        Equation("where", (begun, larger, x), (largest_,), {}),
    )
    return Program("running_max", x, (count, largest), (), equations, (count_, largest_), largest_)


def _vectors(*names: str) -> list[Variable]:
    return [Variable(name, (INPUT,), "real") for name in names]
