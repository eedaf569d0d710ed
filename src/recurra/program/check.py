"""The check of a program: known operations, values that are known before they are used, shapes that agree."""

from __future__ import annotations

from recurra.errors import ProgramError
from recurra.program.operations import OPERATIONS, Operation, Usage
from recurra.program.program import Equation, Program, StepInput, Variable
from recurra.program.sizes import HIDDEN, INPUT, PROJ, Sizes, shape_text
from recurra.program.solver import Mismatch, Solver

_SYMBOLS = ("", *Sizes._fields)  # of sizes; the first stands for a number alone


def check(program: Program) -> None:
    """Refuse a malformed program: an unknown operation, a value used before it is known, shapes that disagree.

    Raises:
        ProgramError: the message names the fault and its place.
    """
    known: dict[str, Variable] = {}
    for variable in program.sources:
        _define(known, variable)
    _check_sources(program)
    varying = {program.input, *program.states}
    for equation in program.equations:
        try:
            _check_equation(equation, known, varying)
        except ProgramError as error:
            names = ", ".join(variable.name for variable in equation.results)
            raise ProgramError(f"{names} = {equation.operation}(…): {error}") from None
    for state, new in zip(program.states, program.next_states, strict=True):
        if new.shape != state.shape or new.kind != "real":
            raise ProgramError(
                f"state {state.name} has shape {shape_text(state.shape)}, its new value {shape_text(new.shape)}"
            )
    for root in program.roots:
        if known.get(root.name) != root:
            raise ProgramError(f"result {root.name} is not computed")
    if len(program.output.shape) != 1 or program.output.kind != "real":
        raise ProgramError(f"output {program.output.name} must be a vector, not {shape_text(program.output.shape)}")


def _define(known: dict[str, Variable], variable: Variable) -> None:
    if variable.name in known:
        raise ProgramError(f"{variable.name} is defined twice")
    if variable.kind not in ("real", "bool"):
        raise ProgramError(f"{variable.name} is of the unknown kind {variable.kind[:40]!r}")
    for size in variable.shape:
        if not size.terms or any(factor <= 0 for _, factor in size.terms):
            raise ProgramError(f"{variable.name}: size {size} is not positive")
        if any(symbol not in _SYMBOLS for symbol, _ in size.terms):
            raise ProgramError(f"{variable.name}: size {size} is of an unknown symbol")
    known[variable.name] = variable


def _check_sources(program: Program) -> None:
    if any(variable.kind != "real" for variable in program.sources):
        raise ProgramError("input, states and parameters are real numbers")
    _check_inputs(program)
    if len(program.states) != len(program.next_states):
        raise ProgramError("a program needs a new value for each of its states")
    is_output = program.output in program.next_states[:1]
    if is_output and program.states[0].shape not in ((HIDDEN,), (PROJ,)):
        raise ProgramError(f"state {program.states[0].name} must have shape (hidden) or (proj)")
    if any(len(state.shape) != 1 for state in program.states):
        raise ProgramError("states are vectors")


def _check_inputs(program: Program) -> None:
    """Refuse an input of another shape than (input), or than all of several inputs side by side."""
    inputs = program.inputs or (StepInput(program.input.name, INPUT),)
    if len(program.inputs) == 1 or len({each.name for each in inputs}) < len(inputs):
        raise ProgramError("inputs: the names of at least two, which differ")
    if inputs[0].size != INPUT or any(factor <= 0 for each in inputs for _, factor in each.size.terms):
        raise ProgramError("inputs: the first has the size input, the others positive sizes")
    total = sum((each.size for each in inputs[1:]), INPUT)
    if program.input.shape != (total,):
        raise ProgramError(f"input {program.input.name} must have shape {shape_text((total,))}")


def _check_equation(equation: Equation, known: dict[str, Variable], varying: set[Variable]) -> None:
    operation = OPERATIONS.get(equation.operation)
    if operation is None:
        raise ProgramError(f"unknown operation {equation.operation!r}")
    _check_operands(equation, operation, known)
    if not equation.results or (operation.results is not None and len(equation.results) != operation.results):
        raise ProgramError(f"{operation.results or 'at least one'} results expected")
    if equation.attributes.keys() != operation.attributes.keys():
        raise ProgramError(f"attributes {sorted(operation.attributes)} expected")
    for name, is_valid in operation.attributes.items():
        if not is_valid(equation.attributes[name]):
            raise ProgramError(f"{name}={equation.attributes[name]!r} is out of range")
    if any(variable.kind != operation.result for variable in equation.results):
        raise ProgramError(f"the result is {operation.result}")
    is_varying = [operand in varying for operand in equation.operands]
    if operation.once and any(is_varying):
        raise ProgramError("it takes what is computed from parameters alone")
    _check_shapes(equation, operation, is_varying)
    if equation.operation == "mask" or any(is_varying):
        varying.update(equation.results)
        if any(len(variable.shape) > 2 for variable in equation.results):
            raise ProgramError("what differs from step to step has two dimensions at most")
    for variable in equation.results:
        _define(known, variable)


def _check_operands(equation: Equation, operation: Operation, known: dict[str, Variable]) -> None:
    kinds = operation.operands if operation.operands is not None else ("real",) * max(1, len(equation.operands))
    if len(equation.operands) != len(kinds):
        raise ProgramError(f"{len(kinds)} operands expected, got {len(equation.operands)}")
    for operand, kind in zip(equation.operands, kinds, strict=True):
        if not isinstance(operand, Variable):
            if kind != "real":
                raise ProgramError("a number where a comparison is expected")
            continue
        found = known.get(operand.name)
        if found is not operand and found != operand:
            raise ProgramError(f"{operand.name} is not known here")
        if operand.kind != kind:
            raise ProgramError(f"{operand.name} is {operand.kind}, not {kind}")


def _check_shapes(equation: Equation, operation: Operation, is_varying: list[bool]) -> None:
    """Refuse shapes, all of them known, to which the operation's own rule objects."""
    solver = Solver()
    operands = [solver.add(operand.shape if isinstance(operand, Variable) else ()) for operand in equation.operands]
    results = [solver.add(variable.shape) for variable in equation.results]
    if equation.operation == "product" and is_varying[1]:
        raise ProgramError("the right side of a product must be a parameter, or computed from parameters")
    try:
        operation.rule(Usage(solver, operands, results, is_varying, equation.attributes))
    except Mismatch as mismatch:
        have, need = shape_text(mismatch.have), shape_text(mismatch.need)
        value = (*equation.operands, *equation.results)[mismatch.value]
        name = value.name if isinstance(value, Variable) else str(value)
        raise ProgramError(f"{name} has shape {have}, needed is {need}") from None
