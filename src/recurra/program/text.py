"""Programs printed for people: one line for each named variable; variables without a name are inlined."""

from __future__ import annotations

from collections.abc import Iterable

from recurra.program.operations import OPERATIONS
from recurra.program.program import Equation, Operand, Program, Variable
from recurra.program.sizes import Size, shape_text

_DEEPEST = 20  # operations nested in one line


class Printer:
    """Writes equations as lines; a variable that has no name of its own and is used once is inlined.

    Args:
        program: the program whose equations are printed.
        groups: equations that belong together; nothing is inlined across groups. Default: all equations.
    """

    def __init__(self, program: Program, groups: Iterable[Iterable[Equation]] | None = None) -> None:
        self._unpacking = {id(equation) for equation in program.unpacking}
        self._group = {id(e): n for n, group in enumerate(groups or (program.equations,)) for e in group}
        self._makers = {variable: equation for equation in program.equations for variable in equation.results}
        self._temporaries: dict[Variable, str] = {}
        self._uses: dict[Variable, int] = dict.fromkeys(program.roots, 2)
        depths: dict[Variable, int] = {}
        for equation in program.equations:
            depth = 1 + max((depths.get(variable, 0) for variable in equation.variables), default=0)
            for variable in equation.variables:
                maker = self._makers.get(variable)
                apart = maker is not None and self._group[id(maker)] != self._group[id(equation)]
                self._uses[variable] = self._uses.get(variable, 0) + (2 if apart or depth > _DEEPEST else 1)
            if not equation.results[0].is_named:
                depths[equation.results[0]] = depth if depth <= _DEEPEST else 1

    def _is_inlined(self, equation: Equation) -> bool:
        result = equation.results[0]
        return len(equation.results) == 1 and not result.is_named and self._uses.get(result, 0) <= 1

    def _name(self, variable: Variable) -> str:
        if variable.is_named:
            return variable.name
        return self._temporaries.setdefault(variable, f"t{len(self._temporaries) + 1}")

    def operand(self, operand: Operand, binding: int = 0) -> str:
        """The text of an operand inside an operation that binds this tightly."""
        if not isinstance(operand, Variable):
            text = f"{operand:g}" if float(f"{operand:g}") == operand else repr(operand)
            return f"({text})" if operand < 0 and binding else text
        maker = self._makers.get(operand)
        if maker is None or not self._is_inlined(maker):
            return self._name(operand)
        if maker.operation == "broadcast" and not _index(maker):
            return self.operand(maker.operands[0], binding)
        text = self.right_side(maker)
        return f"({text})" if OPERATIONS[maker.operation].binding < binding else text

    def right_side(self, equation: Equation) -> str:
        """The right side of an equation, as text."""
        row = OPERATIONS[equation.operation]
        if row.name == "broadcast":
            index = _index(equation)
            return self.operand(equation.operands[0], row.binding if index else 0) + index
        if row.text:
            # The second operand of - and / must bind tighter than the operation itself, and so must the first of **;
            # brackets around (r * h) @ U are for the reader.
            first = row.binding + 1 if row.name in ("power", "product") else row.binding
            inner = [first, row.binding if row.name == "power" else row.binding + 1]
            return row.text.format(*(self.operand(o, b) for o, b in zip(equation.operands, inner, strict=False)))
        arguments = [self.operand(operand) for operand in self._reduced(equation)]
        if row.results is None:
            widths = ", ".join(str(variable.shape[-1]) for variable in equation.results)
            arguments.append(str(len(equation.results)) if row.name == "split" else f"[{widths}]")
        arguments += [f"{name}={value}" for name, value in equation.attributes.items()]
        return f"{row.function or row.name}({', '.join(arguments)})"

    def _reduced(self, equation: Equation) -> tuple[Operand, ...]:
        """An equation's operands; of the sum over the sums of all columns, the matrix, and likewise of means."""
        first = equation.operands[0] if equation.operands else 0.0
        maker = self._makers.get(first) if isinstance(first, Variable) else None
        if maker is None or not self._is_inlined(maker) or maker.operation != f"{equation.operation}_along":
            return equation.operands
        return maker.operands

    def lines(self, equations: Iterable[Equation]) -> list[tuple[str, str]]:
        """Pairs of an equation and the shapes of its results, as text."""
        lines = []
        for equation in equations:
            if not self._is_inlined(equation) and id(equation) not in self._unpacking:
                left = ", ".join(self._name(variable) for variable in equation.results)
                shapes = list(dict.fromkeys(shape_text(variable.shape) for variable in equation.results))
                lines.append((f"{left} = {self.right_side(equation)}", ", ".join(shapes)))
        return lines


def _index(equation: Equation) -> str:
    """The index that makes a column or a row of a broadcast vector; empty where broadcasting goes without saying."""
    source, result = equation.variables[0], equation.results[0]
    if len(source.shape) != 1:
        return ""
    if equation.attributes["axis"] == 1:
        return "[:, None]"
    return "[None, :]" if result.shape[0] == Size.constant(1) else ""


def aligned(lines: Iterable[tuple[str, str]], limit: int = 64) -> str:
    """Lines in two columns; a left side longer than the limit does not widen its column."""
    lines = list(lines)
    width = max((len(left) for left, _ in lines if len(left) <= limit), default=0)
    return "\n".join(f"{left:<{width}}  {right}".rstrip() for left, right in lines)


def program_text(program: Program) -> str:
    """The program as equations with the shape of each variable.

    Shapes are of one example at one time step; ``c'`` is the new value of state ``c``.
    """
    inputs = program.named_inputs
    flowing = ", ".join(variable.name for variable in (*inputs, *program.states))
    lines = [("  " + variable.name, shape_text(variable.shape)) for variable in (*inputs, *program.sources[1:])]
    lines += [("  " + text, shapes) for text, shapes in Printer(program).lines(program.equations)]
    if program.states:
        lines.append(("  return " + ", ".join(new.name for new in program.next_states), ""))
    if program.output not in program.next_states[:1]:
        lines.append((f"  output {program.output.name}", shape_text(program.output.shape)))
    return f"{program.name}({flowing})\n{aligned(lines)}"
