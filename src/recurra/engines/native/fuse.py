"""Elementwise operations that often come together become one, so that what is between them stays in registers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from recurra.engines.native.code import Value
from recurra.program import Operand, Variable


@dataclass(frozen=True)
class Op:
    """One operation of a segment.

    Attributes:
        operation: its name among the kernels' operations.
        target: the place that it fills, if it computes no variable.
        operands: at most three.
        result: the variable that it computes, if it fills no place.
        width: elements of a row, where it stores.
    """

    operation: str
    target: Value | None
    operands: tuple[Operand, ...]
    result: Variable | None
    width: int = 0


Made = tuple[str, tuple[Operand, ...]]
Rule = Callable[[Op, Op, tuple[Operand, ...]], "Made | None"]


def _prefix(name: str) -> Rule:
    """The inner operation's operands, then what else the outer one reads."""
    return lambda outer, inner, others: (name, (*inner.operands, *others))


def _mix(outer: Op, inner: Op, others: tuple[Operand, ...]) -> Made | None:
    """a * c + (1 - a) * b."""
    a, b = inner.operands
    first, second, added = outer.operands
    if added != inner.result:
        return None
    if first == a:
        return "mix", (a, b, second)
    return ("mix", (a, b, first)) if second == a else None


def _first_factor(name: str) -> Rule:
    """The inner operation is one of the outer product's factors; the sum comes last."""

    def rule(outer: Op, inner: Op, others: tuple[Operand, ...]) -> Made | None:
        return None if outer.operands[2] == inner.result else (name, (*inner.operands, *others))

    return rule


# (outer, inner): what both become, where nothing else reads the inner one's result.
_PAIRS: dict[tuple[str, str], Rule] = {
    ("add", "multiply"): _prefix("multiply_add"),
    ("sigmoid", "add"): _prefix("sigmoid_add"),
    ("tanh", "add"): _prefix("tanh_add"),
    ("multiply", "one_minus"): _prefix("one_minus_multiply"),
    ("multiply", "one_minus_square"): _prefix("one_minus_square_multiply"),
    ("multiply_add", "one_minus_multiply"): _mix,
    ("multiply", "sigmoid"): _prefix("sigmoid_multiply"),
    ("multiply", "tanh"): _prefix("tanh_multiply"),
    ("multiply", "sigmoid_add"): _prefix("sigmoid_add_multiply"),
    ("sigmoid_multiply", "tanh"): lambda outer, inner, others: (
        ("sigmoid_tanh", (*others, *inner.operands)) if outer.operands[1] == inner.result else None
    ),
    ("tanh_multiply", "sigmoid"): lambda outer, inner, others: (
        ("sigmoid_tanh", (*inner.operands, *others)) if outer.operands[1] == inner.result else None
    ),
    ("add", "sigmoid_multiply"): _prefix("sigmoid_multiply_add"),
    ("multiply_add", "sigmoid"): _first_factor("sigmoid_multiply_add"),
    ("multiply", "multiply"): _prefix("multiply_multiply"),
}


def fused(ops: Sequence[Op], wanted: Collection[Variable]) -> list[Op]:
    """The same computation in fewer operations.

    Args:
        ops: in order.
        wanted: variables that others read; they are computed as such.
    """
    listed = [_simpler(op) for op in ops]
    changed = True
    while changed:
        changed = False
        for number, outer in enumerate(listed):
            made = _fuse_one(listed, number, outer, wanted)
            if made is not None:
                inner_number, replacement = made
                listed[number] = replacement
                del listed[inner_number]
                changed = True
                break
    return listed


def _simpler(op: Op) -> Op:
    """1 - a, 1 - a * a and a ** 2 have operations of their own."""
    if op.operation == "subtract" and op.operands[0] == 1.0:
        return Op("one_minus", op.target, op.operands[1:], op.result)
    if op.operation == "power" and op.operands[1] == 2.0:
        return Op("multiply", op.target, (op.operands[0], op.operands[0]), op.result)
    return op


def _fuse_one(listed: Sequence[Op], number: int, outer: Op, wanted: Collection[Variable]) -> tuple[int, Op] | None:
    for operand in outer.operands:
        if not isinstance(operand, Variable) or operand in wanted:
            continue
        inner_number = next((n for n in range(number) if listed[n].result == operand), None)
        if inner_number is None or sum(op.operands.count(operand) for op in listed) != 1:
            continue
        inner = listed[inner_number]
        others = tuple(other for other in outer.operands if other != operand)
        if outer.operation == "one_minus" and inner.operation == "multiply" and inner.operands[0] == inner.operands[1]:
            made: Made | None = ("one_minus_square", inner.operands[:1])
        else:
            rule = _PAIRS.get((outer.operation, inner.operation))
            made = None if rule is None else rule(outer, inner, others)
        if made is not None:
            return inner_number, Op(made[0], outer.target, made[1], outer.result)
    return None
