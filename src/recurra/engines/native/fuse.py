"""Fuses elementwise operations that often follow each other, so that values between them stay in registers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from recurra.engines.native.code import CodeValue
from recurra.program import Operand, Variable


class Op(NamedTuple):
    """One operation of a segment.

    Attributes:
        operation: its name in native/operations.def.
        target: the value that it writes, if it computes no variable.
        operands: at most three.
        result: the variable that it computes, if it has no target.
        width: elements of a row, of a store.
    """

    operation: str
    target: CodeValue | None
    operands: tuple[Operand, ...]
    result: Variable | None
    width: int = 0


FusedOperation = tuple[str, tuple[Operand, ...]]
FusionRule = Callable[[Op, Op, tuple[Operand, ...]], "FusedOperation | None"]


def _prefix(name: str) -> FusionRule:
    """A rule whose operands are those of the inner operation, then the others of the outer one."""
    return lambda outer, inner, others: (name, (*inner.operands, *others))


def _first_factor(name: str) -> FusionRule:
    """A rule for an inner operation that is a factor of a multiply_add; the summand comes last."""

    def rule(outer: Op, inner: Op, others: tuple[Operand, ...]) -> FusedOperation | None:
        return None if outer.operands[2] == inner.result else (name, (*inner.operands, *others))

    return rule


def _mix(outer: Op, inner: Op, others: tuple[Operand, ...]) -> FusedOperation | None:
    """(1 - a) * b + a * c."""
    a, b, added = outer.operands
    if added != inner.result or a not in inner.operands:
        return None
    first, second = inner.operands
    return "mix", (a, b, second if first == a else first)


# The fused operation of each pair (outer, inner), if nothing else reads the inner result. The bits stay the same.
_PAIRS: dict[tuple[str, str], FusionRule] = {
    ("sigmoid", "add"): _prefix("sigmoid_add"),
    ("tanh", "add"): _prefix("tanh_add"),
    ("tanh", "multiply_add"): _prefix("tanh_multiply_add"),
    ("multiply", "one_minus"): _prefix("one_minus_multiply"),
    ("multiply", "one_minus_square"): _prefix("one_minus_square_multiply"),
    ("multiply_add", "one_minus"): _first_factor("one_minus_multiply_add"),
    ("one_minus_multiply_add", "multiply"): _mix,
    ("multiply", "sigmoid"): _prefix("sigmoid_multiply"),
    ("multiply", "tanh"): _prefix("tanh_multiply"),
    ("sigmoid_multiply", "tanh"): lambda outer, inner, others: (
        ("sigmoid_tanh", (*others, *inner.operands)) if outer.operands[1] == inner.result else None
    ),
    ("tanh_multiply", "sigmoid"): lambda outer, inner, others: (
        ("sigmoid_tanh", (*inner.operands, *others)) if outer.operands[1] == inner.result else None
    ),
    ("multiply_add", "sigmoid"): _first_factor("sigmoid_multiply_add"),
}


def fused(ops: Sequence[Op], wanted: Collection[Variable], elsewhere: Collection[Variable]) -> list[Op]:
    """The same computation in fewer operations.

    A multiply-add is rounded once. So the products that become part of one follow from the equations alone, not from
    ``wanted``: a forward pass computes the same bits whether or not it keeps something for a backward pass.

    Args:
        ops: the operations in order.
        wanted: variables that are stored, so that each has an operation of its own.
        elsewhere: variables that other segments or the next step read.
    """
    listed: list[Op | None] = [*_contracted([_simpler(op) for op in ops], wanted, elsewhere)]
    makers = {op.result: number for number, op in enumerate(listed) if op is not None and op.result is not None}
    uses = Counter(operand for op in listed if op is not None for operand in op.operands)
    for number in range(len(listed)):
        # Fusing into an operation changes neither the operations before it nor what could be fused into them.
        while (fusion := _fusion(listed, number, makers, uses, wanted)) is not None:
            inner, fused_op = fusion
            for gone in (listed[number], listed[inner]):
                uses.subtract(() if gone is None else gone.operands)
            uses.update(fused_op.operands)
            listed[number], listed[inner] = fused_op, None
    return [op for op in listed if op is not None]


def _simpler(op: Op) -> Op:
    """The operation, with the special forms of 1 - a and a ** 2."""
    if op.operation == "subtract" and op.operands[0] == 1.0:
        return Op("one_minus", op.target, op.operands[1:], op.result)
    if op.operation == "power" and op.operands[1] == 2.0:
        return Op("multiply", op.target, (op.operands[0], op.operands[0]), op.result)
    return op


def _contracted(listed: list[Op], wanted: Collection[Variable], elsewhere: Collection[Variable]) -> list[Op]:
    """The operations with multiply-adds: a product becomes part of the only sum that reads it; of two, the first."""
    uses: dict[Operand, int] = {}
    for op in listed:
        for operand in op.operands if op.result is not None else ():
            uses[operand] = uses.get(operand, 0) + 1
    makers: dict[Variable | None, Op] = {op.result: op for op in listed if op.result is not None}
    gone: set[Variable] = set()
    contracted = []
    for op in listed:
        if op.operation in ("add", "one_minus"):
            op = _with_product(op, makers, lambda variable: uses[variable] == 1 and variable not in elsewhere, gone)
        contracted.append(op)
    return [op for op in contracted if op.result is None or op.result not in gone or op.result in wanted]


def _with_product(
    op: Op, makers: Mapping[Variable | None, Op], is_inner: Callable[[Variable], bool], gone: set[Variable]
) -> Op:
    for operand in op.operands:
        inner = makers.get(operand) if isinstance(operand, Variable) else None
        if inner is None or inner.operation != "multiply" or inner.result is None or not is_inner(inner.result):
            continue
        first, second = inner.operands
        if op.operation == "one_minus":
            if first != second:
                continue
            gone.add(inner.result)
            return Op("one_minus_square", op.target, (first,), op.result)
        gone.add(inner.result)
        other = op.operands[1] if op.operands[0] == operand else op.operands[0]
        return Op("multiply_add", op.target, (first, second, other), op.result)
    return op


def _fusion(
    listed: Sequence[Op | None],
    number: int,
    makers: Mapping[Variable, int],
    uses: Mapping[Operand, int],
    wanted: Collection[Variable],
) -> tuple[int, Op] | None:
    """The number of an earlier operation that can be fused into this one, and the result; None if there is none."""
    outer = listed[number]
    if outer is None:
        return None
    for operand in outer.operands:
        if not isinstance(operand, Variable) or operand in wanted or uses[operand] != 1:
            continue
        inner_number = makers.get(operand, number)
        inner = listed[inner_number] if inner_number < number else None
        if inner is None:
            continue
        others = tuple(other for other in outer.operands if other != operand)
        rule = _PAIRS.get((outer.operation, inner.operation))
        fused_operation = None if rule is None else rule(outer, inner, others)
        if fused_operation is not None:
            return inner_number, Op(fused_operation[0], outer.target, fused_operation[1], outer.result)
    return None
