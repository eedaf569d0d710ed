"""``explain``: the shapes, meanings and costs of everything in a cell, a layer, a model or a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra import cells
from recurra.compiler import trace
from recurra.equations import Cell
from recurra.look.batch_form import BatchForm
from recurra.look.explanation import ExplainedPart, Explanation
from recurra.look.layer_sizes import LayerSizes
from recurra.look.stack import Subject, explained_stack
from recurra.model import Description

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor, nn
    from torch.nn.utils.rnn import PackedSequence

    from recurra.runtime import Model


def explain(
    target: Cell | LayerSizes | nn.Module | Model | Description | str | os.PathLike[str],
    x: Tensor | PackedSequence | ArrayLike | tuple[Any, ...] | None = None,
    *,
    sizes: Mapping[str, Any] | None = None,
) -> Explanation:
    """Explain every variable, shape and cost of a recurrent network, and how its output and last states relate.

    Args:
        target: a cell, or the name of one in ``recurra.cells``; a layer or a cell of ``recurra.nn`` or ``torch.nn``,
            accelerated or not; a model of torch, whose recurrent parts are explained; a ``recurra.runtime.Model``; the
            path of a file of ``recurra.save``, which is read without torch; or a ``LayerSizes``.
        x: an input, as the target takes it: (seq_len, batch, input_size) or in the layer's own layout, unbatched or
            packed; for several arguments a tuple, such as ``(x, (h_0, c_0))``. Shapes then have batch and seq_len in
            numbers. A whole model of torch is run on it once, in evaluation mode and without gradients. Default None.
        sizes: of a bare cell, sizes that its equations leave open, by the name of a variable, as
            ``recurra.nn.Recurrent`` takes them; a layer knows its own. Default none.

    Returns:
        An explanation: ``print`` shows it, a notebook draws it, ``to_html()`` and ``to_svg()`` give a page and a
        drawing.

    Raises:
        TypeError: target is something else, or x is no input of it.
        ValueError: x is given for a bare cell or sizes for anything else, or the model of a file does not run as one.
        RuntimeError: x has another shape than the target takes; the message names the dimensions.
        FileFormatError: the file cannot be read.
    """
    if isinstance(target, str) and not Path(target).exists():
        target = cells.all().get(target, target)
    if isinstance(target, Cell):
        if x is not None:
            raise ValueError("explain(cell) takes no input: a bare cell has no sizes; give a layer")
        return _alone(Subject(f"cell {target.name}", trace(target, sizes=sizes)))
    if sizes is not None:
        raise ValueError("explain takes sizes= for a bare cell alone: a layer knows its sizes")
    if isinstance(target, LayerSizes):
        if x is not None:
            raise ValueError("explain(LayerSizes) takes no input: its batch and seq_len are among the sizes")
        return _of_sizes(target)
    described = _description(target)
    if described is not None:
        from recurra.look.described import explained_description, form_of

        return explained_description(described, BatchForm() if x is None else form_of(described, x))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(target, torch.nn.Module):
        from recurra.look.torch_targets import explained_module

        return explained_module(target, x)
    raise TypeError(  # for callers without types
        "explain takes a cell, a recurrent layer or cell, a model that has one, or the path of a file; not a "
        f"{type(target).__name__}"
    )


def _alone(subject: Subject) -> Explanation:
    return Explanation(subject.title, (ExplainedPart("", explained_stack(subject)),))


def _of_sizes(sizes: LayerSizes) -> Explanation:
    return _alone(Subject(sizes.python, sizes.program, sizes, sizes.form))


def _description(target: object) -> Description | None:
    """The description of a model of the runtime or of a file; None for other targets."""
    if isinstance(target, (str, os.PathLike)):
        from recurra.conversion.reading import read

        return read(target)
    runtime = sys.modules.get("recurra.runtime")
    if runtime is not None and isinstance(target, runtime.Model):
        target = target.description
    return target if isinstance(target, Description) else None
