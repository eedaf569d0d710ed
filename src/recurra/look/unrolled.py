"""The layout of the drawing: a network unrolled over time, from left to right, with its layers upwards."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.look.dimensions import Dimension, NamedShape, numbers, of_sizes, symbols
from recurra.look.explained import ExplainedStack
from recurra.look.layer_sizes import LayerPlace

MOST_LAYERS = 4  # more are drawn as the first two and the last


@dataclass(frozen=True)
class Lane:
    """One layer in one direction, as a row of the drawing.

    Attributes:
        label: ``layer 1 backward``.
        is_backward: whether its arrows point to the left.
        first: the states that it begins with: ``h_0[3]``.
        last: the states that it ends with: ``h_n[3]``.
    """

    label: str
    is_backward: bool
    first: str
    last: str


@dataclass(frozen=True)
class Floor:
    """One layer of the drawing: its lanes, the backward one above, and what enters from below.

    Attributes:
        lanes: its rows; empty for layers that are left out.
        entering: for each column the shape of what enters; empty for layers that are left out.
    """

    lanes: tuple[Lane, ...]
    entering: tuple[str, ...]


@dataclass(frozen=True)
class Unrolled:
    """A network unrolled over time.

    Attributes:
        cell: the cell's name.
        columns: for each column its step, or None for steps that are left out.
        floors: the layers from the lowest to the highest.
        inputs: for each column the name of the input there, and its shape.
        outputs: for each column the name of the output there, and its shape.
        states: between each two columns, the states that go from one to the other: ``h, c (3, 20)``.
    """

    cell: str
    columns: tuple[str | None, ...]
    floors: tuple[Floor, ...]
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    states: tuple[str, ...]

    @property
    def description(self) -> str:
        """The drawing in a sentence, for those who do not see it."""
        drawn = [floor for floor in self.floors if floor.lanes]
        lanes = "; ".join(
            f"{lane.label or self.cell}: from {lane.first} to {lane.last}"
            for floor in drawn[::-1]
            for lane in floor.lanes
        )
        states = next((text for text in self.states if text), "")
        between = f" Between steps go {states}." if states else ""
        return (
            f"{self.inputs[0][0]} of shape {self.inputs[0][1]} enters below, {self.outputs[0][0]} of shape "
            f"{self.outputs[0][1]} leaves above. {lanes}.{between}"
        )


def unrolled(stack: ExplainedStack) -> Unrolled:
    """The drawing of a cell or a layer."""
    return _Unrolling(stack).drawing()


class _Unrolling:
    def __init__(self, stack: ExplainedStack) -> None:
        self.stack, self.program, self.form = stack, stack.program, stack.form
        self.steps = self._steps()

    def drawing(self) -> Unrolled:
        columns = tuple(None if step is None else self._named(step) for step in self.steps)
        gaps = [
            "" if before is None else self._states(after)
            for before, after in zip(self.steps, self.steps[1:], strict=False)
        ]
        return Unrolled(
            self.program.name,
            columns,
            tuple(self._floors()),
            tuple(self._input(step) for step in self.steps),
            tuple(self._output(step) for step in self.steps),
            tuple(gaps),
        )

    def _steps(self) -> list[int | None]:
        """The steps that are drawn; -1 is the last one where its number is not known."""
        count = self.form.seq_len
        if self.stack.is_cell:
            return [0]
        if count is None:
            return [0, 1, None, -1]
        return list(range(count)) if count <= 3 else [0, 1, None, count - 1]

    def _named(self, step: int) -> str:
        return "" if self.stack.is_cell else str(step)

    # ---- shapes at one step ----

    def _shape(self, features: Dimension, step: int | None) -> str:
        if not self.form.is_batched:
            shape: NamedShape = (features,)
        else:
            known = self.form.batch if self.stack.is_cell or step == -1 else self.form.batch_at(step)
            shape = (Dimension("batch", known), features)
        return numbers(shape) or symbols(shape)

    def _states(self, step: int | None) -> str:
        """The states that enter a step, each shape once."""
        if step is None:
            return ""
        sizes = None if self.stack.sizes is None else self.stack.sizes.places[0].sizes
        by_shape: dict[str, list[str]] = {}
        for state in self.program.states:
            features = of_sizes(state.shape, sizes)[0]
            by_shape.setdefault(self._shape(features, step), []).append(state.name)
        return ", ".join(f"{', '.join(names)} {shape}" for shape, names in by_shape.items())

    def _at(self, name: str, step: int) -> str:
        if self.form.is_packed:
            begins = self.form.step_begins
            return f"{name}.data[{begins[step]}:{begins[step + 1]}]"
        batch_first = self.stack.sizes is not None and self.stack.sizes.batch_first and self.form.is_batched
        return f"{name}[:, {step}]" if batch_first else f"{name}[{step}]"

    def _input(self, step: int | None) -> tuple[str, str]:
        if step is None:
            return "", ""
        entering = self._entering(None if self.stack.sizes is None else self.stack.sizes.places[0], step)
        names = ", ".join(variable.name for variable in self.program.named_inputs)
        name = names if self.stack.is_cell else self._at("input", step)
        return name, entering

    def _entering(self, place: LayerPlace | None, step: int | None) -> str:
        if step is None:
            return ""
        features = of_sizes(self.program.named_inputs[0].shape, None if place is None else place.sizes)[0]
        return self._shape(features, step)

    def _output(self, step: int | None) -> tuple[str, str]:
        if step is None:
            return "", ""
        sizes = self.stack.sizes
        shape = of_sizes(self.program.output.shape, None if sizes is None else sizes.places[-1].sizes)[0]
        if sizes is not None and not self.stack.is_cell:
            shape = Dimension(shape.symbol, sizes.output_size)
        name = self.program.output.name if self.stack.is_cell else self._at("output", step)
        return name, self._shape(shape, step)

    # ---- layers ----

    def _floors(self) -> list[Floor]:
        sizes = self.stack.sizes
        if sizes is None or self.stack.is_cell:
            return [Floor((self._cell_lane(),), (self._input(0)[1],))]
        layers: list[int | None] = list(range(sizes.num_layers))
        if len(layers) > MOST_LAYERS:
            layers = [0, 1, None, sizes.num_layers - 1]
        return [self._floor(layer) for layer in layers]

    def _floor(self, layer: int | None) -> Floor:
        sizes = self.stack.sizes
        assert sizes is not None
        if layer is None:
            return Floor((), ())
        places = [place for place in sizes.places if place.layer == layer][::-1]
        first = self.program.states[0].name
        lanes = []
        for place in places:
            direction = (" backward" if place.is_backward else " forward") if sizes.bidirectional else ""
            row = place.index
            lane = Lane(f"layer {layer}{direction}", place.is_backward, f"{first}_0{row}", f"{first}_n{row}")
            lanes.append(lane)
        return Floor(tuple(lanes), tuple(self._entering(places[0], step) for step in self.steps))

    def _cell_lane(self) -> Lane:
        """The one row of a cell, with all states at both ends."""
        new = ", ".join(variable.name for variable in self.program.next_states)
        return Lane("", False, self._states(0), new)
