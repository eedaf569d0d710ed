"""Shapes that are partly known, and the solving of equations between sizes."""

from __future__ import annotations

from collections.abc import Iterable

from recurra.program.sizes import Shape, Size


class Mismatch(Exception):  # noqa: N818  (a fact on its way to the public error, never seen by a user)
    """A value has one shape and is used in another."""

    def __init__(self, value: int, have: Shape, need: Shape) -> None:
        super().__init__(value, have, need)
        self.value, self.have, self.need = value, have, need


class Solver:
    """Finds the shape of every value; unknown sizes are symbols that start with ``?``.

    Values are numbered from 0. A shape is None while not even the number of its dimensions is known.
    """

    def __init__(self, count: int = 0) -> None:
        self._shapes: list[Shape | None] = [None] * count
        self._solved: dict[str, Size] = {}
        self._unknowns = 0
        self.progress = False

    def add(self, shape: Shape | None = None) -> int:
        """Add a value, of this shape if it is known, and return its number."""
        self._shapes.append(shape)
        return len(self._shapes) - 1

    def unknown(self) -> Size:
        """A new unknown size."""
        self._unknowns += 1
        return Size.symbol(f"?{self._unknowns}")

    def shape(self, value: int) -> Shape | None:
        """The shape of a value, as far as it is known."""
        shape = self._shapes[value]
        if shape is not None and self._solved:
            shape = self._shapes[value] = tuple(map(self.resolve, shape))  # kept, so that it is replaced once
        return shape

    def resolve(self, size: Size) -> Size:
        """A size with every solved symbol replaced."""
        while self._solved and any(symbol in self._solved for symbol, _ in size.terms):
            size = size.substitute(self._solved)
        return size

    def need(self, value: int, shape: Shape) -> None:
        """State that a value has this shape.

        Raises:
            Mismatch: it has another one.
        """
        have = self.shape(value)
        if have == shape:
            return
        if have is None:
            self._shapes[value] = shape
            self.progress = True
            return
        if len(have) != len(shape) or not all(self._equal(a, b) for a, b in zip(have, shape, strict=True)):
            raise Mismatch(value, have, tuple(map(self.resolve, shape)))

    def same(self, values: Iterable[int]) -> None:
        """State that these values have one shape."""
        values = list(values)
        for known in values:
            shape = self.shape(known)
            if shape is not None:
                for value in values:
                    self.need(value, shape)
                return

    def _equal(self, a: Size, b: Size) -> bool:
        """Make two sizes equal by giving a value to an unknown; False where that cannot be."""
        a, b = self.resolve(a), self.resolve(b)
        if a is b or a == b:
            return True
        difference = a - b
        unknown = next((symbol for symbol in difference.symbols if symbol.startswith("?")), None)
        if unknown is None:
            return False
        factor = difference.factor(unknown)
        rest = difference - Size.symbol(unknown) * factor
        self._solved[unknown] = rest / -factor
        self.progress = True
        return True
