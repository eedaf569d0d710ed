"""The adaptive softmax (Grave et al. 2017) as a program, whose sizes are those of one vocabulary.

The head has the most frequent classes, and one more for each cluster of rarer ones. A cluster has the classes from one
cutoff to the next, whose logits are computed from fewer features. The log-probability of such a class is that of its
cluster in the head, plus that of the class in its cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from recurra.program import INPUT, Equation, Program, Shape, Size, Variable, check

MAX_CUTOFFS = 100
MAX_FACTOR = 1000  # its 100th power is a finite number


def cluster_widths(features: int, clusters: int, factor: float) -> list[int]:
    """The number of features that the logits of each cluster are computed from, `factor` times fewer for each."""
    return [int(features // factor ** (cluster + 1)) for cluster in range(clusters)]


def adaptive_softmax(features: int, classes: int, cutoffs: Sequence[int], factor: float, has_bias: bool) -> Program:
    """The program of the log-probabilities of all classes; its parameters are torch's AdaptiveLogSoftmaxWithLoss's.

    Args:
        features: features of the input.
        classes: the number of classes.
        cutoffs: the number of classes before each cluster, ascending.
        factor: the factor by which each cluster has fewer features than the one before.
        has_bias: whether the head has a bias.
    """
    lines = _Lines()
    size = Size.constant(cutoffs[0] + len(cutoffs))
    logits = lines.linear(lines.input, "head.weight", size)
    if has_bias:
        logits = lines.write("add", logits, lines.parameter("head.bias", (size,)), shape=(size,))
    one = Size.constant(1)
    frequent = (Size.constant(cutoffs[0]),)
    joined, *gates = lines.write_several(
        "partition", lines.log_softmax(logits), shapes=[frequent, *[(one,)] * len(cutoffs)]
    )
    pieces = [joined]
    widths, ends = cluster_widths(features, len(cutoffs), factor), pairwise((*cutoffs, classes))
    for cluster, (gate, width, (first, last)) in enumerate(zip(gates, widths, ends, strict=True)):
        narrow = lines.linear(lines.input, f"tail.{cluster}.0.weight", Size.constant(width))
        logits = lines.linear(narrow, f"tail.{cluster}.1.weight", Size.constant(last - first))
        of_cluster = lines.write("sum", gate, shape=())  # a number, which is added to every class
        pieces.append(lines.write("add", lines.log_softmax(logits), of_cluster, shape=logits.shape))
    return lines.program(lines.write("concat", *pieces, shape=(Size.constant(classes),)))


class _Lines:
    """The parameters and equations of a program, written one after the other."""

    def __init__(self) -> None:
        self.input = Variable("x", (INPUT,))
        self.parameters: list[Variable] = []
        self.equations: list[Equation] = []
        self._count = 0

    def parameter(self, name: str, shape: Shape) -> Variable:
        """Add a parameter."""
        self.parameters.append(Variable(name, shape))
        return self.parameters[-1]

    def write(self, operation: str, *operands: Variable, shape: Shape) -> Variable:
        """Add an equation with one result."""
        return self.write_several(operation, *operands, shapes=[shape])[0]

    def write_several(self, operation: str, *operands: Variable, shapes: Sequence[Shape]) -> list[Variable]:
        """Add an equation with a result of each shape."""
        results = [Variable(f"%{self._count + number}", shape) for number, shape in enumerate(shapes)]
        self._count += len(results)
        self.equations.append(Equation(operation, operands, tuple(results)))
        return results

    def linear(self, x: Variable, name: str, size: Size) -> Variable:
        """x Wᵀ, with a parameter W of this name."""
        [features] = x.shape
        weight = self.parameter(name, (size, features))
        return self.write("product", x, self.write("transpose", weight, shape=(features, size)), shape=(size,))

    def log_softmax(self, x: Variable) -> Variable:
        """The logarithm of the softmax, without overflow."""
        centred = self.write("subtract", x, self.write("max", x, shape=()), shape=x.shape)
        total = self.write("sum", self.write("exp", centred, shape=x.shape), shape=())
        return self.write("subtract", centred, self.write("log", total, shape=()), shape=x.shape)

    def program(self, output: Variable) -> Program:
        """The program with this output, checked."""
        made = Program("adaptive_softmax", self.input, (), tuple(self.parameters), tuple(self.equations), (), output)
        check(made)
        return made
