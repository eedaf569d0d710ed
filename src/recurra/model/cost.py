"""The cost of using a model, computed from its description, and caps on it: a small file must not ask for much."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from recurra.errors import EquationError, FileFormatError
from recurra.model.kinds import is_recurrent, weights_of
from recurra.model.part import Part
from recurra.model.recurrent_parts import arrangement, layer_sizes
from recurra.model.setting_rules import MAX_SIZE
from recurra.program import Equation, Program, Shape, Sizes

MAX_VARIABLES = 200_000  # in all layers and directions, each counted separately
MAX_PIECES = 200_000  # that native code cuts or joins one by one: heads, and transposed columns
MAX_MULTIPLICATIONS = 2**36  # in one step of one sequence, and once per call
FREE = 2**24  # numbers that any model may compute with
TIMES = 64  # as many further numbers for each number that the file holds


class Cost(NamedTuple):
    """The cost of one step of one sequence, together with what is computed once per call.

    Attributes:
        numbers: the elements of all variables but parameters, and of each product's packed matrix.
        multiplications: those of all products.
        pieces: the pieces of arrays that native code cuts or joins one by one.
    """

    numbers: int = 0
    multiplications: int = 0
    pieces: int = 0

    def plus(self, other: Cost, times: int = 1) -> Cost:
        """The sum of this cost and ``times`` another one."""
        return Cost(*(mine + times * others for mine, others in zip(self, other, strict=True)))


def check_variables(root: Part) -> None:
    """Refuse a model whose programs have too many variables to look at each.

    Raises:
        FileFormatError: the cap is exceeded.
    """
    counts: dict[int, int] = {}
    variables = 0
    for _, part in root.walk():
        if is_recurrent(part):
            key = id(part.program)
            counts[key] = counts.get(key) or sum(1 for _ in part.program.variables())
            variables += arrangement(part).count * counts[key]
    if variables > MAX_VARIABLES:
        raise FileFormatError(f"its layers have {variables} variables in all; at most {MAX_VARIABLES} are read")


def check_cost(root: Part, stored: int) -> None:
    """Refuse a model whose use would cost too much.

    Args:
        root: the model's parts, with known kinds and settings.
        stored: the number of numbers that its file holds.

    Raises:
        FileFormatError: a size is too large, is no whole number, or differs where it must not; or a cap is exceeded.
    """
    recurrent = [(name or "the model", part) for name, part in root.walk() if is_recurrent(part)]
    total = Cost()
    known: dict[tuple[int, Sizes], Cost] = {}
    for where, part in recurrent:
        try:
            total = total.plus(_cost_of(part, known))
        except (EquationError, FileFormatError) as error:
            raise FileFormatError(f"{where} ({part.kind}): {error}") from None
    numbers = total.numbers + sum(map(math.prod, weights_of(root).values()))
    for what, amount, most in (
        ("numbers", numbers, FREE + TIMES * stored),
        ("multiplications", total.multiplications, MAX_MULTIPLICATIONS),
        ("pieces", total.pieces, MAX_PIECES),
    ):
        if amount > most:
            raise FileFormatError(f"it would compute with {amount} {what}; a file of this size may have {most}")


def _cost_of(part: Part, known: dict[tuple[int, Sizes], Cost]) -> Cost:
    """The cost of all of a part's layers and directions; `known` saves the costs of programs at their sizes."""
    program = part.program

    def cost(sizes: Sizes) -> Cost:
        key = (id(program), sizes)
        if key not in known:
            known[key] = program_cost(program, sizes)
        return known[key]

    arranged, layers, total = arrangement(part), layer_sizes(part), Cost()
    for sizes, count in Counter(layers).items():
        if not arranged.by_layer and any(state.width(sizes) != state.width(layers[0]) for state in program.states):
            raise FileFormatError("the size of a state differs between layers")
        total = total.plus(cost(sizes), count * arranged.directions)
    return total


def program_cost(program: Program, sizes: Sizes) -> Cost:
    """The cost of one layer in one direction.

    Raises:
        EquationError, FileFormatError: a size is no whole number, is too large, or is that of a missing projection.
    """
    known: dict[int, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}

    def numbers(name: str, shape: Shape) -> tuple[int, ...]:
        values = []
        for size in shape:
            if id(size) not in known:  # the sizes in a program from a file are mostly the same few objects
                known[id(size)] = size.value(sizes)
                if sizes.proj == 0 and "proj" in size.symbols:
                    raise FileFormatError(f"`{name}` is of a projection, and proj_size is 0")
            if known[id(size)] > MAX_SIZE:
                raise FileFormatError(f"`{name}` would be larger than {MAX_SIZE}")
            values.append(known[id(size)])
        return tuple(values)

    for variable in program.variables():
        shapes[variable.name] = numbers(variable.name, variable.shape)
    parameters = {parameter.name for parameter in program.parameters}
    varying = {variable.name for variable in program.varying()}
    total = Cost(sum(math.prod(shape) for name, shape in shapes.items() if name not in parameters))
    for equation in program.equations:
        total = total.plus(_cost_of_equation(equation, shapes, varying))
    return total


def _cost_of_equation(equation: Equation, shapes: Mapping[str, tuple[int, ...]], varying: set[str]) -> Cost:
    """The cost of an equation, without the elements of its results."""
    operands = [shapes[variable.name] for variable in equation.variables]
    if equation.operation == "product":
        left, right = operands
        heads = right[0] if len(right) == 3 else 0
        return Cost(math.prod(right), math.prod(left) * right[-1], heads)
    in_rows = any(len(shape) > 1 for shape in operands) and equation.results[0].name in varying
    if equation.operation == "transpose" and in_rows:
        return Cost(0, 0, operands[0][1])
    if equation.operation in ("split", "partition", "concat") and in_rows:
        return Cost(0, 0, operands[0][0] * max(len(operands), len(equation.results)))
    return Cost()
