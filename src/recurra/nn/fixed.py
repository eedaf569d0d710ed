"""Refuses later changes of a module's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from recurra.equations import Cell
from recurra.nn.running.checkpoint import check_checkpoint

# Attributes that decide what a module's scans compute.
_FIXED = frozenset(
    (
        *("cell", "options", "sizes", "input_size", "hidden_size", "num_layers", "bias", "bidirectional", "proj_size"),
        *("zoneout", "recurrent_dropout", "weight_norm"),
        *("learn_initial_state", "residual", "tie_directions", "merge_mode"),
        *("nonlinearity", "mode", "_all_weights", "_flat_weights_names"),
    )
)


class FixedConfiguration(nn.Module):
    """A module whose configuration stays as it was made; ``batch_first``, ``dropout`` and weights may change."""

    cell: Cell
    options: dict[str, Any]
    sizes: Mapping[str, Any] = MappingProxyType({})

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if name == "checkpoint":
            value = check_checkpoint(value)
        if name in _FIXED and name in own and "_calls" in own and not _is_same(own[name], value):
            self._reconfigure(name, value)
        else:
            nn.Module.__setattr__(self, name, value)

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


def _is_same(old: object, new: object) -> bool:
    return old is new or bool(type(old) is type(new) and old == new)
