"""The meaning of each variable of a cell in words: of known cells from a table, of others from their equations."""

from __future__ import annotations

from collections.abc import Iterator

from recurra import cells
from recurra.compiler import drop_biases, trace
from recurra.compiler.rewrite import users
from recurra.equations import relu, tanh
from recurra.look.provenance import Origins
from recurra.look.words import PROJECTION, WORDS
from recurra.program import HISTORY, OPERATIONS, Equation, Program, Variable

# The range of the results of an operation, in words.
_RANGES = {
    "tanh": "from -1 to 1",
    "relu": "from 0",
    "softplus": "from 0",
    "exp": "from 0",
    "abs": "from 0",
    "sin": "from -1 to 1",
    "cos": "from -1 to 1",
}


def meanings(program: Program) -> dict[str, str]:
    """The words for each named variable of a program.

    Words of the table are used where the program computes what the cell of that name in ``recurra.cells`` does; all
    others follow from the equations.
    """
    words = _Structure(program).words()
    if not _is_known(program):
        return words
    known = WORDS[program.name]
    words.update({name: text for name, text in known.items() if name in words})
    if program.next_states[0].name != "h'":  # the cell's new hidden state is h', and its projection another variable
        words.update({"h'": PROJECTION["before"], program.next_states[0].name: PROJECTION["after"]})
        words["weight_hr"] = PROJECTION["weight_hr"]
    return words


def _is_known(program: Program) -> bool:
    """Whether a program is that of a cell of the table, whatever the numbers among its options are."""
    words, cell = WORDS.get(program.name), cells.all().get(program.name)
    if words is None or cell is None:
        return False
    is_projected = any("proj" in size.symbols for variable in program.sources for size in variable.shape)
    has_ranges = any("from -1 to 1" in text for text in words.values())  # those of tanh
    functions = [] if has_ranges else [name for name, default in cell.options.items() if default is tanh]
    signature = _signature(program)
    for options in ({}, dict.fromkeys(functions, relu)):
        whole = trace(cell, options, projected=is_projected)
        if signature in (_signature(whole), _signature(drop_biases(whole))):
            return True
    return False


def _signature(program: Program) -> list[tuple[object, ...]]:
    """What a program computes, with every number left out."""
    operands = [tuple(o.name if isinstance(o, Variable) else "" for o in e.operands) for e in program.equations]
    results = [tuple(result.name for result in equation.results) for equation in program.equations]
    operations = [equation.operation for equation in program.equations]
    return [(v.name, v.shape) for v in program.sources] + list(zip(operations, operands, results, strict=True))


