"""A recurrent layer of a model, built from the arrays that were found for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recurra.cells import lstm
from recurra.compiler import biases, drop_biases, trace
from recurra.conversion import keras, onnx
from recurra.conversion.arrays import Array, Arrays, Item, RoleArrays
from recurra.conversion.gates import Stacked, cell_of, layout_of, parameters
from recurra.conversion.keras_settings import RECURRENT, cell_told, differences, merge_told
from recurra.conversion.names import FoundLayer, Names, Scheme, find, keras_scheme, onnx_scheme, torch_scheme
from recurra.conversion.sizes import broken_equations, solved_sizes
from recurra.equations import Cell
from recurra.errors import RecurraError
from recurra.model import Part, recurrent_weights
from recurra.model.kinds import features
from recurra.model.layouts import TORCH_CELLS, GateLayout
from recurra.model.part import Setting
from recurra.program import Program
from recurra.program.sizes import shape_text

Scans = Sequence[Sequence[RoleArrays]]  # by layer and direction

_KINDS = {cell: kind for kind, cell in TORCH_CELLS.items()}


@dataclass(frozen=True, eq=False)
class BuiltPart:
    """A part with its weights.

    Attributes:
        name: the part's name in the model.
        part: the part.
        weights: the part's own weights, by name.
        label: the caller's word for it, or the prefix of its arrays' names.
        text: a description of the arrays that it was built from, for messages.
    """

    name: str
    part: Part
    weights: Mapping[str, Array]
    label: str
    text: str

    def unfit(self, label: str, taken: int) -> RecurraError:
        """The error that a part, of this label, takes another number of features than this one gives."""
        given = features(self.part)[1]
        is_double = self.part.settings.get("bidirectional") is True and given == 2 * taken
        hint = f": merge_mode='sum', 'ave' or 'mul' makes {taken} features of both directions" if is_double else ""
        return RecurraError(f"{self.label} gives {given} features, {label} takes {taken}{hint}")


@dataclass(frozen=True)
class _Library:
    """A library whose layout is not torch's.

    Attributes:
        scheme: the library's names for arrays.
        cell: finds the cell of a layer's arrays in one direction.
        stacked: stacks the weights of each direction.
    """

    scheme: Scheme
    cell: Callable[[RoleArrays], Cell]
    stacked: Callable[[Sequence[RoleArrays], GateLayout], list[Stacked]]


_LIBRARIES = {
    "keras": _Library(keras_scheme(("kernel", "recurrent_kernel"), ("bias",)), keras.cell, keras.stacked),
    "onnx": _Library(onnx_scheme(("W", "R"), ("B", "P")), onnx.cell, onnx.stacked),
}


@dataclass(frozen=True)
class Choice:
    """The caller's arguments for all layers.

    Attributes:
        cell: the cell of the layers; None to tell it from the shapes.
        options: values for the cell's options.
        sizes: sizes that the cell's equations leave open, by the name of a variable.
        order: torch, keras or onnx; None to tell it from the names.
        batch_first: whether the layers have the batch first.
        merge_mode: how layers of two directions make one output of both, as in ``Arrangement``; None where the source
            tells it.
    """

    cell: Cell | None
    options: Mapping[str, Any]
    sizes: Mapping[str, Any] | None
    order: str | None
    batch_first: bool
    merge_mode: str | None

    def schemes(self) -> list[Scheme]:
        """The schemes that the names of a layer's arrays may follow: the cell's own parameters, Keras' and ONNX'.

        Raises:
            RecurraError: ``order`` is not known.
        """
        program = trace(lstm) if self.cell is None else trace(self.cell, self.options, sizes=self.sizes)
        optional = [parameter.name for parameter in biases(program)]
        required = [parameter.name for parameter in program.parameters if parameter.name not in optional]
        own = torch_scheme(required, [*optional, "weight_hr"])
        known = [own, *(each.scheme for each in _LIBRARIES.values())]
        if self.order not in (None, *(scheme.order for scheme in known)):
            raise RecurraError(f"order must be 'torch', 'keras', 'onnx' or None; got {self.order!r}")
        return [scheme for scheme in known if self.order in (None, scheme.order)]


def layer(name: str, arrays: Arrays, names: Names | None, choice: Choice, notes: list[str]) -> BuiltPart:
    """The layer that is built from some of the arrays.

    Args:
        name: the name of the part.
        arrays: all arrays of the source.
        names: says which arrays are the layer's; None for the only layer there is.
        choice: the caller's other arguments.
        notes: gets a text for everything that the layer does otherwise than in its source.

    Raises:
        RecurraError: the arrays make up no layer, or do not fit the cell.
    """
    found = find("names", arrays.names, names, choice.schemes())
    if found.order == "keras":
        choice = _with_configuration(choice, arrays, found.prefix, notes)
    scans: Scans = [[arrays.by_role(roles) for roles in level] for level in found.scans]
    first, library = scans[0][0], _LIBRARIES.get(found.order)
    cell = choice.cell or (_torch_cell(first) if library is None else library.cell(first))
    program = trace(cell, choice.options, sizes=choice.sizes, projected="weight_hr" in first)
    own, scans = _own(program, scans) if library is None else _converted(library, program, scans)
    has_biases = len(own.parameters) == len(program.parameters)
    part = _part(cell, own, scans, has_biases=has_biases, choice=choice)
    weights = {name: item.array for name, item in _checked(part, scans).items()}
    used = ", ".join(item for level in found.scans for roles in level for item in roles.values())
    layout = f"{found.order}'s order" if library or cell in _KINDS else "its own names"
    text = f"{own.name} of {part.size('input_size')} → {part.size('hidden_size')} units in {layout}: {used}"
    return BuiltPart(name, part, weights, label_of(names, found, name), text)


def _with_configuration(choice: Choice, arrays: Arrays, prefix: str, notes: list[str]) -> Choice:
    """The choice with what the configuration of a model of Keras says and the caller does not."""
    layers = (arrays.layers.get(segment) for segment in prefix.split("/"))
    found = next((each for each in layers if each is not None and each.core.kind in RECURRENT), None)
    if found is None:
        return choice
    notes += differences(found)
    if choice.merge_mode is None:
        choice = replace(choice, merge_mode=merge_told(found))
    if choice.cell is not None:
        return choice
    told = cell_told(found)
    return replace(choice, cell=told.cell, options={**told.options, **choice.options})


def label_of(given: Names | None, found: FoundLayer, name: str) -> str:
    """A short word for the arrays of a part: what the caller gave, else the prefix of their names, else a name."""
    return (given if isinstance(given, str) else found.prefix).strip("._:/")[:60] or name


def torch_layer(scans: Scans) -> tuple[Part, dict[str, Item]]:
    """torch.nn's layer with these arrays, told by their shapes, and its weights by name.

    Args:
        scans: the arrays, whose roles are the names of torch's parameters.

    Raises:
        RecurraError: the shapes fit no such layer.
    """
    cell = _torch_cell(scans[0][0])
    program = trace(cell, projected="weight_hr" in scans[0][0])
    own, scans = _own(program, scans)
    part = _part(cell, own, scans, has_biases=own is program)
    return part, _checked(part, scans)


def _part(cell: Cell, program: Program, scans: Scans, *, has_biases: bool, choice: Choice | None = None) -> Part:
    """The layer of a cell that is traced as ``program``, with the sizes of the first scan's arrays."""
    sizes = solved_sizes(program, scans[0][0])
    settings: dict[str, Setting] = {
        "input_size": sizes.input,
        "hidden_size": sizes.hidden,
        "num_layers": len(scans),
        "bias": has_biases,
        "batch_first": choice is not None and choice.batch_first,
        "dropout": 0.0,
        "bidirectional": len(scans[0]) == 2,
        "proj_size": sizes.proj,
        "program": program,
        "init": dict(cell.stored_init),
    }
    if choice is not None and choice.merge_mode not in (None, "concat") and settings["bidirectional"]:
        settings["merge_mode"] = choice.merge_mode
    return Part(_KINDS.get(cell, "Recurrent"), settings)


