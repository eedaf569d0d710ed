"""regroup: moves as much as possible of a derived backward pass out of its time loop.

Gradients are linear in the carried gradients. In a chain of multiplications only one factor depends on these, so the
product of all others is computed ahead of the loop. So are the terms of a sum that do not depend on them, and the sum
of the factors of a variable that occurs in several terms: d * h - d * n is d * (h - n).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from recurra.compiler.nests import SUMS, link, parts, terms_of
from recurra.compiler.rewrite import needed, substitute
from recurra.compiler.tape import Tape, shape_of
from recurra.program import Equation, Operand, Variable, depending

_SCALINGS = ("multiply", "negative")


def regrouped(
    tape: Tape, entering: Sequence[Variable], leaving: Sequence[Variable], roots: Sequence[Variable]
) -> tuple[list[Equation], dict[Variable, Variable]]:
    """The equations, regrouped until the loop gets no shorter; and a replacement for each variable that is gone.

    A second round helps where a sum has become one product, which is then part of a longer chain.

    Args:
        tape: the tape with the equations.
        entering: the carried variables as they enter a step.
        leaving: the carried variables as a step hands them on.
        roots: all variables that the equations are computed for.
    """
    length = len(tape.equations) + 1
    values: dict[Variable, Variable] = {}
    while True:
        leaving, roots = ([values.get(v, v) for v in variables] for variables in (leaving, roots))
        regrouping = _Regrouping(tape.equations, entering, leaving, roots)
        if len(regrouping.loop) >= length:
            return tape.equations, values
        length = len(regrouping.loop)
        tape = tape.successor()
        found = regrouping.run(tape)
        values = {**found, **{old: found.get(now, now) for old, now in values.items()}}


class _Term(NamedTuple):
    """The term sign * carried * factors; without a carried variable, it is known ahead of the loop."""

    carried: Variable | None
    factors: tuple[Operand, ...]
    sign: float


class _Regrouping:
    """Writes the equations anew that are linear in the carried variables.

    Attributes:
        loop: the equations of the time loop, before they are regrouped.
    """

    def __init__(
        self,
        equations: Sequence[Equation],
        entering: Sequence[Variable],
        leaving: Sequence[Variable],
        roots: Sequence[Variable],
    ) -> None:
        self.equations = needed(equations, roots)
        self.carried = depending(self.equations, entering)
        self.makers = {variable: equation for equation in self.equations for variable in equation.results}
        self.values: dict[Variable, Variable] = {}  # the replacement of each variable that is gone
        self.loop = needed((e for e in self.equations if e.results[0] in self.carried), leaving)
        self.linear = {e.results[0] for e in self.loop if e.operation in (*SUMS, *_SCALINGS)}
        self.inner = parts(self.equations, self.linear.difference(roots), self._into)

    def _into(self, variable: Variable) -> tuple[str, ...]:
        """The operations that a result can be a part of: a sum only of sums, as it is no factor of a product."""
        return SUMS if self.makers[variable].operation in SUMS else (*SUMS, *_SCALINGS)

    def run(self, tape: Tape) -> dict[Variable, Variable]:
        """Write down the new equations, and return the replacement of each variable that is gone."""
        self.tape = tape
        for equation in self.equations:
            result = equation.results[0]
            if result in self.linear:
                if result not in self.inner:
                    self.values[result] = self.tape.fitted(self._sum(self._terms(result)), result)
                continue
            equation = substitute(equation, self.values)
            known = self.tape.known(equation)
            if known is None:
                self.tape.record(equation)
            else:
                self.values.update(zip(equation.results, known, strict=True))
        return self.values

    def _terms(self, root: Variable) -> list[_Term]:
        """The terms of the nest of additions that computes a result, from left to right."""
        return [self._chain(operand, sign, root) for operand, sign in terms_of(root, self.makers, self.inner)]

    def _chain(self, operand: Operand, sign: float, root: Variable) -> _Term:
        """A chain of multiplications as a term."""
        factors: list[Operand] = []
        maker = link(operand, root, self.makers, self.inner)
        while maker is not None and maker.operation in _SCALINGS:
            if maker.operation == "negative":
                sign, operand = -sign, maker.operands[0]
            else:
                first, second = maker.operands
                operand, factor = (first, second) if first in self.carried else (second, first)
                factors.append(self._now(factor))
            maker = link(operand, root, self.makers, self.inner)
        now = self._now(operand)
        if isinstance(now, Variable) and operand in self.carried:
            return _Term(now, tuple(factors), sign)
        return _Term(None, (now, *factors), sign)

    def _now(self, operand: Operand) -> Operand:
        return self.values.get(operand, operand) if isinstance(operand, Variable) else operand

    def _sum(self, terms: list[_Term]) -> Operand:
        """The sum of terms: first what is known ahead, then each carried variable times the sum of its factors."""
        groups: dict[Variable | None, list[_Term]] = {None: []}
        for term in terms:
            groups.setdefault(term.carried, []).append(term)
        total: Operand | None = None
        for carried, group in groups.items():
            if not group:
                continue
            factor = self._factor(group)
            if carried is None:
                total = factor
            elif factor == -1.0 and total is not None:
                total = self.tape.subtract(total, carried)
            else:
                scaled = self.tape.multiply(carried, factor)
                total = scaled if total is None else self.tape.add(total, scaled)
        return 0.0 if total is None else total

    def _factor(self, group: list[_Term]) -> Operand:
        """The factor of a carried variable: the sum over its terms."""
        first, *others = sorted(group, key=lambda term: term.sign < 0)
        total = self._product(first.factors)
        if first.sign < 0:
            total = self.tape.negative(total)
        for term in others:
            combine = self.tape.subtract if term.sign < 0 else self.tape.add
            total = combine(total, self._product(term.factors))
        return total

    def _product(self, factors: Iterable[Operand]) -> Operand:
        """The product of factors: constants before varying ones, and in each of these groups scalars first."""
        total: Operand = 1.0
        for factor in sorted(factors, key=lambda f: (f in self.tape.varying, shape_of(f) != ())):
            total = self.tape.multiply(total, factor)
        return total
