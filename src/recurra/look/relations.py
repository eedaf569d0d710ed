"""How a layer's last states and its output relate, row by row, as sentences and as equations of Python."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.look.batch_form import BatchForm
from recurra.look.layer_sizes import LayerPlace, LayerSizes


@dataclass(frozen=True)
class Equality:
    """Two Python expressions with equal values after ``output, h_n = layer(x)``.

    Names: ``output``, ``h_n`` and the other last states, ``batch``, ``torch``; for a packed input also
    ``padded, lengths = pad_packed_sequence(output)``, with the layer's ``batch_first``, and ``b``, any sequence that
    has a step.

    Attributes:
        left: an expression of last states.
        right: the same numbers, from elsewhere.
    """

    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.left} == {self.right}"


@dataclass(frozen=True)
class StateRow:
    """One row of h_n.

    Attributes:
        number: the row, counted over all layers and directions.
        index: the index of the row in h_n, as Python: ``[3]``.
        layer: its layer, from 0.
        direction: 0 forward, 1 backward.
        when: the step after which the state is taken, in words.
        equality: where ``output`` has the same numbers; None where it does not have them.
        elsewhere: why ``output`` does not have them; empty where it does.
    """

    number: int
    index: str
    layer: int
    direction: int
    when: str
    equality: Equality | None
    elsewhere: str


@dataclass(frozen=True)
class Statement:
    """A sentence about last states and output, and the equations that it is about."""

    text: str
    equalities: tuple[Equality, ...] = ()


@dataclass(frozen=True)
class Relations:
    """Everything that is said about how last states and output relate."""

    rows: tuple[StateRow, ...]
    statements: tuple[Statement, ...]

    @property
    def equalities(self) -> tuple[Equality, ...]:
        """All equations."""
        of_rows = (row.equality for row in self.rows)
        return (*(each for each in of_rows if each), *(each for s in self.statements for each in s.equalities))


def relations(sizes: LayerSizes, form: BatchForm) -> Relations:
    """The relations of a layer's last states and its output.

    Args:
        sizes: the layer.
        form: the layout of its input.
    """
    return _RelationsOf(sizes, form).all()


class _RelationsOf:
    def __init__(self, sizes: LayerSizes, form: BatchForm) -> None:
        self.sizes, self.form = sizes, form
        self.program = sizes.program
        self.first = f"{self.program.states[0].name}_n"
        self.others = [f"{state.name}_n" for state in self.program.states[1:]]
        self.width = self.program.output.width(sizes.places[-1].sizes)
        self.is_joined = sizes.bidirectional and sizes.merge_mode != "concat"
        self.is_state = self.program.output == self.program.next_states[0]
        self.shows_state = self.is_state and not self.is_joined and not sizes.adds_input[-1]

    def all(self) -> Relations:
        statements = [*self._view(), *self._others(), *self._backward(), *self._packed(), *self._shown()]
        return Relations(tuple(self._row(place) for place in self.sizes.places), tuple(statements))

    def _row(self, place: LayerPlace) -> StateRow:
        is_top = place.layer == self.sizes.num_layers - 1
        equality, elsewhere = None, ""
        if not self.is_state:
            elsewhere = f"not in output, which is {self.program.output.name}"
        elif not is_top:
            elsewhere = f"not in output: layer {place.layer + 1} reads it"
        elif not self.shows_state:
            elsewhere = f"not in output: {self._instead}"
        else:
            left = f"{self.first}{place.index}"
            if self.form.is_packed:
                left = f"{left[:-1]}, b]"
            equality = Equality(left, self._last_output(place.direction))
        return StateRow(place.number, place.index, place.layer, place.direction, self._when(place), equality, elsewhere)

    @property
    def _instead(self) -> str:
        """What is done to the states of the last layer before they are the output."""
        words = {"sum": "are summed", "mul": "are multiplied", "ave": "are averaged"}
        done = [f"both directions {words[self.sizes.merge_mode]}"] if self.is_joined else []
        done += ["the layer's input is added"] if self.sizes.adds_input[-1] else []
        return ", and ".join(done)

    def _when(self, place: LayerPlace) -> str:
        if place.is_backward:
            return "after step 0, read last"
        if self.form.is_packed:
            return "after step lengths[b] - 1"
        last = self.form.seq_len
        return "after the last step" if last is None else f"after step {last - 1}, the last"

    def _last_output(self, direction: int) -> str:
        """The place in the output of a direction's state after the whole sequence."""
        features = ["", ""]
        if self.sizes.bidirectional and not self.is_joined:
            features = [f":{self.width}", f"{self.width}:"]
        step = ["lengths[b] - 1" if self.form.is_packed else "-1", "0"][direction]
        return self._output_at(step, features[direction])

    def _output_at(self, step: str, features: str) -> str:
        """An index of the output, or for a packed input of the padded one, at a step."""
        if self.form.is_packed:
            places = ["b", step] if self.sizes.batch_first else [step, "b"]
        elif not self.form.is_batched:
            places = [step]
        else:
            places = [":", step] if self.sizes.batch_first else [step, ":"]
        if features:
            places.append(features)
        elif places[-1] == ":":
            places.pop()
        return f"{'padded' if self.form.is_packed else 'output'}[{', '.join(places)}]"

    def _view(self) -> list[Statement]:
        """Layers and directions as dimensions of their own."""
        if self.sizes.arrangement.by_layer:
            names = ", ".join(["num_directions", *(["batch"] if self.form.is_batched else []), "size"])
            return [Statement(f"{self.first} is a tuple of a tensor for each layer, ({names}), as the sizes differ.")]
        if len(self.sizes.places) == 1:
            return []
        sizes, layers, directions = self.sizes, self.sizes.num_layers, self.sizes.num_directions
        batch = [] if not self.form.is_batched else ["batch" if self.form.batch is None else str(self.form.batch)]
        shape = ", ".join([str(layers), str(directions), *batch, str(sizes.state_sizes()[0])])
        view = f"{self.first}.view({shape})"
        names = ", ".join(["num_layers", "num_directions", *(["batch"] if batch else []), "size"])
        number = "layer" if directions == 1 else "2*layer + direction"
        equalities = tuple(
            Equality(f"{view}[{place.layer}, {place.direction}]", f"{self.first}[{place.number}]")
            for place in sizes.places
        )
        text = f"{view} is ({names}): its [layer, direction] is {self.first}[{number}], the same numbers."
        return [Statement(text, equalities)]

    def _others(self) -> list[Statement]:
        if not self.others:
            return []
        names = " and ".join(self.others)
        verb = "has" if len(self.others) == 1 else "have"
        return [Statement(f"{names} {verb} the same rows as {self.first}; output does not hold {names}.")]

    def _backward(self) -> list[Statement]:
        """Why the backward direction's last state is at the first step."""
        if not self.sizes.bidirectional or not self.shows_state:
            return []
        ahead, back = self._last_output(0), self._last_output(1)
        first_read = self._output_at("lengths[b] - 1" if self.form.is_packed else "-1", f"{self.width}:")
        why = (
            "The backward direction reads the last step first and step 0 last, so its state after the whole sequence "
            f"is at {back}; {first_read} is its state after one step alone."
        )
        sequence = ", b" if self.form.is_packed else ""
        ends = ["[-1][0", "[-1][1"] if self.sizes.arrangement.by_layer else ["[-2", "[-1"]
        last = "[" + ", ".join(f"{self.first}{end}{sequence}]" for end in ends) + "]"
        both = Equality(f"torch.cat({last}, -1)", f"torch.cat([{ahead}, {back}], -1)")
        joined = f"Both directions after the whole sequence: {both.left}."
        if self.form.seq_len != 1:
            joined += " The output of the last step is not that."
        return [Statement(why), Statement(joined, (both,))]

    def _packed(self) -> list[Statement]:
        """What holds for packed sequences."""
        if not self.form.is_packed:
            return []
        option = ", batch_first=True" if self.sizes.batch_first else ""
        found = [
            Statement(
                f"padded, lengths = pad_packed_sequence(output{option}); b is a sequence, in the order that you packed "
                f"them in. {self.first}, the other states and padded are in that order too."
            ),
            Statement(
                f"Padding is never read: {self.first} is the state after each sequence's own last step. Padded steps "
                "are zeros, so an index of -1 gives zeros for every sequence that is shorter than the longest."
            ),
        ]
        order, sizes = self.form.order, self.form.batch_sizes or ()
        rows = f"output.data[:{sizes[0]}] is step 0 of all sequences that have one, the longest first"
        first_step = "padded[:, 0]" if self.sizes.batch_first else "padded[0]"
        if order is not None:
            rows += f": sequences {', '.join(map(str, order[:8]))}{' …' if len(order) > 8 else ''} (sorted_indices)"
            first_step += f"[output.sorted_indices[:{sizes[0]}]]"
        found.append(Statement(rows + ".", (Equality(f"output.data[:{sizes[0]}]", first_step),)))
        if 0 in (self.form.lengths or ()):
            found.append(Statement(f"A sequence without steps has its first state in {self.first}."))
        return found

    def _shown(self) -> list[Statement]:
        """A note about cells whose output is no state."""
        if self.is_state and not self.shows_state:
            return [Statement(f"The output of a step is no state: {self._instead}.")]
        if self.shows_state:
            return []
        return [Statement(f"The output of a step is {self.program.output.name}, which is no state of the cell.")]
