"""Cell → Program: run the equations once on traced values, then find every shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from traceback import walk_tb
from types import FunctionType
from typing import Any

from recurra.compiler.broadcast import explicit
from recurra.compiler.refusals import ShapeError
from recurra.compiler.shapes import infer
from recurra.equations import FUNCTIONS, Cell
from recurra.equations.initial import restored
from recurra.errors import EquationError
from recurra.module_calls import fault_of_module
from recurra.program import HIDDEN, PROJ, Equation, Program, Shape, Sizes, StepInput, Variable, check
from recurra.source_lines import running_line
from recurra.values import Recorder, Value, recording

ALL_INPUTS = "%inputs"  # the name of the variable that holds several inputs side by side


class TracedCell(Cell):
    """A cell that is known by its program alone, as a file holds it.

    Args:
        program: the program: options are chosen, a projection is added, and dropped biases are gone.
        init: initial values of parameters, as ``Cell.stored_init`` gives them. Default none.
    """

    def __init__(self, program: Program, init: Mapping[str, float | str] | None = None) -> None:
        self.program = program
        self.name = program.name
        self.inputs = {each.name: each.default for each in program.inputs} or {program.input.name: None}
        self.states = tuple(state.name for state in program.states)
        self.parameters = tuple(parameter.name for parameter in program.parameters)
        self.options = {}
        self.init, self.untrained = restored(self.name, init or {})
        self.sizes = {}
        is_state = program.output in program.next_states[:1]
        self.output = None if is_state or not program.states else program.output.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse the call: there are no equations in Python to run.

        Raises:
            EquationError: always.
        """
        raise EquationError(f"cell {self.name!r} comes from a file: other cells cannot be written with it")

    def resolve_sizes(self, given: Mapping[str, Any] | None) -> dict[str, Shape]:
        """No shapes by name: the program has its sizes already.

        Raises:
            EquationError: sizes are given.
        """
        if given:
            raise EquationError(f"cell {self.name!r} comes from a file, and has its sizes: it takes no sizes=")
        return {}

    def __reduce__(self) -> tuple[Any, ...]:
        return TracedCell, (self.program, self.stored_init)


def trace(
    cell: Cell,
    options: Mapping[str, Any] | None = None,
    *,
    sizes: Mapping[str, Any] | None = None,
    projected: bool = False,
    at: Sizes | None = None,
) -> Program:
    """The program of a cell.

    Args:
        cell: the equations.
        options: values for the cell's options; the others keep their defaults.
        sizes: sizes of variables by name, as ``@recurra.cell`` takes them; the others keep the cell's own.
        projected: whether the first state is multiplied by a further parameter ``weight_hr`` of shape (proj, hidden)
            before it is handed on (Sak et al. 2014, the LSTMP layer).
        at: the numbers of a layer's sizes, which only messages about shapes use. Default: they are not known.

    Raises:
        EquationError: the equations contradict themselves, or leave a shape open; names cell, variable and line.
        TypeError: an option that the cell does not have, or sizes that are no dictionary of sizes.
    """
    shapes = cell.resolve_sizes(sizes)
    if isinstance(cell, TracedCell):
        return cell.program
    chosen = cell.resolve_options(options or {})
    typed = tuple((name, value, type(value)) for name, value in chosen.items())
    try:
        if not _can_be_hashed(typed):
            return _trace(cell, chosen, shapes, projected)
        return _cached(cell, typed, tuple(shapes.items()), projected)
    except ShapeError as error:
        raise error.public(at) from None


