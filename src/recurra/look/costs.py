"""The costs of a layer: multiply-adds, and the bytes that its forward pass keeps for the backward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recurra.compiler import plan
from recurra.engines import Wishes
from recurra.engines.saved import derive, keeps_products
from recurra.look.batch_form import BatchForm
from recurra.look.layer_sizes import LayerPlace, LayerSizes
from recurra.program import Equation, Program, Sizes

HALF_ITEM = 2  # bytes; half precision is computed and kept in float32
CHECKPOINT = bool | int | None


@dataclass(frozen=True)
class Multiplications:
    """Multiply-adds of the products of one layer in one direction; elementwise operations are not counted.

    Attributes:
        per_step: for one step of one sequence.
        per_call: once per call, for products of parameters alone.
    """

    per_step: int
    per_call: int


def multiplications(program: Program, sizes: Sizes) -> Multiplications:
    """The multiply-adds of a program at these sizes."""
    varying = program.varying()
    counts = {True: 0, False: 0}
    for equation in program.equations:
        if equation.operation == "product":
            counts[equation.results[0] in varying] += _of_product(equation, sizes)
    return Multiplications(counts[True], counts[False])


def _of_product(equation: Equation, sizes: Sizes) -> int:
    left, right = equation.variables
    return left.width(sizes) * right.shape[-1].value(sizes)


@dataclass(frozen=True)
class TrainingFacts:
    """The settings that decide what a forward pass keeps.

    Attributes:
        item: bytes of an element of the input. Default 4, float32.
        dropout: the probability of dropout between layers. Default 0.
        checkpoint: the layer's ``checkpoint``. Default None.
        input_has_gradient: whether a gradient of the input is wanted. Default False.
        is_cell: whether a call is one step. Default False.
    """

    item: int = 4
    dropout: float = 0.0
    checkpoint: CHECKPOINT = None
    input_has_gradient: bool = False
    is_cell: bool = False

    @property
    def computed_item(self) -> int:
        """Bytes of an element of what is computed."""
        return 4 if self.item == HALF_ITEM else self.item


@dataclass(frozen=True)
class KeptBytes:
    """Bytes that stay in memory from the forward pass to the backward pass, weights and the input left out.

    Attributes:
        scans: for each layer and direction: its output, and values of every step such as the gates.
        between: beside these: joined outputs of two directions, masks and results of dropout, first states.
    """

    scans: tuple[int, ...]
    between: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.scans) + self.between


def kept(sizes: LayerSizes, form: BatchForm, training: TrainingFacts) -> KeptBytes | None:
    """The bytes that a layer keeps in training on recurra's native engine; None where the batch is not known.

    Args:
        sizes: the layer.
        form: its input.
        training: what else decides.
    """
    rows = form.batch if training.is_cell else form.rows
    if rows is None or form.batch is None:
        return None
    program, places, item = sizes.program, sizes.places, training.computed_item
    scans = []
    for place in places:
        wanted = training.input_has_gradient or place.layer > 0
        scans.append(_of_scan(program, place, form, training, rows, wanted))
    widths = [place.sizes.input * rows * item for place in places[sizes.num_directions :: sizes.num_directions]]
    is_dropped = training.dropout > 0
    between = 0
    for width, adds in zip(widths, sizes.adds_input, strict=False):  # the input of the layer above, and the mask
        is_another = sizes.bidirectional or is_dropped or adds or bool(training.checkpoint)  # than what a scan keeps
        between += width * is_another + width * is_dropped
    if _has_first_states(program, form, training) or not sizes.is_plain:
        between += sum(sum(sizes.state_sizes(place.layer)) for place in places) * form.batch * item
    return KeptBytes(tuple(scans), between)


def _has_first_states(program: Program, form: BatchForm, training: TrainingFacts) -> bool:
    """Whether zeros are made for first states that are not given, and kept: plain dense calls do without."""
    is_plain = not form.is_packed and (form.is_batched or training.is_cell)
    return not is_plain or bool(training.checkpoint) or bool(program.masks) or training.item == HALF_ITEM


def _of_scan(
    program: Program, place: LayerPlace, form: BatchForm, training: TrainingFacts, rows: int, input_has_gradient: bool
) -> int:
    """The bytes that one layer keeps in one direction."""
    sizes, item, batch = place.sizes, training.computed_item, form.batch or 0
    states = [state.width(sizes) for state in program.states]
    if training.checkpoint:
        return item * (_segments(form, training.checkpoint) - 1) * batch * sum(states)
    wanted = (input_has_gradient, *(False for _ in program.states), *(True for _ in program.parameters))
    keeps = keeps_products(rows, item, program.input.width(sizes), states)
    scheduled = plan(program)
    values = derive(scheduled, Wishes(wanted, (True,), keeps)).kept
    masks = sum(
        mask.results[0].width(sizes) * (batch if mask.attributes["per"] == "sequence" and not form.is_packed else rows)
        for mask in scheduled.program.masks
    )
    return item * (rows * (program.output.width(sizes) + sum(value.width(sizes) for value in values)) + masks)


def _segments(form: BatchForm, checkpoint: bool | int) -> int:
    """The segments that a checkpointed run is cut into."""
    steps = form.seq_len or 1
    length = math.isqrt(max(1, steps - 1)) + 1 if checkpoint is True else int(checkpoint)
    return -(-steps // length)
