"""The explanation of a model that is described as plain data, as a file holds it; without torch."""

from __future__ import annotations

from typing import Any

from recurra.compiler import TracedCell
from recurra.look.batch_form import BatchForm
from recurra.look.costs import Training
from recurra.look.explanation import ExplainedPart, Explanation
from recurra.look.layer_sizes import LayerSizes
from recurra.look.stack import Subject, explained_stack
from recurra.model import Description
from recurra.model.kinds import is_recurrent, role
from recurra.model.part import Part


def explained_description(description: Description, x: Any = None) -> Explanation:
    """The explanation of a described model.

    Args:
        description: the model.
        x: an input of it, anything that numpy makes an array of; or a tuple of it and states. Default None.

    Raises:
        TypeError: the model has no recurrent part, or x is not numbers.
        ValueError: x has another shape than the model takes, or the model does not run as one.
    """
    form = BatchForm() if x is None else _form(description, x[0] if isinstance(x, tuple) else x)
    parts = []
    for name, part in description.root.walk():
        if is_recurrent(part):
            parts.append(ExplainedPart(name, explained_stack(_subject(part, form, description.dtype.itemsize))))
    if not parts:
        raise TypeError(f"explain takes a model with a recurrent part; this {description.root.kind} has none")
    return Explanation(f"{description.root.kind} of {len(parts)} recurrent parts", tuple(map(_with_shapes, parts)))


def _form(description: Description, x: Any) -> BatchForm:
    """The layout of an input."""
    from recurra.runtime.layout import Layout

    rows, is_batched = Layout(description).rows(x)
    return BatchForm(rows.shape[1], rows.shape[0], is_batched)


def _subject(part: Part, form: BatchForm, item: int) -> Subject:
    is_cell = role(part) == "cell"
    names = ("num_layers", "bidirectional", "batch_first", "proj_size")
    settings: dict[str, Any] = {name: part.settings[name] for name in names if name in part.settings}
    sizes = LayerSizes(
        TracedCell(part.program),
        part.size("input_size"),
        part.size("hidden_size"),
        bias=part.flag("bias"),
        batch=form.batch,
        seq_len=form.seq_len,
        **settings,
    )
    dropout = 0.0 if is_cell else part.number("dropout")
    return Subject(sizes.shown(part.kind), part.program, sizes, form, Training(item, dropout, is_cell=is_cell))


def _with_shapes(part: ExplainedPart) -> ExplainedPart:
    """A part with the shapes of what goes in and out, which follow from its sizes."""
    stack = part.stack
    variables = {row.name: row for row in (stack.sequences or stack.layers[0].variables)}
    outputs = ["output" if stack.sequences else stack.program.output.name]
    arrives = variables["input" if stack.sequences else stack.program.input.name]
    return ExplainedPart(part.name, stack, arrives.numbers, ", ".join(variables[name].numbers for name in outputs))