def _own(program: Program, scans: Scans) -> tuple[Program, Scans]:
    """The program, without biases where the scans have none, and the scans as they are."""
    names = [parameter.name for parameter in biases(program)]
    missing = [name for name in names if name not in scans[0][0]]
    if missing and len(missing) < len(names):
        raise RecurraError(f"of the cell's biases, {', '.join(missing)} is missing: there must be all or none")
    return drop_biases(program) if missing else program, scans


def _converted(library: _Library, program: Program, scans: Scans) -> tuple[Program, Scans]:
    """The program, without biases where the scans have none, and the scans converted to its parameters."""
    layout = layout_of(program)
    first = scans[0][0]
    own = program if "bias" in first or "B" in first else drop_biases(program)
    converted = [[parameters(stacked, own, layout) for stacked in library.stacked(level, layout)] for level in scans]
    return own, [
        [{role: Item(role, role, array) for role, array in scan.items()} for scan in level] for level in converted
    ]


def _torch_cell(scan: RoleArrays) -> Cell:
    weight = scan["weight_hh"]
    hidden = scan.get("weight_hr", weight).shape[-1:]
    if len(weight.shape) != 2 or not all((*weight.shape, *hidden)) or weight.shape[0] % hidden[0]:
        raise weight.mismatch("(gates*hidden, hidden)", _hint(scan))
    return cell_of(weight.shape[0] // hidden[0], weight)


def _checked(part: Part, scans: Scans) -> dict[str, Item]:
    """The weights of a layer, by name, with shapes checked against the program."""
    weights: dict[str, Item] = {}
    flat = [scan for level in scans for scan in level]
    symbols = {parameter.name: parameter.shape for parameter in part.program.parameters}
    for scan, (suffix, shapes) in zip(flat, recurrent_weights(part), strict=True):
        for name, shape in shapes.items():
            role = name.removesuffix(suffix)
            item = scan[role]
            if item.shape != shape:
                hint = _hint(scan) or broken_equations(symbols[role], shape, item.shape)
                raise item.mismatch(f"{shape}, {shape_text(symbols[role])} of cell {part.program.name!r}", hint)
            weights[name] = item
    return weights


def _hint(scan: RoleArrays) -> str:
    """The advice for matrices that look like a torch layer's, transposed; else an empty text."""
    shapes = [scan[role].shape for role in ("weight_ih", "weight_hh") if role in scan]
    if [len(shape) for shape in shapes] != [2, 2]:
        return ""
    (_, columns), (hidden, rows) = shapes
    if columns != rows or not 0 < hidden < columns or columns % hidden:
        return ""
    names = {
        foreign: scan[role].name
        for foreign, role in (("kernel", "weight_ih"), ("recurrent_kernel", "weight_hh"), ("bias", "bias_ih"))
        if role in scan
    }
    return f"that looks like Keras' (features, gates) layout: order='keras', names={names}"
