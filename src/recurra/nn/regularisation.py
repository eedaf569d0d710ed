"""The options that regularise a layer of any cell: zoneout, recurrent dropout, DropConnect, weight normalisation."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from recurra.compiler.regularise import Probabilities, recurrent_dropout, zoneout
from recurra.compiler.state_weights import GAIN, norm_axes, state_matrices, weight_norm
from recurra.errors import EquationError
from recurra.nn.fixed import FixedConfiguration
from recurra.nn.running.scan import Scan
from recurra.nn.weights import weight_of
from recurra.program import Program


def check_probability(name: str, value: object) -> float:
    """An argument that is a probability.

    Raises:
        ValueError: it is no number from 0 to 1.
    """
    number = math.nan if isinstance(value, bool) or not isinstance(value, (float, numbers.Real)) else float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be a probability from 0 to 1; got {value!r}")
    return number


def check_probabilities(name: str, value: object) -> Probabilities:
    """An argument that is a probability, or a dictionary of them by name.

    Raises:
        ValueError: one is no number from 0 to 1.
    """
    if isinstance(value, Mapping):
        return {str(key): check_probability(f"{name}[{key!r}]", each) for key, each in value.items()}
    return check_probability(name, value)


def check_weight_norm(value: object) -> bool | tuple[str, ...]:
    """The argument ``weight_norm``: whether it is on, or the names of matrices.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise TypeError(f"weight_norm must be True, False, or a list of names of matrices; got {value!r}")


class Regularised(FixedConfiguration):
    """Base of layers with the options that regularise any cell.

    Zoneout, recurrent dropout and weight normalisation are written into the program of the cell. DropConnect changes
    weights before a call.
    """

    # Modules that ``accelerate`` has changed have the defaults.
    zoneout: Probabilities = 0.0
    recurrent_dropout: Probabilities = 0.0
    weight_drop: float = 0.0
    weight_norm: bool | tuple[str, ...] = False
    _scans: list[Scan]
    _all_weights: list[list[str]]

    def _set_regularisers(
        self, zoneout: Probabilities, recurrent_dropout: Probabilities, weight_drop: float, weight_norm: object
    ) -> None:
        self.zoneout = check_probabilities("zoneout", zoneout)
        self.recurrent_dropout = check_probabilities("recurrent_dropout", recurrent_dropout)
        self.weight_drop = check_probability("weight_drop", weight_drop)
        self.weight_norm = check_weight_norm(weight_norm)
        if self.weight_drop and self.weight_norm:
            raise ValueError("weight_drop and weight_norm exclude each other: the norm would rescale the other weights")

    def _regularised(self, program: Program) -> Program:
        """The program of a step with the options that are on.

        Raises:
            EquationError: a name is not one of the program's, or an option has no effect on it.
        """
        self._state_matrices = state_matrices(program)
        if (self.weight_drop or self.weight_norm is True) and not self._state_matrices:
            raise EquationError(
                f"cell {program.name!r} has no matrix that multiplies a state: there is nothing to drop or to normalise"
            )
        if _is_on(self.recurrent_dropout):
            program = recurrent_dropout(program, self.recurrent_dropout)
        if _is_on(self.zoneout):
            program = zoneout(program, self.zoneout)
        return weight_norm(program, self._normalised) if self.weight_norm else program

    @property
    def _normalised(self) -> Sequence[str]:
        """The names of the matrices that ``weight_norm`` normalises."""
        return self._state_matrices if isinstance(self.weight_norm, bool) else self.weight_norm

    def _by_scan(self) -> list[dict[str, str]]:
        """For each scan, the full name of each parameter of its program."""
        return [
            {name: full for (name, _), full in zip(scan.shapes, names, strict=True)}
            for scan, names in zip(self._scans, self._all_weights, strict=True)
        ]

    @torch.no_grad()
    def _reset_gains(self) -> None:
        """Give each gain of ``weight_norm`` the norm of its weights, so that these are as they were drawn."""
        if not self.weight_norm:
            return
        axes = norm_axes(self._scans[0].program, self._normalised)
        for names in self._by_scan():
            for name, axis in axes.items():
                weight = weight_of(self, names[name])
                if not weight.is_meta:
                    weight_of(self, names[name + GAIN]).copy_(torch.linalg.vector_norm(weight, dim=axis))

    def _drop_weights(self) -> dict[str, Any]:
        """Put weights after DropConnect in the place of the module's own, and return all that were there.

        The module reads its weights by name, so that it meets the dropped ones. Who calls it puts back what it returns.
        """
        full = [names[name] for names in self._by_scan() for name in self._state_matrices]
        dropped = {
            name: functional.dropout(weight_of(self, name), self.weight_drop, True) for name in dict.fromkeys(full)
        }
        parameters: dict[str, Any] = self._parameters
        self.__dict__["_parameters"] = {**parameters, **dropped}
        return parameters


def _is_on(probabilities: Probabilities) -> bool:
    return any(probabilities.values()) if isinstance(probabilities, Mapping) else probabilities > 0
