"""Jacobians of the last hidden state of a scan for the states of every step before, by autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra import cells as zoo
from recurra.equations import Cell
from recurra.look.seeing.layers import StepLayer, is_layer, one_sequence
from recurra.look.seeing.steps import StepwiseScan
from recurra.nn.acceleration.classes import own_class
from recurra.nn.acceleration.fitness import ACCELERATED, counterpart
from recurra.nn.recurrent import Recurrent
from recurra.nn.recurrent_cell import RecurrentCell
from recurra.nn.weights import weight_of

_FORMS = "a recurrent layer or module cell of recurra or torch.nn, a @recurra.cell, or the name of one in recurra.cells"


class Jacobians:
    """The states of one sequence, ready to be differentiated step by step from the last one back.

    Args:
        scan: the scan, with weights in float64.
        x: (steps, features), in the order of time.
        first: the first states, (1, size) each.
        reset: bool (steps,); None for none.
    """

    def __init__(self, scan: StepwiseScan, x: Tensor, first: Sequence[Tensor], reset: Tensor | None) -> None:
        order = range(len(x) - 1, -1, -1) if scan.reverse else range(len(x))
        self._scan, self._x = scan, [x[t : t + 1] for t in order]
        self._resets = [reset is not None and bool(reset[t]) for t in order]
        self._functions = scan.prepared(x)
        self._states: list[list[Tensor]] = []  # after each step, in the order in which they run
        current = self._first = list(first)
        with torch.no_grad():
            for number, row in enumerate(self._x):
                current = self._step(row, current, self._resets[number])
                self._states.append(current)

    def _step(self, x: Tensor, states: Sequence[Tensor], resets: bool) -> list[Tensor]:
        program = self._scan.program
        values = self._scan.constants(x)
        entering = [torch.zeros_like(state) for state in states] if resets else states
        values.update(zip(program.states, entering, strict=True))
        for function in self._functions:
            function(values)
        return [values[variable] for variable in program.next_states]

    def norms(self, norm: str, samples: int | None, seed: int) -> dict[str, NDArray[np.float64]]:
        """The norm of ∂h_T/∂s_t for each state s and step t, float64 (steps,), in the order in which they run.

        Args:
            norm: ``frobenius`` or ``spectral``.
            samples: the number of random vectors; None for the whole Jacobian.
            seed: the seed of the random vectors.
        """
        last = self._states[-1]
        rows = torch.eye(last[0].shape[1], dtype=last[0].dtype)
        scale = 1.0
        if samples is not None:  # E‖vᵀJ‖² = ‖J‖² for vectors of random signs
            generator = torch.Generator().manual_seed(seed)
            signs = torch.randint(0, 2, (samples, rows.shape[1]), generator=generator)
            rows, scale = (2 * signs - 1).to(rows.dtype), samples**-0.5
        current = [rows, *(rows.new_zeros(len(rows), state.shape[1]) for state in last[1:])]
        found = []
        for number in range(len(self._x) - 1, -1, -1):
            totals, current = self._back(number, current)
            found.append([_norm(part, norm) * scale for part in totals])
        names = [state.name for state in self._scan.program.states]
        return {name: np.array(column) for name, column in zip(names, zip(*found[::-1], strict=True), strict=True)}

    def _back(self, number: int, rows: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Take rows of a Jacobian through a step.

        Args:
            number: the number of the step.
            rows: for each state after the step, what later steps make of it.

        Returns:
            The rows for each state after the step, with what it does to the other states of the same step, as the
            ``c`` of an LSTM to its ``h``; and those for each state before the step.
        """
        count, before = len(rows[0]), self._states[number - 1] if number else self._first
        states = [state.expand(count, -1).clone().requires_grad_() for state in before]
        x = self._x[number].expand(count, -1).clone().requires_grad_()
        new = self._step(x, states, self._resets[number])
        places = [place for place, value in enumerate(new) if value.requires_grad]
        if not places:
            return list(rows), [torch.zeros_like(state) for state in states]
        outputs = [new[place] for place in places]
        gradients = torch.autograd.grad(
            outputs, [*outputs, *states], [rows[place] for place in places], allow_unused=True
        )
        totals = list(rows)
        for place, gradient in zip(places, gradients, strict=False):
            totals[place] = gradient
        earlier = gradients[len(places) :]
        return totals, [torch.zeros_like(s) if g is None else g for s, g in zip(states, earlier, strict=True)]


