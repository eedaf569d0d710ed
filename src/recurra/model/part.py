"""A part of a model: its kind, its settings, and the parts inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from recurra.program import Products, Program

Setting = bool | int | float | str | None | tuple[int, ...] | Program | Mapping[str, float | str]


@dataclass(frozen=True)
class Part:
    """One module of a model, without its weights.

    Attributes:
        kind: a row of the table of kinds, such as ``"LSTM"`` or ``"Linear"``.
        settings: the settings that the kind's row lists, by name.
        children: the parts inside, with their names, in order; only containers, and parts that hold models, have any.
    """

    kind: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    children: tuple[tuple[str, Part], ...] = ()

    def walk(self, name: str = "") -> Iterator[tuple[str, Part]]:
        """This part and all parts inside it, with the full names that torch gives them; the root's name is empty."""
        yield name, self
        for child, part in self.children:
            yield from part.walk(f"{name}.{child}" if name else child)

    def size(self, name: str) -> int:
        """A setting that is a whole number."""
        value = self.settings[name]
        assert isinstance(value, int)
        return value

    def number(self, name: str) -> float:
        """A setting that is a number."""
        value = self.settings[name]
        assert isinstance(value, (int, float))
        return float(value)

    def sizes(self, name: str) -> tuple[int, ...]:
        """A setting that is several whole numbers."""
        value = self.settings[name]
        assert isinstance(value, tuple)
        return value

    def flag(self, name: str) -> bool:
        """A setting that is true or false."""
        return self.settings[name] is True

    @property
    def compute(self) -> Products | None:
        """The operands of the part's matrix products; None where the context says it."""
        return cast("Products | None", self.settings.get("compute"))

    @property
    def program(self) -> Program:
        """The program of a recurrent part."""
        program = self.settings["program"]
        assert isinstance(program, Program)
        return program
