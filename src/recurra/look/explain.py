"""``explain``: a table of the variables of a cell or layer, with their meanings and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.compiler import plan, trace
from recurra.equations import Cell
from recurra.program import Program, Shape, Sizes, Variable
from recurra.program.text import Printer, aligned

if TYPE_CHECKING:
    from torch import Tensor

    from recurra.nn import Recurrent, RecurrentCell


@dataclass(frozen=True)
class ExplainedVariable:
    """One variable: its name, its meaning, and its shape in symbols and, where they are known, in numbers."""

    name: str
    meaning: str
    shape: str
    numbers: str


@dataclass(frozen=True)
class Explanation:
    """A table of variables; ``str()`` prints it.

    Attributes:
        title: the name of the cell or layer.
        rows: the variables, in the order in which data pass through them.
        equations: pairs: an equation, and the time at which it runs.
    """

    title: str
    rows: tuple[ExplainedVariable, ...]
    equations: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        widths = [max(len(getattr(row, field)) for row in self.rows) for field in ("name", "meaning", "shape")]
        table = [
            f"  {row.name:<{widths[0]}}  {row.meaning:<{widths[1]}}  {row.shape:<{widths[2]}}  {row.numbers}".rstrip()
            for row in self.rows
        ]
        return "\n".join([self.title, *table, "equations, and when they run", aligned(self.equations)])


def explain(target: Cell | Recurrent | RecurrentCell, x: Tensor | None = None) -> Explanation:
    """Explain the variables of a cell, or of a layer with its sizes: names, meanings, shapes.

    Args:
        target: a cell, a ``recurra.nn`` layer or a ``recurra.nn`` cell.
        x: an input of the layer, (seq_len, batch, input_size) or in the layer's own layout; the table then shows its
            seq_len and batch in numbers. Default None: the table shows them by name.

    Raises:
        TypeError: target is something else, or x is no tensor.
        ValueError: x is given for a bare cell.
    """
    if x is not None and not hasattr(x, "dim"):
        raise TypeError(f"explain takes a tensor as the layer's input, not a {type(x).__name__}")
    if isinstance(target, Cell):
        if x is not None:
            raise ValueError("explain(cell) takes no input: a bare cell has no sizes; give a layer")
        return _of_program(f"cell {target.name}", trace(target), None, [])
    if isinstance(getattr(target, "cell", None), Cell):
        return _of_module(target, x)
    raise TypeError(f"explain takes a cell, a layer or a module cell of recurra, not {type(target).__name__}")


def _of_module(module: Recurrent | RecurrentCell, x: Tensor | None) -> Explanation:
    sizes = Sizes(module.input_size, module.hidden_size, getattr(module, "proj_size", 0))
    return _of_program(str(module), module.program, sizes, _sequence_rows(module, x))


def _sequence_rows(module: Any, x: Tensor | None) -> list[ExplainedVariable]:
    """The rows of a layer's input, output and states over all steps; none for a module of one step."""
    if not hasattr(module, "num_layers"):
        return []
    lengths: dict[str, object] = {"seq_len": "seq_len", "batch": "batch"}
    if x is not None and x.dim() == 3:
        lengths["batch"], lengths["seq_len"] = x.shape[:2] if module.batch_first else (x.shape[1], x.shape[0])
    names = ("batch", "seq_len") if module.batch_first else ("seq_len", "batch")
    order, values = ", ".join(names), ", ".join(str(lengths[name]) for name in names)
    directions = 2 if module.bidirectional else 1
    count = module.num_layers * directions
    width = module.output_size // directions
    rows = [
        ExplainedVariable("input", "all steps", f"({order}, input_size)", f"({values}, {module.input_size})"),
        ExplainedVariable("output", "all steps", f"({order}, directions*size)", f"({values}, {module.output_size})"),
    ]
    for name, size in zip(module.cell.states, module.state_sizes, strict=True):
        shape = "(num_layers*directions, batch, size)"
        numbers = f"({count}, {lengths['batch']}, {size})"
        rows.append(ExplainedVariable(f"{name}_0, {name}_n", "first, last state", shape, numbers))
    if count > 1:
        first = f"{module.cell.states[0]}_n"
        place = f"{first}[layer]"
        if directions == 2:
            place = f"forward {first}[2*layer], backward {first}[2*layer + 1]"
            rows.append(ExplainedVariable("", "backward output", f"output[..., {width}:]", ""))
        rows.append(ExplainedVariable("", "a layer's last state", place, ""))
    return rows


def _of_program(title: str, program: Program, sizes: Sizes | None, rows: list[ExplainedVariable]) -> Explanation:
    scheduled = plan(program)
    varying = program.varying()
    states = dict.fromkeys(program.states, "state, from the step before")
    meanings = {program.input: "input of a step", **states, **dict.fromkeys(program.parameters, "parameter")}
    new = dict(zip(program.next_states, program.states, strict=True))
    for variable in program.variables():
        if variable in meanings:
            meaning = meanings[variable]
        elif variable in new:
            meaning = f"new value of state {new[variable].name}"
        elif variable.is_named:
            meaning = "of a step" if variable in varying else "of parameters"
        else:
            continue
        rows.append(ExplainedVariable(variable.name, meaning, *_shapes(variable, variable in varying, sizes)))
    printer = Printer(scheduled.program, scheduled.stages)
    times = (
        "once per call",
        "before the time loop, all steps at once",
        "in every step",
        "after the time loop, all steps at once",
    )
    stages = zip(times, scheduled.stages, strict=True)
    lines = [("  " + text, when) for when, equations in stages for text, _ in printer.lines(equations)]
    return Explanation(title, tuple(rows), tuple(lines))


def _shapes(variable: Variable, varying: bool, sizes: Sizes | None) -> tuple[str, str]:
    """A shape in symbols and in numbers; a varying variable has the batch in front."""
    leading = ["batch"] if varying else []
    symbols = _joined([*leading, *(str(size) for size in variable.shape)])
    return symbols, _joined([*leading, *_numbers(variable.shape, sizes)]) if sizes else ""


def _numbers(shape: Shape, sizes: Sizes) -> list[str]:
    return [str(size.value(sizes)) for size in shape]


def _joined(lengths: list[str]) -> str:
    return f"({', '.join(lengths)})" if lengths else "scalar"
