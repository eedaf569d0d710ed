"""regularise: zoneout and recurrent dropout for any cell, as programs that draw random masks in training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from recurra.compiler.memory import depending_except, recurrent_states, remembering_states
from recurra.compiler.rewrite import Temporaries, substitute
from recurra.errors import EquationError
from recurra.program import Equation, Operand, Program, Variable, check

Probabilities = float | Mapping[str, float]
_MOVES = ("concat", "heads")  # operations that a mask of their operands serves as well


def zoneout(program: Program, probabilities: Probabilities) -> Program:
    """The program with units of states that keep their old value by chance in each step (Krueger et al. 2017).

    As in section 3 of the paper, a state that is computed from another new state sees that one as it was before
    zoneout. The output is the state after it.

    Args:
        program: the traced cell.
        probabilities: the probability that a unit keeps its value: for every state that remembers, or by the state's
            name. Counters, clocks, last observations, histories and copies of other values do not remember.

    Raises:
        EquationError: a name is that of no state.
    """
    if isinstance(probabilities, Mapping):
        _check_names("zoneout", program, probabilities, [state.name for state in program.states])
        chosen = dict(probabilities)
    else:
        chosen = dict.fromkeys(remembering_states(program), probabilities)
    new = Temporaries(program)
    masks: list[Equation] = []
    mixed: list[Equation] = []
    zoned: dict[Variable, Variable] = {}
    for state, value in zip(program.states, program.next_states, strict=True):
        probability = chosen.get(state.name, 0.0)
        if not probability:
            continue
        mask, complement, old, fresh = (new.new(state.shape) for _ in range(4))
        result = Variable(_next_name(program, state.name), state.shape)
        masks.append(_mask(mask, probability, 1.0, probability, "step"))
        mixed += [
            Equation("multiply", (mask, state), (old,)),
            Equation("subtract", (1.0, mask), (complement,)),
            Equation("multiply", (complement, value), (fresh,)),
            Equation("add", (old, fresh), (result,)),
        ]
        zoned[value] = result
    return _checked(
        replace(
            program,
            equations=(*masks, *program.equations, *mixed),
            next_states=tuple(zoned.get(value, value) for value in program.next_states),
            output=zoned.get(program.output, program.output),
        )
    )


def recurrent_dropout(program: Program, probabilities: Probabilities) -> Program:
    """The program with dropout of what it computes from states; one mask serves all steps of a sequence.

    Args:
        program: the traced cell.
        probabilities: the probability of dropping a unit of every vector that a matrix multiplies, if it is an old
            state or computed from old states (Gal & Ghahramani 2016, section 4). The states themselves stay, and so do
            products that read new states, such as a projection, or earlier inputs alone. Or probabilities by name: of a
            state, for products of that state alone; of another value, such as the candidate of an LSTM, which is
            dropped wherever it is read (Semeniuta et al. 2016).

    Raises:
        EquationError: a name is that of no state and no value of the cell, or no product has what would be dropped.
    """
    rewriting = _Dropping(program, probabilities)
    if isinstance(probabilities, Mapping):
        values = _droppable(program)
        _check_names("recurrent_dropout", program, probabilities, [*(state.name for state in program.states), *values])
        wanted = {values[name]: p for name, p in probabilities.items() if p and name in values}
    else:
        wanted = {}
    return rewriting.run(wanted)


class _Dropping:
    """Rewrites a program for ``recurrent_dropout``."""

    def __init__(self, program: Program, probabilities: Probabilities) -> None:
        self.program, self.probabilities = program, probabilities
        self.new = Temporaries(program)
        self.masks: dict[object, Equation] = {}
        self.equations: list[Equation] = []
        self.dropped: dict[Variable, Variable] = {}  # states, and values computed from them, after dropout
        self.makers = {result: equation for equation in program.equations for result in equation.results}
        states = program.states if isinstance(probabilities, Mapping) else recurrent_states(program)
        self.from_state = depending_except(program.equations, states, ())
        self.from_new = depending_except(program.equations, {*program.next_states} - {*program.sources}, ())
        self.origins = {state: depending_except(program.equations, [state], ("product",)) for state in program.states}
        self.served: set[str] = set()  # the states whose own probability was used

    def run(self, values: Mapping[Variable, float]) -> Program:
        replaced: dict[Variable, Operand] = {}
        for equation in self.program.equations:
            if equation.operation == "product":
                left = self._for_product(equation.operands[0])
                equation = replace(equation, operands=(left, *equation.operands[1:]))
            self.equations.append(substitute(equation, replaced))
            for result in equation.results:
                if result in values:
                    replaced[result] = self._times_mask(result, values[result], result)
        self._refuse_without_effect()
        root = {value: replaced.get(value, value) for value in self.program.roots}
        new_states, output = [root[value] for value in self.program.next_states], root[self.program.output]
        assert isinstance(output, Variable)
        return _checked(
            replace(
                self.program,
                equations=(*self.masks.values(), *self.equations),
                next_states=tuple(value for value in new_states if isinstance(value, Variable)),
                output=output,
            )
        )

    def _for_product(self, operand: Operand) -> Operand:
        """The value that a product multiplies in place of an operand."""
        if not isinstance(operand, Variable) or operand not in self.from_state:
            return operand
        if operand in self.dropped:
            return self.dropped[operand]
        maker = self.makers.get(operand)
        if maker is not None and maker.operation in _MOVES:
            operands = tuple(self._for_product(each) for each in maker.operands)
            if operands == maker.operands:
                return operand
            result = self.new.new(operand.shape)
            self.equations.append(replace(maker, operands=operands, results=(result,)))
        elif operand in self.from_new:
            return operand
        else:
            origins = [state for state in self.program.states if operand in self.origins[state]]
            probability, state = self._probability(origins)
            if not probability:
                return operand
            is_alike = state is not None and state.shape == operand.shape
            result = self._times_mask(operand, probability, state if is_alike else operand)
        self.dropped[operand] = result
        return result

    def _probability(self, origins: list[Variable]) -> tuple[float, Variable | None]:
        """The probability of a vector that comes from these states, and the state whose mask it shares."""
        if not isinstance(self.probabilities, Mapping):
            return self.probabilities, origins[0] if origins else None
        for state in origins:
            if state.name in self.probabilities:
                self.served.add(state.name)
                return self.probabilities[state.name], state
        return 0.0, None

    def _times_mask(self, value: Variable, probability: float, key: object) -> Variable:
        if key not in self.masks:
            keep = 1.0 - probability
            mask = self.new.new(value.shape)
            self.masks[key] = _mask(mask, keep, 1 / keep if keep else 0.0, 1.0, "sequence")
        result = self.new.new(value.shape)
        self.equations.append(Equation("multiply", (value, self.masks[key].results[0]), (result,)))
        return result

    def _refuse_without_effect(self) -> None:
        idle = [state.name for state in self.program.states]
        if isinstance(self.probabilities, Mapping):
            idle = [name for name in idle if name in self.probabilities and name not in self.served]
        elif self.masks:
            return
        if idle:
            others = ", ".join(_droppable(self.program))
            advice = f". By name, other values can be dropped: {others}" if others else ""
            raise EquationError(
                f"cell {self.program.name!r}: recurrent_dropout finds no product of {', '.join(idle)}, or of a value "
                f"computed from it, with a matrix{advice}"
            )


def _droppable(program: Program) -> dict[str, Variable]:
    """The values that can be dropped by name: vectors that change from step to step, and have a name in the source."""
    varying, states = program.varying(), {state.name for state in program.states}
    return {
        name: value
        for name, value in program.named().items()
        if name not in states and value in varying and value.kind == "real" and len(value.shape) == 1
    }


def _check_names(option: str, program: Program, given: Iterable[str], known: list[str]) -> None:
    for name in given:
        if name not in known:
            raise EquationError(
                f"cell {program.name!r}: {option} names {name!r}, which the cell does not have; there are: "
                + ", ".join(known)
            )


def _mask(result: Variable, probability: float, on: float, mean: float, per: str) -> Equation:
    return Equation("mask", (), (result,), {"probability": probability, "on": on, "mean": mean, "per": per})


def _next_name(program: Program, state: str) -> str:
    """The name of a state's value after its last one."""
    taken = {variable.name for variable in program.variables()}
    primes = 0
    while True:
        name = state + ("'" * primes if primes < 4 else f"'{primes}")
        if name not in taken:
            return name
        primes += 1


def _checked(program: Program) -> Program:
    check(program)
    return program
