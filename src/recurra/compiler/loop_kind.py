"""Loop kinds: what a cell's time loop computes from the states, which bounds how fast any engine can run it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

from recurra.compiler.expectation import expectation
from recurra.compiler.memory import reached_states, states_over_time
from recurra.compiler.rewrite import needed
from recurra.compiler.simplify import simplify
from recurra.program import OPERATIONS, Equation, Program, Variable
from recurra.program.text import Printer

LoopKind = Literal["product", "elementwise", "affine"]

_KNOWN, _AFFINE, _OTHER = range(3)  # what a value is in the states: without them, affine in them, anything else
_LINEAR = (
    "add", "subtract", "negative", "detach", "split", "partition", "concat", "product", "heads", "mean", "sum",
    "cumsum",
)  # fmt: skip
_JOINING = ("mean", "sum", "max", "cumsum")  # a result has parts of several units
_LONGEST = 60  # characters of an expression in a sentence


class Classified(NamedTuple):
    """The kind of a program's time loop.

    Attributes:
        kind: ``"product"``, ``"elementwise"`` or ``"affine"``, as ``loop_kind`` says.
        reason: a sentence that says why.
    """

    kind: LoopKind
    reason: str


def loop_kind(program: Program) -> Classified:
    """The kind of a program's time loop.

    - ``"product"``: the loop multiplies a state, or a value computed from one, by a matrix, or joins its units in
      another way. A step reads the matrix, and waits for all units of the step before.
    - ``"elementwise"``: the loop has no product. What reads no state is computed ahead of it, for all steps at once.
    - ``"affine"``: elementwise, and every new state is a sum of states, each times a factor that no state decides, and
      of a value that no state decides. So a scan in parallel over time can take the place of the loop. A state
      may also decide factors of another one, if that other one does not decide it: the scans follow each other.
    """
    if program.masks:
        program = simplify(expectation(program), program.named().values())
    reached = reached_states(program)
    loop = [e for e in needed(program.computed, program.next_states) if any(reached[v] for v in e.variables)]
    printer = Printer(program)
    is_affine = _obstacle(program, loop, reached) is None
    products = [equation for equation in loop if equation.operation == "product"]
    if products:
        return Classified("product", _of_products(products, printer, is_affine))
    joining = next((equation for equation in loop if equation.operation in _JOINING), None)
    if joining is not None:
        text = _quoted(joining, printer)
        return Classified("product", f"{text} joins the units of a state in every step, as a product does.")
    if not loop:
        return Classified("affine", "No new state is computed from a state: all steps run at once.")
    obstacle = _obstacle(program, loop, reached)
    if obstacle is not None:
        names = _listed([f"`{state.name}`" for state in program.states if state in obstacle.states])
        text = _quoted(obstacle.equation, printer)
        reason = f"No product with a state is in it, but {text} is not affine in {names}: the steps follow each other."
        return Classified("elementwise", reason)
    return Classified("affine", _of_affine(program, loop, printer))


class _NonlinearEquation(NamedTuple):
    """An equation that is not affine in states which decide each other."""

    equation: Equation
    states: frozenset[Variable]


def _obstacle(
    program: Program, loop: Iterable[Equation], reached: Mapping[Variable, frozenset[Variable]]
) -> _NonlinearEquation | None:
    """The first equation because of which a new state is not affine; None where all are."""
    new = dict(zip(program.states, program.next_states, strict=True))
    deciding = states_over_time(program)
    for state in program.states:
        together = frozenset(other for other in deciding[state] if state in deciding[other])
        equation = _not_affine(needed(loop, [new[state]]), together)
        if equation is not None:
            return _NonlinearEquation(equation, reached[equation.results[0]] & together)
    return None


def _not_affine(equations: Iterable[Equation], states: Collection[Variable]) -> Equation | None:
    """The first equation whose result is not affine in these states, of which all others are taken as given."""
    degrees = dict.fromkeys(states, _AFFINE)
    for equation in equations:
        operands = [degrees.get(o, _KNOWN) if isinstance(o, Variable) else _KNOWN for o in equation.operands]
        degree = _degree(equation, operands)
        if degree == _OTHER:
            return equation
        degrees.update(dict.fromkeys(equation.results, degree))
    return None


def _degree(equation: Equation, operands: list[int]) -> int:
    highest = max(operands, default=_KNOWN)
    if highest == _KNOWN or equation.operation in _LINEAR:
        return highest
    is_linear_in_first = equation.operation == "divide" and operands[1] == _KNOWN
    is_linear_in_one = equation.operation == "multiply" and min(operands) == _KNOWN
    is_choice = equation.operation == "where" and operands[0] == _KNOWN
    return highest if is_linear_in_first or is_linear_in_one or is_choice else _OTHER


def _of_products(products: list[Equation], printer: Printer, is_affine: bool) -> str:
    texts = list(dict.fromkeys(_quoted(equation, printer) for equation in products))
    verb = "multiplies a state" if len(texts) == 1 else "multiply states, or values computed from them,"
    reason = f"{_listed(texts)} {verb} by a matrix in every step"
    if is_affine:
        return f"{reason}. It is affine in the states, but a scan over time would multiply whole matrices."
    return f"{reason}, which waits for all units of the step before."


def _of_affine(program: Program, loop: list[Equation], printer: Printer) -> str:
    looping = {equation.results[0]: equation for equation in loop}
    new = dict(zip(program.next_states, program.states, strict=True))
    texts = [f"`{v.name} = {_text(looping[v], printer)}`" for v in new if v in looping]
    state = f"`{next(new[v].name for v in new if v in looping)}`" if len(texts) == 1 else "a state"
    return f"{_listed(texts)}: no factor of {state} depends on it, so that a scan in parallel over time is possible."


def _quoted(equation: Equation, printer: Printer) -> str:
    return f"`{_text(equation, printer)}`"


def _text(equation: Equation, printer: Printer) -> str:
    """An equation's right side; of one that is too long, its operation and first operand."""
    text = printer.right_side(equation)
    if len(text) <= _LONGEST:
        return text
    form = OPERATIONS[equation.operation].text
    first = printer.operand(equation.operands[0], OPERATIONS[equation.operation].binding + 1)
    first = first if len(first) <= _LONGEST else "…"
    return form.format(first, "…") if form else f"{equation.operation}(…)"


def _listed(texts: list[str]) -> str:
    """Texts in a sentence: the first three, and how many others there are."""
    if len(texts) > 4:
        texts = [*texts[:3], f"{len(texts) - 3} more"]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
