"""Layers and cells as parts: the arrangement of their scans, and the sizes and weights of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recurra.errors import RecurraError
from recurra.model.arrangement import Arrangement
from recurra.model.part import Part, Setting
from recurra.program import Sizes

Shapes = dict[str, tuple[int, ...]]

# The settings that a layer may lack, and what they then are.
ARRANGEMENT_DEFAULTS: Mapping[str, Setting] = {
    "merge_mode": "concat",
    "residual": False,
    "tie_directions": False,
    "learn_initial_state": False,
}
# The setting that every part with matrix products may lack: their operands are then as the context says.
COMPUTE_DEFAULT: Mapping[str, Setting] = {"compute": None}


def is_cell(part: Part) -> bool:
    """Whether a recurrent part runs one step; a layer runs sequences."""
    return "num_layers" not in part.settings


def arrangement(part: Part) -> Arrangement:
    """The arrangement of a recurrent part's scans; a cell has one."""
    if is_cell(part):
        return Arrangement((part.size("hidden_size"),))
    given = part.settings["hidden_size"]
    sizes = given if isinstance(given, tuple) else (part.size("hidden_size"),) * part.size("num_layers")
    chosen: dict[str, Any] = {name: part.settings.get(name, value) for name, value in ARRANGEMENT_DEFAULTS.items()}
    return Arrangement(sizes, part.flag("bidirectional"), **chosen, by_layer=isinstance(given, tuple))


def layer_sizes(part: Part) -> list[Sizes]:
    """The sizes that the program's symbols stand for in each layer of a recurrent part; a cell has one layer.

    Raises:
        RecurraError: the size of the output is no whole number.
    """
    proj_size = 0 if is_cell(part) else part.size("proj_size")
    return list(arrangement(part).sizes(part.program, part.size("input_size"), proj_size))


def adds_input(part: Part) -> tuple[bool, ...]:
    """For each layer of a recurrent part, whether its input is added to its output.

    Raises:
        RecurraError: ``residual`` is set, and no layer has as many features in its output as in its input.
    """
    return arrangement(part).adds_input(part.program, layer_sizes(part))


def directions(part: Part) -> int:
    """The number of directions of each layer of a recurrent part: 1 or 2."""
    return 2 if part.settings.get("bidirectional") is True else 1


def further_sizes(part: Part) -> list[int]:
    """The sizes of a recurrent part's inputs beside the first one."""
    return [each.size.value(layer_sizes(part)[0]) for each in part.program.further_inputs]


def recurrent_weights(part: Part) -> list[tuple[str, Shapes]]:
    """The weights of a recurrent part for each layer and direction: the suffix of their names, and shapes by full name.

    Raises:
        RecurraError: a size of the program is no whole number.
    """
    runs, arranged = [], arrangement(part)
    for layer, sizes in enumerate(layer_sizes(part)):
        for direction in range(arranged.directions):
            number = layer * arranged.directions + direction
            suffix = "" if is_cell(part) else arranged.weight_suffix(number)
            shapes = {
                parameter.name + suffix: tuple(size.value(sizes) for size in parameter.shape)
                for parameter in part.program.parameters
            }
            runs.append((suffix, shapes))
    return runs


def learned_states(part: Part) -> list[Shapes]:
    """The learned first values of each state of a recurrent part, by layer and direction; none where they are zeros.

    Raises:
        RecurraError: a size of the program is no whole number.
    """
    arranged = arrangement(part)
    if not arranged.learn_initial_state:
        return []
    sizes = layer_sizes(part)
    return [
        {
            f"{state.name}_0{arranged.suffix(number)}": (1, state.width(sizes[arranged.place(number)[0]]))
            for number in range(arranged.count)
        }
        for state in part.program.states
    ]


def recurrent_shapes(part: Part) -> Shapes:
    """The names and shapes of all weights of a recurrent part."""
    weights = {name: shape for _, shapes in recurrent_weights(part) for name, shape in shapes.items()}
    return weights | {name: shape for shapes in learned_states(part) for name, shape in shapes.items()}


def recurrent_features(part: Part) -> tuple[int, int]:
    """The numbers of features that a recurrent part takes and gives."""
    output = part.program.output.width(layer_sizes(part)[-1])
    return part.size("input_size"), arrangement(part).width(output)


def recurrent_problem(part: Part) -> str | None:
    """A contradiction between the settings of a recurrent part; None where there is none."""
    program, projection = part.program, part.settings.get("proj_size", 0)
    if not program.states:
        return "its program has no state"
    projects = any("proj" in size.symbols for variable in program.sources for size in variable.shape)
    if projects != (projection != 0):
        return "proj_size does not fit its program"
    given = part.settings["hidden_size"]
    if isinstance(given, tuple) and len(given) != part.size("num_layers"):
        return f"hidden_size has {len(given)} sizes, and num_layers is {part.size('num_layers')}"
    arranged = arrangement(part)
    if projects and part.size("proj_size") >= min(arranged.hidden_sizes):
        return "proj_size must be smaller than hidden_size"
    if arranged.problem is not None:
        return arranged.problem
    if arranged.residual:
        try:
            adds_input(part)
        except RecurraError as error:
            return str(error)
    return None
