"""Little of a backward pass is left in the time loop, whichever way its terms are written."""

from recurra.compiler.nests import parts, terms_of
from recurra.compiler.regroup import regrouped
from recurra.compiler.rewrite import needed
from recurra.compiler.tape import Tape
from recurra.program import HIDDEN, Equation, Variable

D, H, N, Z, R, A = (Variable(name, (HIDDEN,)) for name in "dhnzra")


class Names:
    """Makes variables, as ``Temporaries`` does for a program."""

    def __init__(self):
        self.count = 0

    def new(self, shape):
        self.count += 1
        return Variable(f"%{self.count}", shape)


def loop_of(tape, carried, result):
    """The operations that are left in the loop after regrouping, and the number of those ahead of it."""
    equations, values = regrouped(tape, [carried], [result], [result])
    left, known = [], {carried}
    for equation in needed(equations, [values.get(result, result)]):
        if known.intersection(equation.variables):
            known.update(equation.results)
            left.append(equation.operation)
    return left


def test_factors_of_one_carried_variable_are_added_up_ahead_of_the_loop():
    tape = Tape({D, H, N, R}, Names())
    result = tape.subtract(tape.multiply(D, H), tape.multiply(D, N))
    assert loop_of(tape, D, tape.multiply(result, R)) == ["multiply"]


def test_a_chain_of_factors_is_one():
    tape = Tape({D, H, N, R}, Names())
    result = tape.multiply(tape.negative(tape.multiply(tape.multiply(D, H), N)), R)
    assert loop_of(tape, D, result) == ["multiply"]


def test_terms_that_are_known_are_added_up_ahead_of_the_loop():
    tape = Tape({D, H, N, R}, Names())
    result = tape.add(tape.add(tape.multiply(D, H), N), R)
    assert loop_of(tape, D, result) == ["multiply", "add"]


def test_the_terms_of_a_nest_have_signs():
    equations = [Equation("subtract", (H, N), (Z,)), Equation("subtract", (D, Z), (R,)), Equation("add", (R, H), (A,))]
    makers = {equation.results[0]: equation for equation in equations}
    inner = parts(equations, {Z, R}, lambda _: ("add", "subtract"))
    assert inner == {Z, R}
    assert terms_of(A, makers, inner) == [(D, 1.0), (H, -1.0), (N, 1.0), (H, 1.0)]
    assert terms_of(A, makers, {R}) == [(D, 1.0), (Z, -1.0), (H, 1.0)]


def test_what_is_read_twice_or_by_something_else_is_no_part():
    equations = [Equation("add", (H, N), (Z,)), Equation("add", (Z, Z), (R,)), Equation("tanh", (R,), (A,))]
    assert parts(equations, {Z, R}, lambda _: ("add",)) == set()
