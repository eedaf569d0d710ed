"""Identifiers in generated sources: those of the cell's source, made into identifiers that are unique."""

from __future__ import annotations

import keyword
import re

from recurra.engines.triton.expressions import FUNCTIONS
from recurra.program import Variable

_TAKEN = {"tl", "triton", "float", "range", *FUNCTIONS, *keyword.kwlist}


class Identifiers:
    """Identifiers of variables, of their pieces and of the pointers to them."""

    def __init__(self) -> None:
        self._names: dict[tuple[Variable, str], str] = {}
        self._taken = set(_TAKEN)

    def of(self, variable: Variable, suffix: str = "") -> str:
        """The identifier of a variable: ``c'`` is c_new, the compiler's own are t1, t2 …, gradients d_c."""
        key = (variable, suffix)
        if key not in self._names:
            self._names[key] = self.fresh(_plain(variable.name) + suffix)
        return self._names[key]

    def fresh(self, name: str) -> str:
        """A name that nothing has yet: this one, or with a number."""
        number, found = 1, name
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found


def _plain(name: str) -> str:
    if re.fullmatch(r"%\d+", name):
        return f"t{name[1:]}"
    name = name.lstrip("%").replace("'", "_new", 1)
    return re.sub(r"\W+", "_", name) or "value"
