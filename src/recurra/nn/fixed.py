"""Refuses later changes of a module's configuration."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from recurra.compiler import TracedCell
from recurra.equations import Cell
from recurra.nn.running.checkpoint import check_checkpoint
from recurra.program import Products, Program, check_precision

# Attributes that decide what a module's scans compute.
_FIXED = frozenset(
    (
        *("cell", "options", "sizes", "input_size", "hidden_size", "num_layers", "bias", "bidirectional", "proj_size"),
        *("zoneout", "recurrent_dropout", "weight_norm"),
        *("learn_initial_state", "residual", "tie_directions", "merge_mode"),
        *("nonlinearity", "mode", "_all_weights", "_flat_weights_names"),
    )
)

# The settings that a layer shows where they differ from these.
SHOWN: Mapping[str, object] = {
    "proj_size": 0, "checkpoint": None, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
    "zoneout": 0.0, "recurrent_dropout": 0.0, "weight_drop": 0.0, "weight_norm": False, "bidirectional": False,
    "learn_initial_state": False, "residual": False, "tie_directions": False, "merge_mode": "concat", "compute": None,
}  # fmt: skip


class FixedConfiguration(nn.Module):
    """A module whose configuration stays as it was made; ``batch_first``, ``compute`` and weights may change."""

    cell: Cell
    options: dict[str, Any]
    sizes: Mapping[str, Any] = MappingProxyType({})
    compute: Products | None = None  # as pickles from before there was this option

    @property
    def program(self) -> Program:
        """The traced cell as the module runs it."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """The attributes; a pickle holds the program of a cell that no other process can import by its name."""
        state = self.__dict__.copy()
        if _is_importable(self.cell):
            return state
        traced = TracedCell(self.program, self.cell.stored_init)
        stand_ins = {"cell": traced, "options": {}, "sizes": {}}  # the program has the options and sizes in it
        return {**state, **{name: _HereAlone(state[name], value) for name, value in stand_ins.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        here = {name: value.value if isinstance(value, _HereAlone) else value for name, value in state.items()}
        super().__setstate__(here)  # type: ignore[no-untyped-call]

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if name == "checkpoint":
            value = check_checkpoint(value)
        if name == "compute":
            check_compute(type(self).__name__, value)
        if name in _FIXED and name in own and "_calls" in own and not _is_same(own[name], value):
            self._reconfigure(name, value)
        else:
            nn.Module.__setattr__(self, name, value)
            if name == "compute" and "_calls" in own:
                self._compute_in(value)

    def _compute_in(self, compute: Products | None) -> None:
        """Make the scans of another precision of products."""
        raise NotImplementedError

    def _shown_options(self) -> list[str]:
        """The layer's sizes, and the cell's options that differ from their defaults, for ``repr``."""
        chosen = self.cell.resolve_options(self.options)
        return [f"sizes={self.sizes}"] * bool(self.sizes) + [
            f"{name}={getattr(value, '__name__', value)}"
            for name, value in chosen.items()
            if value is not self.cell.options[name]
        ]

    def _reconfigure(self, name: str, value: object) -> None:
        """Refuse a change of the configuration; a subclass may do otherwise.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(
            f"{type(self).__name__} was made with {name}={self.__dict__[name]!r}, which cannot become {value!r}: make "
            "another one"
        )


def check_compute(kind: str, compute: object) -> None:
    """Refuse a ``compute`` that is no precision, nor None.

    Raises:
        ValueError: it is something else; the message begins with ``kind``.
    """
    if compute is not None:
        check_precision(f"{kind}: compute={compute!r}", compute)


@dataclass(frozen=True)
class _HereAlone:
    """A value in a module's state; copies of the module have it, and a pickle has another in its place."""

    value: Any
    pickled: Any

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.value, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return copy.copy, (self.pickled,)


def _is_importable(cell: Cell) -> bool:
    """Whether a pickle can hold a cell: by its name, which one made in a function lacks, or by its program."""
    if isinstance(cell, TracedCell):
        return True
    held: Any = sys.modules.get(cell.__module__)
    for name in str(getattr(cell, "__qualname__", "")).split("."):
        held = getattr(held, name, None)
    return held is cell


def _is_same(old: object, new: object) -> bool:
    return old is new or bool(type(old) is type(new) and old == new)
