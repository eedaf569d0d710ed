"""``converted``: the way from a source of arrays to the description of a model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from recurra import cells
from recurra.conversion.around import embedding, output
from recurra.conversion.arrays import MOST_LISTED, Arrays, ArraySource
from recurra.conversion.layer import BuiltPart, Choice, layer
from recurra.conversion.names import Names
from recurra.equations import Cell
from recurra.errors import EquationError, RecurraError, one_line
from recurra.graph.graph import ModelGraph
from recurra.model import Description, Part, Weight
from recurra.model.arrangement import Arrangement
from recurra.model.kinds import features

_logger = logging.getLogger("recurra")
_MAX_LINE = 1_000  # a message may list names of arrays


def converted(
    source: ArraySource | Arrays,
    cell: str | Cell | None = None,
    order: str | None = None,
    names: Names | Sequence[Names] | None = None,
    table: str | None = None,
    linear: Names | None = None,
    batch_first: bool | None = None,
    merge_mode: str | None = None,
    sizes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Description | ModelGraph:
    """The model that ``recurra.convert`` returns, as data; the arguments are the same.

    Raises:
        FileFormatError: the file cannot be read, is damaged, or has another format.
        RecurraError: an array is missing, or has a shape that does not fit the layer.
    """
    arrays = Arrays.of(source)
    notes: list[str] = []
    try:
        is_whole = arrays.config is not None and names is None and table is None and linear is None
        first = is_whole if batch_first is None else batch_first
        choice = Choice(_cell(cell), options or {}, sizes, order, first, merge_mode)
        if is_whole:
            from recurra.conversion.keras_whole import whole_model  # other sources do not need its imports

            made = whole_model(arrays, choice, notes)
        else:
            made = _named_parts(arrays, names, table, linear, choice, notes)
        if not isinstance(made, ModelGraph):
            _check_merge(merge_mode, made)
            _check_chain(made)
        description = made if isinstance(made, ModelGraph) else _description(made)
    except EquationError:  # of the cell, whatever the source
        raise
    except RecurraError as error:
        raise type(error)(one_line(f"{arrays.where}: {error}", _MAX_LINE)) from None
    unused, skipped = arrays.unused(), ", ".join(arrays.skipped[:MOST_LISTED])
    _logger.log(
        logging.WARNING if notes or (unused and names is None) else logging.INFO,
        "%s: %s%s%s%s",
        arrays.where,
        _text(made),
        f"; not used: {unused}" if unused else "",
        f"; not read: {skipped}" if skipped else "",
        f"; otherwise than in its source: {', '.join(notes)}" if notes else "",
    )
    return description


def _text(made: list[BuiltPart] | ModelGraph) -> str:
    """A description of a model for the log."""
    if isinstance(made, list):
        return "; ".join(part.text for part in made)
    ends = ["; ".join(map(str, each)) for each in (made.graph.inputs, made.graph.outputs)]
    return f"a graph of {len(made.graph.nodes)} operations: {ends[0]} → {ends[1]}"


def _named_parts(
    arrays: Arrays,
    names: Names | Sequence[Names] | None,
    table: str | None,
    linear: Names | None,
    choice: Choice,
    notes: list[str],
) -> list[BuiltPart]:
    """The layers of the caller's names, behind an embedding and before a linear map where these are named."""
    several = list(names) if isinstance(names, Sequence) and not isinstance(names, str) else [names]
    if not several:
        raise RecurraError("names is an empty list: a model needs a layer")
    parts = [] if table is None else [embedding(arrays, table)]
    for number, each in enumerate(several):
        name = "recurrent" if len(several) == 1 else f"recurrent_{number}"
        parts.append(layer(name, arrays, each, choice, notes))
    if linear is not None:
        parts.append(output(arrays, linear, parts[-1]))
    return parts


def _cell(given: str | Cell | None) -> Cell | None:
    if given is None or isinstance(given, Cell):
        return given
    zoo = cells.all()
    if not isinstance(given, str) or given not in zoo:
        near = get_close_matches(str(given).lower(), zoo, 1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise RecurraError(f"cell must be a cell, or the name of one in recurra.cells.all(); got {given!r:.100}{hint}")
    return zoo[given]


def _check_merge(merge_mode: str | None, parts: Sequence[BuiltPart]) -> None:
    """Refuse a merge mode that is not known, or that no layer has a use for."""
    is_bidirectional = any(part.part.settings.get("bidirectional") is True for part in parts)
    problem = Arrangement((1,), is_bidirectional, merge_mode or "concat").problem
    if problem is not None:
        raise RecurraError(problem.replace("bidirectional=True", "a layer with the weights of both"))


def _check_chain(parts: Sequence[BuiltPart]) -> None:
    """Refuse parts that do not fit behind one another; those that take any number of features give as many."""
    before: BuiltPart | None = None
    for part in parts:
        taken, given = features(part.part)
        if before is not None and taken is not None and taken != features(before.part)[1]:
            raise before.unfit(part.label, taken)
        before = before if given is None else part


def _description(parts: Sequence[BuiltPart]) -> Description:
    """One part as it is, several as a Stack; weights of several dtypes all get the most precise one."""
    is_single = len(parts) == 1
    weights = {
        name if is_single else f"{part.name}.{name}": value for part in parts for name, value in part.weights.items()
    }
    dtype = np.result_type(*{value.dtype for value in weights.values()}) if weights else None
    weights = {name: value.astype(dtype, copy=False) for name, value in weights.items()}
    root = parts[0].part if is_single else Part("Stack", {}, tuple((part.name, part.part) for part in parts))
    return Description(root, {name: Weight.of(np.asarray(value, order="C")) for name, value in weights.items()})