def _can_be_hashed(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


@lru_cache(maxsize=256)
def _cached(
    cell: Cell, options: tuple[tuple[str, Any, type], ...], shapes: tuple[tuple[str, Shape], ...], projected: bool
) -> Program:
    """The program, traced once. The key holds types too, as 1, 1.0 and True are equal, but not the same option."""
    return _trace(cell, {name: value for name, value, _ in options}, dict(shapes), projected)


def _trace(cell: Cell, options: Mapping[str, Any], given: Mapping[str, Shape], projected: bool) -> Program:
    function = cell.function
    code = function.__code__ if isinstance(function, FunctionType) else type(function).__call__.__code__
    recorder = Recorder(cell.name, code, tuple(FUNCTIONS))
    with recording(recorder):
        whole = recorder.argument(ALL_INPUTS if len(cell.inputs) > 1 else next(iter(cell.inputs)), varying=True)
        states = [recorder.argument(name, varying=True) for name in cell.states]
        parameters = {name: recorder.argument(name, varying=False) for name in cell.parameters}
        inputs = [whole] if len(cell.inputs) == 1 else _unpacked(cell, recorder, whole, given)
        try:
            returned = function(*inputs, *states, **parameters, **options)
        except Exception as error:
            _refuse_module(recorder, error)
            raise
        recorder.see_names()
        new_hidden = None
        if not cell.states:
            [output] = _results(cell, recorder, returned, ("output",))
        else:
            states = _results(cell, recorder, returned, cell.states)
            if projected:
                new_hidden = states[0].number
                weight = recorder.argument("weight_hr", varying=False)
                states[0] = states[0] @ weight.T
                recorder.names[states[0].number] = cell.states[0]
            output = _output(cell, recorder, states)
    histories = recorder.histories
    roots = [*(value.number for value in (*states, output)), *(history.new for history in histories)]
    _refuse_unused(cell, recorder, [value.number for value in inputs], roots)
    return _program(cell, recorder, states, output, new_hidden, given)


def _refuse_module(recorder: Recorder, error: Exception) -> None:
    """Refuse equations in which an error comes from a module that they call, such as a layer of recurra's.

    Raises:
        EquationError: it does.
    """
    if isinstance(error, EquationError):
        return
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    codes = [frame.f_code for frame in frames]
    if recorder.code in codes:
        own = codes.index(recorder.code)
        fault = fault_of_module(frames[own + 1 :], recorder.functions)
        if fault:
            raise EquationError(recorder.refusal(fault, running_line(frames[own]))) from None


def _results(cell: Cell, recorder: Recorder, returned: object, wanted: Sequence[str]) -> list[Value]:
    """The new states that the cell returned, or the output of a cell without states; checked."""
    values = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    expected = ", ".join(wanted)
    if len(values) != len(wanted):
        names = [
            recorder.names[value.number]
            for value in values
            if isinstance(value, Value) and value.recorder is recorder and recorder.names[value.number]
        ]
        missing = [state for state in wanted if state not in names] if len(values) < len(wanted) else []
        detail = f": state {', '.join(missing)} is not returned" if missing else ""
        recorder.fail(f"must return the new value of each state ({expected}), but returns {len(values)}{detail}")
    checked: list[Value] = []
    for name, value in zip(wanted, values, strict=True):
        if not isinstance(value, Value) or value.recorder is not recorder:
            recorder.fail(
                f"the new value of state {name} is a {type(value).__name__}, not computed from the cell's values"
            )
        if recorder.kinds[value.number] != "real":
            recorder.fail(f"the new value of state {name} is a comparison; `where` chooses between numbers")
        if not recorder.varying[value.number]:
            recorder.fail(f"the new value of state {name} depends on parameters alone, not on the input or a state")
        if recorder.names[value.number] is None:
            recorder.names[value.number] = name
        checked.append(value)
    return checked


def _output(cell: Cell, recorder: Recorder, states: list[Value]) -> Value:
    """The value that a layer returns: the first new state, or the local variable that the cell names."""
    if cell.output is None:
        return states[0]
    held = (recorder.frame.f_locals if recorder.frame else {}).get(cell.output)
    if not isinstance(held, Value) or held.recorder is not recorder:
        recorder.fail(f"output={cell.output!r} names no local variable of the cell's equations")
    if recorder.kinds[held.number] != "real" or not recorder.varying[held.number]:
        recorder.fail(f"output={cell.output!r} must be computed from the input or a state, and be no comparison")
    return held


def _refuse_unused(cell: Cell, recorder: Recorder, inputs: list[int], roots: list[int]) -> None:
    """Refuse arguments that have no influence on a new state or the output."""
    used = set(roots)
    for record in reversed(recorder.records):
        if used.intersection(record.results):
            used.update(operand for operand in record.operands if isinstance(operand, int))
    arguments = dict(zip(cell.inputs, inputs, strict=True))
    arguments |= {name: number for number, name in enumerate((*cell.states, *cell.parameters), 1)}
    unused = [name for name, number in arguments.items() if number not in used]
    if unused:
        kinds = {**dict.fromkeys(cell.inputs, "input"), **dict.fromkeys(cell.states, "state")}
        texts = [f"{kinds.get(name, 'parameter')} `{name}`" for name in unused]
        recorder.fail(f"{', '.join(texts)} is not used: no new state depends on it")


def _program(
    cell: Cell,
    recorder: Recorder,
    states: list[Value],
    output: Value,
    new_hidden: int | None,
    given: Mapping[str, Shape],
) -> Program:
    first = PROJ if new_hidden is not None else HIDDEN
    inputs = tuple(cell.inputs) if len(cell.inputs) > 1 else ()
    pairs = [
        *enumerate((state.number for state in states), 1),
        *((each.state, each.new) for each in recorder.histories),
    ]
    shapes = infer(recorder, pairs, output.number, first, new_hidden, given, inputs)
    names = _unique_names(recorder)
    variables = [Variable(name, shape, kind) for name, shape, kind in zip(names, shapes, recorder.kinds, strict=True)]
    count = 1 + len(cell.states)
    parameters = variables[count : count + len(cell.parameters)]
    if new_hidden is not None:
        parameters.append(next(variable for variable in variables if variable.name == "weight_hr"))
    program = Program(
        name=cell.name[:100],
        input=variables[0],
        states=tuple(variables[old] for old, _ in pairs),
        parameters=tuple(parameters),
        equations=tuple(
            Equation(
                record.operation,
                tuple(variables[o] if isinstance(o, int) else o for o in record.operands),
                tuple(variables[result] for result in record.results),
                record.attributes,
            )
            for record in recorder.records
        ),
        next_states=tuple(variables[new] for _, new in pairs),
        output=variables[output.number],
        inputs=_step_inputs(cell, variables),
    )
    program = explicit(program)
    check(program)
    return program


def _unpacked(cell: Cell, recorder: Recorder, whole: Value, given: Mapping[str, Shape]) -> list[Value]:
    """The inputs of a step, cut out of all of them side by side; one without a size is a number, not a vector."""
    first, *others = cell.inputs
    parts = recorder.apply("partition", (whole,), {}, len(cell.inputs))
    recorder.names[parts[0].number] = first
    values = [parts[0]]
    for name, part in zip(others, parts[1:], strict=True):
        value = part if name in given else recorder.apply("sum", (part,), {})[0]
        recorder.names[part.number] = f"%{name}"
        recorder.names[value.number] = name
        values.append(value)
    return values


def _step_inputs(cell: Cell, variables: Sequence[Variable]) -> tuple[StepInput, ...]:
    """The inputs of a step, where there are several."""
    if len(cell.inputs) == 1:
        return ()
    sizes = {variable.name.lstrip("%"): variable.shape[0] for variable in variables if variable.shape}
    return tuple(StepInput(name, sizes[name], default) for name, default in cell.inputs.items())


def _unique_names(recorder: Recorder) -> list[str]:
    """A name for each value: the source's, with a prime for each earlier use of it, or a number."""
    uses: dict[str, int] = {}
    names = []
    for number, name in enumerate(recorder.names):
        if name is None:
            names.append(f"%{number}")
            continue
        primes = uses.get(name, 0)
        uses[name] = primes + 1
        names.append(name + ("'" * primes if primes < 4 else f"'{primes}"))
    return names
