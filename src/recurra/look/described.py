"""The explanation of a model that is described as plain data, as a file holds it; without torch."""

from __future__ import annotations

from typing import Any, cast

from recurra.compiler import TracedCell
from recurra.look.batch_form import BatchForm
from recurra.look.costs import TrainingFacts
from recurra.look.explanation import ExplainedPart, Explanation
from recurra.look.layer_sizes import LayerSizes
from recurra.look.stack import Subject, explained_stack
from recurra.model import Description
from recurra.model.kinds import is_recurrent, role
from recurra.model.part import Part
from recurra.model.recurrent_parts import ARRANGEMENT_DEFAULTS


def explained_description(description: Description, form: BatchForm) -> Explanation:
    """The explanation of a described model.

    Args:
        description: the model.
        form: the layout of its input.

    Raises:
        TypeError: the model has no recurrent part.
    """
    parts = []
    for name, part in description.root.walk():
        if is_recurrent(part):
            parts.append(ExplainedPart(name, explained_stack(_subject(part, form, description.dtype.itemsize))))
    if not parts:
        raise TypeError(f"explain takes a model with a recurrent part; this {description.root.kind} has none")
    title = f"{description.root.kind}: {len(parts)} recurrent part{'s' * (len(parts) > 1)}"
    return Explanation(title, tuple(map(_with_shapes, parts)))


def form_of(description: Description, x: Any) -> BatchForm:
    """The layout of an input of a described model.

    Args:
        description: the model.
        x: the input, anything that numpy makes an array of; or a tuple of it and states.

    Raises:
        TypeError: x is not numbers.
        ValueError: x has another shape than the model takes, or the model does not run as one.
    """
    from recurra.runtime.layout import Layout

    rows, is_batched = Layout(description).rows(x[0] if isinstance(x, tuple) else x)
    return BatchForm(rows.shape[1], rows.shape[0], is_batched)


def _subject(part: Part, form: BatchForm, item: int) -> Subject:
    is_cell = role(part) == "cell"
    names = ("num_layers", "bidirectional", "batch_first", "proj_size", *ARRANGEMENT_DEFAULTS)
    settings: dict[str, Any] = {name: part.settings[name] for name in names if name in part.settings}
    sizes = LayerSizes(
        TracedCell(part.program),
        part.size("input_size"),
        cast(int | tuple[int, ...], part.settings["hidden_size"]),
        bias=part.flag("bias"),
        batch=form.batch,
        seq_len=form.seq_len,
        **settings,
    )
    dropout = 0.0 if is_cell else part.number("dropout")
    return Subject(sizes.shown(part.kind), part.program, sizes, form, TrainingFacts(item, dropout, is_cell=is_cell))


def _with_shapes(part: ExplainedPart) -> ExplainedPart:
    """A part with the shapes of what goes in and out, which follow from its sizes."""
    stack = part.stack
    variables = {row.name: row for row in (stack.sequences or stack.layers[0].variables)}
    outputs = ["output" if stack.sequences else stack.program.output.name]
    arrives = variables["input" if stack.sequences else stack.program.named_inputs[0].name]
    return ExplainedPart(part.name, stack, arrives.numbers, ", ".join(variables[name].numbers for name in outputs))
