"""Recurrent layers, in one direction and in two, with masks and with states that are handed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from recurra.compiler.masks import with_mask_in_input
from recurra.conversion.keras_config import KerasLayer
from recurra.conversion.keras_graphs.table import LayerWeights, RuleCall, keras_rule, known_width, values_in
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter
from recurra.conversion.keras_settings import RECURRENT, cell_told, merge_told
from recurra.conversion.layer import BuiltPart, Choice, layer
from recurra.graph.operators.cell_scan import OWN
from recurra.program import to_json

_CELLS = {"SimpleRNNCell": "SimpleRNN", "LSTMCell": "LSTM", "GRUCell": "GRU"}
_LAST = 2**62  # behind the end of any sequence
_MERGES = {"sum": "Add", "ave": "Add", "mul": "Mul"}


@dataclass(frozen=True)
class _DirectionRun:
    """The result of a layer in one direction.

    Attributes:
        output: (steps, batch, units), in the order of the input's steps.
        last: (batch, units), the output of the step that ran last.
        states: the last states.
        units: the number of features of the output.
        sizes: the number of features of each state.
    """

    output: str
    last: str
    states: Sequence[str]
    units: int
    sizes: Sequence[int]


@keras_rule(*RECURRENT)
def _recurrent(w: KerasWriter, call: RuleCall) -> list[KerasValue]:
    found = call.layer
    reverse = call.flag("go_backwards")
    run = _direction(w, call, found, call.weights, _initial(w, call, 1)[0], reverse=reverse)
    return _outputs(w, call, found, [run], reverse=reverse)


@keras_rule("RNN")
def _cells(w: KerasWriter, call: RuleCall) -> list[KerasValue]:
    """Cells one on top of the other, each over all steps."""
    given = call.settings.get("cell")
    inside = given.get("config") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(inside, dict):
        raise ValueError("its cell is not in the configuration")
    nodes = inside.get("cells") if given.get("class_name") == "StackedRNNCells" else [given]
    levels = [_level(node, call.layer) for node in nodes] if isinstance(nodes, list) else []
    if not levels:
        raise ValueError("it has no cells")
    reverse = call.flag("go_backwards")
    states = _states_given(call)
    runs: list[_DirectionRun] = []
    own = call
    for number, level in enumerate(levels):
        weights = call.weights.under(level.name) if len(levels) > 1 else call.weights
        count = 2 if level.kind == "LSTM" else 1
        first, states = states[:count], states[count:]
        runs.append(_direction(w, own, level, weights, first, reverse=reverse))
        batch_first = w.transpose(runs[-1].output, (1, 0, 2))
        steps = KerasValue(batch_first, (None, call.x.shape[1], runs[-1].units), call.mask)
        own = replace(call, arguments=[steps], options={}) if number + 1 < len(levels) else own
    top = runs[-1]
    whole = replace(
        top,
        states=[state for run in runs for state in run.states],
        sizes=[size for run in runs for size in run.sizes],
    )
    return _outputs(w, call, call.layer, [whole], reverse=reverse)


def _level(node: Any, found: KerasLayer) -> KerasLayer:
    """A cell as the layer that runs it.

    Raises:
        ValueError: it is of no known class.
    """
    kind = node.get("class_name") if isinstance(node, dict) else None
    settings = node.get("config") if isinstance(node, dict) else None
    if kind not in _CELLS or not isinstance(settings, dict):
        raise ValueError(f"its cell is a {str(kind)[:60]}; known are {', '.join(_CELLS)}")
    return KerasLayer(_CELLS[kind], str(settings.get("name", ""))[:200], settings, is_older=found.is_older)


@keras_rule("Bidirectional")
def _both(w: KerasWriter, call: RuleCall) -> list[KerasValue]:
    found = call.layer
    core = found.inner
    if core is None or core.kind not in RECURRENT:
        raise ValueError(f"it runs a {core.kind[:60] if core else 'layer'} in both directions, which is not supported")
    backward = found.settings.get("backward_layer")
    settings = backward.get("config") if isinstance(backward, dict) else None
    second = replace(core, settings=settings) if isinstance(settings, dict) else core
    reverse = core.settings.get("go_backwards") is True
    states = _initial(w, call, 2)
    runs = []
    for number, (way, each) in enumerate((("forward", core), ("backward", second))):
        weights = _of_direction(call.weights, way)
        runs.append(_direction(w, call, each, weights, states[number], reverse=reverse != bool(number)))
    return _outputs(w, call, core, runs, reverse=False)


def _of_direction(weights: LayerWeights, way: str) -> LayerWeights:
    """The arrays of one direction, whose layers begin with forward_ and backward_."""
    inside = {
        rest: name
        for rest, name in weights.names.items()
        if any(part.startswith(f"{way}_") for part in rest.split("/"))
    }
    return LayerWeights(weights.arrays, inside)


def _initial(w: KerasWriter, call: RuleCall, directions: int) -> list[list[KerasValue]]:
    """The states that the caller hands to each direction; empty lists for none.

    Raises:
        ValueError: they cannot be divided among the directions.
    """
    given = _states_given(call)
    if len(given) % directions:
        raise ValueError(f"{len(given)} initial states for {directions} directions")
    each = len(given) // directions
    return [given[each * number : each * (number + 1)] for number in range(directions)]


# ---- one direction ----


def _built(call: RuleCall, found: KerasLayer, weights: LayerWeights) -> BuiltPart:
    """The layer of one direction, with its weights in the layout of the runtime."""
    names: dict[str, str] = {}
    for rest, name in weights.names.items():
        names[rest.rpartition("/")[2].removesuffix(":0")] = name
    roles = [role for role in ("kernel", "recurrent_kernel", "bias") if role in names]
    told = cell_told(found)
    choice = Choice(told.cell, told.options, None, "keras", True, None)
    return layer("recurrent", weights.arrays, {role: names[role] for role in roles}, choice, [])


def _direction(
    w: KerasWriter, call: RuleCall, found: KerasLayer, weights: LayerWeights, states: Sequence[KerasValue], *,
    reverse: bool,
) -> _DirectionRun:  # fmt: skip
    """Write the scan of one direction."""
    x = call.x
    if x.rank != 3:
        raise ValueError(f"its input must be (batch, steps, features); it has {x.rank} dimensions")
    if call.settings.get("time_major") is True:
        raise ValueError("time_major=True is not supported")
    if found.settings.get("stateful") is True:
        call.notes.append(f"{call.layer.name[:60]} is stateful, and starts from zero in each call here")
    part = _built(call, found, weights)
    width, units = part.part.size("input_size"), part.part.size("hidden_size")
    if width != known_width(x):
        raise ValueError(f"its kernel takes {width} features, and its input has {known_width(x)}")
    program = part.part.program
    steps, mask = w.transpose(w.real(x), (1, 0, 2)), _applied_mask(call)
    firsts = _first_states(w, steps, states, len(program.states), units)
    if mask is not None:
        program = with_mask_in_input(program)
        steps = w.node("Concat", steps, _marks(w, mask), axis=2)
        firsts = [*firsts, _zeros(w, steps, units)]
    names = {variable.name: f"{variable.name}_l0" for variable in part.part.program.parameters}
    parameters = [w.constant(part.weights[own], f"{w.label}.{name}") for name, own in names.items()]
    output, *last = w.node(
        "CellScan", steps, "", *firsts, *parameters, outputs=1 + len(program.states), domain=OWN,
        program=to_json(program), sizes=(width, units, 0), reverse=int(reverse),
    )  # fmt: skip
    count = len(part.part.program.states)
    end = last[-1] if mask is not None else last[0]
    zeroed = _zeroes_skipped(call, found)
    if mask is not None and zeroed:
        output = str(w.node("Where", w.node("Greater", _marks(w, mask), w.constant(0.0)), output, w.constant(0.0)))
        end = str(w.node("Gather", output, w.scalar(0 if reverse else -1), axis=0))
    return _DirectionRun(output, end, last[:count], units, [units] * count)


def _applied_mask(call: RuleCall) -> str | None:
    """The mask of the steps that are skipped: Keras 3 has none beside initial states, unless the call names it."""
    if call.layer.is_older or not _states_given(call):
        return call.mask
    return call.mask if isinstance(call.options.get("mask"), KerasValue) else None


def _states_given(call: RuleCall) -> list[KerasValue]:
    return values_in(call.options.get("initial_state")) or call.values[1:]


def _zeroes_skipped(call: RuleCall, found: KerasLayer) -> bool:
    """Tell whether the output of skipped steps is zero, as in a Bidirectional that gives all steps."""
    if call.layer.kind == "Bidirectional":
        return found.settings.get("return_sequences") is True
    return call.flag("zero_output_for_mask")


def _marks(w: KerasWriter, mask: str) -> str:
    """A mask (batch, steps) as numbers (steps, batch, 1)."""
    return str(w.node("Unsqueeze", w.cast(w.transpose(mask, (1, 0)), w.dtype), w.whole(2)))


def _zeros(w: KerasWriter, steps: str, units: int) -> str:
    """Zeros (batch, units) for the batch of (steps, batch, features)."""
    return str(w.node("Expand", w.constant(0.0), w.node("Concat", w.size(steps, 1), w.whole(units), axis=0)))


def _first_states(w: KerasWriter, steps: str, given: Sequence[KerasValue], count: int, units: int) -> list[str]:
    """The states before the first step.

    Raises:
        ValueError: the given ones do not fit.
    """
    if not given:
        return [_zeros(w, steps, units)] * count
    if len(given) != count or any(each.shape[-1] not in (None, units) or each.rank != 2 for each in given):
        shapes = ", ".join(str(each.shape) for each in given)
        raise ValueError(f"{count} initial states (batch, {units}) are needed; there are {shapes}")
    return [w.real(each) for each in given]


# ---- outputs ----


def _outputs(
    w: KerasWriter, call: RuleCall, core: KerasLayer, runs: Sequence[_DirectionRun], *, reverse: bool
) -> list[KerasValue]:
    """The outputs of a layer: all steps or the last, of both directions merged, then the states if they are wanted."""
    settings = core.settings
    gives_all, units = settings.get("return_sequences") is True, runs[0].units
    steps = call.x.shape[1]
    if gives_all:
        made = [w.transpose(_flipped(w, run.output) if reverse else run.output, (1, 0, 2)) for run in runs]
    else:
        made = [run.last for run in runs]
    mask = call.mask if gives_all else None

    def value(name: str, features: int) -> KerasValue:
        return KerasValue(name, (None, steps, features) if gives_all else (None, features), mask)

    merge = call.settings.get("merge_mode", "concat") if len(runs) == 2 else None
    if len(runs) == 1 or merge is None:
        results = [value(name, units) for name in made]
    elif merge_told(call.layer) == "concat":
        results = [value(str(w.node("Concat", *made, axis=-1)), sum(run.units for run in runs))]
    else:
        y = str(w.node(_MERGES[str(merge)], *made))
        results = [value(str(w.node("Mul", y, w.constant(0.5))) if merge == "ave" else y, units)]
    if settings.get("return_state") is True or call.settings.get("return_state") is True:
        for run in runs:
            results += [KerasValue(name, (None, size)) for name, size in zip(run.states, run.sizes, strict=True)]
    return results


def _flipped(w: KerasWriter, x: str) -> str:
    """(steps, batch, features) from the last step to the first."""
    return str(w.node("Slice", x, w.whole(-1), w.whole(-_LAST), w.whole(0), w.whole(-1)))
