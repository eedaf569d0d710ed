"""match: tells whether a program computes the same as another one, under other names and layouts of parameters.

The other one is the *template*. A match gives the place of each of its parameters in the program's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import TypeVar, cast

from recurra.compiler.algebra import Algebra, Block, Function, Given, InputOrState, Polynomial, Product
from recurra.program import Variable

Found = Mapping[Block, tuple[Block, ...]]
"""For each part of the template's parameters, the program's parts that stand for it: exactly one for a part of a
matrix; for a vector any number, of which it is the sum."""

_Bound = Mapping[int | Block, int | tuple[Block, ...]]  # atoms of the template to the program's, and parts to parts
_Held = list[tuple[int, float]]  # products and vectors, with a factor each
_Group = tuple[tuple[int, ...], float, _Held]
_A = TypeVar("_A")


def match(program: Algebra, template: Algebra) -> Found | None:
    """The places of the template's parameters in a program that computes the same; None for any other program.

    Both must agree in the order and sizes of their states, and in which of them is the output. They must add up the
    same terms; but where the template adds vectors, the program may add fewer or more.
    """
    ours, theirs = template.program, program.program
    if [state.shape for state in ours.states] != [state.shape for state in theirs.states]:
        return None
    if theirs.output not in theirs.next_states or (
        [new == ours.output for new in ours.next_states] != [new == theirs.output for new in theirs.next_states]
    ):
        return None
    bound = next(_Unifier(template, program).roots(), None)
    if bound is None:
        return None
    return {key: value for key, value in bound.items() if isinstance(key, Block) and isinstance(value, tuple)}


def whole_parameters(found: Found) -> dict[Variable, Variable] | None:
    """For each of the template's parameters, the program's parameter of the same layout; absent vectors are left out.

    None where a parameter stands for several, is cut or transposed in another way, or is partly absent.
    """
    pairs: dict[Variable, Variable] = {}
    absent = {ours.parameter for ours, theirs in found.items() if not theirs}
    for ours, theirs in found.items():
        for block in theirs:
            is_alike = len(theirs) == 1 and replace(block, parameter=ours.parameter) == ours
            if not is_alike or pairs.setdefault(ours.parameter, block.parameter) != block.parameter:
                return None
    is_clear = len(set(pairs.values())) == len(pairs) and absent.isdisjoint(pairs)
    return pairs if is_clear else None


class _Unifier:
    """Finds the program's atom for each atom of the template; methods yield every way to do so, mostly one."""

    def __init__(self, template: Algebra, program: Algebra) -> None:
        self._template = template
        self._program = program

    def roots(self) -> Iterator[_Bound]:
        """Unify all new states."""
        ours = [self._template.polynomial(new) for new in self._template.program.next_states]
        theirs = [self._program.polynomial(new) for new in self._program.program.next_states]
        if None in ours or None in theirs:
            return iter(())
        return self._each(self._polynomials, cast("list[int]", ours), cast("list[int]", theirs), {})

    def _each(
        self,
        unify: Callable[[_A, _A, _Bound], Iterator[_Bound]],
        ours: Sequence[_A],
        theirs: Sequence[_A],
        bound: _Bound,
    ) -> Iterator[_Bound]:
        """Unify each of ours with the one of theirs at the same position."""
        if not ours:
            yield bound
            return
        for found in unify(ours[0], theirs[0], bound):
            yield from self._each(unify, ours[1:], theirs[1:], found)

    def _polynomials(self, a: Polynomial, b: Polynomial, bound: _Bound) -> Iterator[_Bound]:
        ours, theirs = _groups(self._template, a), _groups(self._program, b)
        if ours is None or theirs is None or len(ours) != len(theirs):
            return
        for order in permutations(theirs):
            yield from self._each(self._group, ours, order, bound)

    def _group(self, ours: _Group, theirs: _Group, bound: _Bound) -> Iterator[_Bound]:
        if ours[1] != theirs[1] or len(ours[0]) != len(theirs[0]):
            return
        for order in permutations(theirs[0]):
            for found in self._each(self._atom, ours[0], order, bound):
                yield from self._held(ours[2], theirs[2], found)

    def _atom(self, a: int, b: int, bound: _Bound) -> Iterator[_Bound]:
        if a in bound:
            if bound[a] == b:
                yield bound
            return
        ours, theirs = self._template.atoms[a], self._program.atoms[b]
        if isinstance(ours, InputOrState) and ours == theirs:
            yield {**bound, a: b}
        elif isinstance(ours, Function) and isinstance(theirs, Function) and ours.name == theirs.name:
            for found in self._polynomials(ours.argument, theirs.argument, bound):
                yield {**found, a: b}

    def _held(self, ours: _Held, theirs: _Held, bound: _Bound) -> Iterator[_Bound]:
        """Unify products with products, and share out the program's vectors among the template's."""
        if any(factor != 1 for _, factor in (*ours, *theirs)):
            return
        products, others = _products(self._template, ours), _products(self._program, theirs)
        vectors, given = _vectors(self._template, ours), _vectors(self._program, theirs)
        if len(products) != len(others) or (given and not vectors):
            return
        if len({block.columns[1] for block in (*vectors, *given)}) > 1:
            return
        shares: dict[int | Block, tuple[Block, ...]] = {}
        for position, vector in enumerate(vectors):
            shares[vector] = tuple(given[position : position + 1] if vector is not vectors[-1] else given[position:])
        for order in permutations(others):
            yield from self._each(self._product, products, order, {**bound, **shares})

    def _product(self, ours: Product, theirs: Product, bound: _Bound) -> Iterator[_Bound]:
        a, b = ours.block, theirs.block
        if (a.rows[1], a.columns[1]) != (b.rows[1], b.columns[1]):
            return
        for found in self._polynomials(ours.left, theirs.left, bound):
            yield {**found, a: (b,)}


def _groups(algebra: Algebra, polynomial: Polynomial) -> list[_Group] | None:
    """The terms, grouped by their other factors: these factors, a number, and the products and vectors they multiply.

    None where a term multiplies two products or vectors with each other.
    """
    groups: dict[tuple[int, ...], _Group] = {}
    for atoms, factor in algebra.terms[polynomial]:
        affine = [number for number in atoms if isinstance(algebra.atoms[number], (Product, Given))]
        if len(affine) > 1:
            return None
        others = tuple(number for number in atoms if number not in affine)
        _, number, held = groups.get(others, (others, 0.0, []))
        if affine:
            held = [*held, (affine[0], factor)]
        else:
            number = factor
        groups[others] = others, number, held
    return list(groups.values())


def _products(algebra: Algebra, held: _Held) -> list[Product]:
    atoms = [algebra.atoms[number] for number, _ in held]
    return [atom for atom in atoms if isinstance(atom, Product)]


def _vectors(algebra: Algebra, held: _Held) -> list[Block]:
    """The parts of vectors, in the order of the program's parameters."""
    atoms = [algebra.atoms[number] for number, _ in held]
    blocks = [atom.block for atom in atoms if isinstance(atom, Given)]
    parameters = algebra.program.parameters
    return sorted(blocks, key=lambda block: (parameters.index(block.parameter), str(block.columns[0])))
