"""``gates``: every gate, state and gradient of a recurrent layer over one sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.look.seeing.saturation import Saturation, saturation_of
from recurra.look.seeing.shades import bounds, liveliest, shades
from recurra.look.seeing.step_arrays import StepArrays

if TYPE_CHECKING:
    from torch import Tensor, nn

    from recurra.look.seeing.recording import RecordedLayer

WIDTH, LINES = 72, 36  # characters and lines of units in the terminal
DIRECTIONS = ("forward", "reverse")


@dataclass(frozen=True, eq=False, repr=False)
class LayerGates:
    """The gates and states of a recurrent layer over one sequence; ``str()`` and notebooks show them.

    ``gates["f"]`` is the forget gate of a layer that has one level and direction, (steps, units); else
    ``gates["f", layer, direction]``. The name of a state, such as ``h`` or ``c``, holds its new value at each step.

    Attributes:
        title: the layer.
        labels: a text for each step: a token or a date.
        values: every named variable, by name, layer and direction.
        gradients: the gradient of the loss for each of them, at each step; empty without a loss.
        states: the names of the states, the hidden state first.
        operations: for each variable the operation that computes it, such as ``sigmoid``.
    """

    title: str
    labels: tuple[str, ...]
    values: StepArrays
    gradients: StepArrays
    states: tuple[str, ...]
    operations: dict[str, str]

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.values[key]

    @property
    def steps(self) -> int:
        """The number of steps of the sequence."""
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """All named variables, in the order of the cell's equations."""
        return self.values.names

    @property
    def shown(self) -> tuple[str, ...]:
        """The variables that pages and the terminal show: gates, candidates and states, not the sums inside them."""
        widths = {
            name: next(v.shape[1] for (each, *_), v in self.values.items() if each == name) for name in self.names
        }
        of_states = {widths[state] for state in self.states}
        inside = ("split", "partition", "product")
        return tuple(
            name
            for name in self.names
            if name in self.states or (self.operations.get(name) not in inside and widths[name] in of_states)
        )

    def memory(self, layer: int = 0) -> str:
        """The state that carries the most: a layer's last one, which is ``c`` of an LSTM and ``h`` of a GRU."""
        return [state for state in self.states if (state, layer, 0) in self.values][-1]

    @property
    def saturation(self) -> tuple[Saturation, ...]:
        """How often the units of each shown variable are saturated, and which are dead."""
        return tuple(
            saturation_of(values, name, layer, direction, self.operations.get(name, ""))
            for (name, layer, direction), values in self.values.items()
            if name in self.shown
        )

    def at(self, steps: Any) -> LayerGates:
        """The gates at some of the steps: a slice, or an array of numbers or bools."""
        chosen = np.arange(self.steps)[steps].tolist()
        values, gradients = (
            StepArrays({place: each[chosen] for place, each in arrays.items()}, what)
            for arrays, what in ((self.values, "gates"), (self.gradients, "gradients"))
        )
        return replace(self, labels=tuple(self.labels[step] for step in chosen), values=values, gradients=gradients)

    def place_name(self, layer: int, direction: int) -> str:
        """The name of a layer and direction, such as ``layer 1, reverse``; without the direction where there is one."""
        several = len({each for _, each in self.values.places}) > 1
        return f"layer {layer}" + (f", {DIRECTIONS[direction]}" if several else "")

    def __str__(self) -> str:
        used = {(each.name, each.layer, each.direction): each for each in self.saturation}
        lines = [f"{self.title}: {self.steps} steps; rows are units, columns steps ({self._span()})"]
        for layer, direction in self.values.places:
            lines.append(self.place_name(layer, direction))
            for name in self.shown:
                if (name, layer, direction) in used:
                    values = self.values[name, layer, direction]
                    lines += _drawn(used[name, layer, direction], values, max(1, LINES // len(used)))
        return "\n".join(lines)

    def _span(self) -> str:
        ends = [repr(label) if not label.strip() else label for label in (self.labels[0], self.labels[-1])]
        return f"from {ends[0]} to {ends[1]}"

    def to_html(self) -> str:
        """A page of heat maps, one HTML file that refers to no other."""
        from recurra.look.seeing.views import gates_page

        return gates_page(self).html()

    def _repr_html_(self) -> str:
        from recurra.look.seeing.views import gates_page, in_notebook

        return in_notebook(gates_page(self))

    def __repr__(self) -> str:
        return f"<LayerGates of {self.title}: {self.steps} steps; {', '.join(self.names)}>"


def _drawn(used: Saturation, values: np.ndarray, rows: int) -> list[str]:
    """The lines of a variable: figures, then the units that change most as shades."""
    low, high = bounds(values, used.operation)
    facts = [f"mean {values.mean():.3g}"]
    if used.can_saturate:
        facts.append(f"{used.low.mean():.0%} low, {used.high.mean():.0%} high, {used.saturated.sum()} saturated")
    facts.append(f"{used.dead.sum()} of {len(used.dead)} units dead")
    lines = [f"  {used.name}  {', '.join(facts)}; blank {low:.3g}, █ {high:.3g}"]
    chosen = liveliest(values, rows)
    drawn = shades(values[:, chosen], low, high, WIDTH)
    return lines + [f"  {number:4d} {line}" for number, line in zip(chosen, drawn, strict=True)]


def gates(
    module: nn.Module,
    x: Any,
    state: Any = None,
    *,
    reset: Tensor | None = None,
    sequence: int = 0,
    loss: Callable[[Any], Tensor] | None = None,
    gradients: bool = False,
    labels: Sequence[str] | None = None,
    part: str | None = None,
) -> LayerGates:
    """Look into a recurrent layer: its gates, states and gradients at every step of one sequence.

    The layer runs step by step in torch, in evaluation mode, so that a gradient is that of the very value which the
    next step reads. Nothing of the module is changed.

    Args:
        module: a layer of recurra, accelerated or not, or torch.nn's RNN, LSTM or GRU; or a model that holds some.
        x: the layer's input: (seq_len, batch, input_size), (batch, seq_len, input_size) with ``batch_first``, unbatched
            (seq_len, input_size), or packed. For a model its input, or a tuple of its arguments.
        state: the layer's first states. Default zeros.
        reset: bool (seq_len, batch), the steps before which states are zero; see ``Recurrent.forward``. Default: none.
        sequence: the number of the sequence to look at, from 0, in the order of the batch. Default 0.
        loss: a function of the output, (seq_len, directions * size), of that sequence; or of a model's result. It
            returns a tensor of one number, whose gradients are wanted. Default: none.
        gradients: whether gradients are wanted without a loss: those of the sum of the output's last step.
        labels: a text for each step, such as its token; a string gives its characters. Default: the steps' numbers.
        part: the name of the layer in a model's ``named_modules()``. Default: the only one.

    Returns:
        The gates as arrays of numpy, (seq_len, units) each.

    Raises:
        TypeError: the module is no such layer, and holds none.
        ValueError: an input does not fit; there are several layers and no ``part``; the number of labels is not the
            number of steps; or the loss is not one number.
        IndexError: the batch has no such sequence.
    """
    from recurra.look.seeing.layers import is_layer
    from recurra.look.seeing.recording import differentiating, evaluating, gradients_of, record_layer, recording

    wants = gradients or loss is not None
    with differentiating(wants):
        if is_layer(module):
            recorded = record_layer(module, sequence, x, state, reset, is_differentiable=wants)
            result: Any = recorded.run.output
        else:
            if state is not None or reset is not None:
                raise ValueError("state and reset are a layer's: give a model all its arguments as a tuple, x=(…)")
            name, layer = _layer_of(module, part)
            with evaluating(module), recording({name: layer}, sequence, is_differentiable=wants) as found:
                result = module(*(x if isinstance(x, tuple) else (x,)))
            if name not in found:
                raise ValueError(f"the model did not run its layer {name}")
            recorded = found[name]
        slopes = gradients_of((loss or _last_step)(result), [recorded]) if wants else None
    return gates_of(recorded, labels, slopes)


def gates_of(
    recorded: RecordedLayer,
    labels: Sequence[str] | None = None,
    gradients: Mapping[Tensor, Tensor | None] | None = None,
    title: str = "",
) -> LayerGates:
    """The gates of a layer that was recorded.

    Args:
        recorded: the layer.
        labels: a text for each step. Default: the steps' numbers.
        gradients: the gradients of the layer's values, by value. Default: none.
        title: the name of the layer. Default: the layer as it prints itself.

    Raises:
        ValueError: the number of labels is not the number of steps.
    """
    values, steps = recorded.values(), len(recorded.sequence.x)
    labels = [str(step) for step in range(steps)] if labels is None else list(labels)
    if len(labels) != steps:
        raise ValueError(f"there must be a label for each of the {steps} steps; got {len(labels)}")
    found = StepArrays({}, "gradients") if gradients is None else recorded.gradients(gradients)
    states, operations = recorded.layer.state_names, recorded.layer.scans[0].operations
    return LayerGates(title or recorded.title, tuple(labels), values, found, states, operations)


def merged(parts: Sequence[LayerGates], title: str) -> LayerGates:
    """The gates of several layers over the same steps as those of one stack: their levels are counted on.

    Args:
        parts: the gates, from the lowest layer; at least one.
        title: the name of all together.
    """
    values, gradients, operations, below = {}, {}, {}, 0
    for part in parts:
        values.update({(name, below + layer, way): each for (name, layer, way), each in part.values.items()})
        gradients.update({(name, below + layer, way): each for (name, layer, way), each in part.gradients.items()})
        operations.update(part.operations)
        below += 1 + max(layer for layer, _ in part.values.places)
    states = tuple(dict.fromkeys(state for part in parts for state in part.states))
    slopes = StepArrays(gradients, "gradients")
    return LayerGates(title, parts[0].labels, StepArrays(values, "gates"), slopes, states, operations)


def joined(parts: Sequence[LayerGates]) -> LayerGates:
    """The gates of the same layers over several spans of time, one after the other, without gradients."""
    values = {place: np.concatenate([part.values[place] for part in parts]) for place in parts[0].values}
    labels = tuple(label for part in parts for label in part.labels)
    nothing = StepArrays({}, "gradients")
    return replace(parts[0], labels=labels, values=StepArrays(values, "gates"), gradients=nothing)


def _layer_of(module: Any, part: str | None) -> tuple[str, nn.Module]:
    """The layer of a model, by name."""
    from recurra.look.seeing.layers import KNOWN, is_layer

    parts = dict(module.named_modules()) if hasattr(module, "named_modules") else {}
    found = {name: each for name, each in parts.items() if is_layer(each)}
    if not found:
        raise TypeError(f"gates takes {KNOWN}, or a model that holds some, not {type(module).__name__}")
    if part is None and len(found) == 1:
        return next(iter(found.items()))
    if part is None or part not in found:
        raise ValueError(f"the model has the recurrent layers {', '.join(found)}: choose one with part=…; got {part!r}")
    return part, found[part]


def _last_step(result: Any) -> Tensor:
    """The sum of the last step of an output, whose time comes first."""
    output = result[0] if isinstance(result, tuple) else result
    total: Tensor = output[-1].sum()
    return total