def resolved(targets: Any, input_size: int, hidden_size: int, seed: int) -> dict[str, nn.Module]:
    """Layers and module cells by name, from all that a caller may give.

    Raises:
        TypeError: something is none of these.
        ValueError: there is nothing, or no such cell in the zoo.
    """
    if isinstance(targets, Mapping):
        given = {str(name): target for name, target in targets.items()}
    else:
        several = list(targets) if isinstance(targets, (list, tuple)) else [targets]
        given = {}
        for target in several:
            name = _name_of(target)
            count = sum(each.partition(" ")[0] == name for each in given)
            given[f"{name} {count + 1}" if count else name] = target
    if not given:
        raise ValueError(f"there is nothing to look at: give {_FORMS}")
    return {name: _module_of(target, input_size, hidden_size, seed) for name, target in given.items()}


def run_to(
    module: nn.Module, x: Any, state: Any, steps: int, layer: int, direction: int, sequence: int, seed: int
) -> tuple[StepwiseScan, Tensor, list[Tensor], Tensor | None]:
    """The scan of one layer and direction, with its own input: that of the module, through the layers below it.

    Args:
        module: a layer or a module cell.
        x: the module's input; None for random numbers.
        state: the module's first states; None for zeros.
        steps: the number of steps where there is no input.
        layer: the layer; negative ones count from the last.
        direction: 0 forward, 1 reverse.
        sequence: the sequence of a batch.
        seed: the seed of random numbers.

    Returns:
        The scan, its input (steps, features), its first states and the resets.

    Raises:
        IndexError: there is no such layer, direction or sequence.
    """
    stepped = StepLayer(module, torch.float64) if is_layer(module) else _CellLayer(module)
    if x is None:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(steps, stepped.input_size, generator=generator)
    if not -stepped.layers <= layer < stepped.layers:
        raise IndexError(f"there are layers 0 to {stepped.layers - 1}; got layer={layer}")
    if not 0 <= direction < stepped.directions:
        raise IndexError(f"there are directions 0 to {stepped.directions - 1}; got direction={direction}")
    layer %= stepped.layers
    chosen = one_sequence(stepped, sequence, x, state)
    with torch.no_grad():
        below = stepped(chosen.x, chosen.states, until=layer).output
    number = layer * stepped.directions + direction
    scan = stepped.scans[number]
    return scan, below, (chosen.states or stepped.starts())[number], None


class _CellLayer(StepLayer):
    """A module cell as a layer of one direction, in float64."""

    def __init__(self, module: nn.Module) -> None:
        like: Any = module if isinstance(module, RecurrentCell) else counterpart(module)
        scan, names = like._scan, like._names
        weights = {
            parameter.name: weight_of(module, name).detach().to("cpu", torch.float64)
            for parameter, name in zip(scan.program.parameters, names, strict=True)
        }
        self.batch_first, self.input_size, self.layers, self.directions = False, like.input_size, 1, 1
        self.state_names, self.dtype = tuple(state.name for state in like.program.states), torch.float64
        self.scans = [StepwiseScan(scan.program, weights, scan.sizes)]
        self._learned, self._merge_mode, self._adds_input = [], "concat", ()


def _name_of(target: Any) -> str:
    if isinstance(target, str):
        return target
    cell = target if isinstance(target, Cell) else getattr(target, "cell", None)
    return cell.name if isinstance(cell, Cell) else type(target).__name__


def _module_of(target: Any, input_size: int, hidden_size: int, seed: int) -> nn.Module:
    """A layer or module cell: the target itself, or a new layer of a cell."""
    if isinstance(target, str):
        known = zoo.all()
        if target not in known:
            raise ValueError(f"there is no cell {target!r} in recurra.cells; there are: {', '.join(known)}")
        target = known[target]
    if isinstance(target, Cell):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Recurrent(target, input_size, hidden_size)
    is_cell = isinstance(target, RecurrentCell) or (
        isinstance(target, nn.RNNCellBase) and own_class(target) in ACCELERATED
    )
    if is_cell or is_layer(target):
        module: nn.Module = target
        return module
    raise TypeError(f"gradient_reach takes {_FORMS}, not {type(target).__name__}")


def _norm(rows: Tensor, norm: str) -> float:
    return float(torch.linalg.matrix_norm(rows, "fro" if norm == "frobenius" else 2))