class _Structure:
    """The words that follow from a program's equations."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._origins = Origins(program)
        self._readers = users(program)
        self._varying = program.varying()

    def words(self) -> dict[str, str]:
        program = self._program
        first, *others = program.named_inputs
        found = {first.name: "input of this step"}
        found |= {variable.name: f"input {variable.name} of this step" for variable in others}
        new = dict(zip(program.next_states, program.states, strict=True))
        for state in program.states:
            since = "" if HISTORY in state.name else ", from the step before"
            found[state.name] = f"{self._kind(state)}{since}"
        for parameter in program.parameters:
            found[parameter.name] = self._parameter(parameter)
        for variable in program.variables():
            if variable.name in found or not variable.is_named:
                continue
            if variable in new:
                shown = ": the output of this step" if variable is program.output else ""
                found[variable.name] = f"new {self._kind(new[variable])}{shown}"
            elif variable is program.output:
                found[variable.name] = "the output of this step"
            else:
                found[variable.name] = self._computed(variable)
        return found

    def _kind(self, state: Variable) -> str:
        if HISTORY in state.name:
            return f"state {state.name}: the values of {state.name.partition(HISTORY)[0]} in the steps before"
        return "hidden state" if state is self._program.states[0] else f"state {state.name}"

    def _computed(self, variable: Variable) -> str:
        """The words for a variable that is neither a state nor the output."""
        maker = self._origins.maker(variable)
        assert maker is not None
        if variable not in self._varying:
            return "computed from parameters alone, once per call"
        if maker.operation == "mask":
            return "random mask; outside of training its mean"
        if variable.kind == "bool":
            return "comparison: true or false"
        if maker.operation == "sigmoid":
            return self._gate(variable)
        if maker.operation in _RANGES:
            scaled = [name for name in self._factors(variable) if self._is_gate(name)]
            by = f", scaled by {', '.join(scaled)}" if scaled else ""
            return f"{maker.operation} of a sum, {_RANGES[maker.operation]}{by}"
        readers = self._readers.get(variable, [])
        reader = readers[0] if len(readers) == 1 and len(readers[0].operands) == 1 else None
        if reader is not None and OPERATIONS[reader.operation].elementwise and reader.results[0].is_named:
            return f"{reader.results[0].name} before its {reader.operation}"
        return "computed from " + _joined(self._flowing(variable))

    def _gate(self, variable: Variable) -> str:
        """The words for a sigmoid: a gate, and what it and 1 minus it multiply."""
        facts = []
        factors = self._factors(variable)
        if factors:
            facts.append("multiplies " + _joined(factors))
        for reader in self._readers.get(variable, []):
            if reader.operation == "subtract" and reader.operands == (1.0, variable):
                others = self._factors(reader.results[0])
                if others:
                    facts.append(f"1 - {variable.name} multiplies {_joined(others)}")
        return "gate, from 0 to 1" + (": " + "; ".join(facts) if facts else "")

    def _is_gate(self, name: str) -> bool:
        makers = {result.name: e for e in self._program.equations for result in e.results}
        return name in makers and makers[name].operation == "sigmoid"

    def _factors(self, variable: Variable) -> list[str]:
        """The names of what a variable is multiplied by."""
        names = []
        for reader in self._readers.get(variable, []):
            if reader.operation == "multiply":
                names += [self._shown(operand) for operand in reader.variables if operand is not variable]
        return list(dict.fromkeys(name for name in names if name))

    def _shown(self, variable: Variable) -> str:
        """A variable's name; one without a name as a function or product of named variables, or empty."""
        if variable.is_named:
            return variable.name
        maker = self._origins.maker(variable)
        if maker is None:
            return ""
        names = [operand.name if operand.is_named else "…" for operand in maker.variables]
        if maker.operation == "multiply" and len(names) == 2 and "…" not in names:
            return " * ".join(names)
        is_function = OPERATIONS[maker.operation].elementwise and not OPERATIONS[maker.operation].text
        return f"{maker.operation}({', '.join(names)})" if is_function else ""

    def _flowing(self, variable: Variable) -> list[str]:
        """The names of the varying variables that a variable is computed from."""
        sources = [origin.variable for origin in self._origins.of.get(variable, ())]
        return list(dict.fromkeys(source.name for source in sources if source in self._varying))

    def _parameter(self, parameter: Variable) -> str:
        """The words for a parameter: weights from a variable, bias, scale or number, and what they are for."""
        return ", ".join(filter(None, (self._use(parameter), self._targets(parameter))))

    def _targets(self, parameter: Variable) -> str:
        new = dict(zip(self._program.next_states, self._program.states, strict=True))
        names = []
        for variable, sources in self._origins.of.items():
            if any(origin.variable is parameter for origin in sources):
                names.append(f"the new {new[variable].name}" if variable in new else variable.name)
        return f"for {_joined(names)}" if names else ""

    def _use(self, parameter: Variable) -> str:
        uses = list(self._uses(parameter))
        lefts = [self._product_left(equation) for equation in uses if equation.operation == "product"]
        if lefts:
            return "weights from " + _joined(list(dict.fromkeys(lefts)))
        if not parameter.shape:
            return "one number"
        if len(parameter.shape) == 1 and uses and all(equation.operation in ("add", "subtract") for equation in uses):
            return "bias"
        if len(parameter.shape) == 1:
            return "a number for each unit"
        return "matrix"

    def _uses(self, parameter: Variable) -> Iterator[Equation]:
        """The equations that read a parameter, itself or transposed or cut."""
        for equation in self._readers.get(parameter, []):
            if equation.operation in ("transpose", "scalar", "detach", "split", "partition", "heads"):
                for result in equation.results:
                    yield from self._uses(result)
            else:
                yield equation

    def _product_left(self, equation: Equation) -> str:
        """The name of the left side of a product; the names of what it is computed from where it has none."""
        left = equation.variables[0]
        return self._shown(left) or _joined([v.name for v in self._behind(left)]) or "a sum"

    def _behind(self, variable: Variable) -> list[Variable]:
        maker = self._origins.maker(variable)
        return [] if maker is None else [v for v in maker.variables if v.is_named and v in self._varying]


def _joined(names: list[str]) -> str:
    """Names with commas, and "and" before the last one."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
